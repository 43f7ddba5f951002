package store_test

import (
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func TestTenants(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Northwind, "shop.northwind.example")
		s.issue(id, 24*time.Hour)
		s.issue(s.register(w.Acme, "late.acme.example"), 48*time.Hour)
		failing := s.register(w.Acme, "bad.acme.example")
		s.begin(failing)
		check(t, s.sys.Rest(s.ctx, failing, owner, w.Clock.Now(), tenants.Finding{Code: tenants.CARefuses}, tenants.Failing))
		empty := must[tenants.TenantID](t)(w.Platform().AddTenant(s.ctx, store.TenantInput{Name: "Empty", Slug: "empty"}))

		p := must[store.TenantPage](t)(w.Platform().Tenants(s.ctx, store.TenantFilter{Limit: 2}))
		if p.Total != 3 || p.All != 3 || p.Trouble != 1 || p.Rows[0].Tenant.ID != w.Northwind.ID || p.Rows[1].Failing != 1 || p.Rows[1].Domains != 2 {
			t.Fatalf("tenants: %+v", p)
		}
		next := must[store.TenantPage](t)(w.Platform().Tenants(s.ctx, store.TenantFilter{Limit: 2, Cursor: p.Next}))
		if len(next.Rows) != 1 || next.Rows[0].Tenant.ID != empty || !next.Rows[0].NextExpiry.IsZero() || next.Next != "" {
			t.Errorf("second page: %+v", next)
		}
		back := must[store.TenantPage](t)(w.Platform().Tenants(s.ctx, store.TenantFilter{Limit: 2, Cursor: next.Prev}))
		if len(back.Rows) != 2 || back.Rows[0].Tenant.ID != w.Northwind.ID || back.Prev != "" {
			t.Errorf("back: %+v", back)
		}
		for _, c := range []struct {
			filter store.TenantFilter
			want   int
		}{{store.TenantFilter{Trouble: true}, 1}, {store.TenantFilter{Query: "RETAIL"}, 1}, {store.TenantFilter{Query: "shop.north"}, 1}, {store.TenantFilter{Query: "%"}, 0}} {
			if p := must[store.TenantPage](t)(w.Platform().Tenants(s.ctx, c.filter)); p.Total != c.want || len(p.Rows) != c.want {
				t.Errorf("%+v: %+v", c.filter, p)
			}
		}
		v := must[store.TenantView](t)(w.Platform().Tenant(s.ctx, w.Acme.ID))
		if v.Counts[tenants.Failing] != 1 || v.Counts[tenants.Active] != 1 || v.NextExpiry.IsZero() || len(v.Groups) != 5 {
			t.Errorf("tenant: %+v", v)
		}
		if got := must[tenants.Tenant](t)(w.Platform().TenantBySlug(s.ctx, "acme")); got != w.Acme {
			t.Errorf("by slug: %+v", got)
		}
		_, err := w.Platform().TenantBySlug(s.ctx, "nobody")
		wantKind(t, err, tenants.NotFound)
	})
}

func TestTenantForm(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		_, err := w.Platform().AddTenant(s.ctx, store.TenantInput{Name: " ", Slug: "Not good", Groups: []store.GroupInput{
			{Claim: "a", Role: tenants.Viewer}, {}, {Claim: "a", Role: tenants.Admin}, {Claim: "b", Role: "king"}}})
		wantKind(t, err, tenants.Invalid)
		if f := fieldsOf(err); len(f) != 4 || f["name"] == "" || f["slug"] == "" || f["group3"] == "" || f["group4"] == "" {
			t.Errorf("fields: %q", f)
		}
		_, err = w.Platform().AddTenant(s.ctx, store.TenantInput{Name: "Acme again", Slug: "acme"})
		if f := fieldsOf(err); f["slug"] == "" {
			t.Errorf("a short name twice: %v", err)
		}
		// One group may open several tenants.
		id := must[tenants.TenantID](t)(w.Platform().AddTenant(s.ctx, store.TenantInput{Name: "Shared", Slug: "shared", Groups: []store.GroupInput{{Claim: "acme-admin", Role: tenants.Viewer}}}))
		_, ms, err := s.sys.SignIn(s.ctx, person("acme-admin"))
		check(t, err)
		if len(ms) != 2 || ms[0].Role != tenants.Admin || ms[1].Tenant.ID != id {
			t.Errorf("memberships: %+v", ms)
		}
		in := store.TenantInput{Name: "Shared once", Slug: "ignored", Groups: []store.GroupInput{{Claim: "acme-admin", Role: tenants.Editor}, {Claim: "new", Role: tenants.Viewer}}}
		check(t, w.Platform().SaveTenant(s.ctx, id, in))
		entry := s.lastEntry(tenants.Tenant{ID: id, Slug: "shared"})
		want := []tenants.Change{{Field: "Name", Before: "Shared", After: "Shared once"},
			{Field: "Group", Before: "acme-admin: Viewer", After: "acme-admin: Editor"}, {Field: "Group", After: "new: Viewer"}}
		if len(entry.Changes) != 3 || entry.Changes[0] != want[0] || entry.Changes[1] != want[1] || entry.Changes[2] != want[2] {
			t.Errorf("changes: %+v", entry.Changes)
		}
		before := entry.Number
		check(t, w.Platform().SaveTenant(s.ctx, id, in)) // nothing changed, nothing said
		if e := s.lastEntry(tenants.Tenant{ID: id, Slug: "shared"}); e.Number != before {
			t.Errorf("said twice: %+v", e)
		}
		v := must[store.TenantView](t)(w.Platform().Tenant(s.ctx, id))
		if v.Tenant.Slug != "shared" || v.People != 1 || v.LastSignIn.IsZero() || v.Groups[0].People != 1 || v.Groups[1].People != 0 {
			t.Errorf("tenant: %+v", v)
		}
		wantKind(t, w.Platform().SaveTenant(s.ctx, "ten_none", in), tenants.NotFound)
	})
}

func TestPlatformIsForOperators(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		auditor := storetest.Operator()
		auditor.Platform = tenants.PlatformAuditor
		_, err := w.DB.Platform(auditor).AddTenant(s.ctx, store.TenantInput{Name: "X", Slug: "x"})
		wantKind(t, err, tenants.Denied)
		must[store.TenantPage](t)(w.DB.Platform(auditor).Tenants(s.ctx, store.TenantFilter{}))
		member := w.DB.Platform(w.Actor(w.Acme, tenants.Admin))
		_, err = member.Tenants(s.ctx, store.TenantFilter{})
		wantKind(t, err, tenants.Denied)
		_, err = member.Entries(s.ctx, store.EntryFilter{})
		wantKind(t, err, tenants.Denied)
		_, err = member.Tenant(s.ctx, w.Northwind.ID)
		wantKind(t, err, tenants.Denied)
		if e := s.lastEntry(w.Acme); e.Outcome != tenants.Refused {
			t.Errorf("the attempt is no entry: %+v", e)
		}
		p := must[store.EntryPage](t)(w.Platform().Entries(s.ctx, store.EntryFilter{Target: "Northwind"}))
		if p.Total != 2 || p.Tenants[w.Northwind.ID].Name != "Northwind" { // its beginning, in the platform's log and in its own
			t.Errorf("entries: %+v", p)
		}
		must[tenants.Entry](t)(w.Platform().Entry(s.ctx, 1))
		_, err = w.Platform().Entry(s.ctx, 1000)
		wantKind(t, err, tenants.NotFound)
	})
}
