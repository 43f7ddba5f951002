package jobs

import (
	"context"
	"sync"
	"time"

	"perennial/jobs/acme"
)

// What we depend on, as pages name it: the CA, and the name server that takes the updates of our zone.
const (
	theCA   = "ca:" // and the issuer's id
	theZone = "dns"
)

// health remembers what was last said of each, so that only a change is written down.
type health struct {
	mu    sync.Mutex
	known map[string]said
}

// said is whether something answers, and when it is tried again if not.
type said struct {
	ok   bool
	next time.Time
}

// turned reports whether it is news.
func (h *health) turned(what string, now said) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if was, known := h.known[what]; known && was == now {
		return false
	}
	if h.known == nil {
		h.known = map[string]said{}
	}
	h.known[what] = now
	return true
}

// unheard notes that the CA did not answer about an order, also for the note on every page, and reports whether that is
// an outage.
func (t *turn) unheard(ctx context.Context, p *acme.Problem) (outage bool) {
	if !p.Code.NoAnswer() {
		return false
	}
	next := t.orders.unheard(t.id, p.Code, retryAt(p))
	t.sayCA(ctx, false, p.Error(), later(next, later(retryAt(p), time.Now().Add(t.Tick))))
	return !next.IsZero()
}

// heard notes that the CA answers.
func (t *turn) heard(ctx context.Context) {
	t.orders.heard()
	t.sayCA(ctx, true, "", time.Time{})
}

// uninformed notes that the CA did not say when to renew. Where its orders fail as well, their next probe is the next try.
func (t *turn) uninformed(ctx context.Context, p *acme.Problem) {
	if !p.Code.NoAnswer() {
		return
	}
	next := t.windows.unheard(t.id, p.Code, retryAt(p))
	if t.orders.next().IsZero() {
		t.sayCA(ctx, false, p.Error(), next)
	}
}

// informed notes that the CA says when to renew. That it takes orders again, only an order can tell.
func (t *turn) informed(ctx context.Context) {
	t.windows.heard()
	if t.orders.next().IsZero() {
		t.sayCA(ctx, true, "", time.Time{})
	}
}

func (t *turn) sayCA(ctx context.Context, ok bool, text string, next time.Time) {
	if t.authority.staging { // nobody waits for that one
		return
	}
	t.say(ctx, theCA+string(t.authority.id), ok, text, next)
}

// unwritten notes that our zone took no update.
func (e *Engine) unwritten(ctx context.Context, raw string) {
	e.say(ctx, theZone, false, raw, time.Time{})
}

// written notes that our zone takes updates.
func (e *Engine) written(ctx context.Context) { e.say(ctx, theZone, true, "", time.Time{}) }

func (e *Engine) say(ctx context.Context, what string, ok bool, text string, next time.Time) {
	if !e.health.turned(what, said{ok, next.Round(0)}) {
		return
	}
	if err := e.sys.SetHealth(ctx, what, ok, text, next); err != nil {
		e.Log.Error("saving health failed", "error", err)
	}
}
