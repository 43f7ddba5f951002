package store_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

const otherDirectory = "https://acme.other.example/directory"

// agrees is a directory that takes us.
func agrees(_ context.Context, i tenants.Issuer, _ tenants.EAB) (tenants.Issuer, error) {
	i.CAA, i.Profiles = []string{"other.example"}, map[string]string{"short": "six days"}
	return i, nil
}

func otherForm() tenants.IssuerForm {
	return tenants.IssuerForm{Directory: otherDirectory, Name: "Other CA", EABKeyID: "kid-7",
		EABKey: tenants.NewSecret([]byte(strings.Repeat("QUJD", 12)))}
}

func (s story) addIssuer() store.IssuerView {
	s.Helper()
	id := must[tenants.IssuerID](s)(s.w.Platform().AddIssuer(s.ctx, otherForm(), agrees))
	return must[store.IssuerView](s)(s.w.Platform().Issuer(s.ctx, id))
}

func TestAddIssuer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		first := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 300, Per: 3 * time.Hour}})
		v := s.addIssuer()
		if v.Issuer.Name != "Other CA" || v.Issuer.CAA[0] != "other.example" || v.Issuer.Profiles["short"] != "six days" || v.EABKeyID != "kid-7" || v.Default ||
			len(v.Accounts) != 1 || !v.Accounts[0].InUse || v.Accounts[0].URL != "" || v.Rank != 1 {
			t.Errorf("issuer: %+v", v)
		}
		eab := must[tenants.EAB](t)(s.sys.EAB(s.ctx, v.Issuer.ID))
		if eab.KeyID != "kid-7" || string(eab.Key.Reveal()) != strings.Repeat("QUJD", 12) {
			t.Errorf("binding %q, %q", eab.KeyID, eab.Key.Reveal())
		}
		p := w.Platform()
		_, err := p.AddIssuer(s.ctx, otherForm(), agrees)
		if f := fieldsOf(err); f["directory"] == "" {
			t.Errorf("the same directory twice: %v", err)
		}
		bad := otherForm()
		bad.Directory, bad.EABKey = "http://acme.example/dir", tenants.NewSecret([]byte("a+b/"))
		_, err = p.AddIssuer(s.ctx, bad, func(context.Context, tenants.Issuer, tenants.EAB) (tenants.Issuer, error) {
			t.Error("a form with faults was sent")
			return tenants.Issuer{}, nil
		})
		if f := fieldsOf(err); f["directory"] == "" || f["eab_key"] == "" {
			t.Errorf("fields: %v", err)
		}
		third := otherForm()
		third.Directory = "https://web.example/"
		_, err = p.AddIssuer(s.ctx, third, func(context.Context, tenants.Issuer, tenants.EAB) (tenants.Issuer, error) {
			return tenants.Issuer{}, &tenants.Error{Kind: tenants.Invalid, Fields: map[string]string{"directory": "No."}}
		})
		wantKind(t, err, tenants.Invalid)
		all := must[[]store.IssuerView](t)(p.Issuers(s.ctx))
		if len(all) != 2 || all[0].Issuer.ID != first.ID || !all[0].Default {
			t.Fatalf("issuers: %+v", all)
		}
		check(t, p.SaveIssuerOrder(s.ctx, []tenants.IssuerID{all[1].Issuer.ID, all[0].Issuer.ID}))
		if all = must[[]store.IssuerView](t)(p.Issuers(s.ctx)); all[0].Issuer.ID != v.Issuer.ID {
			t.Errorf("order: %+v", all)
		}
		for _, ids := range [][]tenants.IssuerID{nil, {first.ID}, {first.ID, first.ID}, {first.ID, "iss_none"}} {
			wantKind(t, p.SaveIssuerOrder(s.ctx, ids), tenants.Conflict)
		}

		wantKind(t, p.RetireIssuer(s.ctx, first.ID), tenants.Conflict)
		check(t, p.RetireIssuer(s.ctx, v.Issuer.ID))
		if v = must[store.IssuerView](t)(p.Issuer(s.ctx, v.Issuer.ID)); v.Retired.IsZero() {
			t.Error("it was not retired")
		}
		if again := s.addIssuer(); again.Issuer.ID != v.Issuer.ID || !again.Retired.IsZero() {
			t.Errorf("it did not come back: %+v", again)
		}
		wantKind(t, p.RetireIssuer(s.ctx, "iss_none"), tenants.NotFound)
	})
}

