package store

import (
	"context"
	"fmt"
	"time"

	"perennial/tenants"
)

// silencePatience is when a domain that waits for a silent issuer is looked at although nobody recalled it.
const silencePatience = 6 * time.Hour

// AwaitAnswer gives the lease of a domain up whose issuer does not answer. Recall wakes it. When the lease was lost
// nothing is saved.
func (s *System) AwaitAnswer(ctx context.Context, id tenants.DomainID, owner string, issuer tenants.IssuerID, why tenants.Finding, status tenants.Status) error {
	return s.leave(ctx, id, owner, func(t *tx, d *domainRow) error {
		t.turnTo(d, status, why)
		d.silent = issuer
		at, err := t.waitUntil(d, silencePatience)
		t.giveUp(d, at)
		return err
	})
}

const (
	silentSQL = `select count(*) from (select 1 from agenda where awaiting_answer = $1 and awaiting_answer <> '' limit 1) w`

	recallSQL = `
update agenda set awaiting_answer = '', next_action_at = $2
where domain_id in (select a.domain_id from agenda a where a.awaiting_answer = $1 and a.awaiting_answer <> ''
	order by %s, a.domain_id limit $3%s)
returning tenant_id, domain_id, turn`
)

// Recall wakes domains that wait for an issuer to answer, at most limit, the most urgent lane and the earliest expiry
// first. It returns how many.
func (s *System) Recall(ctx context.Context, id tenants.IssuerID, limit int) (woken int, err error) {
	return s.recall(ctx, id, "a.lane, a.not_after", limit)
}

// RecallProbe wakes one domain that waits for an issuer to answer: the one that waits for the longest time since its
// last try, so that one whose order the issuer never answers does not keep the others waiting.
func (s *System) RecallProbe(ctx context.Context, id tenants.IssuerID) (woken int, err error) {
	return s.recall(ctx, id, "a.next_action_at", 1)
}

func (s *System) recall(ctx context.Context, id tenants.IssuerID, order string, limit int) (woken int, err error) {
	if err := s.db.read(ctx).one(silentSQL, []any{id}, &woken); err != nil || woken == 0 {
		return 0, err // mostly nobody waits, and that needs no writer
	}
	err = s.db.housekeep(ctx, func(t *tx) error {
		woken = 0
		return t.each(func(r rows) error {
			var tenant tenants.TenantID
			var domain tenants.DomainID
			var turn int64
			err := r.Scan(&tenant, &domain, &turn)
			t.wake(tenant, domain, turn)
			woken++
			return err
		}, fmt.Sprintf(recallSQL, order, t.db.engine.skipLocked()), id, us(t.now), limit)
	})
	if err != nil {
		return 0, fmt.Errorf("recall domains: %w", err)
	}
	return woken, nil
}
