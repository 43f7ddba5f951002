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

const bucketSQL = `select ` + bucketColumns + ` from buckets where issuer_id = $1 and limit_name = $2 and bucket = $3`

func (q query) bucket(id tenants.IssuerID, c tenants.Charge) (b bucket, err error) {
	err = q.one(bucketSQL, []any{id, c.Limit, c.Key}, scanBucket(&b)...)
	if errors.Is(err, errNone) {
		return bucket{}, nil
	}
	return b, err
}

const (
	// The update changes nothing: it makes the row come back, locked, whether it was there or not.
	lockBucketSQL = `
insert into buckets (issuer_id, limit_name, bucket) values ($1, $2, $3)
on conflict (issuer_id, limit_name, bucket) do update set tat = buckets.tat returning ` + bucketColumns

	saveBucketSQL = `update buckets set tat = $4, flying = $5, flying_until = $6 where issuer_id = $1 and limit_name = $2 and bucket = $3`
)

// lockBuckets loads the buckets of all charges under lock, always in the same order, so that two spenders never
// wait for each other in a circle. charges comes back sorted and without repetitions.
func (t *tx) lockBuckets(id tenants.IssuerID, charges []tenants.Charge) ([]tenants.Charge, []bucket, error) {
	charges = slices.Clone(charges)
	slices.SortFunc(charges, func(a, b tenants.Charge) int {
		return cmp.Or(cmp.Compare(a.Limit, b.Limit), cmp.Compare(a.Key, b.Key))
	})
	charges = slices.Compact(charges)
	found := make([]bucket, len(charges))
	for i, c := range charges {
		if err := t.one(lockBucketSQL, []any{id, c.Limit, c.Key}, scanBucket(&found[i])...); err != nil {
			return nil, nil, err
		}
	}
	return charges, found, nil
}

// spend is Limit.SpendKeeping of one token, except that a bucket which the CA emptied stays empty until the instant it named even when
// we know no limit for it.
func spend(l tenants.Limit, kept int, b bucket, now time.Time) (next time.Time, ok bool, when time.Time) {
	if l.Unlimited() && b.emptied(now) {
		return b.tat, false, b.tat
	}
	return l.SpendKeeping(kept, b.tat, now, 1)
}

// Spent is the ledger's answer.
type Spent struct {
	OK    bool
	At    time.Time      // when not: the instant at which there will be a token again
	Limit tenants.Charge // when not: the empty bucket, and of several the one that refills last
}

// Spend takes one token from the bucket of each charge, or from none. A tenth of every bucket (tenants.Limit.Reserve) is
// there for emergencies alone; for all others it is empty before that. The narrow limits keep it too: many new names
// below one registered domain must not be in the way of the one that was revoked there. Of the account's orders a domain
// gets none that belong to others: to those that Admit let out, and to those that go before it and wait. Spend is called
// just before the call to the CA and has a short transaction of its own.
//
// FailuresPerName is looked at and not spent, since an order is no failure yet: a name must have more than one left, or the
// next failure would shut it out. ConsecutiveFailures is, too: see tenants.Limit.Bearable.
func (s *System) Spend(ctx context.Context, id tenants.IssuerID, domain tenants.DomainID, charges []tenants.Charge) (spent Spent, err error) {
	err = s.db.housekeep(ctx, func(t *tx) error {
		d, err := t.anyDomain(domain, "", t.now)
		if err != nil {
			return err
		}
		issuer, err := t.issuer(id)
		if err != nil {
			return err
		}
		if issuer.AccountID, err = t.accountAt(id, d.Tenant); err != nil {
			return err
		}
		if spent, err = t.spend(issuer, d, charges, stays); err == nil && !spent.OK {
			return errUnchanged
		}
		return err
	})
	if err != nil {
		return Spent{}, fmt.Errorf("spend budget: %w", err)
	}
	return spent, nil
}

// PlaceOrder spends what a new order costs at its issuer and notes in the same transaction that it is about to be placed, at the
// instant o.Placing. When the budget does not allow it, nothing is saved. Conflict as in SaveOrder.
func (s *System) PlaceOrder(ctx context.Context, o tenants.Order, charges []tenants.Charge) (saved tenants.Order, spent Spent, err error) {
	err = s.db.housekeep(ctx, func(t *tx) error {
		d, was, err := t.lockOrder(o.ID)
		if err != nil {
			return err
		}
		d.hurry(t.now)
		issuer, err := t.issuer(was.Issuer)
		if err != nil {
			return err
		}
		issuer.AccountID = was.Account
		if spent, err = t.spend(issuer, d, charges, tenants.Flight.Sent); err != nil || !spent.OK {
			return errors.Join(err, errUnchanged)
		}
		o.Cost = slices.DeleteFunc(slices.Clone(charges), isFailure)
		saved, err = t.stepOrder(d, was, o)
		return err
	})
	if err != nil {
		return o, Spent{}, fmt.Errorf("place order: %w", err)
	}
	return saved, spent, nil
}

