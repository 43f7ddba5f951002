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
