package store

import (
	"context"
	"time"
)

// NextDue is when the next domain is due, zero when none will ever be. It may be over.
func (s *System) NextDue(ctx context.Context) (next time.Time, err error) {
	return next, s.db.read(ctx).one(
		`select coalesce(min(next_action_at), 0) from agenda where next_action_at > 0`, nil, at(&next))
}

// Work is what there may be to do.
type Work struct {
	Next     time.Time // when the next domain is due; zero: none will ever be
	Due      bool      // that is over
	Silenced bool      // domains wait for an issuer to answer
	Queued   bool      // domains wait for budget of an account
	Events   bool      // an event is not over
}

// Each part is the first entry of an index.
const workSQL = `
select (select coalesce(min(next_action_at), 0) from agenda where next_action_at > 0),
	case when exists (select 1 from agenda where awaiting_answer <> '') then 1 else 0 end,
	case when exists (select 1 from agenda where awaiting_budget <> '') then 1 else 0 end,
	case when exists (select 1 from events where ended_at = 0) then 1 else 0 end`

// Nothing reports whether there is nothing to do now.
func (w Work) Nothing() bool { return !w.Due && !w.Silenced && !w.Queued && !w.Events }

// Pending says what there may be to do. Mostly there is nothing, and whoever scans learns so from one cheap question.
func (s *System) Pending(ctx context.Context) (w Work, err error) {
	err = s.db.read(ctx).one(workSQL, nil, at(&w.Next), flag{&w.Silenced}, flag{&w.Queued}, flag{&w.Events})
	w.Due = !w.Next.IsZero() && !w.Next.After(s.db.now())
	return w, err
}