// Accounts that were opened under another binding make room, those of every binding before keep what they are, and one that was never
// opened is opened under the new one.
func TestAnotherBindingMakesRoom(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, p := tell(t, w), w.Platform()
		v := s.addIssuer()
		check(t, p.SaveAccounts(s.ctx, v.Issuer.ID, "3"))
		var urls []string
		for n, keyID := range []string{"kid-7", "kid-8", "kid-9"} {
			check(t, p.RetireIssuer(s.ctx, v.Issuer.ID))
			f := otherForm()
			f.EABKeyID = keyID
			must[tenants.IssuerID](t)(p.AddIssuer(s.ctx, f, agrees))
			v = must[store.IssuerView](t)(p.Issuer(s.ctx, v.Issuer.ID))
			if len(v.Accounts) != 3+2*n {
				t.Fatalf("%d accounts after %s, two of three were opened before", len(v.Accounts), keyID)
			}
			for i, a := range v.Accounts {
				if a.InUse != (i < 3) || (a.Shard == i) != (i < 3) || i < 2 && a.URL != "" || i >= 3 && !slices.Contains(urls, a.URL) {
					t.Errorf("account %d after %s: %+v", i, keyID, a)
				}
			}
			for i, a := range v.Accounts[:2] {
				urls = append(urls, fmt.Sprintf("https://acme.other.example/acct/%s-%d", keyID, i))
				check(t, s.sys.SaveAccount(s.ctx, a.ID, store.NewKey{Type: tenants.P256, Key: tenants.NewSecret([]byte("der"))}, urls[len(urls)-1]))
			}
		}
		check(t, p.SaveAccounts(s.ctx, v.Issuer.ID, "20"))
		if v = must[store.IssuerView](t)(p.Issuer(s.ctx, v.Issuer.ID)); len(v.Accounts) != 20+4 || !v.Accounts[19].InUse || v.Accounts[20].InUse {
			t.Errorf("%d accounts with 20 in use", len(v.Accounts))
		}
	})
}

// The operator's own limits count until they are taken away, whatever the settings say at the next start.
func TestOverrides(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, p := tell(t, w), w.Platform()
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 300, Per: 3 * time.Hour}})
		err := p.SaveOverrides(s.ctx, i.ID, []store.OverrideInput{{"orders", "0", "3h"}, {"orders", "5", "soon"}, {"nonsense", "1", "1h"}})
		if f := fieldsOf(err); f["count1"] == "" || f["per2"] == "" || f["limit3"] == "" {
			t.Errorf("fields: %v", err)
		}
		orders := func() store.LimitView {
			for _, l := range must[store.IssuerView](t)(p.Issuer(s.ctx, i.ID)).Limits {
				if l.Limit == tenants.OrdersPerAccount {
					return l
				}
			}
			return store.LimitView{}
		}
		if l := orders(); l.Count != 300 || l.Source != store.LimitConfigured {
			t.Errorf("before: %+v", l)
		}
		check(t, p.SaveOverrides(s.ctx, i.ID, []store.OverrideInput{{string(tenants.OrdersPerAccount), " 1500 ", "3h"}}))
		i.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: 10, Per: time.Hour}}
		if saved := must[tenants.Issuer](t)(s.sys.SaveIssuer(s.ctx, i)); saved.Limits[tenants.OrdersPerAccount].Count != 1500 {
			t.Errorf("the settings count: %+v", saved.Limits)
		}
		if l := orders(); l.Count != 1500 || l.Source != store.LimitOverridden || l.Override.By != storetest.Operator().Name || l.Override.At.IsZero() {
			t.Errorf("overridden: %+v", l)
		}
		check(t, p.SaveOverrides(s.ctx, i.ID, []store.OverrideInput{{string(tenants.OrdersPerAccount), "", ""}}))
		if l := orders(); l.Count != 10 || l.Source != store.LimitConfigured || l.Override != nil {
			t.Errorf("taken away: %+v", l)
		}
	})
}

