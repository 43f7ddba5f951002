package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"perennial/tenants"
)

const (
	marked    = 300 // certificates a transaction, so that others get their turn at the writer
	pushSteps = 10  // transactions a call, so that a caller with more to do is not held up
)

// PushEvents takes running events further: it marks the certificates of those that were started, some hundred a transaction, lets
// those of stopped ones go back to their own plans, and ends those of which nothing is left. It is called every now and
// then, by any number of processes: what a crash leaves half done, the next call takes up.
func (s *System) PushEvents(ctx context.Context) error {
	ids, err := collect(s.db.read(ctx), scanOne[tenants.EventID], `select id from events where ended_at = 0 order by id`)
	for _, id := range ids {
		for range pushSteps {
			more, err := s.pushEvent(ctx, id)
			if err != nil {
				return fmt.Errorf("push event %s: %w", id, err)
			}
			if !more {
				break
			}
		}
	}
	return err
}

// pushEvent does one transaction's worth. more says that there may be another one's.
func (s *System) pushEvent(ctx context.Context, id tenants.EventID) (more bool, err error) {
	r, err := s.db.read(ctx).eventRun(id, "")
	switch {
	case err != nil || !r.Ended.IsZero():
		return false, err
	case !r.Stopped.IsZero():
		return s.unmark(ctx, r)
	case r.Marked.IsZero():
		return s.mark(ctx, r)
	}
	return false, s.endEvent(ctx, r)
}

// mark finds the next certificates outside of the transaction that marks them.
func (s *System) mark(ctx context.Context, r EventRun) (more bool, err error) {
	q := s.db.read(ctx)
	e, err := q.eventLists(r)
	if err != nil {
		return false, err
	}
	var found []match
	to := r.markedTo
	for len(found) < marked {
		some, last, err := q.walk(e, to)
		if err != nil {
			return false, err
		}
		if last == "" {
			return true, s.db.housekeep(ctx, func(t *tx) error { return t.mark(r, e, found, to, true) })
		}
		found, to = append(found, some...), last
	}
	if len(found) > marked {
		found = found[:marked]
		to = found[marked-1].certificate.ID
	}
	return true, s.db.housekeep(ctx, func(t *tx) error { return t.mark(r, e, found, to, false) })
}

// mark marks what was found after the certificate where r left off, up to another.
func (t *tx) mark(r EventRun, e tenants.MassEvent, found []match, to tenants.CertificateID, last bool) error {
	now, err := t.eventRun(r.ID, t.db.engine.lock)
	if err != nil {
		return err
	}
	if now.markedTo != r.markedTo || !now.Marked.IsZero() || !now.Stopped.IsZero() { // somebody else was quicker
		return errUnchanged
	}
	keys := tenants.MassEvent{SPKI: e.SPKI, Since: e.Since}
	for _, m := range found {
		if err := t.markOne(r, m, keys.Matches(m.version)); err != nil {
			return fmt.Errorf("mark certificate %s: %w", m.certificate.ID, err)
		}
	}
	at := time.Time{}
	if last {
		at = t.now
		if err := t.tellTenants(r); err != nil {
			return err
		}
	}
	t.touch(platform, "")
	_, err = t.exec(`update events set marked_to = $2, marked_at = $3 where id = $1`, r.ID, to, us(at))
	return err
}

// A version that was replaced meanwhile needs no other one.
const markSQL = `
insert into event_certificates (event_id, certificate_id, tenant_id, domain_id, version_id, new_key)
select cast($1 as text), c.id, c.tenant_id, c.domain_id, c.current_version, cast($2 as bigint)
from certificates c where c.tenant_id = $3 and c.id = $4 and c.current_version = $5`

// markOne makes a certificate part of an event, and due: its plan changes. An order that is open already, and may wait for
// budget, becomes an emergency.
func (t *tx) markOne(r EventRun, m match, byKey bool) error {
	d, err := t.anyDomain(m.certificate.Domain, t.db.engine.lock, t.now)
	if err != nil || d.Status == tenants.Released {
		return err
	}
	n, err := t.exec(markSQL, r.ID, bit(byKey), d.Tenant, m.certificate.ID, m.version.ID)
	if err != nil || n == 0 {
		return err
	}
	if d.orderState != "" && !d.reason.Emergency() {
		d.reason = tenants.InMassEvent
	}
	t.hasten(d)
	if err := t.saveDomain(d); err != nil {
		return err
	}
	return t.point(d.Tenant, d.ID)
}

// hasten makes a row due that nobody was given. Whoever works on it may have read what holds no more, so it is looked at
// again then; what waits for budget goes on when there is some.
func (t *tx) hasten(d *domainRow) {
	switch {
	case d.leased(t.now) && d.working:
		d.nudged = t.now
	case !d.leased(t.now) && d.awaiting == "" && d.next.After(t.now):
		d.next = t.now
	}
}

// tellTenants says to each tenant how many of its certificates are replaced, and why.
func (t *tx) tellTenants(r EventRun) error {
	return t.each(func(rs rows) error {
		var tenant tenants.TenantID
		var n int
		err := rs.Scan(&tenant, &n)
		t.record(tenants.System(tenant), tenants.DidStartEvent, string(r.ID), "", r.MassEvent.Affected(n))
		return err
	}, `select tenant_id, count(*) from event_certificates where event_id = $1 group by tenant_id order by tenant_id`, r.ID)
}

