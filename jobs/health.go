package jobs

import (
	"context"
	"sync"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// health remembers what was last said of the CA, so that only a change is written down.
type health struct {
	mu     sync.Mutex
	silent bool
	known  bool
}

// turned reports whether silent is news.
func (h *health) turned(silent bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	news := !h.known || h.silent != silent
	h.known, h.silent = true, silent
	return news
}

// unheard notes that the CA did not answer, for the note on every page.
func (e *Engine) unheard(ctx context.Context, p *acme.Problem) {
	if p.Code == tenants.CASilent && e.health.turned(true) {
		e.say(ctx, false, p.Error(), later(retryAt(p), time.Now().Add(e.Tick)))
	}
}

// heard notes that the CA answers.
func (e *Engine) heard(ctx context.Context) {
	if e.health.turned(false) {
		e.say(ctx, true, "", time.Time{})
	}
}

func (e *Engine) say(ctx context.Context, ok bool, text string, next time.Time) {
	if err := e.sys.SetHealth(ctx, "ca", ok, text, next); err != nil {
		e.Log.Error("saving health failed", "error", err)
	}
}
