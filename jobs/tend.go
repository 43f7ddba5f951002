package jobs

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"perennial/jobs/acme"
	"perennial/store"
	"perennial/tenants"
)

// maxActs bounds one turn: a decision that repeats itself is a bug, and must not spin.
const maxActs = 40

// turn is one worker's time with one domain.
type turn struct {
	*Engine
	*authority // that is being asked; nil until one is
	id         tenants.DomainID
	token      string        // holder of the lease: unlike any other, also in this process
	sys        *store.System // saves nothing that was decided under a lease that was lost
	facts      tenants.Facts
	asked      bool       // by a person who waits for a try
	stale      bool       // facts must be read anew: an act changed more of the rows than it changed of facts
	seen       store.Seen // what the facts have and the rows do not have yet
	pinned     bool       // CAA keeps the account of dry runs out, and that of real orders in
}

// rest is why a turn ends: when to come back, and what is wrong, if anything.
type rest struct {
	at      time.Time
	finding tenants.Finding
	budget  bool // wait in the waiting room of the CA's budget instead of until at
	silent  bool // wait for the CA to answer instead of until at
}

// Tend does for one domain whatever is to be done now, and saves when to come back. It returns an error only for
// faults of our own; the domain is then taken up again later.
func (e *Engine) Tend(ctx context.Context, id tenants.DomainID) error {
	token := rand.Text()
	t := &turn{Engine: e, id: id, token: token, sys: e.sys.Under(token)}
	ok, err := t.load(ctx)
	if err != nil || !ok {
		return err
	}
	r, err := t.acts(ctx)
	if err != nil {
		e.Log.Error("tending failed", "domain", id, "error", err)
		t.reread(ctx)
		r = &rest{at: time.Now().Add(tenants.Retry(5, string(id))), finding: t.facts.Domain.Finding}
	}
	if rested := t.end(ctx, *r); rested != nil {
		return rested
	}
	return err
}

// reread brings the facts up to date after a fault of our own, if it can: a change may have been kept although the store said
// otherwise, such as a version, and what was wrong before it is then over.
func (t *turn) reread(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	before := t.facts
	if ok, err := t.load(ctx); err != nil || !ok {
		t.facts = before
	}
}

// load takes or renews the lease and reads the facts anew.
func (t *turn) load(ctx context.Context) (ok bool, err error) {
	take := t.sys.Begin
	if t.facts.Domain.ID != "" {
		take = t.sys.Resume
	}
	t.facts, ok, err = take(ctx, t.id, t.token, Lease)
	if err != nil {
		return false, fmt.Errorf("begin with domain %s: %w", t.id, err)
	}
	t.asked, t.stale = t.asked || t.facts.Asked, false
	return ok, nil
}

// acts does one act after the other until one of them, or Next, says to wait.
func (t *turn) acts(ctx context.Context) (*rest, error) {
	for range maxActs {
		step := tenants.Next(t.facts, time.Now())
		if step.Act == tenants.ActWait {
			return &rest{at: step.At, finding: t.facts.Standing(time.Now())}, nil
		}
		r, err := t.act(ctx, step)
		if err != nil || r != nil {
			return r, err
		}
		if !t.stale {
			continue
		}
		if ok, err := t.load(ctx); err != nil || !ok {
			return &rest{at: time.Now(), finding: t.facts.Domain.Finding}, err
		}
	}
	return nil, fmt.Errorf("domain %s: %d acts in one turn", t.id, maxActs)
}

func (t *turn) act(ctx context.Context, step tenants.Step) (*rest, error) {
	t.stale = true
	switch step.Act {
	case tenants.ActLook:
		return nil, t.look(ctx)
	case tenants.ActAskARI:
		return nil, t.askARI(ctx)
	}
	if err := t.keep(ctx); err != nil {
		return nil, err
	}
	switch step.Act {
	case tenants.ActPlan:
		return t.plan(ctx, step.Reason)
	case tenants.ActAdvance:
		return t.advance(ctx)
	case tenants.ActEndOrder:
		return nil, t.sys.EndOrder(ctx, t.facts.Order.ID, step.Why)
	case tenants.ActClean:
		return t.clean(ctx)
	case tenants.ActPlanRenewal:
		return nil, t.savePlan(ctx)
	case tenants.ActExpire:
		return nil, t.sys.Expire(ctx, t.id)
	case tenants.ActRevoke:
		return nil, t.revoke(ctx, step.Version)
	case tenants.ActRelease:
		return t.release(ctx)
	case tenants.ActPlanRehearsal:
		return nil, t.planRehearsal(ctx)
	case tenants.ActRehearse:
		return t.rehearse(ctx, step.At)
	case tenants.ActEndRehearsal:
		return nil, t.endRehearsal(ctx, step.Finding)
	case tenants.ActTidyRehearsal:
		return t.tidyRehearsal(ctx)
	}
	return nil, fmt.Errorf("unknown act %q", step.Act)
}

