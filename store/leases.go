package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"perennial/tenants"
)

// candidates is how far Claim looks among the due for those that expire first. All of them are in the index, so
// this is cheap; without a bound, a million due rows would be sorted for a hundred.
const candidates = 500

// chosenSQL walks the due in the order of their due time within the index alone, then takes those that go first: by lane,
// but behind emergencies, and the longest first, whoever was not taken for a long time, until $4. Its limits stand in the
// text for the reason that limitTo gives.
const chosenSQL = `
	select c.domain_id from (select domain_id, lane, not_after, next_action_at from agenda
		where next_action_at > 0 and next_action_at <= $1 order by next_action_at limit %d) c
	order by case when c.lane = %d then 0 when c.next_action_at <= $4 then c.next_action_at else $1 end,
		c.lane, c.not_after, c.domain_id limit %d`

// longDue is how late the workers may be before nobody is overtaken any more. Where they are too few for all that is due,
// each lane would otherwise wait for ever behind those before it.
const longDue = 10 * time.Minute

const claimSQL = `
update agenda set lease_owner = $2, lease_until = $3, next_action_at = $3, working = 0
where domain_id in (%s)
returning tenant_id, domain_id, turn, lane, not_after`

// claimLease is how long a claimed domain may wait in the queue before it is due again.
const claimLease = jobTimeout

// claimant owns domains that were claimed and not begun.
const claimant = "queue"

