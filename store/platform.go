package store

import (
	"context"
	"fmt"
	"strings"

	"perennial/tenants"
)

func (p *Platform) may(ctx context.Context, perm tenants.Permission, object string) error {
	return p.db.may(ctx, p.actor, perm, object)
}

const tenantColumns = `t.id, t.slug, t.name, t.created_at`

func readTenant(r rows) (t tenants.Tenant, err error) { return t, r.Scan(scanTenant(&t)...) }

func scanTenant(t *tenants.Tenant) []any { return []any{&t.ID, &t.Slug, &t.Name, at(&t.Created)} }

func (q query) tenant(id tenants.TenantID) (t tenants.Tenant, err error) {
	err = q.one(`select `+tenantColumns+` from tenants t where t.id = $1`, []any{id}, scanTenant(&t)...)
	return t, orAbsent(err, "tenant")
}

func (q query) allTenants() ([]tenants.Tenant, error) {
	return collect(q, readTenant, `select `+tenantColumns+` from tenants t order by t.name, t.id`)
}

// never sorts tenants without a version behind all others.
const never = 1 << 62

// tenantListSQL counts from the counters and finds the next expiry through an index: no domain is scanned.
const tenantListSQL = `
select t.id, t.slug, t.name, t.created_at,
	cast(coalesce((select sum(n) from tallies y where y.tenant_id = t.id), 0) as bigint) as total,
	cast(coalesce((select sum(n) from tallies y where y.tenant_id = t.id and y.status in ('failing', 'expired')), 0) as bigint) as failing,
	coalesce((select d.not_after from domains d where d.tenant_id = t.id and d.released_at = 0 and d.has_version = 1
		order by d.sort_at limit 1), cast($1 as bigint)) as expiry
from tenants t`

func readTenantRow(r rows) (t TenantRow, err error) {
	var expiry int64
	err = r.Scan(append(scanTenant(&t.Tenant), &t.Domains, &t.Failing, &expiry)...)
	if expiry != never {
		t.NextExpiry = fromUS(expiry)
	}
	return t, err
}

// Tenants is one page of all tenants, soonest expiry first.
func (p *Platform) Tenants(ctx context.Context, f TenantFilter) (page TenantPage, err error) {
	if err := p.may(ctx, tenants.ReadTenants, ""); err != nil {
		return page, err
	}
	q := p.db.read(ctx)
	if err := q.one(`select (select count(*) from tenants), count(distinct tenant_id) from tallies where n > 0 and status in ('failing', 'expired')`,
		nil, &page.All, &page.Trouble); err != nil {
		return page, err
	}
	w := f.where()
	if err := q.one(`select count(*) from (`+tenantListSQL+`) x`+w.text(), w.args, &page.Total); err != nil {
		return page, err
	}
	return page, q.tenantPage(&page, f, w)
}

func (f TenantFilter) where() *where {
	w := &where{args: []any{int64(never)}}
	if f.Query != "" {
		part := like(clip(f.Query))
		w.add(`(lower(x.name) like ? escape '\' or x.slug like ? escape '\' or exists (select 1 from domains d
			where d.tenant_id = x.id and d.released_at = 0 and d.name like ? escape '\'))`, part, part, part)
	}
	if f.Trouble {
		w.add("x.failing > 0")
	}
	return w
}

func (q query) tenantPage(p *TenantPage, f TenantFilter, w *where) error {
	limit := pageSize(f.Limit)
	from, continued := parseCursor(f.Cursor)
	compare, direction := from.order(false)
	if continued {
		w.add("(x.expiry, x.id) "+compare+" (?, ?)", from.Num, from.ID)
	}
	text := `select x.* from (` + tenantListSQL + `) x` + w.text() + ` order by x.expiry` + direction + `, x.id` + direction + limitTo(limit)
	list, err := collect(q, readTenantRow, text, w.args...)
	if err != nil {
		return err
	}
	p.Rows, p.Next, p.Prev = page(list, limit, from, continued, func(t TenantRow) cursor {
		key := cursor{Num: us(t.NextExpiry), ID: string(t.Tenant.ID)}
		if t.NextExpiry.IsZero() {
			key.Num = never
		}
		return key
	})
	return nil
}

// TenantBySlug finds a tenant by its short name.
func (p *Platform) TenantBySlug(ctx context.Context, slug string) (t tenants.Tenant, err error) {
	if err := p.may(ctx, tenants.ReadTenants, slug); err != nil {
		return t, err
	}
	err = p.db.read(ctx).one(`select `+tenantColumns+` from tenants t where t.slug = $1`, []any{clean(slug)}, scanTenant(&t)...)
	return t, orAbsent(err, "tenant")
}

// Tenant is one tenant with its groups and counts.
func (p *Platform) Tenant(ctx context.Context, id tenants.TenantID) (v TenantView, err error) {
	if err := p.may(ctx, tenants.ReadTenants, string(id)); err != nil {
		return v, err
	}
	q := p.db.read(ctx)
	if v.Tenant, err = q.tenant(id); err != nil {
		return v, err
	}
	if v.Groups, err = q.groups(id); err != nil {
		return v, err
	}
	all, err := q.tallies(id)
	if err != nil {
		return v, err
	}
	v.Counts = overview(all).ByStatus
	if err := q.one(`select coalesce(min(d.sort_at), 0) from domains d where d.tenant_id = $1 and d.released_at = 0 and d.has_version = 1`,
		[]any{id}, at(&v.NextExpiry)); err != nil {
		return v, err
	}
	return v, q.one(`select count(distinct m.id), coalesce(max(m.seen_at), 0) from groups g join member_groups mg on mg.claim = g.claim
		join members m on m.id = mg.member_id where g.tenant_id = $1`, []any{id}, &v.People, at(&v.LastSignIn))
}

func (q query) groups(id tenants.TenantID) ([]GroupView, error) {
	return collect(q, func(r rows) (g GroupView, err error) {
		return g, r.Scan(&g.ID, &g.Claim, &g.Role, &g.People)
	}, `select g.id, g.claim, g.role, (select count(*) from member_groups mg where mg.claim = g.claim)
from groups g where g.tenant_id = $1 order by g.claim`, id)
}

// AddTenant makes a tenant with its groups and its own sealing key.
func (p *Platform) AddTenant(ctx context.Context, in TenantInput) (tenants.TenantID, error) {
	if err := p.may(ctx, tenants.ManageTenants, ""); err != nil {
		return "", err
	}
	return p.db.addTenant(ctx, p.actor, in)
}

// SaveTenant changes a tenant's name and groups to what in says. The short name never changes.
func (p *Platform) SaveTenant(ctx context.Context, id tenants.TenantID, in TenantInput) error {
	if err := p.may(ctx, tenants.ManageTenants, string(id)); err != nil {
		return err
	}
	return p.db.saveTenant(ctx, p.actor, id, in)
}

// AddTenant makes a tenant for a command on the machine itself.
func (s *System) AddTenant(ctx context.Context, in TenantInput) (tenants.TenantID, error) {
	return s.db.addTenant(ctx, tenants.System(platform), in)
}

// Tenants lists all tenants by name.
func (s *System) Tenants(ctx context.Context) ([]tenants.Tenant, error) {
	return s.db.read(ctx).allTenants()
}

func groupWords(claim string, role tenants.Role) string {
	return fmt.Sprintf("%s: %s", strings.TrimSpace(claim), title(string(role)))
}
