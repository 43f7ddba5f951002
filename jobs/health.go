package jobs

import (
	"context"
	"sync"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// What we depend on, as pages name it: the CA, and the name server that takes the updates of our zone.
const (
	theCA   = "ca:" // and the issuer's id
	theZone = "dns"
)

// health remembers what was last said of each, so that only a change is written down.
type health struct {
	mu    sync.Mutex
	known map[string]bool
}

// turned reports whether ok is news.
func (h *health) turned(what string, ok bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if was, known := h.known[what]; known && was == ok {
		return false
	}
	if h.known == nil {
		h.known = map[string]bool{}
	}
	h.known[what] = ok
	return true
}

// unheard notes that the CA did not answer, for the note on every page.
func (t *turn) unheard(ctx context.Context, p *acme.Problem) {
	if p.Code == tenants.CASilent {
		t.say(ctx, theCA+string(t.authority.id), false, p.Error(), later(retryAt(p), time.Now().Add(t.Tick)))
	}
}

// heard notes that the CA answers.
func (t *turn) heard(ctx context.Context) {
	t.say(ctx, theCA+string(t.authority.id), true, "", time.Time{})
}

// unwritten notes that our zone took no update.
func (e *Engine) unwritten(ctx context.Context, raw string) {
	e.say(ctx, theZone, false, raw, time.Time{})
}

// written notes that our zone takes updates.
func (e *Engine) written(ctx context.Context) { e.say(ctx, theZone, true, "", time.Time{}) }

func (e *Engine) say(ctx context.Context, what string, ok bool, text string, next time.Time) {
	if !e.health.turned(what, ok) {
		return
	}
	if err := e.sys.SetHealth(ctx, what, ok, text, next); err != nil {
		e.Log.Error("saving health failed", "error", err)
	}
}
