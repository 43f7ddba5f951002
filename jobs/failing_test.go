package jobs_test

import (
	"fmt"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// A name that failed four times in an hour waits: a fifth failure would shut it out at the CA.
func TestFifthFailureIsNotBurnt(t *testing.T) {
	inWorld(t, func(w *world) {
		const base = "shop.acme.example"
		w.issuer.Limits = tenants.Limits{tenants.FailuresPerName: {Count: 5, Per: time.Hour}}
		w.start()
		w.ca.refuse = true
		id, begun := w.register(base), time.Now()
		w.until(time.Second, 50*time.Minute, func() bool {
			// Somebody tries one change after the other, and each ends the back-off.
			w.dns.caa = map[string][]tenants.CAA{base: {{Tag: "issue", Value: "ca.test"}, {Tag: "iodef", Value: fmt.Sprintf("mailto:%d@acme.example", len(w.ca.orders))}}}
			return w.view(id).Domain.Finding.Code == tenants.FailedTooOften
		})
		if n := len(w.ca.orders); n != 4 {
			t.Errorf("waits after %d orders", n)
		}
		time.Sleep(time.Until(begun.Add(11 * time.Minute)))
		w.turn()
		if n := len(w.ca.orders); n != 4 {
			t.Errorf("%d orders before another failure is allowed", n)
		}
		w.ca.refuse = false
		w.status(id, tenants.Active)
	})
}

// DNS is looked at during a long back-off, and a change ends it.
func TestChangedDNSEndsTheBackoff(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ca.refuse = true
		id := w.register("shop.acme.example")
		w.until(10*time.Second, time.Hour, func() bool { return len(w.ca.orders) == 3 })
		w.ca.refuse = false
		time.Sleep(30 * time.Minute)
		w.turn()
		if n := len(w.ca.orders); n != 3 {
			t.Fatalf("%d orders, but nothing changed", n)
		}
		w.dns.caa = map[string][]tenants.CAA{"shop.acme.example": {{Tag: "issue", Value: "ca.test"}}}
		w.until(10*time.Second, 11*time.Minute, func() bool { return len(w.view(id).Versions) == 1 })
	})
}

// A name whose proof failed many times in a row is not tried until the authority pauses it: long before, somebody has to
// act. A change of DNS is worth one more try, and a success ends the count.
func TestStoryFailuresInARow(t *testing.T) {
	inWorld(t, func(w *world) {
		const base = "shop.acme.example"
		w.issuer.Limits = tenants.Limits{tenants.ConsecutiveFailures: {Count: 20, Per: 20 * 1000 * time.Hour}}
		w.start()
		w.ca.refuse = true
		id := w.register(base)
		stopped := func(orders int) {
			t.Helper()
			w.until(10*time.Minute, 10*24*time.Hour, func() bool {
				return len(w.ca.orders) >= orders && w.view(id).Domain.Finding.Code == tenants.FailedInARow
			})
			time.Sleep(2 * time.Hour)
			w.turn()
			if n := len(w.ca.orders); n != orders || w.view(id).Domain.Status != tenants.Failing {
				t.Errorf("%d orders, want %d; status %s", n, orders, w.view(id).Domain.Status)
			}
		}
		change := func(n int) {
			w.dns.caa = map[string][]tenants.CAA{base: {{Tag: "issue", Value: "ca.test"}, {Tag: "iodef", Value: fmt.Sprintf("mailto:%d@acme.example", n)}}}
		}
		stopped(6) // a quarter of 20, and the one that told
		change(1)
		stopped(7)
		w.ca.refuse = false
		change(2)
		w.until(time.Minute, time.Hour, func() bool { return len(w.view(id).Versions) == 1 })
		left, _, err := w.db.System().BudgetLeft(w.ctx, w.view(id).Certificate.Issuer, tenants.Charge{Limit: tenants.ConsecutiveFailures, Key: base})
		w.must(err)
		if left != 20 {
			t.Errorf("%d left after a success", left)
		}
	})
}

