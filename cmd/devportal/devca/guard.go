package devca

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/core"
)

// Endpoint is one kind of request.
type Endpoint string

const (
	Directory     Endpoint = "directory"
	NewNonce      Endpoint = "newNonce"
	NewAccount    Endpoint = "newAccount"
	Account       Endpoint = "account"
	KeyChange     Endpoint = "keyChange"
	NewOrder      Endpoint = "newOrder"
	Order         Endpoint = "order"
	Orders        Endpoint = "orders" // the list of an account's orders
	Authorization Endpoint = "authorization"
	Challenge     Endpoint = "challenge"
	Finalize      Endpoint = "finalize"
	Certificate   Endpoint = "certificate"
	RenewalInfo   Endpoint = "renewalInfo"
	RevokeCert    Endpoint = "revokeCert"
	Other         Endpoint = "other"
)

// endpoints are Pebble's paths, which differ from Let's Encrypt's on purpose.
var endpoints = []struct {
	prefix string
	Endpoint
}{
	{"/dir", Directory},
	{"/nonce-plz", NewNonce},
	{"/sign-me-up", NewAccount},
	{"/my-account/", Account},
	{"/rollover-account-key", KeyChange},
	{"/order-plz", NewOrder},
	{"/my-order/", Order},
	{"/list-orderz/", Orders},
	{"/authZ/", Authorization},
	{"/chalZ/", Challenge},
	{"/finalize-order/", Finalize},
	{"/certZ/", Certificate},
	{"/draft-ietf-acme-ari-03/renewalInfo/", RenewalInfo},
	{"/revoke-cert", RevokeCert},
}

// EndpointOf tells which endpoint a request is for; for use in hooks.
func EndpointOf(r *http.Request) Endpoint {
	for _, e := range endpoints {
		if strings.HasPrefix(r.URL.Path, e.prefix) {
			return e.Endpoint
		}
	}
	return Other
}

// handler is counting, then the hooks, then faults, then limits, then Pebble.
func (a *CA) handler() http.Handler {
	var h http.Handler = a.faulty(a.limited(http.HandlerFunc(a.guard)))
	if a.config.Hooks != nil {
		h = a.config.Hooks(h)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.counts.add(EndpointOf(r))
		h.ServeHTTP(w, r)
	})
}

const maxBody = 1 << 20

// guard lets requests into Pebble so that it cannot deadlock. Its authorization handler holds an authorization while
// it asks for the store, and a new order holds the store while it looks at every authorization; its order handlers
// take one read lock twice, which a writer in between turns into a deadlock. So those run alone, all others together.
// Bodies are read before, or a slow client would hold the lock.
func (a *CA) guard(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		problem(w, http.StatusRequestEntityTooLarge, "malformed", "The request is larger than 1 MiB.")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	endpoint := EndpointOf(r)
	if endpoint == Finalize && a.config.CheckCAA && !a.allowed(w, r) {
		return
	}
	if endpoint == RenewalInfo && a.config.AskAgain > 0 {
		w = &askAgain{w, a.config.AskAgain}
	}
	switch endpoint {
	case NewOrder:
		a.marks.Lock() // whoever finalized before has seen the mark that is read now
		a.marks.Unlock()
		a.exchange.RLock()
		defer a.exchange.RUnlock()
	case Authorization, Order, Orders:
		a.exchange.Lock()
		defer a.exchange.Unlock()
	default:
		a.exchange.RLock()
		defer a.exchange.RUnlock()
	}
	a.pebble.ServeHTTP(w, r)
	if endpoint == Finalize {
		a.settle(strings.TrimPrefix(r.URL.Path, "/finalize-order/"))
	}
}

