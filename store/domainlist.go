package store

import (
	"context"
	"time"

	"perennial/tenants"
)

// Tenant is the actor's tenant.
func (s *Scope) Tenant(ctx context.Context) (tenants.Tenant, error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, ""); err != nil {
		return tenants.Tenant{}, err
	}
	return s.db.read(ctx).tenant(s.actor.Tenant)
}

// Overview counts the tenant's domains. It reads counters and never the domains.
func (s *Scope) Overview(ctx context.Context) (Overview, error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, ""); err != nil {
		return Overview{}, err
	}
	all, err := s.db.read(ctx).tallies(s.actor.Tenant)
	return overview(all), err
}

// Domains is one page of the tenant's domains, with the counts of all of them.
func (s *Scope) Domains(ctx context.Context, f DomainFilter) (DomainPage, error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, ""); err != nil {
		return DomainPage{}, err
	}
	q := s.db.read(ctx)
	all, err := q.tallies(s.actor.Tenant)
	if err != nil {
		return DomainPage{}, err
	}
	p, err := q.domainPage(s.actor.Tenant, f)
	if err != nil {
		return p, err
	}
	p.Overview = overview(all)
	p.Total, err = q.countDomains(s.actor.Tenant, f, all)
	return p, err
}

// countDomains counts what the filter matches: from the counters, unless part of a name is looked for.
func (q query) countDomains(tenant tenants.TenantID, f DomainFilter, all []tallyRow) (n int, err error) {
	if f.Query != "" {
		w := f.where(tenant)
		return n, q.one(`select count(*) from domains d`+w.text(), w.args, &n)
	}
	for _, t := range all {
		if (f.Status == "" || t.status == f.Status) && (f.Week.IsZero() || t.week.Equal(weekOf(f.Week))) {
			n += t.n
		}
	}
	return n, nil
}

func (f DomainFilter) where(tenant tenants.TenantID) *where {
	w := &where{}
	w.add("d.tenant_id = ?", tenant)
	w.add("d.released_at = 0")
	if f.Status != "" {
		w.add("d.status = ?", clean(string(f.Status)))
	}
	if !f.Week.IsZero() {
		start := weekOf(f.Week)
		w.add("d.has_version = 1 and d.sort_at >= ? and d.sort_at < ?", us(start), us(start.Add(7*24*time.Hour)))
	}
	if f.Query != "" {
		w.add(`d.name like ? escape '\'`, like(clip(f.Query)))
	}
	return w
}

const domainRowColumns = `d.id, d.name, d.status, d.finding, d.since_at, i.name, d.not_before, d.not_after, d.renew_at,
d.reserved_at, d.has_version, d.order_state, d.paused_until`

// listed reads at most so many rows, all by way of one, since whatever is scanned into is allocated.
func (q query) listed(most int, text string, args []any) ([]DomainRow, error) {
	var d DomainRow
	dest := []any{&d.ID, &d.Name, &d.Status, doc(&d.Finding), at(&d.Since), &d.Issuer, at(&d.NotBefore), at(&d.NotAfter),
		at(&d.RenewAt), at(&d.Reserved), flag{&d.HasVersion}, &d.OrderState, at(&d.PausedUntil)}
	list := make([]DomainRow, 0, most)
	err := q.each(func(r rows) error {
		d = DomainRow{} // or it would share what the last finding points to
		if err := r.Scan(dest...); err != nil {
			return err
		}
		list = append(list, d)
		return nil
	}, text, args...)
	return list, err
}

func (q query) domainPage(tenant tenants.TenantID, f DomainFilter) (p DomainPage, err error) {
	w, limit := f.where(tenant), pageSize(f.Limit)
	from, continued := parseCursor(f.Cursor)
	compare, direction := from.order(false)
	by := "d.sort_at" + direction + ", d.id" + direction
	if f.Sort == "name" {
		by = "d.name" + direction
	}
	switch {
	case continued && f.Sort == "name":
		w.add("d.name "+compare+" ?", from.Text)
	case continued:
		w.add("(d.sort_at, d.id) "+compare+" (?, ?)", from.Num, from.ID)
	}
	text := `select ` + domainRowColumns + ` from domains d join issuers i on i.id = d.issuer_id` + w.text() + ` order by ` + by + limitTo(limit)
	list, err := q.listed(limit+1, text, w.args)
	if err != nil {
		return p, err
	}
	p.Rows, p.Next, p.Prev = page(list, limit, from, continued, func(d DomainRow) cursor {
		if f.Sort == "name" {
			return cursor{Text: d.Name}
		}
		return cursor{Num: us(d.sortAt()), ID: string(d.ID)}
	})
	return p, nil
}

// sortAt is domainRow.sortAt, from what the list has.
func (d DomainRow) sortAt() time.Time {
	if d.HasVersion {
		return d.NotAfter
	}
	return d.Reserved
}

// Domain is all about one domain.
func (s *Scope) Domain(ctx context.Context, id tenants.DomainID) (v DomainView, err error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, string(id)); err != nil {
		return v, err
	}
	q := s.db.read(ctx)
	d, err := q.ownDomain(s.actor.Tenant, id, "", s.db.now())
	if err != nil {
		return v, err
	}
	v.Domain, v.Releasing = d.Domain, d.releasing
	if v.Domain.Check, err = d.lastCheck(); err != nil {
		return v, err
	}
	if v.Certificate, v.Issuer, err = q.certificateOf(d.Tenant, d.ID); err != nil {
		return v, err
	}
	if v.Versions, err = q.versions(v.Certificate, newest, 20); err != nil {
		return v, err
	}
	v.Current = pick(v.Versions, v.Certificate.Current)
	if v.Orders, err = q.orders(d.Tenant, d.ID, 10); err != nil {
		return v, err
	}
	if len(v.Orders) > 0 {
		latest := v.Orders[0]
		if latest.Challenges, err = q.challenges(latest); err != nil {
			return v, err
		}
		v.Order = &latest
	}
	f := tenants.Facts{Domain: v.Domain, Certificate: v.Certificate, Current: v.Current}
	if v.Order != nil && v.Order.State.Open() {
		f.Order = v.Order
	}
	if v.Staging, err = q.lastRehearsal(d, &f, s.db.now()); err != nil {
		return v, err
	}
	v.Rehearsal, v.Asks = f.Rehearsal, f.Issuer
	v.Entries, err = q.entriesAbout(d.Tenant, string(d.ID), 8)
	return v, err
}

func pick(all []tenants.Version, id tenants.VersionID) *tenants.Version {
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return nil
}
