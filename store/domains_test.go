package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func TestLifeOfADomain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "https://Shop.Acme.example/")
		v := s.view(w.Acme, id)
		if v.Domain.Name != "shop.acme.example" || v.Domain.Status != tenants.Waiting || len(v.Domain.Delegation.Label) != 26 {
			t.Fatalf("registered %+v", v.Domain)
		}
		if left := v.Domain.Reserved.Sub(v.Domain.Created); left != 7*24*time.Hour {
			t.Errorf("reserved for %v", left)
		}
		version := s.issue(id, 90*24*time.Hour)
		v = s.view(w.Acme, id)
		if v.Domain.Status != tenants.Active || v.Current == nil || v.Current.ID != version || v.Current.Number != 1 {
			t.Fatalf("after issue: %+v, current %+v", v.Domain, v.Current)
		}
		if v.Domain.Next.IsZero() || !v.Domain.Next.Equal(v.Certificate.Plan.At.Truncate(time.Microsecond)) {
			t.Errorf("next look at %v, want the planned instant %v", v.Domain.Next, v.Certificate.Plan.At)
		}
		second := s.issue(id, 45*24*time.Hour)
		v = s.view(w.Acme, id)
		if len(v.Versions) != 2 || v.Versions[0].ID != second || v.Versions[1].Replaced.IsZero() {
			t.Fatalf("versions: %+v", v.Versions)
		}
		if len(v.Orders) != 2 || v.Order.State != tenants.Issued || len(v.Order.Challenges) != 1 || len(v.Order.Reached) != 6 {
			t.Errorf("orders: %+v", v.Orders)
		}
		if len(v.Entries) != 8 || v.Entries[0].Action != tenants.DidIssue || v.Entries[0].Actor.Kind != tenants.CAActor {
			t.Errorf("entries: %+v", v.Entries)
		}
		w.Clock.Advance(46 * 24 * time.Hour)
		check(t, s.sys.Expire(s.ctx, id))
		check(t, s.sys.Expire(s.ctx, id)) // twice is harmless
		if v = s.view(w.Acme, id); v.Domain.Status != tenants.Expired {
			t.Errorf("after its end: %s", v.Domain.Status)
		}
	})
}

func TestRegisterAllOrNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		s.register(w.Northwind, "taken.example")
		mine := s.register(w.Acme, "mine.example")
		_, err := w.Scope(w.Acme).RegisterDomains(s.ctx, []string{"good.example", "bad_name.example", "*.taken.example", "mine.example", "good.example"})
		wantKind(t, err, tenants.Invalid)
		fields := must[map[string]string](t)(fieldsOf(err), nil)
		if len(fields) != 4 || fields["name1"] != "" {
			t.Fatalf("fields: %q", fields)
		}
		if strings.Contains(fields["name3"], "orthwind") || !strings.Contains(fields["name3"], "Another tenant holds this name") {
			t.Errorf("held elsewhere: %q", fields["name3"])
		}
		page := must[store.DomainPage](t)(w.Scope(w.Acme).Domains(s.ctx, store.DomainFilter{}))
		if page.Total != 1 || page.Rows[0].ID != mine {
			t.Errorf("something was added: %+v", page)
		}
		done := must[store.Registered](t)(w.Scope(w.Acme).RegisterDomains(s.ctx, []string{"b.example", "a.example"}))
		if len(done.IDs) != 2 || s.view(w.Acme, done.IDs[0]).Domain.Name != "b.example" {
			t.Errorf("registered %+v", done)
		}
	})
}

func fieldsOf(err error) map[string]string {
	if e, ok := errors.AsType[*tenants.Error](err); ok {
		return e.Fields
	}
	return nil
}

func TestWildcardSharesTheDelegation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		plain, wild := s.register(w.Acme, "shop.example"), s.register(w.Acme, "*.shop.example")
		a, b := s.view(w.Acme, plain).Domain.Delegation, s.view(w.Acme, wild).Domain.Delegation
		if a != b {
			t.Fatalf("two delegations for one name: %+v and %+v", a, b)
		}
		s.release(w.Acme, plain)
		_, err := w.Scope(w.Northwind).RegisterDomain(s.ctx, "shop.example", store.RegisterOptions{})
		wantKind(t, err, tenants.Invalid) // the wildcard still holds it
		if c := s.view(w.Acme, s.register(w.Acme, "shop.example")).Domain.Delegation; c != a {
			t.Errorf("the label changed under the wildcard: %+v", c)
		}
	})
}

