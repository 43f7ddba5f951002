package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"perennial/tenants"
)

// PlatformOverview is what the operator looks at first, over all tenants. What has happened is counted from Since on; all else
// is as it is at At.
type PlatformOverview struct {
	Since, At time.Time

	// Renewed and Failed count the orders that ended in the period, as issued and as failed; an order that ended because
	// its name was given up is neither. An order is one attempt, so a certificate whose first attempt failed and whose
	// second was issued counts in both. First issues are counted apart.
	Renewed, Failed           int
	FirstIssued, FirstsFailed int

	// Lead is the median, over Renewed, of the time that the version which was replaced had left; less than nothing when it
	// was over. Zero when nothing was renewed.
	Lead time.Duration

	Valid      int       // certificates that have not expired
	Soon       int       // of these, how many expire within SoonIs
	NextExpiry time.Time // of these, the first; zero when there is none
	NewFailing int       // names that fail before their first certificate

	Causes   []Cause             // of certificates that fail to renew or have expired, most certificates first
	Tenants  int                 // who have such certificates
	Refused  []RefusedRevocation // versions that an authority refuses to revoke, first asked first, at most refusedShown
	Refusals int                 // how many there are
	Running  []RunningState      // open orders, in the order of their states
	Lanes    [lanes]LaneLoad     // emergencies, renewals, new names and wishes, names that keep failing
	Budgets  []AccountBudget
	Planned  []DayLoad // renewals with a place in the plan, today (UTC) and 13 more days; only Costly is counted
}

// SoonIs is how near an expiry is called soon.
const SoonIs = 7 * day

// Cause counts the certificates that fail to renew, or have expired, for one cause.
type Cause struct {
	Code    tenants.Code // empty: nothing was found, yet they expired
	Count   int
	Soon    int              // of Count, valid for no more than SoonIs
	Lost    int              // of Count, expired in the last SoonIs
	First   time.Time        // the first expiry, which may be over
	Tenants []tenants.Tenant // whose they are: at most two, those with most of them first
	Holders int              // how many tenants there are
}

// RefusedRevocation is a version that somebody asked to revoke and the authority refuses to.
type RefusedRevocation struct {
	ID     tenants.DomainID
	Name   string
	Number int // of the version
	Issuer string
	Tenant tenants.Tenant
	Asked  time.Time
	Next   time.Time // of the next try
}

// RunningState counts the open orders in one state.
type RunningState struct {
	State  tenants.OrderState
	Count  int
	Oldest time.Time // when the first of them was placed; zero while none was
}

// LaneLoad is what stands in one lane.
type LaneLoad struct {
	Due     int       // domains to be looked at, which nobody does yet
	Since   time.Time // the first of them was due then; zero for none
	Waiting int       // in the waiting rooms: their orders found no token in the ledger
}

// AccountBudget is what an account at an authority has left. What follows after Reserve is the same for all accounts there.
type AccountBudget struct {
	ID        tenants.IssuerID
	Issuer    string     // as pages show it
	Account   int        // from 1
	Of        int        // accounts that share the work there
	Orders    BudgetLine // new orders of the account; Count is 0 when they are not limited
	Reserve   int        // of Orders.Count, what is kept for emergencies
	Domain    BudgetLine // the registered domain with the fewest certificates left; without Key none was used
	Refused   int        // limits that the authority's own answers corrected in the period
	RefusedAt time.Time  // the last time; zero for never in the period
}

