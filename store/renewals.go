package store

import (
	"context"
	"errors"
	"time"

	"perennial/tenants"
)

const day = 24 * time.Hour

// Renewals is the plan of the next days (1 to 365), the ten renewals that come first, and the budget left.
func (s *Scope) Renewals(ctx context.Context, days int) (r Renewals, err error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, ""); err != nil {
		return r, err
	}
	q, now := s.db.read(ctx), s.db.now()
	first, days := now.Truncate(day), min(max(days, 1), 365)
	if r.Days, r.Total, err = q.dayLoads(s.actor.Tenant, first, days); err != nil {
		return r, err
	}
	if r.Next, err = q.nextRenewals(s.actor.Tenant, 10); err != nil {
		return r, err
	}
	r.Budget, err = q.budget(s.actor.Tenant, now)
	return r, err
}

// dayLoadsSQL groups by whole days since 1970. What should have happened before today is today's.
const dayLoadsSQL = `
select case when d.renew_at < $2 then $2 / 86400000000 else d.renew_at / 86400000000 end as on_day,
	sum(case when d.status <> 'failing' and d.free = 1 then 1 else 0 end),
	sum(case when d.status <> 'failing' and d.free = 0 then 1 else 0 end),
	sum(case when d.status = 'failing' then 1 else 0 end)
from domains d
where d.tenant_id = $1 and d.released_at = 0 and d.renew_at > 0 and d.renew_at < $3
group by on_day`

func (q query) dayLoads(tenant tenants.TenantID, first time.Time, days int) (all []DayLoad, total int, err error) {
	all = make([]DayLoad, days)
	for i := range all {
		all[i].Day = first.Add(time.Duration(i) * day)
	}
	err = q.each(func(r rows) error {
		var on int64
		var load DayLoad
		if err := r.Scan(&on, &load.Free, &load.Costly, &load.Failed); err != nil {
			return err
		}
		i := int(on - first.Unix()/int64(day/time.Second))
		load.Day = all[i].Day
		all[i] = load
		total += load.Free + load.Costly + load.Failed
		return nil
	}, dayLoadsSQL, tenant, us(first), us(first.Add(time.Duration(days)*day)))
	return all, total, err
}

const nextRenewalsSQL = `
select d.id, d.name, i.name, d.window_start, d.window_end, d.renew_at, d.no_later, d.not_before, d.not_after, d.status, d.free, d.paused_until
from domains d join issuers i on i.id = d.issuer_id
where d.tenant_id = $1 and d.released_at = 0 and d.renew_at > 0 order by d.renew_at, d.id`

func (q query) nextRenewals(tenant tenants.TenantID, limit int) ([]PlannedRenewal, error) {
	return collect(q, func(r rows) (p PlannedRenewal, err error) {
		return p, r.Scan(&p.ID, &p.Name, &p.Issuer, at(&p.Start), at(&p.End), at(&p.At), at(&p.NoLater), at(&p.NotBefore),
			at(&p.NotAfter), &p.Status, flag{&p.Free}, at(&p.PausedUntil))
	}, nextRenewalsSQL+top(limit), tenant)
}

// budget is one line for each limit of each issuer that the tenant uses.
func (q query) budget(tenant tenants.TenantID, now time.Time) (lines []BudgetLine, err error) {
	issuers, err := collect(q, func(r rows) (i tenants.Issuer, err error) {
		return i, r.Scan(scanIssuer(&i)...)
	}, `select `+issuerColumns+` from `+issuerTables+` where exists (select 1 from certificates c where c.tenant_id = $1 and c.issuer_id = i.id)
order by i.name, i.id`, tenant)
	if err != nil {
		return nil, err
	}
	for _, i := range issuers {
		some, err := q.budgetAt(tenant, i, now)
		if err != nil {
			return nil, err
		}
		lines = append(lines, some...)
	}
	return lines, nil
}

// budgetAt is one line for each limit of an issuer, over all tenants for the platform. Limits of which nothing is known are left
// out, unless the CA says that one of them is used up.
func (q query) budgetAt(tenant tenants.TenantID, i tenants.Issuer, now time.Time) (lines []BudgetLine, err error) {
	for _, line := range fullLimits(i) {
		if line.Counted {
			if line, err = q.fullest(tenant, i.ID, line, now); err != nil {
				return nil, err
			}
		}
		if !line.Counted || line.Count > 0 || line.Shut {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// fullLimits are the lines of an issuer with full buckets: the limits that we count, known or not, those of which only the
// published rule is known, and the exemption of renewals that name what they replace.
func fullLimits(i tenants.Issuer) (lines []BudgetLine) {
	profile := tenants.ProfileOf(i.Directory)
	for _, name := range tenants.IssuerLimits {
		rule, limit := profile.Rule(name), i.Limits[name]
		if limit.Unlimited() && !name.Counted() {
			limit = rule.Allows
		}
		if !limit.Unlimited() || name.Counted() {
			lines = append(lines, BudgetLine{Issuer: i.Name, Limit: name, Left: limit.Count, Count: limit.Count, Per: limit.Per,
				Counted: name.Counted(), Rule: rule})
		}
	}
	if i.FreeARI {
		lines = append(lines, BudgetLine{Issuer: i.Name, Limit: tenants.RenewalsReplacing,
			Rule: tenants.Rule{Name: tenants.RenewalsReplacing, Fact: profile.Replacing.Fact}})
	}
	return lines
}

// Buckets belong to names, which one tenant holds; only those of the tenant may be shown to it.
const fullestSQL = `
select b.bucket, b.tat, b.corrected_at, b.flying, b.flying_until from buckets b
where b.issuer_id = $1 and b.limit_name = $2 and b.tat > $3`

var ofTenant = map[tenants.LimitName]string{
	tenants.OrdersPerAccount: ``, // shared by everybody
	tenants.CertificatesPerDomain: ` and exists (select 1 from domains d where d.tenant_id = $4 and d.registered = b.bucket
	and d.released_at = 0)`,
	tenants.CertificatesPerSet: ` and exists (select 1 from domains d where d.tenant_id = $4 and d.name = b.bucket
	and d.released_at = 0)`,
	tenants.FailuresPerName:     ofTenantsName,
	tenants.ConsecutiveFailures: ofTenantsName,
}

const ofTenantsName = ` and exists (select 1 from domains d where d.tenant_id = $4 and d.released_at = 0
	and (d.name = b.bucket or d.name = '*.' || b.bucket))`

// fullest is the line with what its fullest bucket has left, of all tenants for the platform.
func (q query) fullest(tenant tenants.TenantID, issuer tenants.IssuerID, line BudgetLine, now time.Time) (BudgetLine, error) {
	cond, args := ofTenant[line.Limit], []any{issuer, line.Limit, us(now)}
	if tenant == platform {
		cond = ""
	}
	if cond != "" {
		args = append(args, tenant)
	}
	var b bucket
	err := q.one(fullestSQL+cond+` order by b.tat desc limit 1`, args, append([]any{&line.Key}, scanBucket(&b)...)...)
	if errors.Is(err, errNone) {
		return line, nil
	}
	limit := tenants.Limit{Count: line.Count, Per: line.Per}
	b.hold(limit, now)
	return line.of(b, limit, now), err
}

// of is the line with what a bucket says.
func (l BudgetLine) of(b bucket, limit tenants.Limit, now time.Time) BudgetLine {
	l.Left, l.RefillsAt, l.Corrected, l.Shut = b.left(limit, now), refill(limit, b.tat, now), b.corrected, b.shut(limit, now)
	return l
}
