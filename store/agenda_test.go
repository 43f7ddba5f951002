package store_test

import (
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func TestNextDue(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		if next := must[time.Time](t)(s.sys.NextDue(s.ctx)); !next.IsZero() {
			t.Errorf("nobody is there, yet somebody is due at %v", next)
		}
		soon, later := s.register(w.Acme, "soon.example"), s.register(w.Northwind, "later.example")
		for id, wait := range map[tenants.DomainID]time.Duration{soon: time.Hour, later: 2 * time.Hour} {
			s.begin(id)
			check(t, s.sys.Rest(s.ctx, id, owner, w.Clock.Now().Add(wait), tenants.Finding{}, tenants.Waiting))
		}
		want := must[store.DomainView](t)(w.Scope(w.Acme).Domain(s.ctx, soon)).Domain.Next
		if next := must[time.Time](t)(s.sys.NextDue(s.ctx)); !next.Equal(want) {
			t.Errorf("next due at %v, want %v", next, want)
		}
	})
}
