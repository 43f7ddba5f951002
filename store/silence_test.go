package store_test

import (
	"slices"
	"testing"
	"time"

	"perennial/store/storetest"
	"perennial/tenants"
)

// Who waits for a silent issuer is due for nobody until it is recalled: as a probe the one that waits longest, and when the
// issuer answers the soonest expiry first.
func TestRecall(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(nil)
		why := tenants.Finding{Code: tenants.CASilent}
		fresh, late, soon := s.register(w.Acme, "fresh.example"), s.register(w.Acme, "late.example"), s.register(w.Acme, "soon.example")
		s.issue(late, 60*24*time.Hour)
		s.issue(soon, 30*24*time.Hour)
		park := func(id tenants.DomainID) {
			s.begin(id)
			check(t, s.sys.AwaitAnswer(s.ctx, id, owner, i.ID, why, tenants.Renewing))
			w.Clock.Advance(time.Second)
		}
		next := func() tenants.DomainID {
			t.Helper()
			due := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10))
			if len(due) != 1 {
				t.Fatalf("due: %v", due)
			}
			return due[0]
		}
		for _, id := range []tenants.DomainID{late, fresh, soon} {
			park(id)
		}
		if due := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); len(due) != 0 {
			t.Fatalf("due although the issuer is silent: %v", due)
		}
		for _, want := range []tenants.DomainID{late, fresh} {
			if n := must[int](t)(s.sys.RecallProbe(s.ctx, i.ID)); n != 1 || next() != want {
				t.Fatalf("%d recalled, want %s", n, want)
			}
			park(want)
		}
		for _, want := range []tenants.DomainID{soon, late, fresh} {
			if n := must[int](t)(s.sys.Recall(s.ctx, i.ID, 1)); n != 1 || next() != want {
				t.Fatalf("%d recalled, want %s", n, want)
			}
			s.begin(want)
		}
		if n := must[int](t)(s.sys.Recall(s.ctx, i.ID, 5)); n != 0 {
			t.Errorf("%d more recalled", n)
		}
		park(soon)
		check(t, w.Scope(w.Acme).CheckNow(s.ctx, soon))
		if next() != soon {
			t.Error("a person has to wait for the issuer, too")
		}
		park(soon)
		w.Clock.Advance(7 * time.Hour)
		if due := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); !slices.Contains(due, soon) {
			t.Error("who is never recalled is forgotten")
		}
	})
}
