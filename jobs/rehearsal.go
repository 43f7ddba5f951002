package jobs

import (
	"context"
	"time"

	"perennial/tenants"
)

// planRehearsal makes the key and the order row of a dry run. The look that allowed it is the one that was saved last.
func (t *turn) planRehearsal(ctx context.Context) error {
	return t.sys.PlanRehearsal(ctx, t.id, t.facts.Rehearsal.Asked, t.facts.Domain.Check.At)
}

// rehearse takes a dry run's order as far as it goes, with the same steps as any other. What stands in its way is no
// finding of the domain's. It comes back at latest when something real is due; what cannot go on before its time is
// over ends now.
func (t *turn) rehearse(ctx context.Context, latest time.Time) (*rest, error) {
	run, issuer := t.facts.Rehearsal, t.facts.Issuer
	t.pinned = t.facts.Pinned()
	t.facts.Order, t.facts.Issuer = run.Order, run.Issuer
	r, err := t.advance(ctx)
	t.facts.Order, t.facts.Issuer = nil, issuer
	if err != nil || r == nil {
		return nil, err
	}
	if r.silent {
		r.at = later(r.at, t.orders.next())
	}
	if r.budget || !r.at.Before(run.Ends()) {
		if r.finding.OK() {
			r.finding = run.Late()
		}
		return nil, t.endRehearsal(ctx, r.finding)
	}
	if r.finding.Code != run.Finding.Code {
		err = t.sys.NoteRehearsal(ctx, t.id, run.Asked, r.finding)
	}
	return &rest{at: earlier(r.at, latest), finding: t.facts.Domain.Finding}, err
}

// endRehearsal ends the dry run with why it failed.
func (t *turn) endRehearsal(ctx context.Context, f tenants.Finding) error {
	if t.pinned {
		f = f.OfPinned()
	}
	return t.sys.EndRehearsal(ctx, t.id, t.facts.Rehearsal.Asked, f)
}

// unblamed is a rest that one of the TXT values made necessary. Those of a dry run are removed like all others, but that
// it does not work yet is no finding of the domain's.
func (t *turn) unblamed(r *rest, c tenants.Challenge) *rest {
	run := t.facts.Rehearsal
	if r == nil || run == nil || run.Order == nil || run.Order.ID != c.Order {
		return r
	}
	return &rest{at: r.at, finding: t.facts.Domain.Finding}
}

// tidyRehearsal deactivates the authorizations of a dry run that is over (RFC 8555, section 7.5.2), so that the next one
// has to prove the name again. An authority that stays silent is asked for as long as the dry run itself might have
// taken; no domain waits for that when it is given up.
func (t *turn) tidyRehearsal(ctx context.Context) (*rest, error) {
	run := t.facts.Rehearsal
	urgent := t.facts.Releasing || time.Since(run.Ended) > tenants.RehearsalTime
	for _, c := range run.Order.Challenges {
		err := t.deactivate(ctx, tenants.Authorization{URL: c.Authz, Issuer: run.Order.Issuer, Account: run.Order.Account})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && asProblem(err) == nil { // a fault of our own is no answer
			return nil, err
		}
		if err != nil && passing(err) && !urgent {
			return &rest{at: time.Now().Add(tenants.Retry(6, string(t.id))), finding: t.facts.Domain.Finding}, nil
		}
	}
	return nil, t.sys.TidyRehearsal(ctx, t.id, run.Asked)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