// hurry makes an emergency of an order that waited until its safety line had passed, as one planned after it is.
func (d *domainRow) hurry(now time.Time) {
	if d.hasVersion && !d.noLater.IsZero() && now.After(d.noLater) && !d.reason.Emergency() {
		d.reason = tenants.Overdue
	}
}

// keeps is how many tokens the domain has to leave in a bucket.
func (d *domainRow) keeps(l tenants.Limit) int {
	if d.lane() == laneEmergency {
		return 0
	}
	return l.Reserve()
}

// stays is the flight of what is not awaited.
func stays(f tenants.Flight, _ time.Time) tenants.Flight { return f }

// spend takes the tokens at an issuer, with the account whose tokens and whose waiting room are meant.
func (t *tx) spend(issuer tenants.Issuer, d *domainRow, charges []tenants.Charge, fly func(tenants.Flight, time.Time) tenants.Flight) (Spent, error) {
	if len(charges) == 0 {
		return Spent{OK: true}, nil
	}
	spent, err := t.spare(issuer, d, charges)
	if err != nil || !spent.OK {
		return spent, err
	}
	if spent, err = t.emptied(issuer, charges); err != nil {
		return Spent{}, err
	}
	sorted, found, err := t.lockBuckets(issuer.ID, slices.DeleteFunc(slices.Clone(charges), func(c tenants.Charge) bool {
		return isFailure(c) || lifted(issuer, c) && c.Limit != tenants.OrdersPerAccount // of which the waiting room is
	}))
	if err != nil {
		return Spent{}, err
	}
	for i, c := range sorted {
		limit := issuer.Limits[c.Limit]
		found[i].hold(limit, t.now)
		next, enough, when := spend(limit, d.keeps(limit), found[i], t.now)
		if enough && c.Limit == tenants.OrdersPerAccount {
			if enough, err = t.itsTurn(issuer.AccountID, d, limit, found[i]); err != nil {
				return Spent{}, err
			}
		}
		if !enough && (spent.OK || when.After(spent.At)) {
			spent = Spent{At: when, Limit: c}
		}
		if found[i].tat = next; !limit.Unlimited() {
			found[i].flight = fly(found[i].flight, t.now)
		}
	}
	if !spent.OK {
		return spent, nil
	}
	return spent, t.saveBuckets(issuer.ID, sorted, found)
}

// lifted reports whether the issuer has no such limit. Nothing is spent then, and no row has to be locked for it.
func lifted(i tenants.Issuer, c tenants.Charge) bool { return i.Limits[c.Limit].Unlimited() }

// emptied finds, among the buckets of limits that we know nothing of, those that the CA emptied, and of them the one that
// refills last.
func (t *tx) emptied(issuer tenants.Issuer, charges []tenants.Charge) (Spent, error) {
	spent := Spent{OK: true}
	for _, c := range charges {
		if isFailure(c) || !lifted(issuer, c) {
			continue
		}
		b, err := t.bucket(issuer.ID, c)
		if err != nil {
			return Spent{}, err
		}
		b.believe(tenants.Limit{}, t.now)
		if b.emptied(t.now) && (spent.OK || b.tat.After(spent.At)) {
			spent = Spent{At: b.tat, Limit: c}
		}
	}
	return spent, nil
}

func isFailure(c tenants.Charge) bool { return c.Limit.Failures() }

// spare reports whether every name may fail once more. Nothing is locked: to be exact is not worth a row for each name
// that never failed.
func (t *tx) spare(issuer tenants.Issuer, d *domainRow, charges []tenants.Charge) (Spent, error) {
	for _, c := range charges {
		if !isFailure(c) {
			continue
		}
		b, err := t.bucket(issuer.ID, c)
		if err != nil {
			return Spent{}, err
		}
		limit := issuer.Limits[c.Limit]
		b.believe(limit, t.now)
		ok, at := limit.Spare(b.tat, t.now)
		if c.Limit == tenants.ConsecutiveFailures {
			ok, at = limit.Bearable(b.tat, t.now, d.failures == 0)
		}
		if limit.Unlimited() && b.emptied(t.now) {
			ok, at = false, b.tat
		}
		if !ok {
			return Spent{At: at, Limit: c}, nil
		}
	}
	return Spent{OK: true}, nil
}

const (
	leaveRoomSQL = `update agenda set admitted_budget = '' where domain_id = $1 and admitted_budget = $2`

	aheadSQL = `
select w.domain_id from agenda w where w.awaiting_budget = $1 and w.awaiting_budget <> ''
	and (w.lane, w.fair_rank, w.not_after, w.domain_id) < ($2, $3, $4, $5) limit 1`
)

// itsTurn reports whether a domain may have one of the account's tokens: Admit let it out, or there are more tokens
// than domains that Admit let out and nobody who goes before it waits.
func (t *tx) itsTurn(id tenants.AccountID, d *domainRow, l tenants.Limit, b bucket) (bool, error) {
	n, err := t.exec(leaveRoomSQL, d.ID, id)
	if err != nil || n > 0 || l.Unlimited() {
		return err == nil, err
	}
	out, err := t.admitted(id)
	if err != nil || l.Left(b.tat, t.now)-d.keeps(l) <= out {
		return false, err
	}
	if err := t.rank(d, id); err != nil {
		return false, err
	}
	var ahead tenants.DomainID
	if err := t.one(aheadSQL, []any{id, d.lane(), d.rank, us(d.notAfter), d.ID}, &ahead); !errors.Is(err, errNone) {
		return false, err
	}
	return true, t.serve(id, d.rank)
}

