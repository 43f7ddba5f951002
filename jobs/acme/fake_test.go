package acme_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// fake is an authority that says what a test tells it to. It checks nothing.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]http.HandlerFunc
	asked map[string]int
	nonce int
}

// What a well-behaved authority says; {{}} stands for its own URL.
var manners = map[string]string{
	"/dir": `{"newNonce":"{{}}/nonce","newAccount":"{{}}/account","newOrder":"{{}}/order","renewalInfo":"{{}}/ari",
		"meta":{"profiles":{"short":"six days"},"caaIdentities":["ca.test"]}}`,
	"/nonce":   ``,
	"/account": `{"status":"valid","orders":"{{}}/orders"}`,
	"/orders":  `{"orders":["{{}}/order/1"]}`,
	"/order": `{"status":"pending","identifiers":[{"type":"dns","value":"a.test"}],
		"authorizations":["{{}}/authz/1"],"finalize":"{{}}/finalize/1"}`,
	"/order/1": `{"status":"pending","identifiers":[{"type":"dns","value":"a.test"}],
		"authorizations":["{{}}/authz/1"],"finalize":"{{}}/finalize/1"}`,
	"/authz/1": `{"status":"pending","identifier":{"type":"dns","value":"a.test"},
		"challenges":[{"type":"dns-01","url":"{{}}/challenge/1","status":"pending","token":"dG9rZW4"}]}`,
	"/challenge/1": `{"type":"dns-01","url":"{{}}/challenge/1","status":"processing","token":"dG9rZW4"}`,
	"/finalize/1": `{"status":"valid","identifiers":[{"type":"dns","value":"a.test"}],"authorizations":["{{}}/authz/1"],
		"finalize":"{{}}/finalize/1","certificate":"{{}}/cert/1"}`,
	"/cert/1":      `-----BEGIN CERTIFICATE-----`,
	"/ari/YWI.AQI": `{"suggestedWindow":{"start":"2026-11-22T00:00:00Z","end":"2026-11-23T00:00:00Z"}}`,
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{pages: map[string]http.HandlerFunc{}, asked: map[string]int{}}
	f.Server = httptest.NewTLSServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	for path, body := range manners {
		f.says(path, http.StatusOK, body)
	}
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked[r.URL.Path]++
	f.nonce++
	nonce := "nonce" + strconv.Itoa(f.nonce)
	page := f.pages[r.URL.Path]
	f.mu.Unlock()
	if r.URL.Path != "/dir" {
		w.Header().Set("Replay-Nonce", nonce)
	}
	// The server notices that a client has gone only once the request is read.
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if page == nil {
		page = http.NotFound
	}
	page(w, r)
}

func (f *fake) on(path string, page http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pages[path] = page
}

// says makes the authority answer a path with a body. Header lines follow as name, value.
func (f *fake) says(path string, status int, body string, header ...string) {
	f.on(path, func(w http.ResponseWriter, r *http.Request) {
		switch path {
		case "/account", "/order":
			w.Header().Set("Location", f.URL+path+"/1")
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], f.fill(header[i+1]))
		}
		w.WriteHeader(status)
		w.Write([]byte(f.fill(body)))
	})
}

func (f *fake) fill(s string) string { return strings.ReplaceAll(s, "{{}}", f.URL) }

// with is the well-behaved answer of a path with one part exchanged.
func (f *fake) with(t *testing.T, path, old, new string) {
	t.Helper()
	if !strings.Contains(manners[path], old) {
		t.Fatalf("%s does not say %s", path, old)
	}
	f.says(path, http.StatusOK, strings.ReplaceAll(manners[path], old, new))
}

func (f *fake) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

func (f *fake) config() acme.Config {
	roots := x509.NewCertPool()
	roots.AddCert(f.Certificate())
	return acme.Config{Directory: f.URL + "/dir", Roots: roots, UserAgent: "test", Timeout: 10 * time.Second}
}

func (f *fake) client() *acme.Client { return acme.New(f.config()) }

func (f *fake) account(t *testing.T) acme.Account {
	return acme.Account{Key: newKey(t), URL: f.URL + "/account"}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// calls is every request that a client makes, by the path that it ends at.
func (f *fake) calls(c *acme.Client, a acme.Account) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"/dir":         func(ctx context.Context) error { _, err := c.Meta(ctx); return err },
		"/account":     func(ctx context.Context) error { _, err := c.Register(ctx, a.Key); return err },
		"/order":       func(ctx context.Context) error { _, err := c.NewOrder(ctx, a, order); return err },
		"/order/1":     func(ctx context.Context) error { _, err := c.Order(ctx, a, f.URL+"/order/1"); return err },
		"/authz/1":     func(ctx context.Context) error { _, err := c.Authorization(ctx, a, f.URL+"/authz/1"); return err },
		"/challenge/1": func(ctx context.Context) error { return c.Answer(ctx, a, f.URL+"/challenge/1") },
		"/finalize/1": func(ctx context.Context) error {
			_, err := c.Finalize(ctx, a, f.URL+"/finalize/1", []byte("csr"))
			return err
		},
		"/cert/1": func(ctx context.Context) error { _, err := c.Certificate(ctx, a, f.URL+"/cert/1"); return err },
		"/orders": func(ctx context.Context) error {
			_, _, err := c.FindOrder(ctx, a, acme.LostOrder{Names: order.Names})
			return err
		},
		"/ari/YWI.AQI": func(ctx context.Context) error { _, err := c.RenewalInfo(ctx, "YWI.AQI"); return err },
	}
}

var order = acme.OrderRequest{Names: []string{"a.test"}}

// problem is err, which must be a *Problem with this code.
func problem(t *testing.T, err error, code tenants.Code) *acme.Problem {
	t.Helper()
	p, ok := errors.AsType[*acme.Problem](err)
	if !ok {
		t.Fatalf("not a problem: %v", err)
	}
	if p.Code != code {
		t.Fatalf("code %s, want %s: %v", p.Code, code, p)
	}
	if len(p.Error()) > 6000 || strings.ContainsAny(p.Error(), "\x00\n\x1b") {
		t.Fatalf("not fit to be shown: %.200q", p.Error())
	}
	return p
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
