package jobs_test

import (
	"slices"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// A renewal that waits for a token may have the one kept for emergencies as soon as its safety line passes, not only when
// somebody happens to look at it.
func TestStoryEmergencyInTheWaitingRoom(t *testing.T) {
	inWorld(t, func(w *world) {
		orders := tenants.Limit{Count: 10, Per: 1e6 * time.Hour}
		w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: orders}
		w.start()
		id := w.register("shop.acme.example")
		v := w.status(id, tenants.Active)
		for range orders.Count - orders.Reserve() - 1 {
			_, err := w.db.System().Spend(w.ctx, v.Certificate.Issuer, id, []tenants.Charge{{Limit: tenants.OrdersPerAccount, Key: "https://ca.test/acct/1"}})
			w.must(err)
		}
		line := v.Certificate.Plan.NoLater
		turns := 0
		for time.Now().Before(line) {
			if w.some(500) > 0 {
				turns++
			}
			v = w.view(id)
			time.Sleep(min(max(time.Until(v.Domain.Next), time.Second), max(time.Until(line), time.Second)))
		}
		if len(v.Versions) != 1 || v.Domain.Finding.Code != tenants.BudgetSpent {
			t.Fatalf("%d versions, finding %+v, where all but the reserve is spent", len(v.Versions), v.Domain.Finding)
		}
		if days := int(line.Sub(v.Current.NotBefore) / (24 * time.Hour)); turns > 4*days {
			t.Errorf("%d turns in %d days", turns, days)
		}
		w.until(time.Second, 10*time.Second, func() bool { return len(w.view(id).Versions) == 2 })
	})
}

// When the operator's limit is lifted, those that waited for it go on.
func TestLimitLiftedWhileWaiting(t *testing.T) {
	inWorld(t, func(w *world) {
		w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: 1, Per: 1e6 * time.Hour}}
		w.start()
		w.status(w.register("first.acme.example"), tenants.Active)
		second := w.register("second.acme.example")
		w.until(time.Second, time.Minute, func() bool { return w.view(second).Domain.Finding.Code == tenants.BudgetSpent })
		w.issuer.Limits = nil
		w.start()
		w.until(time.Second, 10*time.Second, func() bool { return len(w.view(second).Versions) == 1 })
	})
}

// A CA of which no limits are known puts us off for days. Orders wait as long, and are not taken up each second to find that out.
func TestPutOffWithoutKnownLimits(t *testing.T) {
	inWorld(t, func(w *world) {
		w.status(w.register("first.acme.example"), tenants.Active)
		refusals, until := 0, time.Now().Add(50*time.Hour)
		w.ca.limit = func() *acme.Problem {
			if time.Now().Before(until) {
				refusals++
				return &acme.Problem{Code: tenants.CARateLimited, Status: 429, RetryAfter: time.Until(until), Reached: true}
			}
			return nil
		}
		waiting := []tenants.DomainID{w.register("second.acme.example"), w.register("third.acme.example"), w.register("fourth.acme.example")}
		for _, id := range waiting {
			w.until(time.Second, time.Minute, func() bool { return w.view(id).Order != nil && !w.view(id).Domain.Finding.OK() })
		}
		turns := 0
		for range 3600 {
			turns += w.some(500)
			time.Sleep(time.Second)
		}
		if turns > 10 || refusals != 1 {
			t.Errorf("%d turns within an hour, and %d refusals in all", turns, refusals)
		}
		for _, id := range waiting {
			w.until(time.Minute, 50*time.Hour, func() bool { return len(w.view(id).Versions) == 1 })
		}
	})
}

// The operator has the CA asked again before its time. While it refuses, one order learns that and all wait on; once it does
// not, they all go.
func TestAskAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: 20, Per: time.Hour}}
		w.start()
		w.status(w.register("first.acme.example"), tenants.Active)
		refusals, refuses := 0, true
		w.ca.limit = func() *acme.Problem {
			if !refuses {
				return nil
			}
			refusals++
			return &acme.Problem{Code: tenants.CARateLimited, Status: 429, RetryAfter: 50 * time.Hour, Reached: true}
		}
		var waiting []tenants.DomainID
		for _, name := range names(5) {
			waiting = append(waiting, w.register(name))
		}
		w.until(time.Second, time.Minute, func() bool { return refusals == 1 })
		issuer := w.view(waiting[0]).Certificate.Issuer
		again := func() {
			w.must(w.operator().AskAgain(w.ctx, issuer, tenants.Charge{Limit: tenants.OrdersPerAccount, Key: w.account().URL}))
		}
		again()
		for range 60 {
			w.turn()
			time.Sleep(time.Second)
		}
		if refusals != 2 {
			t.Errorf("refused %d times, want once more after it was asked again", refusals)
		}
		refuses = false
		again()
		w.until(time.Minute, time.Hour, func() bool {
			return !slices.ContainsFunc(waiting, func(id tenants.DomainID) bool { return len(w.view(id).Versions) == 0 })
		})
	})
}