// Overview gathers what happened within the period (an hour to 30 days) and what is the case now.
func (p *Platform) Overview(ctx context.Context, period time.Duration) (o PlatformOverview, err error) {
	if err := p.may(ctx, tenants.ReadTenants, ""); err != nil {
		return o, err
	}
	q := p.db.read(ctx)
	o.At = p.db.now()
	o.Since = o.At.Add(-min(max(period, time.Hour), 30*day))
	for _, gather := range []func(*PlatformOverview) error{
		q.ended, q.lead, q.counted, q.causes, q.refused, q.running, q.lanes, q.accounts, q.planAhead,
	} {
		if err := gather(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// A failed order without a finding is one that was not wanted any more; dry runs do not count. Only of failed ones the row is read.
const endedSQL = `
select state, case reason when 'first' then 1 else 0 end as initial, count(*) from orders
where ended_at > 0 and ended_at >= $1 and state = 'issued' and reason <> 'dry run' group by state, initial
union all
select state, case reason when 'first' then 1 else 0 end as initial, count(*) from orders
where ended_at > 0 and ended_at >= $1 and state = 'failed' and reason <> 'dry run' and finding <> '' group by state, initial`

func (q query) ended(o *PlatformOverview) error {
	return q.each(func(r rows) error {
		var state tenants.OrderState
		var first bool
		var n int
		if err := r.Scan(&state, flag{&first}, &n); err != nil {
			return err
		}
		switch {
		case state == tenants.Issued && first:
			o.FirstIssued = n
		case state == tenants.Issued:
			o.Renewed = n
		case first:
			o.FirstsFailed = n
		default:
			o.Failed = n
		}
		return nil
	}, endedSQL, us(o.Since))
}

const leadSQL = `
select lead from orders where ended_at > 0 and ended_at >= $1 and state = 'issued' and reason not in ('first', 'dry run')
order by lead limit 1 offset $2`

// lead needs o.Renewed. Of an even number it is the lower of the two in the middle.
func (q query) lead(o *PlatformOverview) error {
	if o.Renewed == 0 {
		return nil
	}
	var micros int64
	err := q.one(leadSQL, []any{us(o.Since), (o.Renewed - 1) / 2}, &micros)
	o.Lead = time.Duration(micros) * time.Microsecond
	return err
}

const (
	countedSQL = `
select cast(coalesce(sum(case when week <> 0 and status <> 'expired' then n else 0 end), 0) as bigint),
	cast(coalesce(sum(case when week = 0 and status = 'failing' then n else 0 end), 0) as bigint)
from tallies`

	soonSQL = `
select count(*), coalesce(min(sort_at), 0) from domains
where released_at = 0 and has_version = 1 and sort_at > $1 and sort_at <= $2`

	nextExpirySQL = `
select coalesce(min(sort_at), 0) from domains where released_at = 0 and has_version = 1 and sort_at > $1`
)

func (q query) counted(o *PlatformOverview) error {
	if err := q.one(countedSQL, nil, &o.Valid, &o.NewFailing); err != nil {
		return err
	}
	if err := q.one(soonSQL, []any{us(o.At), us(o.At.Add(SoonIs))}, &o.Soon, at(&o.NextExpiry)); err != nil || o.Soon > 0 {
		return err
	}
	return q.one(nextExpirySQL, []any{us(o.At)}, at(&o.NextExpiry))
}

// troubled is the condition of the index domains_causes, word for word, since that is how the engines know that they may
// use it.
const troubled = `d.released_at = 0 and d.has_version = 1 and d.status in ('failing', 'expired')`

const causesSQL = `
select x.cause, x.n, x.soon, x.lost, x.first_at, t.id, t.slug, t.name, t.created_at
from (select d.cause, d.tenant_id, count(*) as n,
		sum(case when d.sort_at > $1 and d.sort_at <= $2 then 1 else 0 end) as soon,
		sum(case when d.sort_at <= $1 and d.sort_at > $3 then 1 else 0 end) as lost,
		min(d.sort_at) as first_at
	from domains d where ` + troubled + ` group by d.cause, d.tenant_id) x
join tenants t on t.id = x.tenant_id
order by x.cause, x.n desc, x.first_at, t.name`

// causes reads a row for each cause and tenant, and sums them up.
func (q query) causes(o *PlatformOverview) error {
	holders := map[tenants.TenantID]bool{}
	err := q.each(func(r rows) error {
		var c Cause
		var t tenants.Tenant
		if err := r.Scan(append([]any{&c.Code, &c.Count, &c.Soon, &c.Lost, at(&c.First)}, scanTenant(&t)...)...); err != nil {
			return err
		}
		holders[t.ID] = true
		if n := len(o.Causes); n == 0 || o.Causes[n-1].Code != c.Code {
			o.Causes = append(o.Causes, Cause{Code: c.Code, First: c.First})
		}
		o.Causes[len(o.Causes)-1].add(c, t)
		return nil
	}, causesSQL, us(o.At), us(o.At.Add(SoonIs)), us(o.At.Add(-SoonIs)))
	slices.SortStableFunc(o.Causes, func(a, b Cause) int { return cmp.Compare(b.Count, a.Count) })
	o.Tenants = len(holders)
	return err
}

// add takes one tenant's share in.
func (c *Cause) add(of Cause, t tenants.Tenant) {
	c.Count, c.Soon, c.Lost, c.Holders = c.Count+of.Count, c.Soon+of.Soon, c.Lost+of.Lost, c.Holders+1
	if of.First.Before(c.First) {
		c.First = of.First
	}
	if len(c.Tenants) < 2 {
		c.Tenants = append(c.Tenants, t)
	}
}

const runningSQL = `
select state, count(*), coalesce(min(case when placing_at > 0 then placing_at end), 0) from orders
where ended_at = 0 and reason <> 'dry run' group by state`

func (q query) running(o *PlatformOverview) error {
	found := map[tenants.OrderState]RunningState{}
	err := q.each(func(r rows) error {
		var s RunningState
		err := r.Scan(&s.State, &s.Count, at(&s.Oldest))
		found[s.State] = s
		return err
	}, runningSQL)
	for _, state := range tenants.OpenStates {
		s := found[state]
		s.State = state
		o.Running = append(o.Running, s)
	}
	return err
}

const (
	dueLanesSQL = `
select lane, count(*), min(next_action_at) from agenda where next_action_at > 0 and next_action_at <= $1 group by lane`

	waitingLanesSQL = `select lane, count(*) from agenda where awaiting_budget <> '' group by lane`
)

func (q query) lanes(o *PlatformOverview) error {
	err := q.each(func(r rows) error {
		var lane int
		var l LaneLoad
		err := r.Scan(&lane, &l.Due, at(&l.Since))
		o.Lanes[lane] = l
		return err
	}, dueLanesSQL, us(o.At))
	if err != nil {
		return err
	}
	return q.each(func(r rows) error {
		var lane, n int
		err := r.Scan(&lane, &n)
		o.Lanes[lane].Waiting = n
		return err
	}, waitingLanesSQL)
}

const correctedSQL = `
select count(*), coalesce(max(corrected_at), 0) from buckets where issuer_id = $1 and corrected_at > 0 and corrected_at >= $2`

func (q query) accounts(o *PlatformOverview) error {
	all, err := q.authorities()
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Retired {
			continue
		}
		if err := q.accountsAt(a, o); err != nil {
			return err
		}
	}
	return nil
}

// accountsAt reads what concerns the whole issuer once.
func (q query) accountsAt(a Authority, o *PlatformOverview) error {
	b := AccountBudget{ID: a.ID, Issuer: a.Name, Of: min(max(a.InUse, 1), len(a.Accounts)), Reserve: a.Limits[tenants.OrdersPerAccount].Reserve()}
	limit := a.Limits[tenants.CertificatesPerDomain]
	b.Domain = BudgetLine{Issuer: a.Name, Limit: tenants.CertificatesPerDomain, Left: limit.Count, Count: limit.Count, Per: limit.Per, Counted: true}
	var err error
	if !limit.Unlimited() {
		if b.Domain, err = q.fullest(platform, a.ID, b.Domain, o.At); err != nil {
			return err
		}
	}
	if err := q.one(correctedSQL, []any{a.ID, us(o.Since)}, &b.Refused, at(&b.RefusedAt)); err != nil {
		return err
	}
	for n, account := range a.Accounts[:b.Of] {
		b.Account, b.Orders = n+1, BudgetLine{Issuer: a.Name, Limit: tenants.OrdersPerAccount, Counted: true}
		line, err := q.ordersLeft(a.With(account), o.At)
		if err != nil {
			return err
		}
		if line != nil {
			b.Orders = *line
		}
		o.Budgets = append(o.Budgets, b)
	}
	return nil
}

// plannedAheadSQL groups by whole days since 1970. What should have happened before today is today's.
const plannedAheadSQL = `
select case when start_at < $1 then $1 / 86400000000 else start_at / 86400000000 end as on_day, cast(sum(n) as bigint)
from slots where n > 0 and start_at < $2 group by on_day`

const daysAhead = 14

func (q query) planAhead(o *PlatformOverview) error {
	first := o.At.Truncate(day)
	for i := range daysAhead {
		o.Planned = append(o.Planned, DayLoad{Day: first.Add(time.Duration(i) * day)})
	}
	return q.each(func(r rows) error {
		var on int64
		var n int
		err := r.Scan(&on, &n)
		o.Planned[on-first.Unix()/int64(day/time.Second)].Costly = n
		return err
	}, plannedAheadSQL, us(first), us(first.Add(daysAhead*day)))
}
