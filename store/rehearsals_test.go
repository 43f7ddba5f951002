package store_test

import (
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

const stagingDirectory = "https://staging.example/directory"

// stage gives the issuer a staging directory.
func (s story) stage(directory string) {
	s.Helper()
	home := must[tenants.Issuer](s)(s.sys.SaveIssuer(s.ctx, tenants.NewIssuer(storetest.Directory)))
	check(s, s.sys.SaveStaging(s.ctx, home.ID, tenants.Issuer{Name: "Staging", Directory: directory}))
}

// rehearse asks for a dry run and plans its order.
func (s story) rehearse(in tenants.Tenant, id tenants.DomainID) tenants.Rehearsal {
	s.Helper()
	check(s, s.w.Scope(in).Rehearse(s.ctx, id))
	check(s, s.sys.SaveCheck(s.ctx, id, tenants.Check{At: s.w.Clock.Now(), Zone: "example"}, tenants.Finding{}, tenants.Active))
	asked := *s.begin(id).Rehearsal
	for range 2 { // as after a crash
		check(s, s.sys.PlanRehearsal(s.ctx, id, asked.Asked, s.w.Clock.Now()))
	}
	return *s.begin(id).Rehearsal
}

func TestRehearsalIsAnOrderOfWhichNothingIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		s.stage(stagingDirectory)
		id := s.register(w.Acme, "shop.example")
		s.issue(id, 30*24*time.Hour)
		before := s.view(w.Acme, id)
		r := s.rehearse(w.Acme, id)
		o := *r.Order
		if !o.Dry() || o.Issuer != r.Issuer.ID || r.Issuer.Directory != stagingDirectory || o.Account != r.Issuer.AccountID || o.Replaces != "" {
			t.Fatalf("order %+v at %+v", o, r.Issuer)
		}
		wantKind(t, w.Scope(w.Acme).Rehearse(s.ctx, id), tenants.Conflict)
		o.Challenges = []tenants.Challenge{{Authz: "https://staging.example/authz/1", Value: "v", Presented: w.Clock.Now()}}
		for _, state := range []tenants.OrderState{tenants.Ordered, tenants.Proving, tenants.Ready, tenants.Finalized} {
			o = s.save(o, state)
		}
		if _, err := s.sys.Issue(s.ctx, o, s.version(o, time.Hour), tenants.Verdict{}); err == nil {
			t.Error("a version came of a dry run")
		}
		if err := s.sys.EndRehearsal(s.ctx, id, r.Asked, tenants.Finding{}); err == nil {
			t.Error("it ended without a reason")
		}
		check(t, s.sys.PassRehearsal(s.ctx, id, r.Asked))
		check(t, s.sys.EndRehearsal(s.ctx, id, r.Asked, tenants.Finding{Code: tenants.CASilent})) // too late to matter
		if e := s.lastEntry(w.Acme); e.Action != tenants.DidPassRehearsal || e.Object != string(id) {
			t.Errorf("the last entry is %+v", e)
		}
		f := s.begin(id)
		if len(f.Leftover) != 1 || f.Order != nil || f.Rehearsal == nil || !f.Rehearsal.Passed() {
			t.Errorf("leftover %v, order %v, dry run %+v", f.Leftover, f.Order, f.Rehearsal)
		}
		wantKind(t, w.Scope(w.Acme).Rehearse(s.ctx, id), tenants.Conflict) // not before it is tidied up
		check(t, s.sys.TidyRehearsal(s.ctx, id, r.Asked))
		if f := s.begin(id); f.Rehearsal != nil {
			t.Errorf("still to be done for a dry run: %+v", f.Rehearsal)
		}
		after := s.view(w.Acme, id)
		if after.Rehearsal == nil || !after.Rehearsal.Passed() || after.Rehearsal.Order.ID != o.ID || len(after.Orders) != len(before.Orders) ||
			len(after.Versions) != 1 || after.Domain.Status != tenants.Active || after.Order.ID != before.Order.ID {
			t.Errorf("dry run %+v; orders %+v; status %s", after.Rehearsal, after.Orders, after.Domain.Status)
		}
	})
}

func TestRehearsalGoesWithTheDomain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		s.stage(stagingDirectory)
		id := s.register(w.Acme, "shop.example")
		s.issue(id, 30*24*time.Hour)
		o := *s.rehearse(w.Acme, id).Order
		o.Challenges = []tenants.Challenge{{Authz: "https://staging.example/authz/1", Value: "v", Presented: w.Clock.Now()}}
		s.save(o, tenants.Ordered)
		check(t, w.Scope(w.Acme).Release(s.ctx, id, "shop.example"))
		wantKind(t, s.sys.FinishRelease(s.ctx, id), tenants.Conflict) // its record may be in DNS
		f := s.begin(id)
		check(t, s.sys.EndRehearsal(s.ctx, id, f.Rehearsal.Asked, tenants.Finding{Code: tenants.RehearsalOvertaken}))
		f = s.begin(id)
		if len(f.Leftover) != 1 || len(f.Authz) != 1 { // the one of the order that was real
			t.Fatalf("leftover %+v, authorizations %+v", f.Leftover, f.Authz)
		}
		f.Leftover[0].Cleaned = w.Clock.Now()
		check(t, s.sys.SaveCleaned(s.ctx, f.Leftover))
		check(t, s.sys.FinishRelease(s.ctx, id))
	})
}

// A staging directory is never among the authorities, and the settings may move or drop it at any start.
func TestStagingIsNoAuthority(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		goes := func(directory string) {
			t.Helper()
			if v := s.view(w.Acme, id); v.Staging.Directory != directory || v.Issuer.Directory != storetest.Directory {
				t.Errorf("dry runs go to %q, orders to %q", v.Staging.Directory, v.Issuer.Directory)
			}
			all := must[[]store.Authority](t)(s.sys.Authorities(s.ctx))
			if len(all) != 1 || all[0].Directory != storetest.Directory {
				t.Errorf("authorities: %+v", all)
			}
		}
		goes("")
		for _, directory := range []string{stagingDirectory, "https://other.example/directory", "", stagingDirectory} {
			s.stage(directory)
			goes(directory)
		}
		staging := must[tenants.Issuer](t)(s.sys.Issuer(s.ctx, stagingDirectory))
		if a := must[store.Authority](t)(s.sys.Authority(s.ctx, staging.ID)); a.StagingOf == "" || a.Retired || len(a.Accounts) != 1 {
			t.Errorf("the staging directory is %+v", a)
		}
	})
}
