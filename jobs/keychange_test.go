package jobs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// opened is the portal's only account, after a certificate was ordered with it.
func (w *world) opened() tenants.Account {
	w.t.Helper()
	w.status(w.register("first.acme.example"), tenants.Active)
	return w.account()
}

func (w *world) account() tenants.Account {
	w.t.Helper()
	all, err := w.db.System().Authorities(w.ctx)
	w.must(err)
	return all[0].Accounts[0]
}

// public is the public half of the account's key as it is saved.
func (w *world) public(id tenants.AccountID) crypto.PublicKey {
	w.t.Helper()
	sealed, ok, err := w.db.System().AccountKey(w.ctx, id)
	w.must(err)
	if !ok {
		w.t.Fatal("no key")
	}
	key, err := x509.ParsePKCS8PrivateKey(sealed.Reveal())
	w.must(err)
	return key.(crypto.Signer).Public()
}

// changeKeys makes the next try once it is due, and survives a killed process, as tend does.
func (w *world) changeKeys() {
	time.Sleep(time.Until(w.account().Tries.Next))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case killed:
			w.kills++
			w.start()
		default:
			panic(r)
		}
	}()
	w.must(w.engine.ChangeKeys(w.ctx))
}

// Wherever the process dies, and whatever becomes of an answer, in the end the CA and the portal have the same new key.
func TestKeyChangeSurvives(t *testing.T) {
	for _, call := range []string{"none", "findAccount", "changeKey"} {
		for _, how := range []mode{errBefore, errAfter, killBefore, killAfter} {
			t.Run(fmt.Sprintf("%s %s", call, how), func(t *testing.T) {
				inWorld(t, func(w *world) {
					account := w.opened()
					before := w.public(account.ID)
					w.must(w.operator().ChangeAccountKey(w.ctx, account.ID))
					if err := w.operator().ChangeAccountKey(w.ctx, account.ID); tenants.KindOf(err) != tenants.Conflict {
						t.Errorf("two changes at once: %v", err)
					}
					w.ca.arm(map[string]mode{call: how})
					for range 3 {
						w.changeKeys()
					}
					after := w.public(account.ID)
					if now := w.account(); now.Changing || now.URL != account.URL || now.ID != account.ID {
						t.Errorf("account: %+v", now)
					}
					if !w.ca.account.Equal(after) || w.ca.account.Equal(before) {
						t.Error("the CA knows another key than the portal, or the old one")
					}
					w.status(w.register("second.acme.example"), tenants.Active)
				})
			})
		}
	}
}

// A refusal leaves the old key in use.
func TestKeyChangeRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		account := w.opened()
		before := w.public(account.ID)
		w.must(w.operator().ChangeAccountKey(w.ctx, account.ID))
		w.ca.refuseKey = &acme.Problem{Code: tenants.CABroken, Status: 409, Detail: "in use", Reached: true}
		w.changeKeys()
		if now := w.account(); now.Changing || !w.ca.account.Equal(before) || !w.ca.account.Equal(w.public(account.ID)) {
			t.Errorf("account: %+v", now)
		}
		w.status(w.register("second.acme.example"), tenants.Active)
	})
}

// A request for the change that nobody answered arrives just ahead of the next one, which the CA then refuses: the old key
// signed it. The new one must not be forgotten for that, or the account would be lost.
func TestKeyChangeArrivesLate(t *testing.T) {
	inWorld(t, func(w *world) {
		account := w.opened()
		w.must(w.operator().ChangeAccountKey(w.ctx, account.ID))
		sealed, _, err := w.db.System().NextAccountKey(w.ctx, account.ID)
		w.must(err)
		next, err := x509.ParsePKCS8PrivateKey(sealed.Reveal())
		w.must(err)
		w.ca.onItsWay = &next.(*ecdsa.PrivateKey).PublicKey
		w.changeKeys()
		if now := w.account(); now.Changing || !w.ca.account.Equal(w.public(account.ID)) {
			t.Errorf("the CA knows another key than the portal: %+v", now)
		}
		w.status(w.register("second.acme.example"), tenants.Active)
	})
}

// A CA that takes the new key and is slow to know it, as one whose answers come from a copy of its database is, is believed
// its first word.
func TestKeyChangeKnownLater(t *testing.T) {
	inWorld(t, func(w *world) {
		account := w.opened()
		w.must(w.operator().ChangeAccountKey(w.ctx, account.ID))
		w.ca.unaware = 2
		for range 3 {
			w.changeKeys()
		}
		if now := w.account(); now.Changing || !w.ca.account.Equal(w.public(account.ID)) {
			t.Errorf("the CA knows another key than the portal: %+v", now)
		}
		w.status(w.register("second.acme.example"), tenants.Active)
	})
}

