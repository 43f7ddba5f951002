package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"perennial/tenants"
)

// EventRun is one mass event that was started. Its lists of serial numbers and keys are left out.
type EventRun struct {
	tenants.MassEvent
	tenants.EventCounts           // at the start
	Subject             string    // what is replaced, in words
	Started             time.Time // and by whom
	StartedBy           string
	Marked              time.Time // all its certificates were found
	Stopped             time.Time // by a person, before its end
	StoppedBy           string
	Ended               time.Time // nothing is left to do

	markedTo tenants.CertificateID
}

// EventProgress is how far the certificates of an event are, or those of one tenant.
type EventProgress struct {
	All      int // that were found
	Replaced int
	Ordered  int       // an order is open
	Failing  int       // not replaced, and in need of a person
	Left     int       // left the event without a replacement: stopped, or given up
	Last     time.Time // the last plan of those still to go; zero when none is planned
}

// ToGo is how many have nothing done for them yet.
func (p EventProgress) ToGo() int { return p.All - p.Replaced - p.Ordered - p.Failing - p.Left }

// Open is how many are not over.
func (p EventProgress) Open() int { return p.All - p.Replaced - p.Left }

// EventView is all that the page of one event shows.
type EventView struct {
	EventRun
	EventProgress
	Keys    []string       // of the event
	Tenants []EventPart    // those in trouble first, then those with the most to do
	Trouble []EventTrouble // the first hundred
	Budget  []EventLimit   // of orders that wait for it
	Finish  time.Time      // when the last will be replaced as far as can be told; zero when nothing is left or it cannot
}

// EventPart is one tenant's part of an event.
type EventPart struct {
	Tenant tenants.Tenant
	EventProgress
}

// EventTrouble is a certificate that is not replaced without somebody's help.
type EventTrouble struct {
	Tenant  tenants.Tenant
	ID      tenants.DomainID
	Name    string
	Status  tenants.Status
	Finding tenants.Finding
	Since   time.Time
}

const eventColumns = `
e.id, e.subject, e.issuer_id, e.profile, e.since_at, e.deadline, e.why, e.certificates, e.tenants, e.charged, e.created_at,
e.created_by, e.marked_to, e.marked_at, e.stopped_at, e.stopped_by, e.ended_at`

func readEventRun(r rows) (e EventRun, err error) { return e, r.Scan(scanEventRun(&e)...) }

func scanEventRun(e *EventRun) []any {
	return []any{&e.ID, &e.Subject, &e.Issuer, &e.Profile, at(&e.Since), at(&e.Deadline), &e.Why, &e.Certificates, &e.Tenants,
		&e.Charged, at(&e.Started), &e.StartedBy, &e.markedTo, at(&e.Marked), at(&e.Stopped), &e.StoppedBy, at(&e.Ended)}
}

func (q query) eventRun(id tenants.EventID, lock string) (e EventRun, err error) {
	err = q.one(`select `+eventColumns+` from events e where e.id = $1`+lock, []any{id}, scanEventRun(&e)...)
	return e, orAbsent(err, "replacement")
}

// eventLists is the event with what chooses its certificates.
func (q query) eventLists(r EventRun) (tenants.MassEvent, error) {
	e := r.MassEvent
	return e, q.one(`select serials, spki from events where id = $1`, []any{e.ID}, doc(&e.Serials), doc(&e.SPKI))
}

const eventOfSQL = `
select e.since_at, e.deadline, e.why, case when m.new_key = 1 then v.spki else '' end
from events e join event_certificates m on m.event_id = e.id join versions v on v.id = m.version_id
where e.id = $1 and m.tenant_id = $2 and m.certificate_id = $3 and m.ended_at = 0 and e.stopped_at = 0`

// eventOf is what a certificate has to know of the event that replaces it; the zero event when that is over.
func (q query) eventOf(c tenants.Certificate) (tenants.MassEvent, error) {
	e, key := tenants.MassEvent{ID: c.Event.ID}, ""
	found, err := collect(q, func(r rows) (tenants.MassEvent, error) {
		err := r.Scan(at(&e.Since), at(&e.Deadline), &e.Why, &key)
		return e, err
	}, eventOfSQL, c.Event.ID, c.Tenant, c.ID)
	if err != nil || len(found) == 0 {
		return tenants.MassEvent{}, err
	}
	if key != "" {
		e.SPKI = []string{key}
	}
	return e, nil
}

// listed is how many past runs a page shows.
const listed = 100

// Events lists the latest events, newest first.
func (p *Platform) Events(ctx context.Context) ([]EventRun, error) {
	if err := p.may(ctx, tenants.ReadTenants, ""); err != nil {
		return nil, err
	}
	return collect(p.db.read(ctx), readEventRun, `select `+eventColumns+` from events e order by e.id desc`+limitTo(listed-1))
}