// Claim puts due domains into the queue, the most urgent lane and the earliest expiry first unless others are long due, and
// keeps them from being claimed again for a while. A claimed domain that nobody begins becomes due again; anybody may begin it before. Two
// processes never claim the same row.
func (s *System) Claim(ctx context.Context, limit int) (ids []tenants.DomainID, err error) {
	if next, err := s.NextDue(ctx); err != nil || next.IsZero() || next.After(s.db.now()) { // mostly nothing is, which needs no writer
		return nil, err
	}
	err = s.db.housekeep(ctx, func(t *tx) error {
		ids = nil
		text := fmt.Sprintf(claimSQL, t.db.engine.free(fmt.Sprintf(chosenSQL, candidates, laneEmergency, limit)))
		due, err := collect(t.query, scanDue, text, us(t.now), claimant, us(t.now.Add(claimLease)), us(t.now.Add(-longDue)))
		if err != nil {
			return err
		}
		if len(due) == 0 {
			return errUnchanged
		}
		slices.SortFunc(due, dueRow.compare)
		for _, d := range due {
			if d.lane == laneEmergency {
				t.hurry(d.id, d.turn)
			} else {
				t.wake(d.tenant, d.id, d.turn)
			}
			ids = append(ids, d.id)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim domains: %w", err)
	}
	return ids, nil
}

// free leaves out of the chosen those that somebody else holds, or took while they were chosen. SQLite has one writer,
// so nobody else does.
func (e *engine) free(chosen string) string {
	if e.pool == nil {
		return chosen
	}
	return `select a.domain_id from agenda a where a.next_action_at > 0 and a.next_action_at <= $1
		and a.domain_id in (` + chosen + `)` + e.skipLocked()
}

// skipLocked passes over rows of agenda that somebody else holds.
func (e *engine) skipLocked() string {
	if e.pool == nil {
		return ""
	}
	return " for update of a skip locked"
}

type dueRow struct {
	tenant         tenants.TenantID
	id             tenants.DomainID
	turn           int64
	lane, notAfter int64
}

func scanDue(r rows) (d dueRow, err error) {
	return d, r.Scan(&d.tenant, &d.id, &d.turn, &d.lane, &d.notAfter)
}

// compare puts first who goes first.
func (d dueRow) compare(e dueRow) int {
	return cmp.Or(cmp.Compare(d.lane, e.lane), cmp.Compare(d.notAfter, e.notAfter), cmp.Compare(d.id, e.id))
}

// Begin takes the lease on a domain, or takes it anew, and gathers what is known about it. false: somebody else
// works on it, or it was released. owner must be unlike any other run's, also in this process: two runs with the same
// owner would both be let in.
func (s *System) Begin(ctx context.Context, id tenants.DomainID, owner string, lease time.Duration) (f tenants.Facts, ok bool, err error) {
	err = s.db.housekeep(ctx, func(t *tx) error {
		d, err := t.anyDomain(id, t.db.engine.lock, t.now)
		if err != nil {
			return err
		}
		if ok = d.beginnable(owner, t.now); !ok {
			return errUnchanged
		}
		if d.leaseOwner != owner || !d.working {
			d.turn++
			d.nudged = time.Time{}
		}
		if err := t.lease(d, owner, lease); err != nil {
			return err
		}
		f, err = s.gather(t.query, d, t.now)
		return err
	})
	if err != nil {
		return tenants.Facts{}, false, fmt.Errorf("begin %s: %w", id, err)
	}
	return f, ok, nil
}

// Resume is Begin for somebody who began already. With more than half of the lease's time left nothing has to be written,
// so the one writer is not asked; whoever acts on the facts writes under lock and looks again.
func (s *System) Resume(ctx context.Context, id tenants.DomainID, owner string, lease time.Duration) (f tenants.Facts, ok bool, err error) {
	if f, ok, err = s.resume(ctx, id, owner, lease); ok || err != nil {
		return f, ok, err
	}
	return s.Begin(ctx, id, owner, lease)
}

func (s *System) resume(ctx context.Context, id tenants.DomainID, owner string, lease time.Duration) (f tenants.Facts, ok bool, err error) {
	q, now := s.db.read(ctx), s.db.now()
	d, err := q.anyDomain(id, "", now)
	if err == nil && d.working && d.leaseOwner == owner && d.leaseUntil.Sub(now) > lease/2 && d.Status != tenants.Released {
		ok = true
		f, err = s.gather(q, d, now)
	}
	if err != nil {
		return tenants.Facts{}, false, fmt.Errorf("resume %s: %w", id, err)
	}
	return f, ok, nil
}

// gather is facts for a turn, which decides anew in each transaction of its own.
func (s *System) gather(q query, d *domainRow, now time.Time) (f tenants.Facts, err error) {
	all, err := s.db.known.authorities(q, now)
	if err != nil {
		return f, err
	}
	return q.factsAmong(all, d, now)
}

// Under is s for whoever holds leases as owner. What it decided on facts that may be old by now is then saved only while it
// does: SaveCheck, SaveSeen, SavePlan, PlanOrder and EndOrder are refused with Conflict when the lease was lost, since
// whoever has it now decided on newer facts.
func (s *System) Under(owner string) *System { return &System{db: s.db, owner: owner} }

// holds reports whether a decision about a domain may still be saved.
func (s *System) holds(d *domainRow) error {
	if s.owner == "" || d.working && d.leaseOwner == s.owner {
		return nil
	}
	return conflict("Somebody else works on %s by now. Read the domain again.", d.Name)
}

func (d *domainRow) beginnable(owner string, now time.Time) bool {
	if d.Status == tenants.Released {
		return false
	}
	return !d.working || d.leaseOwner == owner || !d.leased(now)
}

const leaseSQL = `
update agenda set lease_owner = $2, lease_until = $3, next_action_at = $3, working = 1, turn = $4, nudged_at = $5,
	awaiting_budget = '', awaiting_answer = '' where domain_id = $1`

func (t *tx) lease(d *domainRow, owner string, lease time.Duration) error {
	d.leaseOwner, d.leaseUntil, d.working, d.Next = owner, t.now.Add(min(lease, longestLease)), true, time.Time{}
	_, err := t.exec(leaseSQL, d.ID, owner, us(d.leaseUntil), d.turn, us(d.nudged))
	return err
}

// Rest ends the work on a domain and says when to look again, what stands in the way (zero for nothing), and the status
// that follows from it (tenants.StatusAfter). Beginning and ceasing to fail is audited. When somebody asked for the
// domain meanwhile, it is due at once instead. When the lease was lost nothing is saved: whoever has it now will say.
func (s *System) Rest(ctx context.Context, id tenants.DomainID, owner string, at time.Time, why tenants.Finding, status tenants.Status) error {
	return s.RestSeen(ctx, id, owner, at, why, status, Seen{})
}

// RestSeen is Rest that keeps in the same transaction what was learned before.
func (s *System) RestSeen(ctx context.Context, id tenants.DomainID, owner string, at time.Time, why tenants.Finding, status tenants.Status, seen Seen) error {
	return s.end(ctx, id, func(t *tx) error {
		if quiet, err := t.restQuietly(id, owner, at, why, status, seen); quiet || err != nil {
			return err
		}
		return t.leave(id, owner, func(t *tx, d *domainRow) error {
			t.turnTo(d, status, why)
			t.giveUp(d, at)
			return t.see(d, seen)
		})
	})
}

// A turn that changes nothing and that nobody interrupted need not read the row again.
const (
	undisturbed = `d.id = $1 and d.status = $2 and d.finding = '' and d.look_asked_at = 0 and d.failed_on = ''`

	keepCheckSQL = `update domains as d set dns_check = $3 where ` + undisturbed

	restSQL = `
update agenda set lease_owner = '', lease_until = 0, working = 0, admitted_budget = '', next_action_at = $4
where domain_id = $1 and lease_owner = $3 and working = 1 and nudged_at = 0 and exists (select 1 from domains d where ` + undisturbed + `)
returning tenant_id`
)

// restQuietly is what leave, turnTo, giveUp and see do when nothing stands in the way of a domain, nothing did, and nobody
// asked for it meanwhile. Otherwise it does nothing that they do not undo or do again.
func (t *tx) restQuietly(id tenants.DomainID, owner string, at time.Time, why tenants.Finding, status tenants.Status, seen Seen) (bool, error) {
	if !why.OK() || at.IsZero() {
		return false, nil
	}
	if seen.Check != nil {
		if n, err := t.exec(keepCheckSQL, id, status, clean(enc(*seen.Check))); n == 0 || err != nil {
			return false, err
		}
	}
	var tenant tenants.TenantID
	if err := t.one(restSQL, []any{id, status, owner, us(at)}, &tenant); err != nil {
		if errors.Is(err, errNone) {
			err = nil
		}
		return false, err
	}
	t.touch(tenant, id)
	return true, t.keepARI(tenant, id, seen.ARI)
}

// leave changes a domain that owner works on, and saves it.
func (s *System) leave(ctx context.Context, id tenants.DomainID, owner string, change func(*tx, *domainRow) error) error {
	return s.end(ctx, id, func(t *tx) error { return t.leave(id, owner, change) })
}

func (s *System) end(ctx context.Context, id tenants.DomainID, do func(*tx) error) error {
	if err := s.db.housekeep(ctx, do); err != nil {
		return fmt.Errorf("rest %s: %w", id, err)
	}
	return nil
}

func (t *tx) leave(id tenants.DomainID, owner string, change func(*tx, *domainRow) error) error {
	d, err := t.anyDomain(id, t.db.engine.lock, t.now)
	if err != nil {
		return err
	}
	if !d.working || d.leaseOwner != owner || d.Status == tenants.Released {
		return errUnchanged
	}
	if err := change(t, d); err != nil {
		return err
	}
	return t.saveDomain(d)
}

// unplanned is when a domain is looked at for which no instant was named, so that none is ever forgotten.
const unplanned = time.Hour

// giveUp ends the lease; next is when to look again.
func (t *tx) giveUp(d *domainRow, next time.Time) {
	d.leaseOwner, d.leaseUntil, d.working, d.admitted = "", time.Time{}, false, ""
	switch {
	case d.Status == tenants.Released:
		d.next = time.Time{}
	case !d.nudged.IsZero():
		d.nudged = time.Time{}
		t.due(d)
	case next.IsZero():
		d.next = t.now.Add(unplanned)
	default:
		d.next = next
	}
	if most := t.now.Add(farthest); d.next.After(most) {
		d.next = most
	}
}

// farthest is how far ahead a domain may be due: further than any authority may put us off.
const farthest = 8 * 24 * time.Hour

// farthestWell is that for a domain with nothing wrong, which is looked at more often (see tenants.Facts).
const farthestWell = 16 * time.Hour

const rememberSQL = `
update agenda set next_action_at = $1, lease_owner = '', lease_until = 0, working = 0
where next_action_at > $2 and (next_action_at > $3
	or exists (select 1 from domains d where d.id = agenda.domain_id and d.finding = ''))`

// remember makes due what is due too far ahead: a clock that was wrong said so.
func (t *tx) remember() error {
	_, err := t.exec(rememberSQL, us(t.now), us(t.now.Add(farthestWell)), us(t.now.Add(farthest+time.Hour)))
	return err
}

// turnTo changes status and finding, and records when a domain begins or ends to fail.
func (t *tx) turnTo(d *domainRow, s tenants.Status, why tenants.Finding) {
	before := d.Status
	d.setStatus(s, t.now)
	d.Finding = why
	by := tenants.System(d.Tenant)
	switch {
	case s == tenants.Failing && before != tenants.Failing:
		text := fmt.Sprintf("saw that %s needs help. %s.", d.Name, headline(why))
		t.enter(tenants.Entry{Actor: by, Tenant: d.Tenant, Action: tenants.DidFail, Outcome: tenants.Broke,
			Object: string(d.ID), Subject: d.Name, Text: text})
	case before == tenants.Failing && s != tenants.Failing && s != tenants.Expired:
		t.record(by, tenants.DidHeal, string(d.ID), d.Name, fmt.Sprintf("saw that %s is well again.", d.Name))
	}
}

func headline(f tenants.Finding) string {
	if text := f.Short(); text != "" {
		return text
	}
	return "Code " + string(f.Code)
}

// A leased row is due when its lease ends, so all of them are found among those due soon.
const dropLeasesSQL = `
update agenda set lease_owner = '', lease_until = 0, working = 0, nudged_at = 0, next_action_at = $1
where next_action_at > 0 and next_action_at <= $2 and lease_owner <> ''`

// longestLease bounds every lease.
const longestLease = time.Hour

// ClearLeases is called when the portal starts. On SQLite, which has one process, whoever held a lease is dead, and
// their domains are due at once. On Postgres other processes may be alive: there leases run out by themselves.
func (s *System) ClearLeases(ctx context.Context) error {
	if s.db.engine.pool != nil {
		return nil
	}
	return s.db.housekeep(ctx, func(t *tx) error {
		if _, err := t.exec(dropLeasesSQL, us(t.now), us(t.now.Add(longestLease))); err != nil {
			return fmt.Errorf("clear leases: %w", err)
		}
		return nil
	})
}