// Tenants are spread over the accounts, each of which has tokens and a waiting room of its own.
func TestAccountsHaveTheirOwnRooms(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, p := tell(t, w), w.Platform()
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 1, Per: 1000 * time.Hour}})
		wantKind(t, p.SaveAccounts(s.ctx, i.ID, "0"), tenants.Invalid)
		check(t, p.SaveAccounts(s.ctx, i.ID, "2"))
		account := func(in tenants.Tenant) tenants.AccountID {
			return must[[]store.Authority](t)(s.sys.Authorities(s.ctx))[0].For(in.ID).AccountID
		}
		apart := w.Northwind
		for n := 0; account(apart) == account(w.Acme); n++ { // which of them a tenant has is left to chance
			apart.Slug = "apart-" + strconv.Itoa(n)
			apart.ID = must[tenants.TenantID](t)(p.AddTenant(s.ctx, store.TenantInput{Name: apart.Slug, Slug: apart.Slug}))
		}
		for _, id := range []tenants.AccountID{account(w.Acme), account(apart)} {
			check(t, s.sys.SaveAccount(s.ctx, id, store.NewKey{}, "https://ca.example/acct/"+string(id)))
		}
		place := func(o tenants.Order) store.Spent {
			_, spent, err := s.sys.PlaceOrder(s.ctx, o, []tenants.Charge{{Limit: tenants.OrdersPerAccount, Key: "https://ca.example/acct/" + string(o.Account)}})
			check(t, err)
			return spent
		}
		one, two := s.plan(s.register(w.Acme, "one.example")), s.plan(s.register(w.Acme, "two.example"))
		other := s.plan(s.register(apart, "other.example"))
		if one.Account != account(w.Acme) || other.Account != account(apart) || one.Issuer != i.ID {
			t.Fatalf("accounts %s and %s, want %s and %s", one.Account, other.Account, account(w.Acme), account(apart))
		}
		if !place(one).OK || place(two).OK {
			t.Fatal("one token, and not one order")
		}
		check(t, s.sys.AwaitBudget(s.ctx, two.Domain, owner, two.Account, tenants.Finding{Code: tenants.BudgetSpent}))
		if !place(other).OK {
			t.Error("who waits at one account is in the way at another")
		}
		if n := must[int](t)(s.sys.Admit(s.ctx, other.Account, 5, 0)); n != 0 {
			t.Errorf("%d were let out of another account's room", n)
		}
		if n := must[int](t)(s.sys.Admit(s.ctx, two.Account, 5, 0)); n != 1 {
			t.Errorf("%d were let out, want one", n)
		}
	})
}

func TestIssuersAreForOperators(t *testing.T) {
	w := storetest.New(t)
	s := tell(t, w)
	id := s.issuer(nil).ID
	auditor := storetest.Operator()
	auditor.Platform = tenants.PlatformAuditor
	must[[]store.IssuerView](t)(w.DB.Platform(auditor).Issuers(s.ctx))
	for name, err := range map[string]error{
		"limits":   w.DB.Platform(auditor).SaveOverrides(s.ctx, id, nil),
		"again":    w.DB.Platform(auditor).AskAgain(s.ctx, id, perAccount),
		"order":    w.DB.Platform(auditor).SaveIssuerOrder(s.ctx, nil),
		"accounts": w.DB.Platform(auditor).SaveAccounts(s.ctx, id, "2"),
		"retire":   w.DB.Platform(auditor).RetireIssuer(s.ctx, id),
	} {
		if tenants.KindOf(err) != tenants.Denied {
			t.Errorf("an auditor may change %s: %v", name, err)
		}
	}
	_, err := w.DB.Platform(auditor).AddIssuer(s.ctx, otherForm(), agrees)
	wantKind(t, err, tenants.Denied)
	_, err = w.DB.Platform(w.Actor(w.Acme, tenants.Admin)).Issuers(s.ctx)
	wantKind(t, err, tenants.Denied)
}

