package store

import (
	"context"
	"errors"
	"time"
)

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
		return h, r.Scan(&h.What, flag{&h.OK}, at(&h.Since), at(&h.NextTry), &h.Text, &h.Name)
	}, `select h.what, h.ok, h.since_at, h.next_at, h.text, coalesce(i.name, '')
from health h left join issuers i on h.what = 'ca:' || i.id order by h.what`)
}