// settle waits until Pebble has signed in the background. An authorization that is deactivated in that moment would
// leave Pebble a lock that is never given back; and the certificate needs its renewal window before anybody asks.
func (a *CA) settle(id string) {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Microsecond) {
		order := a.store.GetOrderByID(id)
		if order == nil {
			return
		}
		order.RLock()
		began, cert := order.BeganProcessing, order.CertificateObject
		order.RUnlock()
		if !began {
			return
		}
		if cert == nil {
			continue
		}
		if _, err := a.store.GetOrderByIssuedSerial(cert.ID); err == nil {
			a.name(order, cert)
			a.suggest(cert)
			a.awaitMark(order, deadline)
			return
		}
	}
}

// name lets an order be found by the serial number as certificates have it (RFC 9773, section 4.1). Pebble's index leaves
// out the zero before a first bit that is set, so it would not know one in 512 of the certificates that are to be replaced.
func (a *CA) name(order *core.Order, cert *core.Certificate) {
	if serial := cert.Cert.SerialNumber.Bytes(); len(serial) == 0 || serial[0] < 0x80 {
		return
	}
	order.RLock()
	known := &core.Order{Order: order.Order, ID: order.ID, AccountID: order.AccountID, Names: order.Names,
		CertificateObject: &core.Certificate{ID: "00" + cert.ID}}
	order.RUnlock()
	_ = a.store.AddOrderByIssuedSerial(known) // it has a certificate, and nothing else is wrong for Pebble
}

// awaitMark waits until Pebble has marked the order that this one replaces. It does so last, in the background, and
// reads the mark without a lock when the next order comes, so the lock is ours: see guard.
func (a *CA) awaitMark(order *core.Order, deadline time.Time) {
	_, text, _ := strings.Cut(order.Replaces, ".")
	serial, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(serial) == 0 {
		return
	}
	old, err := a.store.GetOrderByIssuedSerial(hex.EncodeToString(serial))
	for marked := err != nil; !marked && time.Now().Before(deadline); time.Sleep(20 * time.Microsecond) {
		a.marks.Lock()
		old.RLock()
		marked = old.IsReplaced
		old.RUnlock()
		a.marks.Unlock()
	}
}

// suggest gives a short certificate a window from three to four fifths of its life. Pebble's own is the last third
// give or take a day, which for a certificate of minutes is its whole life.
func (a *CA) suggest(cert *core.Certificate) {
	life := cert.Cert.NotAfter.Sub(cert.Cert.NotBefore)
	if life < 10*24*time.Hour {
		cert.ARIResponse = window(cert.Cert.NotBefore.Add(life*3/5), cert.Cert.NotBefore.Add(life*4/5), "")
	}
}

func window(start, end time.Time, explanation string) string {
	var info struct {
		SuggestedWindow struct {
			Start time.Time `json:"start"`
			End   time.Time `json:"end"`
		} `json:"suggestedWindow"`
		ExplanationURL string `json:"explanationURL,omitempty"`
	}
	info.SuggestedWindow.Start, info.SuggestedWindow.End = start.UTC(), end.UTC()
	info.ExplanationURL = explanation
	out, _ := json.Marshal(info) // times and a string always encode
	return string(out)
}

// askAgain replaces the Retry-After that Pebble has built in.
type askAgain struct {
	http.ResponseWriter
	after time.Duration
}

func (w *askAgain) Write(b []byte) (int, error) {
	if w.Header().Get("Retry-After") != "" {
		w.Header().Set("Retry-After", strconv.Itoa(int(w.after/time.Second)))
	}
	return w.ResponseWriter.Write(b)
}

func (w *askAgain) WriteHeader(status int) {
	if w.Header().Get("Retry-After") != "" {
		w.Header().Set("Retry-After", strconv.Itoa(int(w.after/time.Second)))
	}
	w.ResponseWriter.WriteHeader(status)
}

// problem answers with a problem document (RFC 8555, 6.7).
func problem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"type": acmeError(kind), "detail": detail, "status": status})
}

func acmeError(kind string) string {
	if strings.Contains(kind, ":") {
		return kind
	}
	return fmt.Sprintf("urn:ietf:params:acme:error:%s", kind)
}