func TestLabelsAreNeverGivenTwice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		seen := map[string]bool{}
		for i := range 6 {
			in := []tenants.Tenant{w.Acme, w.Northwind}[i%2]
			id := s.register(in, "shop.example")
			label := s.view(in, id).Domain.Delegation.Label
			if seen[label] {
				t.Fatalf("label %s was given twice", label)
			}
			seen[label] = true
			s.release(in, id)
			if d := s.view(in, id).Domain; d.Status != tenants.Released || !d.Next.IsZero() {
				t.Fatalf("after release: %+v", d)
			}
		}
	})
}

func TestReleaseWantsTheName(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		err := w.Scope(w.Acme).Release(s.ctx, id, "shop.exampl")
		wantKind(t, err, tenants.Invalid)
		if fieldsOf(err)["name"] == "" {
			t.Errorf("no field: %v", err)
		}
		wantKind(t, s.sys.FinishRelease(s.ctx, id), tenants.Conflict) // nobody gave it up
		check(t, w.Scope(w.Acme).Release(s.ctx, id, " Shop.Example. "))
		check(t, w.Scope(w.Acme).Release(s.ctx, id, "shop.example")) // twice is harmless
		if v := s.view(w.Acme, id); v.Releasing.IsZero() {
			t.Error("the page does not know")
		}
		_, err = w.Scope(w.Acme).RegisterDomain(s.ctx, "shop.example", store.RegisterOptions{})
		wantKind(t, err, tenants.Invalid)
	})
}

// A TXT value that may still be in DNS keeps the claim alive: afterwards nobody would remember it.
func TestReleaseWaitsForCleanUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		o := s.plan(id)
		o.Challenges = []tenants.Challenge{{Authz: "https://ca.example/a/1", Value: "x", Presented: w.Clock.Now()}}
		o = s.save(s.save(o, tenants.Ordered), tenants.Proving)
		check(t, w.Scope(w.Acme).Release(s.ctx, id, "shop.example"))
		wantKind(t, s.sys.FinishRelease(s.ctx, id), tenants.Conflict)
		check(t, s.sys.FailOrder(s.ctx, o, tenants.Finding{Code: tenants.CASilent}, tenants.Failing))
		f := s.begin(id)
		if f.Order != nil || len(f.Leftover) != 1 || len(f.Authz) != 1 || f.Failures != 1 {
			t.Fatalf("facts: %+v", f)
		}
		f.Leftover[0].Cleaned = w.Clock.Now()
		check(t, s.sys.SaveCleaned(s.ctx, f.Leftover))
		check(t, s.sys.FinishRelease(s.ctx, id))
		check(t, s.sys.FinishRelease(s.ctx, id)) // twice is harmless
	})
}

func TestReservationEnds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		w.Clock.Advance(7*24*time.Hour + time.Second)
		check(t, s.sys.FinishRelease(s.ctx, id))
		if d := s.view(w.Acme, id).Domain; d.Finding.Code != tenants.ReservationOver {
			t.Errorf("finding: %+v", d.Finding)
		}
		s.register(w.Northwind, "shop.example")
	})
}

func TestCheckNowIsALookAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.prove(id)
		check(t, w.Scope(w.Acme).CheckNow(s.ctx, id))
		if f := s.begin(id); f.Domain.Check != nil {
			t.Error("the facts hide that a look was asked for")
		}
		if s.view(w.Acme, id).Domain.Check == nil {
			t.Error("the page lost the last look")
		}
		s.prove(id)
		if f := s.begin(id); f.Domain.Check == nil {
			t.Error("asked for again after the look")
		}
	})
}

func TestRenewNow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		wantKind(t, w.Scope(w.Acme).RenewNow(s.ctx, id), tenants.Conflict)
		s.issue(id, time.Hour)
		check(t, w.Scope(w.Acme).RenewNow(s.ctx, id))
		f := s.begin(id)
		if f.Certificate.RenewNow.IsZero() || f.Certificate.RenewedBy != "admin@acme.example" {
			t.Errorf("facts: %+v", f.Certificate)
		}
		must[tenants.Order](t)(s.sys.PlanOrder(s.ctx, id, tenants.OnRequest, "abc"))
		wantKind(t, w.Scope(w.Acme).RenewNow(s.ctx, id), tenants.Conflict)
	})
}
