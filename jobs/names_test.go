package jobs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// form is the settings in use after one change.
func (w *world) form(id tenants.DomainID, change func(*tenants.SettingsForm)) tenants.SettingsForm {
	w.t.Helper()
	f, err := w.scope.Facts(w.ctx, id)
	w.must(err)
	form := f.SettingsForm()
	change(&form)
	return form
}

func (w *world) chooseNames(id tenants.DomainID, c tenants.NameChoice) tenants.SettingsEffect {
	w.t.Helper()
	return w.choose(id, w.form(id, func(f *tenants.SettingsForm) { f.Names = string(c) }))
}

// A name and its wildcard are one certificate: proved at one record, in one order, renewed together, and given up together.
func TestBothNames(t *testing.T) {
	for _, name := range []string{"shop.acme.example", "*.acme.example"} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				id := w.register(name)
				w.status(id, tenants.Active)
				most := 0
				w.dns.wrote = func() { most = max(most, len(w.dns.txt)) }
				if e := w.chooseNames(id, tenants.WithSibling); !e.Renew || e.What != "names" {
					t.Fatalf("effect: %+v", e)
				}
				both := tenants.WithSibling.Of(name)
				all := w.versions(id, 2, time.Second, time.Minute)
				if v := all[1]; !slices.Equal(v.Names, both) || v.Reason != tenants.SettingsChanged {
					t.Errorf("version 2: %+v", v)
				}
				if most != 2 {
					t.Errorf("%d TXT values stood side by side", most)
				}
				w.settled(id, 2)
				all = w.versions(id, 3, 6*time.Hour, 80*aDay)
				if v := all[2]; !slices.Equal(v.Names, both) || v.Reason == tenants.SettingsChanged {
					t.Errorf("the renewal: %+v", v)
				}
				w.chooseNames(id, tenants.NameAlone)
				all = w.versions(id, 4, time.Second, time.Minute)
				if v := all[3]; !slices.Equal(v.Names, []string{name}) || v.Reason != tenants.SettingsChanged || w.ca.orders[3].replaces == "" {
					t.Errorf("without the sibling: %+v", v)
				}
				w.settled(id, 4)
				w.must(w.scope.Release(w.ctx, id, name))
				w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Status == tenants.Released })
				if n := len(w.ca.gone); n != 1+2+2+1 {
					t.Errorf("%d authorizations were given back: %q", n, w.ca.gone)
				}
			})
		})
	}
}

// Whatever call fails for one of the two names, in whichever way: one order, one version, no TXT value left behind. Killed between
// the first value and the second, too.
func TestBothNamesSurviveEveryFault(t *testing.T) {
	for _, call := range []string{"newOrder", "authorization 2", "present", "present 2", "visible 2", "answer", "answer 2", "finalize", "certificate", "remove", "remove 2"} {
		for _, how := range []mode{errBefore, errAfter, killBefore, killAfter} {
			t.Run(call+"/"+string(how), func(t *testing.T) {
				inWorld(t, func(w *world) {
					id := w.register("shop.acme.example")
					w.status(id, tenants.Active)
					w.settled(id, 1)
					plan := map[string]mode{call: how}
					w.ca.arm(plan)
					w.dns.arm(plan)
					w.chooseNames(id, tenants.WithSibling)
					all := w.versions(id, 2, time.Second, time.Hour)
					w.settled(id, 2)
					if len(all[1].Names) != 2 {
						t.Errorf("version 2 is for %q", all[1].Names)
					}
				})
			})
		}
	}
}

// One order that is under way is not changed; the names come with the next.
func TestNamesWhileAnOrderIsOpen(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.dns.slow = true // its value is never seen
		w.until(time.Second, time.Minute, func() bool { o := w.view(id).Order; return o != nil && o.State == tenants.Proving })
		if e := w.chooseNames(id, tenants.WithSibling); !strings.Contains(e.Text, "Once version 1 is there, we order version 2 for shop.acme.example and *.shop.acme.example") {
			t.Errorf("effect: %q", e.Text)
		}
		w.dns.slow = false
		all := w.versions(id, 2, time.Second, time.Hour)
		if len(all[0].Names) != 1 || len(all[1].Names) != 2 {
			t.Errorf("names: %q, then %q", all[0].Names, all[1].Names)
		}
		w.settled(id, 2)
	})
}

// CAA that forbids the wildcard holds the order up before anything is sent, says which record is missing, and whoever
// drops the wildcard need not wait for it.
func TestCAAForbidsTheWildcard(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		w.dns.caa = map[string][]tenants.CAA{"shop.acme.example": {{Tag: "issue", Value: "ca.test"}, {Tag: "issuewild", Value: ";"}}}
		w.must(w.scope.CheckNow(w.ctx, id))
		w.turn()
		w.chooseNames(id, tenants.WithSibling)
		v := w.status(id, tenants.Failing)
		if f := v.Domain.Finding; f.Code != tenants.CAAForbids || f.Args["line"] != `shop.acme.example. CAA 0 issuewild "ca.test"` || len(w.ca.orders) != 1 {
			t.Errorf("finding %+v, %d orders", f, len(w.ca.orders))
		}
		w.chooseNames(id, tenants.NameAlone)
		if v = w.status(id, tenants.Active); len(v.Versions) != 1 || !v.Domain.Finding.OK() {
			t.Errorf("%d versions, finding %+v", len(v.Versions), v.Domain.Finding)
		}
		w.chooseNames(id, tenants.WithSibling)
		w.dns.caa = nil
		w.must(w.scope.CheckNow(w.ctx, id))
		w.versions(id, 2, time.Second, time.Hour)
		w.settled(id, 2)
	})
}

