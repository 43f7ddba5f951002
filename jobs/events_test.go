package jobs_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"perennial/store"
	"perennial/tenants"
)

// replaceAll starts a replacement of everything that the issuer signed, as the page does.
func (w *world) replaceAll(within time.Duration) tenants.EventID {
	w.t.Helper()
	issuer, err := w.db.System().Issuer(w.ctx, w.issuer.Directory)
	w.must(err)
	p := w.operator()
	form := tenants.MassEventForm{Issuer: string(issuer.ID), Deadline: time.Now().Add(within).UTC().Format(time.RFC3339), Why: "wrong CAA checks"}
	f, err := p.DryRunEvent(w.ctx, form)
	w.must(err)
	id, err := p.StartEvent(w.ctx, store.EventStart{MassEventForm: form, Since: f.Event.Since, Counted: f.Certificates, Typed: fmt.Sprint(f.Certificates)})
	w.must(err)
	return id
}

func (w *world) event(id tenants.EventID) store.EventView {
	w.t.Helper()
	v, err := w.operator().Event(w.ctx, id)
	w.must(err)
	return v
}

// through does what is due, again and again, until an instant or until done.
func (w *world) through(end time.Time, done func() bool) {
	w.t.Helper()
	for time.Now().Before(end) && !done() {
		w.must(w.db.System().PushEvents(w.ctx))
		if w.some(workers) > 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		next, err := w.db.System().NextDue(w.ctx)
		w.must(err)
		time.Sleep(min(max(time.Until(next), time.Minute), time.Until(end)))
	}
}

// fleet is n certificates of two tenants at a CA with Let's Encrypt's limit of orders, which does not exempt renewals.
func (w *world) fleet(n int) (ids []tenants.DomainID) {
	w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: 300, Per: 3 * time.Hour}}
	w.start()
	for i, name := range names(n) {
		scope := []*store.Scope{w.scope, w.other}[i%2]
		id, err := scope.RegisterDomain(w.ctx, name, store.RegisterOptions{})
		w.must(err)
		ids = append(ids, id)
	}
	issued := func() bool { return len(w.ca.orders) >= n }
	w.through(time.Now().Add(24*time.Hour), issued)
	w.through(time.Now().Add(6*time.Hour), never)
	return ids
}

// 300 certificates, or 100 without -fleet.full, are replaced within a day, outside of everybody's renewal hours, but for the one that nobody can
// renew: it is shown, tried on after the deadline, and replaced once its record is right again.
func TestStoryMassEvent(t *testing.T) {
	inWorld(t, func(w *world) {
		n := 300
		if !*fleetFull {
			n = 100
		}
		ids := w.fleet(n)
		_, err := w.scope.SaveHours(w.ctx, tenants.Hours{Days: []time.Weekday{time.Now().AddDate(0, 0, 3).Weekday()}, From: 0, To: 60})
		w.must(err)
		bad := names(n)[4]
		w.dns.set(bad, tenants.Missing)
		begun, placed := time.Now(), len(w.ca.orders)
		id := w.replaceAll(24 * time.Hour)
		v := w.event(id)
		w.through(v.Deadline, func() bool { return !w.event(id).Ended.IsZero() })
		if v = w.event(id); v.Replaced != n-1 || v.Failing != 1 || !v.Ended.IsZero() || len(v.Trouble) != 1 || v.Trouble[0].Name != bad {
			t.Fatalf("after a day: %+v, in trouble %+v", v.EventProgress, v.Trouble)
		}
		if again := len(w.ca.orders) - placed; again != n-1 {
			t.Errorf("%d orders for %d certificates", again, n-1)
		}
		var at []time.Time
		for _, one := range slices.Concat(ids[:4], ids[6:]) {
			if d, err := w.scope.Domain(w.ctx, one); err == nil {
				at = append(at, d.Current.Issued)
				if d.Current.Reason != tenants.InMassEvent || d.Certificate.Plan.Reason == tenants.InMassEvent || d.Current.Issued.Before(begun) {
					t.Fatalf("%s: %s, then %+v", d.Domain.Name, d.Current.Reason, d.Certificate.Plan)
				}
			}
		}
		slices.SortFunc(at, time.Time.Compare)
		if first, last := at[0].Sub(begun), at[len(at)-1].Sub(begun); first > 3*time.Hour || last < 15*time.Hour || last > 20*time.Hour+10*time.Minute {
			t.Errorf("not spread over the event: from %v to %v", first, last)
		}
		w.dns.set(bad, tenants.Right)
		w.through(time.Now().Add(24*time.Hour), func() bool { return !w.event(id).Ended.IsZero() })
		if v = w.event(id); v.Replaced != n || v.Ended.IsZero() {
			t.Errorf("after the record came back: %+v", v.EventProgress)
		}
	})
}

// Stopping in the middle leaves what is replaced as it is, and all else to its own plan.
func TestStoryMassEventStops(t *testing.T) {
	inWorld(t, func(w *world) {
		const n = 60
		ids := w.fleet(n)
		id := w.replaceAll(24 * time.Hour)
		w.through(time.Now().Add(24*time.Hour), func() bool { return w.event(id).Replaced >= n/2 })
		w.must(w.operator().StopEvent(w.ctx, id))
		placed := len(w.ca.orders)
		w.through(time.Now().Add(48*time.Hour), never)
		v := w.event(id)
		if v.Replaced+v.EventProgress.Left != n || v.Replaced > n/2+workers || v.Ended.IsZero() || len(w.ca.orders) != placed {
			t.Errorf("stopped: %+v, %d more orders", v.EventProgress, len(w.ca.orders)-placed)
		}
		for _, one := range ids {
			if d, err := w.scope.Domain(w.ctx, one); err == nil && (d.Certificate.Plan.Reason == tenants.InMassEvent || d.Domain.Status != tenants.Active) {
				t.Errorf("%s: %s, plan %+v", d.Domain.Name, d.Domain.Status, d.Certificate.Plan)
			}
		}
	})
}