// An issuer that keeps failing a domain for its own reasons is left, its open order ended first.
func TestAnotherIssuerIsChosen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		home, other := s.issuer(nil).ID, s.addIssuer().Issuer.ID
		wantKind(t, w.Scope(w.Acme).SavePolicy(s.ctx, tenants.Policy{Issuers: []tenants.IssuerID{home, home}}), tenants.Invalid)
		err := w.Scope(w.Acme).SavePolicy(s.ctx, tenants.Policy{Issuers: []tenants.IssuerID{home, "iss_none"}})
		if f := fieldsOf(err); f["issuer2"] == "" || len(f) != 1 {
			t.Errorf("an unknown issuer in the second place: %v", err)
		}
		check(t, w.Scope(w.Acme).SavePolicy(s.ctx, tenants.Policy{Issuers: []tenants.IssuerID{home, other}, FailoverAfter: 3}))
		entry := s.lastEntry(w.Acme)
		if names := entry.Changes[0].After; !strings.HasSuffix(names, ", then Other CA") || strings.Contains(names, string(home)) {
			t.Errorf("the log says %q, not the names of the authorities", names)
		}
		if choices := must[[]store.IssuerChoice](t)(w.Scope(w.Acme).PolicyIssuers(s.ctx)); len(choices) != 2 || !choices[0].Default || choices[1].ID != other || choices[1].Retired {
			t.Errorf("choices %+v", choices)
		}
		id := s.register(w.Acme, "shop.example")
		first := s.plan(id)
		if first.Issuer != home || first.Detour != "" {
			t.Fatalf("the first order: %+v", first)
		}
		check(t, s.sys.FailOrder(s.ctx, first, tenants.Finding{Code: tenants.CAStuck}, tenants.Renewing))
		w.Clock.Advance(2 * time.Hour)
		second := s.plan(id)
		if second.Issuer != home {
			t.Fatalf("it moved on after two hours of three: %+v", second)
		}
		second.Finding = tenants.Finding{Code: tenants.CARateLimited}
		s.save(second, tenants.Planned)
		check(t, s.sys.AwaitBudget(s.ctx, id, owner, second.Account, tenants.Finding{Code: tenants.BudgetSpent}))
		if next := s.view(w.Acme, id).Domain.Next; next.After(w.Clock.Now().Add(time.Hour)) {
			t.Errorf("looked at again at %v, although another issuer may have it", next)
		}
		w.Clock.Advance(2 * time.Hour)
		f := s.begin(id)
		if step := tenants.Next(f, w.Clock.Now()); step.Act != tenants.ActEndOrder {
			t.Fatalf("next is %+v; offers %+v", step, f.Offers)
		}
		check(t, s.sys.EndOrder(s.ctx, second.ID, "Example CA has failed."))
		check(t, s.sys.EndOrder(s.ctx, second.ID, "Example CA has failed.")) // twice is once
		if f = s.begin(id); f.Issuer.ID != other || f.Failures != 1 {
			t.Fatalf("then %s is asked, after %d failures", f.Issuer.ID, f.Failures)
		}
		if v := s.view(w.Acme, id); v.Asks.ID != other || v.Issuer.ID != home {
			t.Errorf("the page says that %s is asked next", v.Asks.Name)
		}
		third := s.plan(id)
		if v := s.view(w.Acme, id); v.Asks.ID != third.Issuer || v.Issuer.ID != home {
			t.Errorf("the page says that the order is at %s", v.Asks.Name)
		}
		if third.Issuer != other || third.Account != f.Issuer.AccountID || third.Detour == "" {
			t.Errorf("the third order: %+v", third)
		}
		if _, err := s.sys.OrderKey(s.ctx, second.ID); tenants.KindOf(err) != tenants.Conflict {
			t.Errorf("the key of the order that was ended: %v", err)
		}
		check(t, w.Platform().RetireIssuer(s.ctx, other))
		check(t, s.sys.FailOrder(s.ctx, third, tenants.Finding{Code: tenants.CAStuck}, tenants.Renewing))
		if f = s.begin(id); f.Issuer.ID != home || len(f.Offers) != 1 {
			t.Errorf("a retired issuer is offered: %+v", f.Offers)
		}
	})
}