// Event is one event and how far it is.
func (p *Platform) Event(ctx context.Context, id tenants.EventID) (v EventView, err error) {
	if err := p.may(ctx, tenants.ReadTenants, string(id)); err != nil {
		return v, err
	}
	q, now := p.db.read(ctx), p.db.now()
	if v.EventRun, err = q.eventRun(id, ""); err != nil {
		return v, err
	}
	e, err := q.eventLists(v.EventRun)
	if err != nil {
		return v, err
	}
	v.Keys = e.SPKI
	if err := q.eventParts(&v); err != nil {
		return v, err
	}
	if v.Failing > 0 {
		if v.Trouble, err = q.eventTrouble(id); err != nil {
			return v, err
		}
	}
	return v, q.eventFinish(&v, now)
}

const eventPartsSQL = `
select t.id, t.slug, t.name, t.created_at, x.n, x.replaced, x.ordered, x.failing, x.gone, x.last
from (select m.tenant_id, count(*) as n,
		count(case when m.replacement <> '' then 1 end) as replaced,
		count(case when m.ended_at = 0 and d.order_state <> '' and d.status not in ('failing', 'expired') then 1 end) as ordered,
		count(case when m.ended_at = 0 and d.status in ('failing', 'expired') then 1 end) as failing,
		count(case when m.ended_at > 0 and m.replacement = '' then 1 end) as gone,
		coalesce(max(case when m.ended_at = 0 and d.order_state = '' and d.status not in ('failing', 'expired') then d.renew_at end), 0) as last
	from event_certificates m join domains d on d.id = m.domain_id where m.event_id = $1 group by m.tenant_id) x
join tenants t on t.id = x.tenant_id order by t.name, t.id`

func (q query) eventParts(v *EventView) (err error) {
	v.Tenants, err = collect(q, func(r rows) (p EventPart, err error) {
		return p, r.Scan(append(scanTenant(&p.Tenant), &p.All, &p.Replaced, &p.Ordered, &p.Failing, &p.EventProgress.Left, at(&p.Last))...)
	}, eventPartsSQL, v.ID)
	for i := range v.Tenants {
		p := &v.Tenants[i]
		if p.Last.After(v.LastStart()) { // its plan did not move yet
			p.Last = v.LastStart()
		}
		v.All += p.All
		v.Replaced += p.Replaced
		v.Ordered += p.Ordered
		v.Failing += p.Failing
		v.Left += p.Left
		if p.Last.After(v.Last) {
			v.Last = p.Last
		}
	}
	slices.SortStableFunc(v.Tenants, func(a, b EventPart) int {
		return cmp.Or(cmp.Compare(b.Failing, a.Failing), cmp.Compare(b.Open(), a.Open()), cmp.Compare(b.All, a.All))
	})
	return err
}

const eventTroubleSQL = `
select t.id, t.slug, t.name, t.created_at, d.id, d.name, d.status, d.finding, d.since_at
from event_certificates m join domains d on d.id = m.domain_id join tenants t on t.id = m.tenant_id
where m.event_id = $1 and m.ended_at = 0 and d.status in ('failing', 'expired')
order by d.not_after, d.id limit 100`

func (q query) eventTrouble(id tenants.EventID) ([]EventTrouble, error) {
	return collect(q, func(r rows) (x EventTrouble, err error) {
		return x, r.Scan(append(scanTenant(&x.Tenant), &x.ID, &x.Name, &x.Status, doc(&x.Finding), at(&x.Since))...)
	}, eventTroubleSQL, id)
}

const eventWaitingSQL = `
select a.awaiting_budget, count(*) from event_certificates m join agenda a on a.domain_id = m.domain_id
where m.event_id = $1 and m.ended_at = 0 and a.awaiting_budget <> '' group by a.awaiting_budget`

// eventFinish is when the plans of an event come to their end, and the orders that wait for budget get some.
func (q query) eventFinish(v *EventView, now time.Time) error {
	all, err := q.authorities()
	if err != nil {
		return err
	}
	waiting := map[tenants.AccountID]int{}
	if err := q.each(func(r rows) error {
		var id tenants.AccountID
		var n int
		err := r.Scan(&id, &n)
		waiting[id] = n
		return err
	}, eventWaitingSQL, v.ID); err != nil {
		return err
	}
	if v.Finish = v.Last; v.Ordered > 0 && v.Finish.Before(now) {
		v.Finish = now
	}
	for _, issuer := range all {
		for _, account := range issuer.Accounts {
			n := waiting[account.ID]
			if n == 0 {
				continue
			}
			b, err := q.accountBudget(issuer.With(account), n)
			if err != nil {
				return err
			}
			v.Budget = append(v.Budget, EventLimit{Issuer: issuer.Name, Certificates: n, Left: b.Limit.Left(b.TAT, now), EventBudget: b})
			if last := b.LastOrder(now); last.After(v.Finish) {
				v.Finish = last
			}
		}
	}
	return nil
}
