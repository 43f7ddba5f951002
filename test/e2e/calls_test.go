package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"perennial/cmd/devportal/devca"
)

// calls stands in front of the CA: it counts what was carried out, and holds one call so that the portal can be
// killed in the middle of it.
type calls struct {
	mu    sync.Mutex
	gates map[devca.Endpoint]*gate
	done  map[string]int // "newOrder shop.acme.example", "finalize /finalize-order/xyz"
}

// gate holds the next call of one endpoint.
type gate struct {
	after   bool          // hold it when it is carried out and not yet answered; otherwise before it is carried out
	arrived chan struct{} // closed when a call is held
	open    chan struct{} // closed to let it go on
	left    chan struct{} // closed when it went on, or its client is gone
}

func newCalls() *calls {
	return &calls{gates: map[devca.Endpoint]*gate{}, done: map[string]int{}}
}

// hold makes the next call of an endpoint stop.
func (c *calls) hold(e devca.Endpoint, after bool) *gate {
	g := &gate{after: after, arrived: make(chan struct{}), open: make(chan struct{}), left: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gates[e] = g
	return g
}

func (g *gate) wait(t *testing.T) {
	t.Helper()
	within(t, g.arrived, "the portal makes the call that is to be held")
}

// release lets the held call go on.
func (g *gate) release() { close(g.open) }

// abandoned waits until the CA has noticed that whoever made the held call is gone.
func (g *gate) abandoned(t *testing.T) {
	t.Helper()
	within(t, g.left, "the CA notices that the portal is gone")
}

func within(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("waited 20 seconds until " + what)
	}
}

// watch wraps the CA.
func (c *calls) watch(ca http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A server notices that its client is gone only once the body was read.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		g := c.take(devca.EndpointOf(r))
		if g != nil && !g.after {
			g.stop(r)
		}
		answer := httptest.NewRecorder()
		ca.ServeHTTP(answer, r)
		c.count(r, body, answer.Code)
		// A refused nonce is not the call: the portal makes it again, and that one is held.
		if g != nil && g.after && answer.Code >= http.StatusBadRequest {
			c.putBack(devca.EndpointOf(r), g)
			g = nil
		}
		if g != nil && g.after {
			g.stop(r)
		}
		maps.Copy(w.Header(), answer.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		w.Write(unhurried(r, answer)) //nolint:errcheck // the client is gone
	})
}

// unhurried lets the CA be processing after a finalize, as real ones are; Pebble is sometimes done already. So the
// portal always asks for the order once more.
func unhurried(r *http.Request, answer *httptest.ResponseRecorder) []byte {
	var order map[string]any
	if devca.EndpointOf(r) != devca.Finalize || json.Unmarshal(answer.Body.Bytes(), &order) != nil || order["certificate"] == nil {
		return answer.Body.Bytes()
	}
	order["status"] = "processing"
	delete(order, "certificate")
	text, _ := json.Marshal(order) // what was JSON a moment ago
	return text
}

// stop holds a call until the gate opens. When the client is gone by then, the call never happened.
func (g *gate) stop(r *http.Request) {
	close(g.arrived)
	defer close(g.left)
	select {
	case <-g.open:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

func (c *calls) take(e devca.Endpoint) *gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gates[e]
	delete(c.gates, e)
	return g
}

func (c *calls) putBack(e devca.Endpoint, g *gate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gates[e] = g
}

func (c *calls) count(r *http.Request, body []byte, status int) {
	if status >= http.StatusBadRequest || r.Method != http.MethodPost {
		return
	}
	e := devca.EndpointOf(r)
	what := r.URL.Path
	if e == devca.NewOrder {
		what = orderedName(body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[string(e)+" "+what]++
}

// orderedName reads the first name out of a signed newOrder request.
func orderedName(body []byte) string {
	var signed struct{ Payload string }
	var order struct{ Identifiers []struct{ Value string } }
	if json.Unmarshal(body, &signed) != nil {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(signed.Payload)
	if err != nil || json.Unmarshal(payload, &order) != nil || len(order.Identifiers) == 0 {
		return ""
	}
	return order.Identifiers[0].Value
}

// orders is how many orders the CA made for a name.
func (c *calls) orders(name string) int { return c.all(devca.NewOrder)[name] }

// all is how often each thing at an endpoint was done.
func (c *calls) all(e devca.Endpoint) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for call, n := range c.done {
		var kind, what string
		if _, err := fmt.Sscan(call, &kind, &what); err == nil && kind == string(e) {
			out[what] += n
		}
	}
	return out
}

// once reports what was done at an endpoint more or less often than once.
func (c *calls) once(t *testing.T, e devca.Endpoint, want int) {
	t.Helper()
	all := c.all(e)
	if len(all) != want {
		t.Errorf("%s: %d different calls, want %d", e, len(all), want)
	}
	for what, n := range all {
		if n != 1 {
			t.Errorf("%s %s was done %d times, want once", e, what, n)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
