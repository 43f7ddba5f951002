package handlers

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"perennial/store"
	"perennial/views"
)

// health remembers for a moment what is known of the things we depend on, because every page shows it.
type health struct {
	mu    sync.Mutex
	asked time.Time
	known []store.Health
}

const (
	healthFor   = 2 * time.Second
	watchPeriod = 30 * time.Second
)

// WatchProvider asks the identity provider from time to time whether it answers, so that pages can say so, and stop
// saying so, without anybody signing in. It returns when ctx ends.
func (s *Site) WatchProvider(ctx context.Context) {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for {
		s.rememberProvider(ctx, s.Auth.Look(ctx))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// What this process last wrote about the provider.
const (
	unwritten = iota
	answers
	silent
)

// rememberProvider lets every page know whether the provider answers. Only news are written.
func (s *Site) rememberProvider(ctx context.Context, problem error) {
	text, state := "", int32(answers)
	if problem != nil {
		_, text = describe(problem)
		state = silent
	}
	if s.provider.Swap(state) == state {
		return
	}
	if err := s.DB.System().SetHealth(ctx, "provider", problem == nil, text, s.Now().Add(watchPeriod)); err != nil {
		s.provider.Store(unwritten)
		s.Log.Warn("health not saved", "error", err)
	}
}

// outages is what the portal cannot reach just now, how many domains of the page wait for it, and the first safety
// line that needs it, zero when that is not known.
func (s *Site) outages(ctx context.Context, waits int, needed time.Time) []views.Outage {
	var out []views.Outage
	for _, h := range s.knownHealth(ctx) {
		if !h.OK {
			out = append(out, views.Outage{What: kindOf(h.What), Name: s.nameOf(h), Since: h.Since, NextTry: h.NextTry,
				Waits: waits, Needed: needed})
		}
	}
	return out
}

// knownHealth reads at most every two seconds. A page without it is better than none, so a failure is only logged.
func (s *Site) knownHealth(ctx context.Context) []store.Health {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	if now := s.Now(); now.Sub(s.health.asked) >= healthFor {
		known, err := s.DB.System().Health(ctx)
		if err != nil {
			s.Log.Warn("health not read", "error", err)
			return nil
		}
		s.health.asked, s.health.known = now, known
	}
	return s.health.known
}

// kindOf is what sort of thing that is on which we depend.
func kindOf(what string) string {
	kind, _, _ := strings.Cut(what, ":")
	return kind
}

func (s *Site) nameOf(h store.Health) string {
	switch kindOf(h.What) {
	case "ca":
		return h.Name
	case "dns":
		return s.Zone
	case "provider":
		return s.Auth.ProviderName()
	}
	return h.What
}

// healthz says that the process answers.
func (s *Site) healthz(v *visit) error {
	return v.String(http.StatusOK, fmt.Sprintf("ok %s\n", s.Version))
}

// readyz says whether requests can be served, which takes the database and nothing else: a provider or an authority
// that is down must not take every instance out of rotation.
func (s *Site) readyz(v *visit) error {
	ctx, cancel := context.WithTimeout(v.ctx(), 2*time.Second)
	defer cancel()
	if err := s.DB.Ping(ctx); err != nil {
		s.Log.Error("not ready", "error", err)
		return v.String(http.StatusServiceUnavailable, "the database does not answer\n")
	}
	return v.String(http.StatusOK, "ready\n")
}
