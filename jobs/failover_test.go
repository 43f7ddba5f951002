package jobs_test

import (
	"strings"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// second adds another CA and returns its issuer's id and that of the settings' one.
func (w *world) second() (ca *fakeCA, home, other tenants.IssuerID) {
	w.t.Helper()
	const directory = "https://other.test/dir"
	ca = newFakeCA(w.dns)
	w.others = map[string]*fakeCA{directory: ca}
	operator := tenants.Actor{Kind: tenants.Person, Name: "operator", Platform: tenants.Operator}
	other, err := w.db.Platform(operator).AddIssuer(w.ctx, tenants.IssuerForm{Directory: directory, Name: "Other CA"}, w.engine.CheckDirectory)
	w.must(err)
	issuer, err := w.db.System().Issuer(w.ctx, w.issuer.Directory)
	w.must(err)
	return ca, issuer.ID, other
}

// A CA that is silent is left for another after the time that the policy says, and not a moment before; the next renewal
// goes back. There are never two open orders.
func TestStoryFailover(t *testing.T) {
	inWorld(t, func(w *world) { failsOver(t, w) })
}

// So is one whose TLS certificate we do not trust.
func TestStoryFailoverFromUntrusted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ca.untrusted = true
		failsOver(t, w)
	})
}

func failsOver(t *testing.T, w *world) {
	other, home, away := w.second()
	w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{Issuers: []tenants.IssuerID{home, away}, FailoverAfter: 2}))
	down := true
	w.ca.down = func() bool { return down }
	id, begun := w.register("shop.acme.example"), time.Now()
	w.until(30*time.Second, 4*time.Hour, func() bool { return len(w.view(id).Versions) == 1 })
	if took := time.Since(begun); took < 2*time.Hour || took > 2*time.Hour+20*time.Minute {
		t.Errorf("it moved on after %v, want two hours", took)
	}
	v := w.view(id)
	if v.Current.IssuerID != away || v.Issuer.ID != away || len(other.orders) != 1 {
		t.Errorf("the version came from %s, want %s; %d orders there", v.Current.IssuerID, away, len(other.orders))
	}
	if n := len(v.Orders); n != 2 || v.Orders[1].State != tenants.Failed || v.Orders[1].Ended.After(v.Orders[0].Created) {
		t.Errorf("orders: %+v", v.Orders)
	}
	if why := v.Orders[0].Detour; !strings.HasPrefix(why, "Test CA has failed for 2 hours") {
		t.Errorf("the order says %q", why)
	}
	page, err := w.scope.Entries(w.ctx, store.EntryFilter{What: string(tenants.DidPlanOrder)})
	w.must(err)
	if text := page.Entries[0].Text; !strings.Contains(text, "at Other CA. Test CA has failed for 2 hours") {
		t.Errorf("the entry says %q", text)
	}
	down = false
	w.until(6*time.Hour, 80*24*time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
	if v = w.view(id); v.Current.IssuerID != home || v.Issuer.ID != home || v.Orders[0].Detour != "" || v.Orders[0].Replaces != "" {
		t.Errorf("the renewal: %s, want %s; order %+v", v.Current.IssuerID, home, v.Orders[0])
	}
}

// An authority that refuses orders for a week does not put off what the policy says: another has the order after two hours.
func TestFailoverBeforeRetryAfter(t *testing.T) {
	inWorld(t, func(w *world) {
		_, home, away := w.second()
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{Issuers: []tenants.IssuerID{home, away}, FailoverAfter: 2}))
		w.ca.limit = func() *acme.Problem {
			return &acme.Problem{Code: tenants.CARateLimited, Status: 429, RetryAfter: 7 * 24 * time.Hour, Reached: true}
		}
		id, begun := w.register("shop.acme.example"), time.Now()
		w.until(30*time.Second, 4*time.Hour, func() bool { return len(w.view(id).Versions) == 1 })
		if took, v := time.Since(begun), w.view(id); took < 2*time.Hour || took > 2*time.Hour+20*time.Minute || v.Current.IssuerID != away {
			t.Errorf("a version of %s after %v", v.Current.IssuerID, took)
		}
	})
}

