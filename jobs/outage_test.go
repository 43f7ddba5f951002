package jobs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/store"
	"perennial/tenants"
)

// outage registers some names, asks for their renewal when the CA is down, and counts the requests that it does not
// answer. The first name expires first.
func (w *world) outage(n int) (ids []tenants.DomainID, unanswered *int) {
	w.t.Helper()
	for _, name := range names(n) {
		ids = append(ids, w.register(name))
		w.status(ids[len(ids)-1], tenants.Active)
		time.Sleep(time.Minute)
	}
	unanswered = new(int)
	w.ca.down = func() bool { *unanswered++; return true }
	for _, id := range slices.Backward(ids) {
		w.must(w.scope.RenewNow(w.ctx, id))
	}
	return ids, unanswered
}

func (w *world) health() store.Health {
	w.t.Helper()
	all, err := w.db.System().Health(w.ctx)
	w.must(err)
	return all[slices.IndexFunc(all, func(h store.Health) bool { return strings.HasPrefix(h.What, "ca") })]
}

// While the CA is silent only probes go out, and pages say truly when the next one does. When it answers again everybody
// goes on within seconds, soonest expiry first.
func TestOutageSendsOnlyProbes(t *testing.T) {
	inWorld(t, func(w *world) {
		const n = 12
		ids, unanswered := w.outage(n)
		begun := time.Now()
		for time.Since(begun) < 5*time.Hour {
			w.turn()
			if h := w.health(); h.OK || h.NextTry.Before(time.Now()) {
				t.Fatalf("after %v pages say %+v", time.Since(begun), h)
			}
			time.Sleep(max(time.Until(w.health().NextTry), time.Second))
		}
		// Three to begin with and one in five minutes; and ARI is asked about as rarely.
		if most := 3 + 12*5 + 8 + 3*n; *unanswered > most || *unanswered < 50 {
			t.Errorf("%d requests in five hours of silence, want at most %d", *unanswered, most)
		}
		placed := len(w.ca.orders)
		w.ca.down = nil
		w.until(time.Second, 6*time.Minute, func() bool { return w.health().OK })
		w.until(time.Second, 10*time.Second, func() bool {
			return !slices.ContainsFunc(ids, func(id tenants.DomainID) bool { return len(w.view(id).Versions) != 2 })
		})
		var order []string
		for _, o := range w.ca.orders[placed:] {
			order = append(order, o.names[0])
		}
		if len(order) != n || !slices.IsSorted(order[1:]) { // the first was the probe
			t.Errorf("renewed in the order %v", order)
		}
	})
}

// A CA whose TLS certificate we do not trust is an outage like any other, but it is ours: who waits for it reads the same as who asked.
func TestUntrustedIsAnOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		const n = 8
		w.ca.untrusted = true
		ids, unanswered := w.outage(n)
		begun := time.Now()
		w.until(time.Minute, 6*time.Hour, func() bool { return time.Since(begun) > 5*time.Hour })
		if most := 3 + 12*5 + 8 + 3*n; *unanswered > most || *unanswered < 50 {
			t.Errorf("%d requests in five hours, want at most %d", *unanswered, most)
		}
		if h := w.health(); h.OK {
			t.Errorf("pages say %+v", h)
		}
		for _, id := range ids {
			if d := w.view(id).Domain; d.Finding.Code != tenants.CAUntrusted || d.Status != tenants.Renewing {
				t.Errorf("%s is %s: %+v", d.Name, d.Status, d.Finding)
			}
		}
		w.ca.down = nil
		w.until(time.Second, 6*time.Minute, func() bool {
			return !slices.ContainsFunc(ids, func(id tenants.DomainID) bool { return len(w.view(id).Versions) != 2 })
		})
	})
}

// One order that the CA never answers is no outage to others for longer than it takes one of them to ask.
func TestOneSilentOrderIsNoOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ca.limit = func() *acme.Problem {
			return &acme.Problem{Code: tenants.CASilent, Status: 500, Reached: true}
		}
		poison := w.register("poison.acme.example")
		w.until(time.Second, 30*time.Minute, func() bool { return time.Until(w.health().NextTry) > 2*time.Minute })
		w.ca.limit = nil
		w.ca.mute = "poison.acme.example"
		id := w.register("shop.acme.example")
		w.until(time.Second, 11*time.Minute, func() bool { return len(w.view(id).Versions) == 1 })
		if v := w.view(poison); v.Domain.Finding.Code != tenants.CASilent {
			t.Errorf("finding %+v", v.Domain.Finding)
		}
	})
}

// A person who wants a try during an outage gets one at once.
func TestCheckNowDuringAnOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		ids, unanswered := w.outage(4)
		w.until(time.Second, time.Hour, func() bool { return time.Until(w.health().NextTry) > 4*time.Minute })
		w.turn()
		before := *unanswered
		w.must(w.scope.CheckNow(w.ctx, ids[2]))
		w.turn()
		if *unanswered == before {
			t.Error("the CA was not asked")
		}
		w.ca.down = nil
		w.must(w.scope.CheckNow(w.ctx, ids[2]))
		w.turn()
		w.until(time.Second, 10*time.Second, func() bool { return len(w.view(ids[2]).Versions) == 2 && len(w.view(ids[0]).Versions) == 2 })
	})
}
