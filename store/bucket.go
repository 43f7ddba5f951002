package store

import (
	"time"

	"perennial/tenants"
)

// bucket is one row of the ledger.
type bucket struct {
	tat, corrected time.Time
	flight         tenants.Flight
}

const bucketColumns = `tat, corrected_at, flying, flying_until`

func scanBucket(b *bucket) []any {
	return []any{at(&b.tat), at(&b.corrected), &b.flight.N, at(&b.flight.Until)}
}

// hold brings a bucket of limit l up to date with what is under way.
func (b *bucket) hold(l tenants.Limit, now time.Time) {
	b.believe(l, now)
	b.tat, b.flight = l.Held(b.tat, b.flight, now)
}

// believe takes a bucket whose TAT is further ahead than anything can have moved it for empty at most: a clock that was
// wrong wrote it, and nobody could order before its time. What the CA said lately may have moved it far.
func (b *bucket) believe(l tenants.Limit, now time.Time) {
	at := l.Most(now)
	limit := at.Add(at.Sub(now))
	if b.correctedLately(now) {
		limit = limit.Add(farthest)
	}
	if b.tat.After(limit) {
		b.tat, b.flight = at, tenants.Flight{}
	}
}

// emptied reports whether the CA said that the bucket has no token yet. What was spent under a limit that was lifted
// since is not its word.
func (b bucket) emptied(now time.Time) bool { return !b.corrected.IsZero() && b.tat.After(now) }

// left is how many tokens the bucket has.
func (b bucket) left(l tenants.Limit, now time.Time) int {
	if l.Unlimited() && b.emptied(now) {
		return 0
	}
	return l.Left(b.tat, now)
}

// shut reports whether the bucket has no token because the CA said so lately.
func (b bucket) shut(l tenants.Limit, now time.Time) bool {
	return b.emptied(now) && b.left(l, now) == 0 && b.correctedLately(now)
}

// correctedLately reports whether the CA's word may still be what moved the bucket: it puts us off for days at most.
func (b bucket) correctedLately(now time.Time) bool { return now.Sub(b.corrected).Abs() < farthest }

// refill is when a bucket gets its next token: now when it is full.
func refill(l tenants.Limit, tat, now time.Time) time.Time {
	if !tat.After(now) {
		return now
	}
	if l.Unlimited() {
		return tat
	}
	// tat - k × Every is when k tokens are missing; the next such instant after now is the refill, but a bucket that
	// the CA emptied is further than a whole Per behind.
	missing := min((tat.Sub(now)-1)/l.Every(), time.Duration(l.Count-1))
	return tat.Add(-missing * l.Every())
}