func (t *tx) saveBuckets(id tenants.IssuerID, charges []tenants.Charge, found []bucket) error {
	for i, c := range charges {
		b := found[i]
		if _, err := t.exec(saveBucketSQL, id, c.Limit, c.Key, us(b.tat), b.flight.N, us(b.flight.Until)); err != nil {
			return err
		}
	}
	return nil
}

// Refund gives back what Spend took of the same charges, when the call never reached the CA, or the CA counted nothing.
func (s *System) Refund(ctx context.Context, id tenants.IssuerID, charges []tenants.Charge) error {
	taken := slices.DeleteFunc(slices.Clone(charges), isFailure)
	return s.move(ctx, id, taken, func(l tenants.Limit, b *bucket, _ time.Time) {
		if !b.tat.IsZero() {
			b.tat, b.flight.N = l.Refund(b.tat, 1), max(0, b.flight.N-1)
		}
	})
}

// Book takes a token from each bucket for what the CA has counted already, whether there is one or not, and whoever waits
// for it: failures, and orders that turned out not to be free.
func (s *System) Book(ctx context.Context, id tenants.IssuerID, charges []tenants.Charge) error {
	return s.move(ctx, id, charges, func(l tenants.Limit, b *bucket, now time.Time) { b.tat = l.Book(b.tat, now, 1) })
}

// landed says that the answer to the request that spent the charges came.
func (t *tx) landed(id tenants.IssuerID, charges []tenants.Charge) error {
	return t.move(id, charges, func(l tenants.Limit, b *bucket, now time.Time) {
		b.tat, b.flight = l.Landed(b.tat, b.flight, now)
	})
}

// unsigned gives back what an order cost in the limits on certificates, which ended before there could be one. A token that
// may have refilled since it was spent is not given twice.
func (t *tx) unsigned(was tenants.Order, cost []tenants.Charge) error {
	charges := slices.DeleteFunc(slices.Clone(cost), func(c tenants.Charge) bool { return !c.Limit.Certificates() })
	return t.move(was.Issuer, charges, func(l tenants.Limit, b *bucket, now time.Time) {
		if now.Sub(was.Placing) < l.Every() {
			b.tat = l.Refund(b.tat, 1)
		}
	})
}

// move changes each bucket, whoever waits.
func (s *System) move(ctx context.Context, id tenants.IssuerID, charges []tenants.Charge, change func(tenants.Limit, *bucket, time.Time)) error {
	if len(charges) == 0 {
		return nil
	}
	return s.db.housekeep(ctx, func(t *tx) error { return t.move(id, charges, change) })
}

func (t *tx) move(id tenants.IssuerID, charges []tenants.Charge, change func(tenants.Limit, *bucket, time.Time)) error {
	if len(charges) == 0 {
		return nil
	}
	issuer, err := t.issuer(id)
	if err != nil {
		return err
	}
	sorted, found, err := t.lockBuckets(id, slices.DeleteFunc(slices.Clone(charges), func(c tenants.Charge) bool { return lifted(issuer, c) }))
	if err != nil {
		return err
	}
	for i, c := range sorted {
		l := issuer.Limits[c.Limit]
		found[i].hold(l, t.now)
		change(l, &found[i], t.now)
	}
	return t.saveBuckets(id, sorted, found)
}

const correctSQL = `update buckets set tat = $4, corrected_at = $5 where issuer_id = $1 and limit_name = $2 and bucket = $3`

// Correct believes the CA's 429: the bucket has no token before until.
func (s *System) Correct(ctx context.Context, id tenants.IssuerID, c tenants.Charge, until time.Time) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		issuer, err := t.issuer(id)
		if err != nil {
			return err
		}
		if _, _, err := t.lockBuckets(id, []tenants.Charge{c}); err != nil {
			return err
		}
		_, err = t.exec(correctSQL, id, c.Limit, c.Key, us(issuer.Limits[c.Limit].Empty(until)), us(t.now))
		return err
	})
}

// BudgetLeft is how many tokens a bucket has, and when it gets the next one (now when it is full). An unlimited one has
// math.MaxInt, or none while the CA puts us off.
func (s *System) BudgetLeft(ctx context.Context, id tenants.IssuerID, c tenants.Charge) (left int, at time.Time, err error) {
	q, now := s.db.read(ctx), s.db.now()
	issuer, err := q.issuer(id)
	if err != nil {
		return 0, at, err
	}
	b, err := q.bucket(id, c)
	if err != nil {
		return 0, at, err
	}
	limit := issuer.Limits[c.Limit]
	b.hold(limit, now)
	return b.left(limit, now), refill(limit, b.tat, now), nil
}