// Another process changes the account's key. This one, which signed with the old one, goes on with the new one: nothing
// fails for it, and nothing is left out.
func TestKeyChangedElsewhere(t *testing.T) {
	inWorld(t, func(w *world) {
		account := w.opened()
		gone := w.register("gone.acme.example")
		w.status(gone, tenants.Active)
		here := w.engine
		elsewhere := func() {
			w.must(w.operator().ChangeAccountKey(w.ctx, account.ID))
			w.start()
			w.changeKeys()
			w.engine = here
		}
		elsewhere()
		v := w.status(w.register("second.acme.example"), tenants.Active)
		if len(v.Orders) != 1 || len(w.ca.orders) != 3 {
			t.Errorf("orders %+v; %d at the CA, want 3", v.Orders, len(w.ca.orders))
		}
		elsewhere()
		w.must(w.scope.Revoke(w.ctx, gone, w.view(gone).Current.ID, tenants.RevocationRequest{Way: tenants.RevokeAtOnce, Reason: tenants.RevokeCessation}, "gone.acme.example"))
		w.tend(gone)
		if w.ca.told != 1 {
			t.Errorf("told %d times to revoke, want once", w.ca.told)
		}
		w.status(gone, tenants.Active)
		elsewhere()
		w.must(w.scope.Release(w.ctx, gone, "gone.acme.example"))
		w.until(time.Second, time.Hour, func() bool { return w.view(gone).Domain.Status == tenants.Released })
		if len(w.ca.gone) == 0 {
			t.Error("an authorization of a name that was given up lives on")
		}
	})
}

// The account's key changes between the writing of a challenge record and the telling: what proves the name is another value
// then, so the old one is taken back and the CA has nothing to refuse.
func TestKeyChangeWhileProving(t *testing.T) {
	for _, how := range []mode{killBefore, killAfter} { // the telling
		t.Run(string(how), func(t *testing.T) {
			inWorld(t, func(w *world) {
				account := w.opened()
				before := len(w.ca.orders)
				id := w.register("second.acme.example")
				w.ca.arm(map[string]mode{"answer": how})
				w.turn()
				if v := w.view(id); w.kills != 1 || v.Order.State != tenants.Proving {
					t.Fatalf("%d kills, order %+v", w.kills, v.Order)
				}
				w.must(w.operator().ChangeAccountKey(w.ctx, account.ID))
				w.changeKeys()
				w.status(id, tenants.Active)
				if n, left := len(w.ca.orders)-before, w.dns.left(); n != 1 || len(left) != 0 {
					t.Errorf("%d orders for one certificate, %v left in DNS", n, left)
				}
			})
		})
	}
}

// A CA that refuses to say which key counts, as one whose terms changed, has not said that it is the old one.
func TestKeyChangeUndecided(t *testing.T) {
	inWorld(t, func(w *world) {
		account := w.opened()
		w.must(w.operator().ChangeAccountKey(w.ctx, account.ID))
		w.ca.denies = &acme.Problem{Code: tenants.CAAccount, Status: 403, Type: "urn:ietf:params:acme:error:userActionRequired", Reached: true}
		w.changeKeys()
		if !w.account().Changing {
			t.Error("the new key was forgotten, and it may be the one that counts")
		}
		w.ca.denies = nil
		w.changeKeys()
		if now := w.account(); now.Changing || !w.ca.account.Equal(w.public(account.ID)) {
			t.Errorf("the CA knows another key than the portal: %+v", now)
		}
	})
}

// A change that comes to nothing is tried again in ever longer pauses, none of them shorter than the CA asks for, and whoever
// waits for it can see why.
func TestKeyChangePauses(t *testing.T) {
	inWorld(t, func(w *world) {
		account := w.opened()
		w.must(w.operator().ChangeAccountKey(w.ctx, account.ID))
		w.ca.denies = &acme.Problem{Code: tenants.CASilent}
		for range 360 { // an hour
			w.must(w.engine.ChangeKeys(w.ctx))
			time.Sleep(10 * time.Second)
		}
		if tries := w.account().Tries; tries.N < 11 || tries.N > 16 || tries.Cause != tenants.CASilent {
			t.Errorf("after an hour of silence: %+v, want about 14", tries)
		}
		w.ca.denies = &acme.Problem{Code: tenants.CARateLimited, Status: 429, RetryAfter: 3 * time.Hour, Reached: true}
		w.changeKeys()
		if tries := w.account().Tries; tries.Cause != tenants.CARateLimited || time.Until(tries.Next) != 3*time.Hour {
			t.Errorf("after a 429: %+v, now is %s", tries, time.Now())
		}
		w.ca.denies = nil
		w.must(w.engine.ChangeKeys(w.ctx))
		if !w.account().Changing {
			t.Error("the CA was asked before the time it named")
		}
		w.changeKeys()
		if now := w.account(); now.Changing || now.Tries.N != 0 {
			t.Errorf("the CA answers again: %+v", now)
		}
	})
}
