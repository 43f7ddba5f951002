package store

import (
	"context"
	"fmt"

	"perennial/tenants"
)

const entryColumns = `e.id, e.number, e.tenant_id, e.at, e.actor_kind, e.actor_name, e.actor_issuer, e.actor_subject, e.actor_role,
e.platform, e.address, e.request_id, e.action, e.outcome, e.object, e.subject, e.text, e.changes`

func readEntry(r rows) (e tenants.Entry, err error) {
	a := &e.Actor
	err = r.Scan(&e.ID, &e.Number, &e.Tenant, at(&e.At), &a.Kind, &a.Name, &a.Issuer, &a.Subject, &a.Role, &a.Platform,
		&a.Address, &a.RequestID, &e.Action, &e.Outcome, &e.Object, &e.Subject, &e.Text, doc(&e.Changes))
	a.Tenant = e.Tenant
	return e, err
}

// entriesAbout lists the latest entries about one object.
func (q query) entriesAbout(tenant tenants.TenantID, object string, limit int) ([]tenants.Entry, error) {
	return collect(q, readEntry, `select `+entryColumns+`
from entries e where e.tenant_id = $1 and e.object = $2 order by e.number desc`+top(limit), tenant, object)
}

// log is one tenant's entries, or with all everybody's.
type log struct {
	tenant tenants.TenantID
	all    bool
}

func (l log) where(f EntryFilter) *where {
	w := &where{}
	if !l.all {
		w.add("e.tenant_id = ?", l.tenant)
	}
	if f.Who != "" {
		w.add(`lower(e.actor_name) like ? escape '\'`, like(clip(f.Who)))
	}
	if what := clip(f.What); what != "" {
		w.add("substr(e.action, 1, length(cast(? as text))) = ?", what, what)
	}
	if f.Target != "" {
		w.add(`(lower(e.subject) like ? escape '\' or e.object = ?)`, like(clip(f.Target)), clip(f.Target))
	}
	if !f.From.IsZero() {
		w.add("e.at >= ?", us(f.From))
	}
	if !f.To.IsZero() {
		w.add("e.at < ?", us(f.To))
	}
	if f.Outcome != "" {
		w.add("e.outcome = ?", clip(string(f.Outcome)))
	}
	return w
}

// count counts what a filter matches. Without one the numbers tell, since they have no gaps.
func (q query) countEntries(l log, f EntryFilter) (n int, err error) {
	w := l.where(f)
	text := `select count(*) from entries e` + w.text()
	switch {
	case l.all && len(w.conds) == 0:
		text = `select cast(coalesce(sum(n), 0) as bigint) from entry_heads`
	case !l.all && len(w.conds) == 1:
		text = `select cast(coalesce(sum(n), 0) as bigint) from entry_heads where tenant_id = $1`
	}
	return n, q.one(text, w.args, &n)
}

func (q query) entryPage(l log, f EntryFilter) (p EntryPage, err error) {
	if p.Total, err = q.countEntries(l, f); err != nil {
		return p, err
	}
	limit := pageSize(f.Limit)
	from, continued := parseCursor(f.Cursor)
	list, err := q.listEntries(l, f, from, continued, limit)
	if err != nil {
		return p, err
	}
	p.Entries, p.Next, p.Prev = page(list, limit, from, continued, l.cursor)
	return p, nil
}

// cursor is an entry's place: its number within a tenant, its id across tenants.
func (l log) cursor(e tenants.Entry) cursor {
	if l.all {
		return cursor{ID: string(e.ID)}
	}
	return cursor{Num: e.Number}
}

func (q query) listEntries(l log, f EntryFilter, from cursor, continued bool, limit int) ([]tenants.Entry, error) {
	w := l.where(f)
	compare, direction := from.order(true)
	key := "e.number"
	if l.all {
		key = "e.id"
	}
	switch {
	case continued && l.all:
		w.add("e.id "+compare+" ?", from.ID)
	case continued:
		w.add("e.number "+compare+" ?", from.Num)
	}
	text := `select ` + entryColumns + ` from entries e` + w.text() + ` order by ` + key + direction + limitTo(limit)
	return collect(q, readEntry, text, w.args...)
}