// end gives the lease back and saves when to come back. It must work even while the process is being stopped.
func (t *turn) end(ctx context.Context, r rest) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if r.budget {
		return t.sys.AwaitBudget(ctx, t.id, t.token, t.facts.Issuer.AccountID, r.finding)
	}
	status := tenants.StatusAfter(t.facts, r.finding, time.Now())
	if r.silent {
		return t.sys.AwaitAnswer(ctx, t.id, t.token, t.authority.id, r.finding, status)
	}
	return t.sys.RestSeen(ctx, t.id, t.token, t.facts.WakeFor(r.at, time.Now()), r.finding, status, t.seen)
}

// keep saves what was seen and not saved yet. It goes before every act, so that nothing is ordered on an answer that was
// not saved; where there is none, the end of the turn saves it.
func (t *turn) keep(ctx context.Context) error {
	err := t.sys.SaveSeen(ctx, t.id, t.seen)
	if err == nil {
		t.seen = store.Seen{}
	}
	return err
}

// look asks DNS. What changes nothing is saved later, see keep: a crash in between loses a look, and the next turn looks
// again.
func (t *turn) look(ctx context.Context) error {
	d := t.facts.Domain
	if i := t.facts.Issuer; len(i.CAA) == 0 || i.Profiles == nil || i.Account == "" {
		if err := t.acquaint(ctx); err != nil {
			return err
		}
	}
	if err := t.readOthers(ctx); err != nil {
		return err
	}
	check := t.Eyes.Look(ctx, d.Delegation, time.Now())
	if err := ctx.Err(); err != nil {
		return err
	}
	now := time.Now()
	finding := tenants.Merge(d.Finding, t.judge(check))
	status := tenants.StatusAfter(t.facts, finding, now)
	if t.facts.Unmoved(check, finding, status, now) {
		t.facts.Domain.Check, t.seen.Check, t.stale = &check, &check, false
		return nil
	}
	if err := t.keep(ctx); err != nil {
		return err
	}
	return t.sys.SaveCheck(ctx, t.id, check, finding, status)
}

// acquaint learns of the issuer, once, what a look is judged by: which CAA identities it answers to, and our account.
func (t *turn) acquaint(ctx context.Context) error {
	if ok, err := t.mayAsk(ctx, t.facts.Issuer.ID); err != nil || !ok {
		return err
	}
	issuer, _, err := t.ready(ctx)
	if p := asProblem(err); p != nil {
		t.unheard(ctx, p)
		return nil
	}
	if err == nil {
		t.facts.Issuer = issuer
	}
	return err
}

// readOthers learns of issuers that may take over which CAA identities they answer to: one of which that was never read is not
// known to be allowed.
func (t *turn) readOthers(ctx context.Context) error {
	for n := range t.facts.Offers {
		o := &t.facts.Offers[n]
		if o.CAA != nil || o.ID == t.facts.Issuer.ID {
			continue
		}
		a, err := t.Engine.authority(ctx, o.ID)
		if err != nil {
			return err
		}
		if o.CAA, err = t.identities(ctx, a); err != nil && asProblem(err) == nil { // the next look asks again
			return err
		}
	}
	return nil
}

// judge is what a look means, in the words of somebody who has or has not a certificate to lose.
func (t *turn) judge(c tenants.Check) tenants.Finding {
	f := tenants.Judge(t.facts.Domain.Delegation, t.facts.Issuer, t.facts.Names(), c)
	if f.OK() {
		return f
	}
	if t.facts.Current != nil {
		f = f.With("act", "renew")
	}
	return f.With("name", t.facts.Domain.Name).After(t.facts.Domain.Proved)
}

