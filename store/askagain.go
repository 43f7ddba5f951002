package store

import (
	"context"

	"perennial/tenants"
)

// AskAgain opens a bucket that the CA shut before the time it named, for an operator who knows better: its answer was a
// mistake, or somebody there granted mercy. Of a known limit there is one token then, beside those that are kept for
// emergencies, or all of a limit on failures; what the CA answers to the next order counts again. Conflict when it is not the CA
// that keeps it shut.
func (p *Platform) AskAgain(ctx context.Context, id tenants.IssuerID, c tenants.Charge) error {
	if err := p.may(ctx, tenants.ManageIssuers, string(id)); err != nil {
		return err
	}
	return p.db.write(ctx, func(t *tx) error {
		if _, err := t.exec(askAgainSQL, id, us(t.now), tenants.CARateLimited, tenants.BudgetSpent, tenants.FailedTooOften, tenants.FailedInARow); err != nil {
			return err // before the bucket is locked, as every writer does
		}
		i, b, err := t.lockShut(id, c)
		if err != nil {
			return err
		}
		l, tokens := i.Limits[c.Limit], 1
		if tokens += l.Reserve(); c.Limit.Failures() {
			tokens = l.Count
		}
		t.record(p.actor, tenants.DidChangeLimits, string(id), i.Name, "has "+i.Name+" asked again, which had put us off.",
			tenants.Change{Field: string(c.Limit), Before: "none before " + refill(l, b.tat, t.now).UTC().Format("2 Jan 2006 15:04 UTC"), After: "asked again"})
		_, err = t.exec(correctSQL, id, c.Limit, c.Key, us(l.Holding(tokens, t.now)), 0)
		return err
	})
}

// Orders that rest until the instant that the CA named find out now whether they may go on. Those in the waiting room are let
// out of it as ever.
const askAgainSQL = `
update agenda set next_action_at = $2 where next_action_at > $2 and lease_owner = '' and exists (
	select 1 from orders o join domains d on d.id = o.domain_id
	where o.domain_id = agenda.domain_id and o.ended_at = 0 and o.issuer_id = $1 and d.cause in ($3, $4, $5, $6))`

// lockShut loads an issuer, and under lock a bucket that the issuer keeps shut.
func (t *tx) lockShut(id tenants.IssuerID, c tenants.Charge) (i tenants.Issuer, b bucket, err error) {
	if i, err = t.issuer(id); err != nil {
		return i, b, err
	}
	if b, err = t.bucket(id, c); err == nil && !b.tat.IsZero() { // no row is made for a bucket that nobody touched
		var found []bucket
		if _, found, err = t.lockBuckets(id, []tenants.Charge{c}); err == nil {
			b = found[0]
		}
	}
	l := i.Limits[c.Limit]
	if b.hold(l, t.now); err == nil && !b.shut(l, t.now) {
		err = conflict("%s does not put us off any more, so there is nothing to ask again.", i.Name)
	}
	return i, b, err
}