// exportStep is how many entries an export reads at a time: it holds no connection while the reader is slow.
const exportStep = 500

// exportEntries passes on, newest first, what was there when the export began.
func (q query) exportEntries(l log, f EntryFilter, yield func(tenants.Entry) error) error {
	from, continued := cursor{}, false
	for {
		list, err := q.listEntries(l, f, from, continued, exportStep)
		if err != nil {
			return err
		}
		more := len(list) > exportStep
		for _, e := range list[:min(len(list), exportStep)] {
			if err := yield(e); err != nil {
				return err
			}
			from, continued = l.cursor(e), true
		}
		if !more {
			return nil
		}
	}
}

// Entries is one page of the tenant's audit log.
func (s *Scope) Entries(ctx context.Context, f EntryFilter) (EntryPage, error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadAudit, ""); err != nil {
		return EntryPage{}, err
	}
	return s.db.read(ctx).entryPage(log{tenant: s.actor.Tenant}, f)
}

// Entry is one entry by its number.
func (s *Scope) Entry(ctx context.Context, number int64) (e tenants.Entry, err error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadAudit, fmt.Sprint(number)); err != nil {
		return e, err
	}
	return s.db.read(ctx).entry(`e.tenant_id = $1 and e.number = $2`, s.actor.Tenant, number)
}

func (q query) entry(cond string, args ...any) (tenants.Entry, error) {
	found, err := collect(q, readEntry, `select `+entryColumns+` from entries e where `+cond, args...)
	if err == nil && len(found) == 0 {
		return tenants.Entry{}, absent("entry")
	}
	if err != nil {
		return tenants.Entry{}, err
	}
	return found[0], nil
}

// ExportEntries passes every entry that the filter matches to yield, newest first. The export is audited first, so
// that it is its own first line when the filter allows.
func (s *Scope) ExportEntries(ctx context.Context, f EntryFilter, yield func(tenants.Entry) error) error {
	if err := s.db.may(ctx, s.actor, tenants.ReadAudit, ""); err != nil {
		return err
	}
	return s.db.export(ctx, s.actor, log{tenant: s.actor.Tenant}, f, yield)
}

func (db *DB) export(ctx context.Context, actor tenants.Actor, l log, f EntryFilter, yield func(tenants.Entry) error) error {
	n, err := db.read(ctx).countEntries(l, f)
	if err != nil {
		return err
	}
	err = db.write(ctx, func(t *tx) error {
		actor.Tenant = l.tenant
		t.record(actor, tenants.DidExport, "", "", fmt.Sprintf("exported %d entries of the audit log.", n))
		return nil
	})
	if err != nil {
		return err
	}
	return db.read(ctx).exportEntries(l, f, yield)
}

// Entries is one page of everybody's audit log.
func (p *Platform) Entries(ctx context.Context, f EntryFilter) (page EntryPage, err error) {
	if err := p.may(ctx, tenants.ReadTenants, ""); err != nil {
		return page, err
	}
	q := p.db.read(ctx)
	if page, err = q.entryPage(log{all: true}, f); err != nil {
		return page, err
	}
	all, err := q.allTenants()
	page.Tenants = map[tenants.TenantID]tenants.Tenant{}
	for _, t := range all {
		page.Tenants[t.ID] = t
	}
	return page, err
}

// Entry is one entry of the platform's own log by its number. A tenant's entries are read through its Scope.
func (p *Platform) Entry(ctx context.Context, number int64) (e tenants.Entry, err error) {
	if err := p.may(ctx, tenants.ReadTenants, fmt.Sprint(number)); err != nil {
		return e, err
	}
	return p.db.read(ctx).entry(`e.tenant_id = $1 and e.number = $2`, platform, number)
}

// ExportEntries passes every entry of everybody that the filter matches to yield, newest first.
func (p *Platform) ExportEntries(ctx context.Context, f EntryFilter, yield func(tenants.Entry) error) error {
	if err := p.may(ctx, tenants.ReadTenants, ""); err != nil {
		return err
	}
	return p.db.export(ctx, p.actor, log{all: true}, f, yield)
}
