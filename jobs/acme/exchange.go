package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"perennial/tenants"
)

// exchange is the transport of one call: it gives lego's requests the caller's context, answers what is known
// already, reads bodies to their end within limit and time-out, and turns every refusal into a *Problem.
// It is used by one goroutine.
type exchange struct {
	client    *Client
	ctx       context.Context
	dir       *directory // nil while the directory itself is fetched
	limit     int64      // of a body
	nonce     string     // from the last answer, for the next request of this call
	header    http.Header
	redirects int
	failure   error // of the last request
}

// RoundTrip implements http.RoundTripper.
func (x *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	if answer := x.known(r); answer != nil {
		return answer, nil
	}
	answer, err := x.send(r)
	x.failure = err
	return answer, err
}

// known answers from memory: the directory, and a nonce when one is at hand.
func (x *exchange) known(r *http.Request) *http.Response {
	if x.dir == nil {
		return nil
	}
	switch {
	case r.Method == http.MethodGet && r.URL.String() == x.client.config.Directory:
		return answerOf(r, http.Header{}, x.dir.raw)
	case r.Method == http.MethodHead: // newNonce: the only one that lego sends
		if nonce := x.takeNonce(); nonce != "" {
			return answerOf(r, http.Header{"Replay-Nonce": {nonce}}, nil)
		}
	}
	return nil
}

func answerOf(r *http.Request, header http.Header, body []byte) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

func (x *exchange) send(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := x.client.checkURL("request", r.URL.String()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(x.ctx, x.client.config.Timeout)
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	// The directory and the nonces are fetched before the step itself, which a failure there never reaches.
	reached := func() bool { return sent.Load() && r.Method == http.MethodPost }

	request := r.Clone(ctx)
	request.Header.Set("User-Agent", x.client.config.UserAgent)
	answer, err := x.client.base.RoundTrip(request)
	if err != nil {
		return nil, x.silent(ctx, err, reached())
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, x.limit+1))
	if err == nil {
		// While the transport hangs up, a server may end its answer early and in good form: that one is cut off.
		err = ctx.Err()
	}
	if err != nil {
		return nil, x.silent(ctx, err, reached())
	}
	return x.judge(r, answer, body, reached())
}

// silent is what a request without a whole answer comes to.
func (x *exchange) silent(ctx context.Context, err error, reached bool) error {
	if x.ctx.Err() != nil {
		return fmt.Errorf("ask the authority: %w", x.ctx.Err())
	}
	detail := err.Error()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		detail = fmt.Sprintf("No answer within %s.", x.client.config.Timeout)
	}
	code := tenants.CASilent
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		code = tenants.CAUntrusted
	}
	return &Problem{Code: code, Detail: clean(detail, 300), Reached: reached}
}

// judge accepts or refuses a whole answer.
func (x *exchange) judge(r *http.Request, answer *http.Response, body []byte, reached bool) (*http.Response, error) {
	x.keepNonce(answer.Header.Get("Replay-Nonce"))
	switch {
	case int64(len(body)) > x.limit:
		return nil, brokenf("The answer is larger than %d bytes.", x.limit).reached(reached)
	case answer.StatusCode >= 400:
		p := problemOfAnswer(answer, body, x.client.config.Now())
		return nil, p.reached(reached)
	case answer.StatusCode >= 300:
		if x.redirects++; r.Method == http.MethodPost || x.redirects > 3 {
			return nil, brokenf("The authority redirects (status %d).", answer.StatusCode).reached(reached)
		}
	}
	x.header = answer.Header.Clone()
	// lego must not keep nonces of its own: its core dies with this call.
	answer.Header.Del("Replay-Nonce")
	if r.Method == http.MethodHead {
		nonce := x.takeNonce()
		if nonce == "" {
			return nil, brokenf("The authority gave no nonce.")
		}
		answer.Header.Set("Replay-Nonce", nonce)
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}
