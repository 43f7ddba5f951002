package jobs_test

import (
	"strings"
	"testing"
	"time"

	"perennial/tenants"
)

// A key type that the policy forbids is replaced within a week, by one that it allows, once.
func TestPolicyReplacesKeys(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{KeyTypes: []tenants.KeyType{tenants.P384}}))
		w.turn()
		if plan := w.view(id).Certificate.Plan; plan.Reason != tenants.AgainstPolicy || !strings.Contains(plan.Text, "P-256") {
			t.Errorf("plan: %+v", plan)
		}
		w.until(6*time.Hour, 8*24*time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
		v := w.status(id, tenants.Active)
		if v.Current.KeyType != tenants.P384 || v.Current.Reason != tenants.AgainstPolicy {
			t.Errorf("version 2: %s because of %s", v.Current.KeyType, v.Current.Reason)
		}
		w.until(6*time.Hour, 40*24*time.Hour, func() bool { return time.Since(v.Current.Issued) > 30*24*time.Hour })
		w.settled(id, 2)
	})
}

// The policy's own rule decides when a certificate renews, also for those that are planned already.
func TestPolicyMovesPlans(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		end := w.status(id, tenants.Active).Current.NotAfter
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{RenewDays: 40}))
		w.turn()
		plan := w.view(id).Certificate.Plan
		if left := end.Sub(plan.At); plan.Reason != tenants.AtThreshold || left > 40*24*time.Hour || left < 36*24*time.Hour {
			t.Errorf("renews %v before the end: %+v", left, plan)
		}
	})
}

// Renewals happen inside the tenant's hours, and never in a freeze.
func TestStoryRenewalHours(t *testing.T) {
	inWorld(t, func(w *world) {
		freeze := time.Now().AddDate(0, 0, 64).Format(time.DateOnly)
		hours := tenants.Hours{Days: []time.Weekday{time.Tuesday, time.Thursday}, From: 6 * 60, To: 9 * 60,
			Freezes: []tenants.Freeze{{First: freeze, Last: time.Now().AddDate(0, 0, 70).Format(time.DateOnly)}}}
		_, err := w.scope.SaveHours(w.ctx, hours)
		w.must(err)
		ids := []tenants.DomainID{w.register("a.acme.example"), w.register("b.acme.example")}
		renewed := func(id tenants.DomainID) bool { return len(w.view(id).Versions) == 2 }
		w.untilDue(80*aDay, func() bool { return renewed(ids[0]) && renewed(ids[1]) })
		for _, id := range ids {
			issued := w.view(id).Versions[0].Issued
			if len(hours.Open(issued.Add(-10*time.Minute), issued)) == 0 {
				t.Errorf("renewed at %v, outside of %s", issued.Format("Mon 2 Jan 15:04"), hours)
			}
		}
	})
}
