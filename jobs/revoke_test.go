package jobs_test

import (
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/store"
	"perennial/tenants"
)

var (
	leaked  = tenants.RevocationRequest{Way: tenants.RevokeAfter, Reason: tenants.RevokeKeyCompromise, Wait: 24 * time.Hour}
	atOnce  = tenants.RevocationRequest{Way: tenants.RevokeAtOnce, Reason: tenants.RevokeSuperseded}
	byThem  = tenants.RevocationRequest{Way: tenants.RevokedByThem}
	refusal = &acme.Problem{Code: tenants.RevocationRefused, Status: 403, Type: "urn:ietf:params:acme:error:unauthorized", Detail: "not yours", Reached: true}
)

const shop = "shop.acme.example"

// certified is a domain with its first version.
func (w *world) certified() tenants.DomainID {
	w.t.Helper()
	id := w.register(shop)
	w.status(id, tenants.Active)
	w.settled(id, 1)
	return id
}

func (w *world) revoke(id tenants.DomainID, r tenants.RevocationRequest) {
	w.t.Helper()
	w.must(w.scope.Revoke(w.ctx, id, w.view(id).Current.ID, r, shop))
}

// first is the first version.
func (w *world) first(id tenants.DomainID) tenants.Version {
	w.t.Helper()
	all := w.view(id).Versions
	return all[len(all)-1]
}

func (w *world) gone(id tenants.DomainID) bool {
	w.t.Helper()
	return !w.first(id).Revocation.Done.IsZero()
}

// A key is reported: the next version comes at once, with another key, and a day later the old one goes.
func TestStoryLeakedKey(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.certified()
		w.revoke(id, leaked)
		w.until(time.Second, time.Minute, func() bool { return len(w.view(id).Versions) == 2 })
		v, asked := w.view(id), time.Now()
		if v.Current.Reason != tenants.KeyCompromised || v.Current.SPKI == v.Versions[1].SPKI || !v.Certificate.Compromised.IsZero() {
			t.Fatalf("the next version: %+v, certificate %+v", v.Current, v.Certificate)
		}
		w.until(time.Minute, 25*time.Hour, func() bool { return w.gone(id) })
		if took := time.Since(asked); took < 24*time.Hour-time.Minute || took > 24*time.Hour+time.Minute {
			t.Errorf("revoked after %v", took)
		}
		if len(w.ca.revoked) != 1 || w.ca.told != 1 || w.ca.revoked["2"].reason != 1 {
			t.Errorf("the CA revoked %v, told %d times", w.ca.revoked, w.ca.told)
		}
		w.settled(id, 2)
		w.status(id, tenants.Active)
	})
}

func TestNewVersionIsInPlace(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.certified()
		w.revoke(id, leaked)
		w.until(time.Second, time.Minute, func() bool { return len(w.view(id).Versions) == 2 })
		w.must(w.scope.RevokeNow(w.ctx, id, w.first(id).ID))
		w.until(time.Second, time.Minute, func() bool { return w.gone(id) })
	})
}

// Whatever happens to the call, the version is revoked and its successor comes.
func TestRevocationSurvivesEveryFault(t *testing.T) {
	for how, told := range map[mode]int{errBefore: 1, errAfter: 2, killBefore: 1, killAfter: 2} {
		t.Run(string(how), func(t *testing.T) {
			inWorld(t, func(w *world) {
				id := w.certified()
				w.ca.arm(map[string]mode{"revoke": how})
				w.revoke(id, atOnce)
				w.until(time.Second, 10*time.Minute, func() bool { return w.gone(id) && len(w.view(id).Versions) == 2 })
				if w.ca.told != told || len(w.ca.revoked) != 1 {
					t.Errorf("told %d times, %d revoked", w.ca.told, len(w.ca.revoked))
				}
				if killing := how == killBefore || how == killAfter; killing != (w.kills > 0) {
					t.Errorf("killed %d times", w.kills)
				}
				w.settled(id, 2)
				w.status(id, tenants.Active)
			})
		})
	}
}

// A CA that does not answer for an hour delays the revocation, and nothing else.
func TestSilentCARevokesLater(t *testing.T) {
	inWorld(t, func(w *world) {
		id, tries := w.certified(), 0
		until := time.Now().Add(time.Hour)
		w.ca.noRevoke = func(uint) *acme.Problem {
			tries++
			if time.Now().Before(until) {
				return &acme.Problem{Code: tenants.CASilent, Detail: "no answer"}
			}
			return nil
		}
		w.revoke(id, atOnce)
		w.until(time.Second, time.Minute, func() bool { return len(w.view(id).Versions) == 2 })
		if r := w.first(id).Revocation; r.Finding.Code != tenants.CASilent || r.Next.IsZero() {
			t.Errorf("nobody sees why: %+v", r)
		}
		w.status(id, tenants.Active)
		w.until(10*time.Second, 75*time.Minute, func() bool { return w.gone(id) })
		if tries > 25 {
			t.Errorf("%d tries in an hour", tries)
		}
	})
}