// An authority that nobody ever asked can take over: what it answers to in CAA is read in time.
func TestFailoverToOneNeverAsked(t *testing.T) {
	inWorld(t, func(w *world) {
		other, home, away := w.second()
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{Issuers: []tenants.IssuerID{away, home}, FailoverAfter: 2}))
		other.down = func() bool { return true }
		id := w.register("shop.acme.example")
		w.until(30*time.Second, 4*time.Hour, func() bool { return len(w.view(id).Versions) == 1 })
		if v := w.view(id); v.Current.IssuerID != home {
			t.Errorf("a version of %s, want %s", v.Current.IssuerID, home)
		}
	})
}

// Without a policy that says so nothing moves, and one CA that is silent is not in the way of who needs another.
func TestSilentCAIsInNobodysWay(t *testing.T) {
	inWorld(t, func(w *world) {
		other, _, away := w.second()
		w.ca.down = func() bool { return true }
		w.must(w.other.SavePolicy(w.ctx, tenants.Policy{Issuers: []tenants.IssuerID{away}}))
		stuck := w.register("shop.acme.example")
		w.turn()
		_, err := w.other.RegisterDomain(w.ctx, "shop.northwind.example", store.RegisterOptions{})
		w.must(err)
		w.until(time.Second, time.Minute, func() bool { return len(other.orders) == 1 && other.orders[0].status == "valid" })
		time.Sleep(48 * time.Hour)
		w.turn()
		if v := w.view(stuck); len(v.Orders) != 1 || v.Orders[0].Issuer == away || len(other.orders) != 1 {
			t.Errorf("it went elsewhere, which nobody allowed: %+v", v.Orders)
		}
	})
}

// What was won at one CA is deactivated there, wherever orders go by now.
func TestReleaseAtEachIssuer(t *testing.T) {
	inWorld(t, func(w *world) {
		other, home, away := w.second()
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{Issuers: []tenants.IssuerID{away, home}}))
		w.must(w.scope.RenewNow(w.ctx, id))
		w.until(time.Second, time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
		w.must(w.scope.Release(w.ctx, id, "shop.acme.example"))
		w.until(time.Second, time.Hour, func() bool { return len(other.gone) > 0 })
		if len(w.ca.gone) != 1 || len(other.gone) != 1 {
			t.Errorf("deactivated: %v at the first, %v at the other", w.ca.gone, other.gone)
		}
	})
}

// The operator's accounts share the work, and each domain stays with its tenant's.
func TestSeveralAccounts(t *testing.T) {
	inWorld(t, func(w *world) {
		operator := tenants.Actor{Kind: tenants.Person, Name: "operator", Platform: tenants.Operator}
		issuer, err := w.db.System().Issuer(w.ctx, w.issuer.Directory)
		w.must(err)
		w.must(w.db.Platform(operator).SaveAccounts(w.ctx, issuer.ID, "5"))
		id := w.register("shop.acme.example")
		v := w.status(id, tenants.Active)
		all, err := w.db.System().Authorities(w.ctx)
		w.must(err)
		if want := all[0].For(v.Domain.Tenant); v.Current.Account != want.AccountID || want.Account == "" {
			t.Errorf("ordered with %s, want %+v", v.Current.Account, want)
		}
	})
}

// A policy that leaves an authority out counts for orders too that only waited for their place there.
func TestPolicyLeavesAnOrderThatWaits(t *testing.T) {
	inWorld(t, func(w *world) {
		other, home, away := w.second()
		w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: 1, Per: 24 * time.Hour}}
		w.start()
		w.status(w.register("first.acme.example"), tenants.Active)
		id := w.register("shop.acme.example")
		w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Finding.Code == tenants.BudgetSpent })
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{Issuers: []tenants.IssuerID{away}}))
		w.until(time.Second, 10*time.Minute, func() bool { return len(w.view(id).Versions) == 1 })
		if v := w.view(id); v.Current.IssuerID != away || len(w.ca.orders) != 1 || len(other.orders) != 1 {
			t.Errorf("the version came from %s, and %s is not allowed: %+v", v.Current.IssuerID, home, v.Orders)
		}
		storetest.Consistent(t, w.dsn, time.Now())
	})
}