// plan makes the key and the order row. Key and row are one transaction: a planned order always has its key.
func (t *turn) plan(ctx context.Context, why tenants.Reason) (*rest, error) {
	replaces := ""
	if t.facts.Current != nil {
		replaces = t.facts.Current.ARICertID
	}
	order, err := t.sys.PlanOrder(ctx, t.id, why, replaces)
	if i := t.facts.Issuer; err == nil && order.Issuer == i.ID && order.Account == i.AccountID {
		t.facts.Order, t.stale = &order, false
	}
	return nil, err
}

// askARI learns when the CA wants the current version renewed. A CA that does not answer changes nothing: the
// plan we have still holds.
func (t *turn) askARI(ctx context.Context) error {
	if err := t.turnTo(ctx, t.facts.Current.IssuerID); err != nil {
		return err
	}
	ari, now := &t.facts.Certificate.ARI, time.Now()
	ari.Next = tenants.AskAgain(*ari, t.facts.Current.Lifetime(), now)
	if !t.windows.ask(t.id) {
		return t.replan(ctx)
	}
	info, err := t.CA.RenewalInfo(ctx, t.facts.Current.ARICertID)
	switch p := asProblem(err); {
	case err == nil:
		t.informed(ctx)
		*ari = info
	case ctx.Err() != nil:
		return ctx.Err()
	case p != nil:
		t.uninformed(ctx, p)
	}
	return t.replan(ctx)
}

// replan keeps what the CA said, and plans anew only where the plan in force does not stand any more.
func (t *turn) replan(ctx context.Context) error {
	c, now := t.facts.Certificate, time.Now()
	if t.facts.Stands(tenants.Due(t.facts.RenewalFacts(), now), now) {
		t.seen.ARI, t.stale = &c.ARI, false
		return nil
	}
	if err := t.keep(ctx); err != nil {
		return err
	}
	return t.savePlan(ctx)
}

// savePlan decides and saves when to renew, from what is known.
func (t *turn) savePlan(ctx context.Context) error {
	c := &t.facts.Certificate
	due := tenants.Due(t.facts.RenewalFacts(), time.Now())
	plan, err := t.sys.SavePlan(ctx, c.ID, c.ARI, due)
	if err == nil {
		c.Plan, t.stale = plan, false
	}
	return err
}

// clean removes our TXT values, those of closed orders and, when the name is being given up, all of them.
func (t *turn) clean(ctx context.Context) (*rest, error) {
	dirty := t.facts.Dirty()
	for i, c := range dirty {
		if r, err := t.remove(ctx, c); err != nil || r != nil {
			return t.unblamed(r, c), cmp.Or(t.sys.SaveCleaned(ctx, dirty[:i]), err)
		}
		dirty[i].Cleaned = time.Now()
	}
	if err := t.sys.SaveCleaned(ctx, dirty); err != nil {
		return nil, err
	}
	if t.facts.Order == nil {
		t.facts.Leftover, t.stale = nil, false
		t.facts.Domain.Finding = t.facts.Domain.Finding.Cleaned()
	}
	return nil, nil
}

func (t *turn) remove(ctx context.Context, c tenants.Challenge) (*rest, error) {
	if r, err := t.mayWrite(ctx); err != nil || r != nil {
		return r, err
	}
	if err := t.Zone.Remove(ctx, c.Zone, c.Record, c.Value); err != nil {
		return t.zoneFault(ctx, err)
	}
	t.written(ctx)
	return nil, nil
}

// release ends the claim. Its authorizations are deactivated first (RFC 8555, section 7.5.2), since the CA may
// reuse them for weeks for whoever uses the same account, which is every tenant.
func (t *turn) release(ctx context.Context) (*rest, error) {
	for _, a := range t.facts.Authz {
		if r, err := t.outageOf(ctx, a.Issuer); err != nil || r != nil {
			return r, err
		}
		if err := t.deactivate(ctx, a); err != nil && (passing(err) || asProblem(err) == nil) { // a fault of our own is no answer
			return t.caFault(ctx, err)
		}
	}
	return nil, t.sys.FinishRelease(ctx, t.id)
}

func (t *turn) deactivate(ctx context.Context, a tenants.Authorization) error {
	return t.as(ctx, a.Issuer, a.Account, func(account acme.Account) error { return t.CA.Deactivate(ctx, account, a.URL) })
}
