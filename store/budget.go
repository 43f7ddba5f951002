package store

import (
	"cmp"
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

const admitSQL = `
update domains set awaiting_budget = '', admitted_budget = $1, next_action_at = $2
where id in (select d.id from domains d where d.awaiting_budget = $1 and d.awaiting_budget <> ''
	order by d.lane, d.not_after, d.id limit $3%s)
returning id, turn, lane, not_after`

const admittedSQL = `select count(*) from domains d where d.admitted_budget = $1 and d.admitted_budget <> ''`

// admitted counts the domains that were let out of an issuer's waiting room and did not spend yet.
func (q query) admitted(id tenants.IssuerID) (n int, err error) {
	return n, q.one(admittedSQL, []any{id}, &n)
}

// Admit lets domains out of an issuer's waiting room, the most urgent lane first and in it the earliest expiry, until
// as many as there are tokens are out that did not spend yet. It returns how many it woke.
func (s *System) Admit(ctx context.Context, id tenants.IssuerID, tokens int) (woken int, err error) {
	err = s.db.housekeep(ctx, func(t *tx) error {
		out, err := t.admitted(id)
		if err != nil || tokens <= out {
			return cmp.Or(err, errUnchanged)
		}
		woke, err := collect(t.query, scanDue, fmt.Sprintf(admitSQL, t.db.engine.skipD()), id, us(t.now), tokens-out)
		if err != nil {
			return err
		}
		if woken = len(woke); woken == 0 {
			return errUnchanged
		}
		for _, d := range woke {
			t.wakes[d.id] = d.turn
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
