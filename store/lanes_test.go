package store_test

import (
	"slices"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// order plans an order for a reason.
func (s story) order(id tenants.DomainID, why tenants.Reason) tenants.Order {
	s.Helper()
	s.prove(id)
	must[tenants.Order](s)(s.sys.PlanOrder(s.ctx, id, why, ""))
	return *s.begin(id).Order
}

// spends takes a token of the account's orders for a domain.
func (s story) spends(i tenants.Issuer, id tenants.DomainID) store.Spent {
	s.Helper()
	return must[store.Spent](s)(s.sys.Spend(s.ctx, i.ID, id, []tenants.Charge{perAccount}))
}

func (s story) awaits(i tenants.Issuer, id tenants.DomainID) {
	s.Helper()
	s.begin(id)
	check(s, s.sys.AwaitBudget(s.ctx, id, owner, i.AccountID, tenants.Finding{Code: tenants.BudgetSpent}))
}

// admits lets out as many as there are tokens, and returns who became due.
func (s story) admits(i tenants.Issuer, tokens, kept int) []tenants.DomainID {
	s.Helper()
	must[int](s)(s.sys.Admit(s.ctx, i.AccountID, tokens, kept))
	return must[[]tenants.DomainID](s)(s.sys.Claim(s.ctx, 500))
}

// The last tenth of a bucket is there for emergencies, who also go first.
func TestReserveIsForEmergencies(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 20, Per: 20 * time.Hour}})
		plain, leaked := s.register(w.Acme, "plain.example"), s.register(w.Acme, "leaked.example")
		s.issue(plain, 30*24*time.Hour)
		s.issue(leaked, 60*24*time.Hour)
		for n := range 18 {
			if !s.spends(i, plain).OK {
				t.Fatalf("refused after %d of 18", n)
			}
		}
		if spent := s.spends(i, plain); spent.OK || spent.At.Sub(w.Clock.Now()).Round(time.Minute) != time.Hour {
			t.Errorf("a renewal had what is kept back, or waits for too long: %+v", spent)
		}
		s.order(plain, tenants.InWindow)
		s.order(leaked, tenants.KeyCompromised)
		s.awaits(i, plain)
		s.awaits(i, leaked)
		if got := s.admits(i, 2, 2); len(got) != 1 || got[0] != leaked {
			t.Fatalf("admitted %v to the reserve, want %s alone", got, leaked)
		}
		for n, want := range []bool{true, true, false} {
			if spent := s.spends(i, leaked); spent.OK != want {
				t.Errorf("emergency %d: %+v", n, spent)
			}
		}
	})
}

// Whoever waited until the safety line passed is an emergency then, unless it is late for its own failures.
func TestOverdueWhileWaiting(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 10, Per: 1000 * time.Hour}})
		late, failing := s.register(w.Acme, "late.example"), s.register(w.Acme, "failing.example")
		s.issue(late, 30*24*time.Hour)
		s.issue(failing, 30*24*time.Hour)
		for range 3 {
			check(t, s.sys.FailOrder(s.ctx, s.order(failing, tenants.InWindow), tenants.Finding{Code: tenants.CABroken}, tenants.Failing))
		}
		place := func(id tenants.DomainID) bool {
			o := *s.begin(id).Order
			o.Placing = w.Clock.Now()
			_, spent, err := s.sys.PlaceOrder(s.ctx, o, []tenants.Charge{perAccount})
			check(t, err)
			return spent.OK
		}
		for range 9 {
			s.spends(i, late)
		}
		s.order(late, tenants.InWindow)
		s.order(failing, tenants.InWindow)
		if place(late) {
			t.Error("an ordinary renewal spent the reserve")
		}
		w.Clock.Advance(26 * 24 * time.Hour)
		for range 6 { // what refilled in 26 days
			s.spends(i, late)
		}
		if place(failing) {
			t.Error("what keeps failing spent the reserve")
		}
		if !place(late) {
			t.Error("a renewal past its safety line may not spend the reserve")
		}
	})
}

// Many names of one tenant do not keep the first one of another waiting, and everybody goes out in the end.
func TestTenantsTakeTurns(t *testing.T) {
	many := 300
	if testing.Short() {
		many = 60
	}
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 5, Per: 5 * time.Second}})
		for n := range many {
			s.awaits(i, s.register(w.Acme, name(n)))
		}
		renewal := s.register(w.Acme, "old.acme.example")
		s.issue(renewal, 30*24*time.Hour)
		next := func() tenants.DomainID {
			t.Helper()
			got := s.admits(i, 1, 0)
			if len(got) != 1 {
				t.Fatalf("%d admitted to one token", len(got))
			}
			w.Clock.Advance(time.Second)
			s.begin(got[0])
			if !s.spends(i, got[0]).OK {
				t.Fatalf("%s was admitted and may not spend", got[0])
			}
			check(t, s.sys.Rest(s.ctx, got[0], owner, w.Clock.Now().Add(10000*time.Hour), tenants.Finding{}, tenants.Renewing))
			return got[0]
		}
		for range many / 3 {
			next()
		}
		theirs, second := s.register(w.Northwind, "first.example"), s.register(w.Northwind, "second.example")
		if s.spends(i, theirs).OK {
			t.Error("a new name overtook one that waits and has the same rank")
		}
		s.awaits(i, theirs)
		s.awaits(i, second)
		s.awaits(i, renewal)
		if got := next(); got != renewal {
			t.Errorf("%s went before a renewal", got)
		}
		if a, b := next(), next(); a != theirs && b != theirs {
			t.Errorf("%s and %s went before another tenant's first", a, b)
		}
		if a, b := next(), next(); a != second && b != second {
			t.Errorf("%s and %s went before another tenant's second", a, b)
		}
		for range many - many/3 - 2 {
			next()
		}
		if got := s.admits(i, 1, 0); len(got) != 0 {
			t.Errorf("%v was let out twice", got)
		}
	})
}