// An order that only waits for its place is planned anew when the settings change.
func TestNamesChangeBeforeTheOrderIsPlaced(t *testing.T) {
	inWorld(t, func(w *world) {
		w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: 1, Per: time.Hour}}
		w.start()
		first := w.register("a.acme.example")
		w.status(first, tenants.Active)
		id := w.register("shop.acme.example")
		w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Finding.Code == tenants.BudgetSpent })
		if e := w.chooseNames(id, tenants.WithSibling); !strings.Contains(e.Text, "The first version is ordered for shop.acme.example and *.shop.acme.example") {
			t.Errorf("effect: %q", e.Text)
		}
		storetest.Consistent(t, w.dsn, time.Now())
		v := w.versions(id, 1, time.Minute, 3*time.Hour)[0]
		if len(v.Names) != 2 || v.Reason != tenants.FirstIssue || len(w.ca.orders) != 2 {
			t.Errorf("%+v, %d orders", v, len(w.ca.orders))
		}
		w.until(time.Second, time.Minute, func() bool { return len(w.dns.left()) == 0 })
	})
}

// The sibling belongs to whoever has the name, on a certificate or not: nobody else can register it.
func TestSiblingIsNobodyElses(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		w.chooseNames(id, tenants.WithSibling)
		w.versions(id, 2, time.Second, time.Minute)
		_, err := w.other.RegisterDomain(w.ctx, "*.shop.acme.example", store.RegisterOptions{})
		if tenants.KindOf(err) != tenants.Invalid || !strings.Contains(err.Error(), "Another tenant holds this name.") {
			t.Errorf("another tenant: %v", err)
		}
		own := w.register("*.shop.acme.example")
		w.status(own, tenants.Active)
		if got, err := w.scope.SiblingDomain(w.ctx, id); err != nil || got != own {
			t.Errorf("the sibling's own domain: %s, %v", got, err)
		}
	})
}

// The profile that was chosen is ordered with, and when the authority ends it, the customer is asked for another.
func TestProfile(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ca.profiles = map[string]string{"classic": "90 days", "short": "6 days"}
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		profile := func(p string) tenants.SettingsForm {
			return w.form(id, func(f *tenants.SettingsForm) { f.Profile = p })
		}
		if e := w.choose(id, profile("short")); e.What != "profile" {
			t.Errorf("effect: %+v", e)
		}
		v := w.versions(id, 2, time.Second, time.Minute)[1]
		if w.ca.orders[1].profile != "short" || v.Profile != "short" || v.Reason != tenants.SettingsChanged {
			t.Errorf("ordered with %q; version %+v", w.ca.orders[1].profile, v)
		}
		w.ca.profiles = map[string]string{"classic": "90 days"}
		w.must(w.scope.RenewNow(w.ctx, id))
		failed := w.status(id, tenants.Failing)
		if e := tenants.Explain(failed.Domain.Finding); e.Who != tenants.Customer || e.Happened != "Test CA no longer offers the profile short" {
			t.Errorf("%+v: %+v", failed.Domain.Finding, e)
		}
		w.start() // which reads the directory anew
		w.until(time.Minute, 2*time.Hour, func() bool {
			_, err := w.scope.PreviewSettings(w.ctx, id, w.form(id, func(f *tenants.SettingsForm) { f.KeyType = "P-384" }))
			return err != nil && strings.Contains(err.Error(), "Test CA does not offer the profile short. Choose among classic.")
		})
		w.choose(id, profile(""))
		w.versions(id, 3, time.Second, time.Minute)
		if v := w.status(id, tenants.Active); !v.Domain.Finding.OK() || v.Current.Profile != "" {
			t.Errorf("finding %+v, profile %q", v.Domain.Finding, v.Current.Profile)
		}
	})
}

