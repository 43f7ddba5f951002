package jobs_test

import (
	"crypto/x509"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/store"
	"perennial/tenants"
)

// quiet is a world in which a domain that is well is due, for a look at DNS and for a question to its CA.
func quiet(t *testing.T, test func(w *world, id tenants.DomainID)) {
	inWorld(t, func(w *world) {
		w.ca.ari = lastThird
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		for range 3 { // looks and questions come together now
			w.sleep(w.view(id))
			w.turn()
		}
		w.sleep(w.view(id))
		test(w, id)
	})
}

// A turn of a domain that is well, with whom nothing changes, takes three transactions: it is claimed, begun, and put to
// rest together with what was learned.
func TestQuietTurn(t *testing.T) {
	quiet(t, func(w *world, id tenants.DomainID) {
		before, calls, commits := w.view(id), len(w.ca.faults.count), 0
		looks, questions := w.dns.count["look"], w.ca.count["renewalInfo"]
		w.fail = func(m store.Moment) error {
			if m == store.Committed {
				commits++
			}
			return nil
		}
		w.turn()
		after := w.view(id)
		if commits != 3 || w.dns.count["look"] != looks+1 || w.ca.count["renewalInfo"] != questions+1 || len(w.ca.count) != calls {
			t.Errorf("%d commits, %d looks, %d questions", commits, w.dns.count["look"]-looks, w.ca.count["renewalInfo"]-questions)
		}
		if now := time.Now().UTC(); !after.Domain.Check.At.Equal(now) || !after.Certificate.ARI.Fetched.After(before.Certificate.ARI.Fetched) {
			t.Errorf("kept: looked at %v, heard at %v, now is %v", after.Domain.Check.At, after.Certificate.ARI.Fetched, now)
		}
		if !after.Certificate.Plan.At.Equal(before.Certificate.Plan.At) || after.Domain.Status != tenants.Active || !after.Domain.Next.After(time.Now()) {
			t.Errorf("after: %+v, plan %+v", after.Domain, after.Certificate.Plan)
		}
	})
}

// A process that dies between two questions of a quiet turn loses the first answer, and asks again.
func TestQuietTurnKilled(t *testing.T) {
	quiet(t, func(w *world, id tenants.DomainID) {
		looked := w.view(id).Domain.Check.At
		w.ca.arm(map[string]mode{"renewalInfo": killAfter})
		w.turn()
		if at := w.view(id).Domain.Check.At; w.kills != 1 || !at.Equal(looked) {
			t.Fatalf("%d kills; looked at %v, before at %v", w.kills, at, looked)
		}
		w.turn()
		if at := w.view(id).Domain.Check.At; !at.After(looked) {
			t.Errorf("the look at %v was not made up for", at)
		}
	})
}

// Nothing is ordered on an answer that was not saved: when the CA hears of the order, the look that allowed it is in the row.
func TestLookIsSavedBeforeTheOrder(t *testing.T) {
	quiet(t, func(w *world, id tenants.DomainID) {
		w.must(w.scope.RenewNow(w.ctx, id))
		asked := 0
		w.ca.limit = func() *acme.Problem {
			asked++
			if at := w.view(id).Domain.Check.At; time.Since(at) >= tenants.FreshFor {
				t.Errorf("ordered %v after the look that is saved", time.Since(at))
			}
			return nil
		}
		w.turn()
		if v := w.view(id); asked != 1 || len(v.Versions) != 2 {
			t.Errorf("asked %d times, %d versions", asked, len(v.Versions))
		}
	})
}

// lastThird is a window that begins with the last third of a certificate's life.
func lastThird(leaf *x509.Certificate) (start, end time.Time) {
	start = leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3)
	return start, start.Add(48 * time.Hour)
}
