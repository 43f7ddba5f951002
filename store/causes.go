package store

import (
	"context"
	"time"

	"perennial/tenants"
)

// FailingFilter selects the certificates that fail to renew, or have expired, for one cause.
type FailingFilter struct {
	Code   tenants.Code // empty: nothing was found, yet they expired
	Cursor string
	Limit  int // rows a page, 1 to 200; 0 means 50
}

// FailingPage is one page of them, over all tenants, first expiry first.
type FailingPage struct {
	Rows       []FailingRow
	Next, Prev string // cursors; empty at the ends
	Total      int    // of the cause
	Holders    int    // tenants who have one
}

// FailingRow is one of them.
type FailingRow struct {
	ID       tenants.DomainID
	Name     string
	Tenant   tenants.Tenant
	Issuer   string // as pages show it
	Status   tenants.Status
	Finding  tenants.Finding
	Since    time.Time // of the status
	NotAfter time.Time // may be over
}

const failingTotalSQL = `select count(*), count(distinct d.tenant_id) from domains d where ` + troubled + ` and d.cause = $1`

// Failing lists the certificates behind one line of the overview's causes.
func (p *Platform) Failing(ctx context.Context, f FailingFilter) (page FailingPage, err error) {
	if err := p.may(ctx, tenants.ReadTenants, ""); err != nil {
		return page, err
	}
	q, code := p.db.read(ctx), clean(string(f.Code))
	if err := q.one(failingTotalSQL, []any{code}, &page.Total, &page.Holders); err != nil {
		return page, err
	}
	return page, q.failing(&page, f, code)
}

func (q query) failing(p *FailingPage, f FailingFilter, code string) error {
	w, limit := &where{}, pageSize(f.Limit)
	w.add(troubled)
	w.add("d.cause = ?", code)
	from, continued := parseCursor(f.Cursor)
	compare, direction := from.order(false)
	if continued {
		w.add("(d.sort_at, d.id) "+compare+" (?, ?)", from.Num, from.ID)
	}
	list, err := collect(q, readFailing, `
select d.id, d.name, i.name, d.status, d.finding, d.since_at, d.sort_at, `+tenantColumns+`
from domains d join tenants t on t.id = d.tenant_id join issuers i on i.id = d.issuer_id`+w.text()+`
order by d.sort_at`+direction+`, d.id`+direction+limitTo(limit), w.args...)
	if err != nil {
		return err
	}
	p.Rows, p.Next, p.Prev = page(list, limit, from, continued, func(d FailingRow) cursor {
		return cursor{Num: us(d.NotAfter), ID: string(d.ID)}
	})
	return nil
}

func readFailing(r rows) (d FailingRow, err error) {
	return d, r.Scan(append([]any{&d.ID, &d.Name, &d.Issuer, &d.Status, doc(&d.Finding), at(&d.Since), at(&d.NotAfter)},
		scanTenant(&d.Tenant)...)...)
}
