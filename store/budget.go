package store

import (
	"context"
	"fmt"
	"time"

	"perennial/tenants"
)

// When a domain that waits is looked at although nobody woke it: its record may be gone. Sooner where another issuer may be
// asked after a while, which a policy counts in hours.
const (
	budgetPatience   = 24 * time.Hour
	failoverPatience = time.Hour
)

const (
	// The update changes nothing: it keeps others from ranking at the same moment, or all of a tenant's workers would get
	// the same rank. It must come before the highest rank is read, and be a statement of its own.
	lockRanksSQL = `update accounts set served_rank = served_rank where id = $1 returning served_rank`

	lastRankSQL = `select coalesce(max(fair_rank), 0) from agenda where awaiting_budget = $1 and tenant_id = $2 and fair_rank > 0`

	serveSQL = `update accounts set served_rank = $2 where id = $1 and served_rank < $2`
)

// rank gives a new name, or a wish, its place between those of all tenants, which it keeps until its order ends. In the other lanes
// there are no ranks.
func (t *tx) rank(d *domainRow, id tenants.AccountID) error {
	if d.lane() != laneNew {
		d.rank = 0
	}
	if d.lane() != laneNew || d.rank > 0 {
		return nil
	}
	var served, last tenants.Rank
	if err := t.one(lockRanksSQL, []any{id}, &served); err != nil {
		return err
	}
	if err := t.one(lastRankSQL, []any{id, d.Tenant}, &last); err != nil {
		return err
	}
	d.rank = tenants.Enter(served, last)
	return nil
}

// serve says that the domain of that rank goes out.
func (t *tx) serve(id tenants.AccountID, r tenants.Rank) error {
	if r == 0 {
		return nil
	}
	_, err := t.exec(serveSQL, id, r)
	return err
}

// AwaitBudget puts a domain whose order found no token into the account's waiting room and gives the lease up. Admit
// wakes it. When the lease was lost nothing is saved.
func (s *System) AwaitBudget(ctx context.Context, id tenants.DomainID, owner string, account tenants.AccountID, why tenants.Finding) error {
	return s.leave(ctx, id, owner, func(t *tx, d *domainRow) error {
		d.Finding = why
		d.hurry(t.now)
		if err := t.rank(d, account); err != nil {
			return err
		}
		d.refresh(t.now)
		d.awaiting = account
		at, err := t.waitUntil(d, budgetPatience)
		t.giveUp(d, at)
		return err
	})
}

// waitUntil is when a domain that waits for budget, or for a silent issuer, is looked at although nobody woke it: also when
// it becomes an emergency, which may have what is kept back, when its version ends, which pages say, and when a version is
// to be revoked.
func (t *tx) waitUntil(d *domainRow, most time.Duration) (time.Time, error) {
	var f tenants.Facts
	if err := t.rules(d.Tenant, &f); err != nil {
		return time.Time{}, err
	}
	if f.Policy.FailoverAfter > 0 && len(f.Policy.Issuers) > 1 {
		most = min(most, failoverPatience)
	}
	at := t.now.Add(most)
	for _, turn := range []time.Time{d.noLater.Add(time.Microsecond), d.notAfter} {
		if d.hasVersion && turn.After(t.now) && turn.Before(at) {
			at = turn
		}
	}
	var err error
	f.Revoking, err = t.revoking(d)
	return f.WakeFor(at, t.now), err
}

const (
	admitSQL = `
update agenda set awaiting_budget = '', admitted_budget = $1, next_action_at = $2
where domain_id in (select a.domain_id from agenda a where a.awaiting_budget = $1 and a.awaiting_budget <> ''
	and a.lane <= $4 order by a.lane, a.fair_rank, a.not_after, a.domain_id limit $3%s)
returning domain_id, turn, fair_rank`

	waitsSQL = `select count(*) from (select 1 from agenda where awaiting_budget = $1 and awaiting_budget <> '' limit 1) w`

	admittedSQL = `select count(*) from agenda a where a.admitted_budget = $1 and a.admitted_budget <> ''`
)

// admitted counts the domains that were let out of an account's waiting room and did not spend yet.
func (q query) admitted(id tenants.AccountID) (n int, err error) {
	return n, q.one(admittedSQL, []any{id}, &n)
}

// Admit lets domains out of an account's waiting room, the most urgent lane first and in it the earliest expiry; new
// names and wishes go by turns of their tenants. It stops when as many as there are tokens are out that did not spend yet. Of these
// tokens, kept are for emergencies alone. It returns how many it woke.
func (s *System) Admit(ctx context.Context, id tenants.AccountID, tokens, kept int) (woken int, err error) {
	var waits int
	if err := s.db.read(ctx).one(waitsSQL, []any{id}, &waits); err != nil || waits == 0 { // mostly, and that needs no writer
		return 0, err
	}
	err = s.db.housekeep(ctx, func(t *tx) error {
		out, err := t.admitted(id)
		if err != nil {
			return err
		}
		urgent, err := t.admit(id, laneEmergency, tokens-out)
		if err != nil {
			return err
		}
		others, err := t.admit(id, laneSlow, tokens-kept-out-urgent)
		if woken = urgent + others; err == nil && woken == 0 {
			return errUnchanged
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("admit waiting domains: %w", err)
	}
	return woken, nil
}

// admit lets up to n domains out, of this lane and those before it.
func (t *tx) admit(id tenants.AccountID, lane, n int) (woken int, err error) {
	if n <= 0 {
		return 0, nil
	}
	var last tenants.Rank
	err = t.each(func(r rows) error {
		var domain tenants.DomainID
		var turn int64
		var rank tenants.Rank
		if err := r.Scan(&domain, &turn, &rank); err != nil {
			return err
		}
		t.hurry(domain, turn) // in the waiting room all took turns already
		woken, last = woken+1, max(last, rank)
		return nil
	}, fmt.Sprintf(admitSQL, t.db.engine.skipLocked()), id, us(t.now), n, lane)
	if err != nil {
		return 0, err
	}
	return woken, t.serve(id, last)
}
