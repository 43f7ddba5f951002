package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func wantKind(t testing.TB, err error, kind tenants.Kind) {
	t.Helper()
	if got := tenants.KindOf(err); got != kind {
		t.Fatalf("got %q (%v), want %q", got, err, kind)
	}
}

const owner = "test/1"

// story drives one domain through its life as the jobs do.
type story struct {
	*testing.T
	w   *storetest.World
	sys *store.System
	ctx context.Context
}

func tell(t *testing.T, w *storetest.World) story {
	return story{t, w, w.DB.System(), t.Context()}
}

func (s story) register(in tenants.Tenant, name string) tenants.DomainID {
	s.Helper()
	return must[tenants.DomainID](s)(s.w.Scope(in).RegisterDomain(s.ctx, name, store.RegisterOptions{}))
}

func (s story) begin(id tenants.DomainID) tenants.Facts {
	s.Helper()
	f, ok, err := s.sys.Begin(s.ctx, id, owner, time.Minute)
	check(s, err)
	if !ok {
		s.Fatalf("somebody else works on %s", id)
	}
	return f
}

func (s story) prove(id tenants.DomainID) {
	s.Helper()
	check(s, s.sys.SaveCheck(s.ctx, id, tenants.Check{At: s.w.Clock.Now(), Zone: "example"}, tenants.Finding{}, tenants.Renewing))
}

// plan proves a domain and plans its order.
func (s story) plan(id tenants.DomainID) tenants.Order {
	s.Helper()
	s.prove(id)
	must[tenants.Order](s)(s.sys.PlanOrder(s.ctx, id, tenants.FirstIssue, ""))
	return *s.begin(id).Order
}

func (s story) save(o tenants.Order, state tenants.OrderState) tenants.Order {
	s.Helper()
	o.State = state
	return must[tenants.Order](s)(s.sys.SaveOrder(s.ctx, o))
}

// finalize takes a new order to the point where a version is due.
func (s story) finalize(id tenants.DomainID) tenants.Order {
	s.Helper()
	o := s.plan(id)
	o.URL = "https://ca.example/order/" + string(o.ID)
	o.Challenges = []tenants.Challenge{{Authz: "https://ca.example/authz/" + string(o.ID), Value: "v"}}
	for _, state := range []tenants.OrderState{tenants.Ordered, tenants.Proving, tenants.Ready, tenants.Finalized} {
		o = s.save(o, state)
	}
	return o
}

func (s story) version(o tenants.Order, life time.Duration) tenants.Version {
	now := s.w.Clock.Now()
	return tenants.Version{Names: o.Names, Serial: "0a", Issuer: "Example CA", NotBefore: now, NotAfter: now.Add(life),
		KeyType: tenants.P256, SPKI: "aa", Fingerprint: "bb", Chain: "-----BEGIN CERTIFICATE-----"}
}

// issue gives a domain a version that lives for a while.
func (s story) issue(id tenants.DomainID, life time.Duration) tenants.VersionID {
	s.Helper()
	o := s.finalize(id)
	v := s.version(o, life)
	plan := tenants.Verdict{At: v.NotAfter.Add(-life / 3), Start: v.NotAfter.Add(-life / 3), End: v.NotAfter.Add(-life / 6),
		NoLater: v.NotAfter.Add(-life / 6), Reason: tenants.LastThird, Text: "In the last third."}
	version := must[tenants.VersionID](s)(s.sys.Issue(s.ctx, o, v, plan))
	check(s, s.sys.Rest(s.ctx, id, owner, s.begin(id).Certificate.Plan.At, tenants.Finding{}, tenants.Active))
	return version
}

func (s story) view(in tenants.Tenant, id tenants.DomainID) store.DomainView {
	s.Helper()
	return must[store.DomainView](s)(s.w.Scope(in).Domain(s.ctx, id))
}

// release gives a domain up and does what the jobs do then.
func (s story) release(in tenants.Tenant, id tenants.DomainID) {
	s.Helper()
	name := s.view(in, id).Domain.Name
	check(s, s.w.Scope(in).Release(s.ctx, id, name))
	if f := s.begin(id); !f.Releasing {
		s.Fatal("the facts do not say that the domain is being given up")
	}
	check(s, s.sys.FinishRelease(s.ctx, id))
}

func (s story) lastEntry(in tenants.Tenant) tenants.Entry {
	s.Helper()
	p := must[store.EntryPage](s)(s.w.Scope(in).Entries(s.ctx, store.EntryFilter{Limit: 1}))
	if len(p.Entries) == 0 {
		s.Fatal("the audit log is empty")
	}
	return p.Entries[0]
}

func name(i int) string { return fmt.Sprintf("n%04d.shop.example", i) }
