package store_test

import (
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// shut is the line of a limit that the CA says is used up, as the operator's page has it.
func (s story) shut(i tenants.Issuer, name tenants.LimitName) (found bool, line store.LimitView) {
	s.Helper()
	for _, l := range must[store.IssuerView](s)(s.w.Platform().Issuer(s.ctx, i.ID)).Limits {
		if l.Limit == name && l.Shut {
			return true, l
		}
	}
	return false, line
}

// The CA puts us off for days, and somebody there says that it was a mistake: one order asks again, whether the limit is known
// or not. Nothing else opens, and nobody opens what the CA did not shut.
func TestAskAgain(t *testing.T) {
	for name, limit := range map[string]tenants.Limit{"known": {Count: 30, Per: 3 * time.Hour}, "unknown": {}} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, w *storetest.World) {
				s := tell(t, w)
				i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: limit})
				check(t, s.sys.SaveAccount(s.ctx, i.AccountID, store.NewKey{}, perAccount.Key))
				rests, other := s.register(w.Acme, "rests.example"), s.register(w.Acme, "other.example")
				again := func(c tenants.Charge) error { return w.Platform().AskAgain(s.ctx, i.ID, c) }
				if err := again(perAccount); tenants.KindOf(err) != tenants.Conflict {
					t.Errorf("nothing is shut: %v", err)
				}
				until := w.Clock.Now().Add(72 * time.Hour)
				elsewhere := tenants.Charge{Limit: tenants.OrdersPerAccount, Key: "elsewhere"}
				for _, c := range []tenants.Charge{perAccount, elsewhere} {
					check(t, s.sys.Correct(s.ctx, i.ID, c, until))
				}
				s.plan(rests)
				check(t, s.sys.Rest(s.ctx, rests, owner, until, tenants.Finding{Code: tenants.CARateLimited}, tenants.Waiting))
				s.plan(other)
				check(t, s.sys.Rest(s.ctx, other, owner, until, tenants.Finding{Code: tenants.CAStuck}, tenants.Waiting))

				found, line := s.shut(i, tenants.OrdersPerAccount)
				view := must[store.IssuerView](t)(w.Platform().Issuer(s.ctx, i.ID))
				if !found || line.Left != 0 || line.RefillsAt.Sub(until).Abs() > time.Second || line.Corrected.IsZero() {
					t.Errorf("the page's line: %v %+v", found, line)
				}
				if a := view.Accounts[0].Orders; a == nil || !a.Shut || a.Left != 0 || a.Count != limit.Count {
					t.Errorf("the account's line: %+v", a)
				}
				check(t, again(perAccount))
				left, _, err := s.sys.BudgetLeft(s.ctx, i.ID, perAccount)
				if want := 1 + limit.Reserve(); err != nil || left != want && !limit.Unlimited() || left == 0 {
					t.Errorf("%d tokens, want %d: %v", left, want, err)
				}
				if left, _, _ := s.sys.BudgetLeft(s.ctx, i.ID, elsewhere); left != 0 {
					t.Error("another account's bucket opened")
				}
				if due := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); len(due) != 1 || due[0] != rests {
					t.Errorf("due are %v, want %s alone", due, rests)
				}
				if e := must[store.EntryPage](t)(w.Platform().Entries(s.ctx, store.EntryFilter{What: string(tenants.DidChangeLimits)})); e.Total != 1 {
					t.Errorf("%d entries in the audit log", e.Total)
				}
				if err := again(perAccount); tenants.KindOf(err) != tenants.Conflict {
					t.Errorf("a second time: %v", err)
				}
			})
		})
	}
}

// Mercy for a name that failed too often is whole: the CA forgot its failures.
func TestAskAgainAfterFailures(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(tenants.Limits{tenants.FailuresPerName: {Count: 5, Per: time.Hour}})
		name := tenants.Charge{Limit: tenants.FailuresPerName, Key: "shop.example"}
		check(t, s.sys.Correct(s.ctx, i.ID, name, w.Clock.Now().Add(24*time.Hour)))
		check(t, w.Platform().AskAgain(s.ctx, i.ID, name))
		if left, _, err := s.sys.BudgetLeft(s.ctx, i.ID, name); err != nil || left != 5 {
			t.Errorf("%d failures to spare: %v", left, err)
		}
		if err := w.Platform().AskAgain(s.ctx, i.ID, tenants.Charge{Limit: tenants.FailuresPerName, Key: "nobody.example"}); tenants.KindOf(err) != tenants.Conflict {
			t.Errorf("a name that nobody has: %v", err)
		}
	})
}