const unmarkSQL = `
select m.domain_id from event_certificates m join domains d on d.id = m.domain_id join agenda a on a.domain_id = m.domain_id
where m.event_id = $1 and m.ended_at = 0 and d.order_state in ('', 'planned') and (a.working = 0 or a.lease_until <= $2)
order by m.certificate_id`

// unmark lets some of the certificates of a stopped event go back to their own plans. Those that somebody works on, and
// those that are ordered, have their turn later.
func (s *System) unmark(ctx context.Context, r EventRun) (more bool, err error) {
	ids, err := collect(s.db.read(ctx), scanOne[tenants.DomainID], unmarkSQL+limitTo(marked-1), r.ID, us(s.db.now()))
	if err != nil {
		return false, err
	}
	if len(ids) == 0 {
		return false, s.endEvent(ctx, r)
	}
	err = s.db.housekeep(ctx, func(t *tx) error {
		more = false
		for _, id := range ids {
			left, err := t.leaveEvent(r.ID, id)
			if err != nil {
				return err
			}
			more = more || left
		}
		t.touch(platform, "")
		return nil
	})
	return more, err
}

// leaveEvent takes one certificate out of an event, unless it is being ordered.
func (t *tx) leaveEvent(id tenants.EventID, domain tenants.DomainID) (left bool, err error) {
	d, err := t.anyDomain(domain, t.db.engine.lock, t.now)
	if err != nil {
		return false, err
	}
	o, err := t.openOrder(d)
	if err != nil || d.working && d.leased(t.now) || o != nil && (o.State != tenants.Planned || !o.Placing.IsZero()) {
		return false, err
	}
	if n, err := t.exec(leftSQL+` and event_id = $3`, d.ID, us(t.now), id); err != nil || n == 0 {
		return false, err
	}
	if err := t.point(d.Tenant, d.ID); err != nil {
		return false, err
	}
	switch {
	case o != nil && o.Reason == tenants.InMassEvent:
		if err := t.endOrder(d, "The operator stopped the replacement."); err != nil {
			return false, err
		}
		d.awaiting, d.admitted = "", ""
	case o != nil:
		d.reason = o.Reason
	}
	t.hasten(d)
	return true, t.saveDomain(d)
}

const (
	leftSQL = `update event_certificates set ended_at = $2 where domain_id = $1 and ended_at = 0
	and certificate_id in (select id from certificates where domain_id = $1)`

	// A key that is to go and serves the new version as well is still to go.
	replacedSQL = `
update event_certificates set ended_at = $2, replacement = $3 where certificate_id = $1 and ended_at = 0
	and not (new_key = 1 and exists (select 1 from versions v where v.id = version_id and v.spki = $4))`

	pointToSQL = `
update certificates set event_id = coalesce((select m.event_id from event_certificates m join events e on e.id = m.event_id
	where m.certificate_id = certificates.id and m.ended_at = 0 and e.stopped_at = 0 order by e.deadline, e.id limit 1), '')
where tenant_id = $1 and domain_id = $2`
)

// point makes a certificate know which running event replaces it first.
func (t *tx) point(tenant tenants.TenantID, domain tenants.DomainID) error {
	_, err := t.exec(pointToSQL, tenant, domain)
	return err
}

// replaced takes a certificate that has a new version out of the events that it was in.
func (t *tx) replaced(c tenants.Certificate, v tenants.Version) error {
	n, err := t.exec(replacedSQL, c.ID, us(t.now), v.ID, v.SPKI)
	if err != nil || n == 0 {
		return err
	}
	t.touch(platform, "")
	return t.point(c.Tenant, c.Domain)
}

// leaveEvents takes a domain that is given up out of the events that it was in.
func (t *tx) leaveEvents(d *domainRow) error {
	_, err := t.exec(leftSQL, d.ID, us(t.now))
	return err
}

// A name that was given up while its certificate was marked is nothing to wait for.
const leftoverSQL = `
select 1 from event_certificates m where m.event_id = $1 and m.ended_at = 0
	and not exists (select 1 from domains d where d.id = m.domain_id and d.released_at > 0) limit 1`

// endEvent ends an event of which nothing is left.
func (s *System) endEvent(ctx context.Context, r EventRun) error {
	var n int
	if err := s.db.read(ctx).one(leftoverSQL, []any{r.ID}, &n); !errors.Is(err, errNone) {
		return err
	}
	return s.db.write(ctx, func(t *tx) error {
		now, err := t.eventRun(r.ID, t.db.engine.lock)
		if err != nil {
			return err
		}
		if err := t.one(leftoverSQL, []any{r.ID}, &n); !errors.Is(err, errNone) || !now.Ended.IsZero() {
			return cmp.Or(err, errUnchanged)
		}
		var all, replaced int
		var last time.Time
		if _, err := t.exec(`update event_certificates set ended_at = $2 where event_id = $1 and ended_at = 0`, r.ID, us(t.now)); err != nil {
			return err
		}
		if err := t.one(`select count(*), count(case when replacement <> '' then 1 end), coalesce(max(case when replacement <> '' then ended_at end), 0)
			from event_certificates where event_id = $1`, []any{r.ID}, &all, &replaced, at(&last)); err != nil {
			return err
		}
		t.touch(platform, "")
		t.record(tenants.System(platform), tenants.DidEndEvent, string(r.ID), r.Subject, r.MassEvent.Ended(all, replaced, last))
		_, err = t.exec(`update events set ended_at = $2 where id = $1`, r.ID, us(t.now))
		return err
	})
}