// A name that was let out and found no token after all goes first when it comes back.
func TestRankIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 1, Per: time.Hour}})
		var ids []tenants.DomainID
		for n := range 5 {
			ids = append(ids, s.register(w.Acme, name(n)))
			s.awaits(i, ids[n])
		}
		for range 3 {
			if got := s.admits(i, 1, 0); len(got) != 1 || got[0] != ids[0] {
				t.Fatalf("admitted %v, want %s again", got, ids[0])
			}
			s.awaits(i, ids[0])
		}
	})
}

// A repaired DNS ends the back-off; the same answers, and none, do not.
func TestChangedDNSForgivesFailures(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		look := func(got string, r tenants.Answer) tenants.Facts {
			c := tenants.Check{At: w.Clock.Now(), Zone: "example", Delegation: []tenants.Asked{{Server: "ns1", Got: got, Result: r}}}
			check(t, s.sys.SaveCheck(s.ctx, id, c, tenants.Finding{}, tenants.Renewing))
			return s.begin(id)
		}
		for n := range 2 {
			look("a.dcv.example", tenants.Right)
			must[tenants.Order](t)(s.sys.PlanOrder(s.ctx, id, tenants.FirstIssue, ""))
			check(t, s.sys.FailOrder(s.ctx, *s.begin(id).Order, tenants.Finding{Code: tenants.ChallengeInvalid}, tenants.Failing))
			if f := look("no answer", tenants.Silent); f.Failures != n+1 || f.LastFailed.IsZero() {
				t.Errorf("silence made %d failures of %d", f.Failures, n+1)
			}
			if f := look("a.dcv.example", tenants.Right); f.Failures != n+1 {
				t.Errorf("the same answer made %d failures of %d", f.Failures, n+1)
			}
		}
		if f := look("b.dcv.example", tenants.Right); f.Failures != 0 || !f.LastFailed.IsZero() {
			t.Errorf("%d failures count after DNS changed", f.Failures)
		}
	})
}

// An order needs a failure to spare of each of its names, and takes none; what failed is booked in any case.
func TestFailuresToSpare(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 9, Per: time.Hour}, tenants.FailuresPerName: {Count: 5, Per: time.Hour}})
		failed := tenants.Charge{Limit: tenants.FailuresPerName, Key: "shop.example"}
		other := tenants.Charge{Limit: tenants.FailuresPerName, Key: "www.shop.example"}
		order := func() store.Spent {
			return must[store.Spent](t)(s.sys.Spend(s.ctx, i.ID, id, []tenants.Charge{perAccount, other, failed}))
		}
		for n := range 4 {
			if !order().OK {
				t.Fatalf("refused after %d failures", n)
			}
			check(t, s.sys.Book(s.ctx, i.ID, []tenants.Charge{failed}))
		}
		spent := order()
		if spent.OK || spent.Limit != failed || spent.At.Sub(w.Clock.Now()).Round(time.Minute) != 12*time.Minute {
			t.Errorf("after four failures: %+v", spent)
		}
		if left, _, _ := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); left != 5 {
			t.Errorf("%d left: a refused order cost one", left)
		}
		for range 2 {
			check(t, s.sys.Book(s.ctx, i.ID, []tenants.Charge{failed}))
		}
		if spent = order(); spent.OK || spent.At.Sub(w.Clock.Now()).Round(time.Minute) != 36*time.Minute {
			t.Errorf("after six failures: %+v", spent)
		}
		w.Clock.Advance(36*time.Minute + time.Second)
		if spent = order(); !spent.OK {
			t.Errorf("two may fail again, and yet %+v", spent)
		}
	})
}

// A tenant that has all it owns renewed each day, by its policy or by hand, keeps no first name of another waiting, and no renewal
// that is due. Its wishes are no emergencies before they have to be.
func TestWishesTakeTurns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 1, Per: time.Hour}})
		const life = 30 * 24 * time.Hour
		var wished []tenants.DomainID
		for n, why := range []tenants.Reason{tenants.OnRequest, tenants.SettingsChanged, tenants.AgainstPolicy, tenants.AgainstPolicy} {
			id := s.register(w.Acme, name(n))
			s.issue(id, life)
			s.order(id, why)
			s.awaits(i, id)
			wished = append(wished, id)
		}
		due := s.register(w.Northwind, "due.example")
		s.issue(due, 2*life)
		s.order(due, tenants.LastThird)
		first := s.register(w.Northwind, "first.example")
		s.awaits(i, first)
		s.awaits(i, due)
		var went []tenants.DomainID
		for range 3 {
			got := s.admits(i, 1, 0)
			for _, id := range got {
				s.begin(id)
				if !s.spends(i, id).OK {
					t.Fatalf("%s was let out and may not spend", id)
				}
				check(t, s.sys.Rest(s.ctx, id, owner, w.Clock.Now().Add(10000*time.Hour), tenants.Finding{}, tenants.Renewing))
			}
			went = append(went, got...)
			w.Clock.Advance(time.Hour)
		}
		if len(went) != 3 || went[0] != due || !slices.Contains(went[1:], first) || !slices.Contains(went[1:], wished[0]) {
			t.Errorf("%v went, want the renewal that is due, then the other tenant's first name and one wish", went)
		}
		w.Clock.Advance(life)
		s.awaits(i, wished[3])
		must[int](t)(s.sys.Admit(s.ctx, i.AccountID, 1, 0))
		if s.spends(i, wished[1]).OK || !s.spends(i, wished[3]).OK {
			t.Error("another wish went before the one that is past its safety line")
		}
	})
}
