package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"perennial/tenants"
)

// budgetPatience is when a domain in the waiting room is looked at although nobody woke it.
const budgetPatience = 6 * time.Hour

// AwaitBudget puts a domain whose order found no token into the issuer's waiting room and gives the lease up. Admit
// wakes it. When the lease was lost nothing is saved.
func (s *System) AwaitBudget(ctx context.Context, id tenants.DomainID, owner string, issuer tenants.IssuerID, why tenants.Finding) error {
	return s.leave(ctx, id, owner, func(t *tx, d *domainRow) error {
		d.Finding = why
		d.refresh(t.now)
		d.awaiting = issuer
		t.giveUp(d, t.now.Add(budgetPatience))
		return nil
	})
}

const waitingSQL = `
select d.id, d.turn from domains d where d.awaiting_budget = $1 and d.awaiting_budget <> ''
order by d.lane, d.not_after, d.id limit $2`

const admitSQL = `update domains set awaiting_budget = '', next_action_at = $2 where id = $1`

// Admit wakes the n domains of an issuer's waiting room whose turn it is: the most urgent lane first, in it the
// earliest expiry. It returns how many it woke.
func (s *System) Admit(ctx context.Context, id tenants.IssuerID, n int) (woken int, err error) {
	if n <= 0 {
		return 0, nil
	}
	err = s.db.housekeep(ctx, func(t *tx) error {
		woken = 0
		waiting, err := collect(t.query, func(r rows) (d dueRow, err error) {
			return d, r.Scan(&d.id, &d.turn)
		}, waitingSQL+t.db.engine.skip, id, n)
		if err != nil {
			return err
		}
		if len(waiting) == 0 {
			return errUnchanged
		}
		for _, d := range waiting {
			if _, err := t.exec(admitSQL, d.id, us(t.now)); err != nil {
				return err
			}
			t.wakes[d.id] = d.turn
			woken++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("admit waiting domains: %w", err)
	}
	return woken, nil
}

// SetHealth notes whether something we depend on answers. next is when it is asked again, zero when nothing is
// planned. Nothing is written when nothing changed.
func (s *System) SetHealth(ctx context.Context, what string, ok bool, text string, next time.Time) error {
	text, next = clip(text), next.Truncate(time.Microsecond)
	var old Health
	err := s.db.read(ctx).one(`select ok, next_at, text from health where what = $1`, []any{what}, flag{&old.OK}, at(&old.NextTry), &old.Text)
	if err != nil && !errors.Is(err, errNone) {
		return err
	}
	if err == nil && old.OK == ok && old.Text == text && old.NextTry.Equal(next) {
		return nil
	}
	return s.db.housekeep(ctx, func(t *tx) error {
		_, err := t.exec(setHealthSQL, what, bit(ok), us(t.now), us(next), text)
		return err
	})
}

const setHealthSQL = `
insert into health (what, ok, since_at, next_at, text) values ($1, $2, $3, $4, $5)
on conflict (what) do update set since_at = case when health.ok = excluded.ok then health.since_at else excluded.since_at end,
	ok = excluded.ok, next_at = excluded.next_at, text = excluded.text`

// Health is what is known of everything we depend on and ever asked.
func (s *System) Health(ctx context.Context) ([]Health, error) {
	return collect(s.db.read(ctx), func(r rows) (h Health, err error) {
		return h, r.Scan(&h.What, flag{&h.OK}, at(&h.Since), at(&h.NextTry), &h.Text)
	}, `select what, ok, since_at, next_at, text from health order by what`)
}