// A refusal is explained and asked again, ever less often, and renewals go on.
func TestStoryRefusedRevocation(t *testing.T) {
	inWorld(t, func(w *world) {
		id, tries := w.certified(), 0
		w.ca.noRevoke = func(uint) *acme.Problem { tries++; return refusal }
		w.revoke(id, atOnce)
		w.until(time.Hour, 100*24*time.Hour, func() bool { return len(w.view(id).Versions) == 3 })
		if tries < 5 || tries > 110 {
			t.Errorf("%d tries in the version's whole life", tries)
		}
		if r := w.first(id).Revocation; r.Finding.Code != tenants.RevocationRefused || !r.Done.IsZero() {
			t.Errorf("revocation %+v", r)
		}
		time.Sleep(time.Until(w.first(id).NotAfter))
		tries = 0
		w.until(time.Hour, 72*time.Hour, func() bool { return w.view(id).Domain.Next.Sub(w.first(id).NotAfter) > 48*time.Hour })
		if tries > 0 {
			t.Errorf("%d tries to revoke a version that has ended", tries)
		}
	})
}

// A CA that does not take the reason is told none.
func TestReasonThatTheCADoesNotTake(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.certified()
		w.ca.noRevoke = func(reason uint) *acme.Problem {
			if reason != 0 {
				return &acme.Problem{Code: tenants.RevocationRefused, Status: 400, Type: "urn:ietf:params:acme:error:badRevocationReason"}
			}
			return nil
		}
		w.revoke(id, atOnce)
		w.until(time.Second, time.Minute, func() bool { return w.gone(id) })
		if r := w.first(id).Revocation; r.Reason != tenants.RevokeUnspecified {
			t.Errorf("reason %q", r.Reason)
		}
	})
}

// Without a successor nothing is revoked, however long it takes: who reported the key decides whether to break the site.
func TestNoSuccessorNoRevocation(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.certified()
		w.dns.set(shop, tenants.Missing)
		w.revoke(id, leaked)
		v := w.status(id, tenants.Failing)
		time.Sleep(72 * time.Hour)
		w.turn()
		if v = w.view(id); len(w.ca.revoked) != 0 || !v.Versions[0].Revocation.At.IsZero() || v.Certificate.Compromised.IsZero() {
			t.Fatalf("revoked without a successor: %+v", v.Versions[0].Revocation)
		}
		w.dns.set(shop, tenants.Right)
		w.until(time.Minute, time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
		w.until(time.Hour, 26*time.Hour, func() bool { return w.gone(id) })
	})
}

// Giving the name up means that no successor comes: what was to be revoked goes first, and what the CA refuses does not
// hold the name.
func TestReleaseWhileARevocationWaits(t *testing.T) {
	for name, refused := range map[string]bool{"revoked": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				id := w.certified()
				w.dns.set(shop, tenants.Missing)
				if refused {
					w.ca.noRevoke = func(uint) *acme.Problem { return refusal }
				}
				w.revoke(id, leaked)
				w.status(id, tenants.Failing)
				w.must(w.scope.Release(w.ctx, id, shop))
				w.status(id, tenants.Released)
				if revoked := len(w.ca.revoked) == 1; revoked == refused {
					t.Errorf("revoked: %v", w.ca.revoked)
				}
			})
		})
	}
}

// While the order of the successor waits for the CA's budget, the revocation is tried again all the same.
func TestStoryRevocationDoesNotWaitForTheBudget(t *testing.T) {
	inWorld(t, func(w *world) {
		w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: 1, Per: 12 * time.Hour}}
		w.start()
		id, tries := w.certified(), 0
		w.ca.noRevoke = func(uint) *acme.Problem {
			if tries++; tries < 6 {
				return &acme.Problem{Code: tenants.CASilent, Detail: "no answer"}
			}
			return nil
		}
		w.revoke(id, atOnce)
		w.until(time.Second, 10*time.Minute, func() bool { return w.gone(id) })
		if v := w.view(id); v.Domain.Finding.Code != tenants.BudgetSpent || v.Domain.Status == tenants.Active {
			t.Errorf("the domain is %s for %v", v.Domain.Status, v.Domain.Finding)
		}
		w.until(time.Minute, 13*time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
		w.settled(id, 2)
	})
}

// The authority revoked by itself: it is not told, and the version is replaced at once.
func TestRevokedByTheAuthority(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.certified()
		w.revoke(id, byThem)
		var v store.DomainView
		w.until(time.Second, time.Minute, func() bool { v = w.view(id); return len(v.Versions) == 2 })
		if v.Current.Reason != tenants.WasRevoked || w.ca.told != 0 {
			t.Errorf("ordered for %q, the CA was told %d times", v.Current.Reason, w.ca.told)
		}
	})
}
