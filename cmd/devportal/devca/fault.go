package devca

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Fault is a way to misbehave at one endpoint. Its zero value misbehaves in no way.
type Fault struct {
	Status     int           // answer with a problem of this status
	Type       string        // ACME error, such as "rateLimited" or "caa"; default "serverInternal"
	Detail     string        // of the problem
	RetryAfter time.Duration // header of the problem, whole seconds
	Delay      time.Duration // wait before anything else
	Silent     bool          // never answer, until the client or the CA gives up
	Drop       bool          // cut the connection without an answer
	Applied    bool          // do what was asked all the same, and only then fail; alone it cuts the connection
	Times      int           // how often, 0 until healed
	Names      []string      // only orders for one of these names; for NewOrder

	// Answer, when set, answers instead; next does what was asked.
	Answer func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

type faults struct {
	mu sync.Mutex
	at map[Endpoint][]*Fault
}

// Break makes the CA misbehave at an endpoint. Several faults of one endpoint are tried in the order given.
func (a *CA) Break(e Endpoint, f Fault) {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	if a.faults.at == nil {
		a.faults.at = map[Endpoint][]*Fault{}
	}
	a.faults.at[e] = append(a.faults.at[e], &f)
}

// BreakAll makes the CA misbehave at every endpoint, as in an outage.
func (a *CA) BreakAll(f Fault) {
	for _, e := range endpoints {
		a.Break(e.Endpoint, f)
	}
}

// Heal ends the faults of these endpoints; without endpoints, all.
func (a *CA) Heal(at ...Endpoint) {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	if len(at) == 0 {
		clear(a.faults.at)
	}
	for _, e := range at {
		delete(a.faults.at, e)
	}
}

// hit is the fault this request meets, with one of its times used up. names is asked only when a fault needs it.
func (fs *faults) hit(e Endpoint, names func() []string) (Fault, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, f := range fs.at[e] {
		if len(f.Names) > 0 && !overlap(f.Names, names()) {
			continue
		}
		hit := *f
		if f.Times--; f.Times == 0 {
			fs.at[e] = slices.Delete(fs.at[e], i, i+1)
		}
		return hit, true
	}
	return Fault{}, false
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}

func (a *CA) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := a.faults.hit(EndpointOf(r), func() []string { return orderNames(r) })
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		a.suffer(f, w, r, next)
	})
}

func (a *CA) suffer(f Fault, w http.ResponseWriter, r *http.Request, next http.Handler) {
	hold(r)
	if f.Delay > 0 && !a.wait(r, time.After(f.Delay)) {
		panic(http.ErrAbortHandler)
	}
	if f.Applied {
		next.ServeHTTP(httptest.NewRecorder(), r)
	}
	switch {
	case f.Silent:
		a.wait(r, nil)
		panic(http.ErrAbortHandler)
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.Answer != nil:
		f.Answer(w, r, next)
	case f.Status != 0:
		f.answer(w)
	case f.Applied:
		panic(http.ErrAbortHandler)
	default:
		next.ServeHTTP(w, r)
	}
}

// hold reads the body into memory. Only then does the server notice while it waits that the client went away.
func hold(r *http.Request) []byte {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody)) // what was cut off fails in Pebble
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// wait reports false when the client or the CA went away first.
func (a *CA) wait(r *http.Request, until <-chan time.Time) bool {
	select {
	case <-until:
		return true
	case <-r.Context().Done():
	case <-a.closed:
	}
	return false
}

func (f Fault) answer(w http.ResponseWriter) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
	kind, detail := f.Type, f.Detail
	if kind == "" {
		kind = "serverInternal"
	}
	if detail == "" {
		detail = "This is a fault on request."
	}
	problem(w, f.Status, kind, detail)
}

// orderNames reads the names out of a newOrder request and leaves its body as it was.
func orderNames(r *http.Request) []string {
	var order struct{ Identifiers []struct{ Value string } }
	if json.Unmarshal(orderOf(r), &order) != nil {
		return nil
	}
	var names []string
	for _, id := range order.Identifiers {
		names = append(names, id.Value)
	}
	return names
}

// orderOf is the payload of a newOrder request; nil when it cannot be read.
func orderOf(r *http.Request) []byte {
	var signed struct{ Payload string }
	if json.Unmarshal(hold(r), &signed) != nil {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(signed.Payload)
	if err != nil {
		return nil
	}
	return payload
}

// counts counts requests as they arrive, faults and hooks included.
type counts struct {
	mu sync.Mutex
	by map[Endpoint]int
}

func (c *counts) add(e Endpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[Endpoint]int{}
	}
	c.by[e]++
}

// Counts is how many requests each endpoint has received since the start.
func (a *CA) Counts() map[Endpoint]int {
	a.counts.mu.Lock()
	defer a.counts.mu.Unlock()
	return maps.Clone(a.counts.by)
}

// Count is how many requests one endpoint has received since the start.
func (a *CA) Count(e Endpoint) int { return a.Counts()[e] }