// A certificate can be moved to another authority that the policy allows, deliberately. There it has no profile that only
// the first one offers, and when that one fails the others are asked.
func TestStoryMoveToAnotherAuthority(t *testing.T) {
	inWorld(t, func(w *world) {
		other, home, away := w.second()
		w.ca.profiles, other.profiles = map[string]string{"short": "6 days"}, map[string]string{"usual": ""}
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{Issuers: []tenants.IssuerID{home, away}, FailoverAfter: 2}))
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		w.choose(id, w.form(id, func(f *tenants.SettingsForm) { f.Profile = "short" }))
		w.versions(id, 2, time.Second, time.Minute)
		move := w.form(id, func(f *tenants.SettingsForm) { f.Prefers, f.Profile = string(away), "" })
		if e := w.choose(id, move); e.What != "authority and profile" {
			t.Errorf("effect: %+v", e)
		}
		all := w.versions(id, 3, time.Second, time.Minute)
		if v := all[2]; v.IssuerID != away || v.Reason != tenants.SettingsChanged || len(other.orders) != 1 || other.orders[0].profile != "" {
			t.Errorf("moved: %+v", v)
		}
		if page := w.view(id); page.Issuer.ID != away {
			t.Errorf("the page says %s", page.Issuer.Name)
		}
		w.choose(id, w.form(id, func(f *tenants.SettingsForm) { f.Profile = ""; f.Prefers = "" }))
		w.versions(id, 4, time.Second, time.Minute)
		w.choose(id, w.form(id, func(f *tenants.SettingsForm) { f.Profile = "short" }))
		w.versions(id, 5, time.Second, time.Minute)
		w.ca.down = func() bool { return true }
		w.must(w.scope.RenewNow(w.ctx, id))
		v := w.versions(id, 6, 30*time.Second, 4*time.Hour)[5]
		if v.IssuerID != away || v.Profile != "" || other.orders[1].profile != "" {
			t.Errorf("moved on: %+v", v)
		}
	})
}

// A name and its wildcard at Pebble, which looks at the record for each of them: ordered with another profile, renewed, and
// apart again. Nothing of it stays in DNS.
func TestBothNamesAtPebble(t *testing.T) {
	db := storetest.New(t)
	world, ca, engine := withPebble(t, db, []devdns.Zone{{Apex: storetest.Zone, Delegation: true}, {Apex: "acme.example"}},
		devca.Config{CheckCAA: true, Identities: []string{"ca.test"}, Profiles: map[string]time.Duration{"default": 90 * aDay, "shortlived": 6 * aDay}},
		tenants.Issuer{Name: "Pebble", Directory: storetest.Directory, Profile: "default"})
	scope := db.Scope(db.Acme)
	must(t, engine.Prepare(t.Context()))
	id, err := scope.RegisterDomain(t.Context(), "acme.example", store.RegisterOptions{})
	must(t, err)
	view := func() store.DomainView {
		v, err := scope.Domain(t.Context(), id)
		must(t, err)
		return v
	}
	delegation := view().Domain.Delegation
	must(t, world.Set(delegation.Name(), "CNAME", delegation.Target()))
	must(t, world.Set("acme.example", "CAA", `0 issue "ca.test"`, `0 issuewild "ca.test"`))
	stop, err := engine.Start(t.Context())
	must(t, err)
	reached := func(n int) tenants.Version {
		t.Helper()
		eventually(t, time.Minute, func() (string, bool) {
			v := view()
			return fmt.Sprintf("%s, %+v, order %+v", v.Domain.Status, v.Domain.Finding, v.Order), v.Domain.Status == tenants.Active && len(v.Versions) == n
		})
		eventually(t, time.Minute, func() (string, bool) {
			left := world.Lookup(delegation.Target(), "TXT")
			return fmt.Sprintf("%q", left), len(left) == 0
		})
		return *view().Current
	}
	choose := func(names, profile string) {
		t.Helper()
		form := tenants.SettingsForm{Names: names, Profile: profile, KeyType: "P-256", Strategy: "rotate"}
		e, err := scope.PreviewSettings(t.Context(), id, form)
		must(t, err)
		_, saved, err := scope.SaveSettings(t.Context(), id, form, e.Token)
		if must(t, err); !saved {
			t.Fatalf("not saved: %+v", e)
		}
	}
	if v := reached(1); v.Profile != "default" || v.Lifetime().Round(time.Hour) != 90*aDay {
		t.Errorf("version 1: %s, %v", v.Profile, v.Lifetime())
	}
	if f, err := scope.Facts(t.Context(), id); err != nil || len(f.Issuer.Profiles) != 2 || f.Issuer.Profiles["shortlived"] == "" {
		t.Errorf("profiles: %v, %v", f.Issuer.Profiles, err)
	}
	choose("both", "shortlived")
	if v := reached(2); !slices.Equal(v.Names, []string{"*.acme.example", "acme.example"}) || v.Profile != "shortlived" || v.Lifetime().Round(time.Hour) != 6*aDay {
		t.Errorf("version 2: %q, %s, %v", v.Names, v.Profile, v.Lifetime())
	}
	must(t, scope.RenewNow(t.Context(), id))
	if v := reached(3); len(v.Names) != 2 || v.Reason != tenants.OnRequest {
		t.Errorf("the renewal: %+v", v)
	}
	choose("alone", "")
	if v := reached(4); len(v.Names) != 1 || v.Profile != "default" {
		t.Errorf("version 4: %+v", v)
	}
	must(t, stop(t.Context()))
	storetest.Consistent(t, db.DSN, time.Now())
	if n := ca.Count(devca.NewOrder); n < 4 {
		t.Errorf("%d orders", n)
	}
}