// What the CA refuses with 429 it counts nowhere, so a storm of refusals leaves the narrow limits as they are. Otherwise the
// sixth try would wait a day and a half for a token that the CA never took.
func TestRefusalsSpendNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		const base = "shop.acme.example"
		w.issuer.Limits = tenants.Limits{
			tenants.OrdersPerAccount:   {Count: 300, Per: 3 * time.Hour},
			tenants.CertificatesPerSet: {Count: 5, Per: 7 * 24 * time.Hour},
		}
		w.start()
		asked := 0
		w.ca.limit = func() *acme.Problem {
			if asked++; asked <= 8 {
				return &acme.Problem{Code: tenants.CARateLimited, Status: 429, Detail: "too many new orders", Reached: true}
			}
			return nil
		}
		id := w.register(base)
		w.until(time.Minute, 6*time.Hour, func() bool { return len(w.view(id).Versions) == 1 })
		left, _, err := w.db.System().BudgetLeft(w.ctx, w.view(id).Certificate.Issuer, tenants.Charge{Limit: tenants.CertificatesPerSet, Key: base})
		w.must(err)
		if left != 4 {
			t.Errorf("%d left of 5 after one certificate", left)
		}
	})
}

// A name and its wildcard are proved by an authorization each, and the CA counts both failures against the name: two orders
// are four of the five that it bears.
func TestBothNamesFailTwice(t *testing.T) {
	inWorld(t, func(w *world) {
		w.issuer.Limits = tenants.Limits{tenants.FailuresPerName: {Count: 5, Per: 10 * time.Hour}}
		w.start()
		w.ca.refuse = true
		id := w.register("shop.acme.example")
		w.chooseNames(id, tenants.WithSibling)
		w.until(10*time.Second, time.Hour, func() bool { return w.view(id).Domain.Finding.Code == tenants.FailedTooOften })
		if n := len(w.ca.orders); n != 2 {
			t.Errorf("waits after %d orders", n)
		}
	})
}

// A nonce that was refused and a server that is busy say nothing of how many orders there may be.
func TestWhatRefusesNoOrderEmptiesNoBucket(t *testing.T) {
	for name, refusal := range map[string]acme.Problem{
		"nonce": {Status: 429}, "busy": {Status: 503, Reached: true, Detail: "Service busy; retry later."},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: 300, Per: 3 * time.Hour}}
				w.start()
				asked := 0
				w.ca.limit = func() *acme.Problem {
					if asked++; asked == 1 {
						p := refusal
						p.Code, p.RetryAfter = tenants.CARateLimited, 10*time.Second
						return &p
					}
					return nil
				}
				id, begun := w.register("shop.acme.example"), time.Now()
				w.until(time.Second, time.Hour, func() bool { return len(w.view(id).Versions) == 1 })
				if took := time.Since(begun); asked != 2 || took < 10*time.Second || took > 2*time.Minute {
					t.Errorf("asked %d times, took %v", asked, took)
				}
			})
		})
	}
}

// A renewal is free while the CA takes what it names as replaced. One whose predecessor was replaced already is not, so it waits
// for a token like any other instead of being refused again and again.
func TestReplacedAlreadyIsCounted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.issuer.Limits, w.issuer.FreeARI = tenants.Limits{tenants.OrdersPerAccount: {Count: 9, Per: 9 * time.Hour}}, true
		w.start()
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		asked := 0
		w.ca.limit = func() *acme.Problem {
			if asked++; asked == 1 {
				return &acme.Problem{Code: tenants.CARateLimited, Status: 429, Reached: true, RetryAfter: time.Minute, Unreplaced: true}
			}
			return nil
		}
		w.must(w.scope.RenewNow(w.ctx, id))
		w.until(time.Minute, 3*time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
		o := w.view(id).Orders[0]
		if o.Replaces != "" || len(o.Cost) == 0 || o.Cost[0].Limit != tenants.OrdersPerAccount || asked != 2 {
			t.Errorf("asked %d times for %+v", asked, o)
		}
		if n := w.ca.orders[1].replaces; n != "" {
			t.Errorf("the order named %s again", n)
		}
	})
}
