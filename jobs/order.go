package jobs

import (
	"context"
	"slices"
	"strings"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// issuance is one order in the hands of a worker: it takes as many steps in a row as need no waiting.
type issuance struct {
	*turn
	order   tenants.Order
	account acme.Account
	resumed bool          // the state was loaded, not reached just now: the effect that follows may have happened already
	hint    time.Duration // the CA's last Retry-After, zero for none
}

// advance takes the open order as far as it goes.
func (t *turn) advance(ctx context.Context) (*rest, error) {
	issuer, account, err := t.ready(ctx)
	if err != nil {
		return t.caFault(ctx, err)
	}
	t.facts.Issuer = issuer
	i := &issuance{turn: t, order: *t.facts.Order, account: account, resumed: true}
	for i.order.State.Open() {
		if r, err := i.step(ctx); err != nil || r != nil {
			return r, err
		}
		i.resumed = false
	}
	return nil, nil
}

func (i *issuance) step(ctx context.Context) (*rest, error) {
	if e := i.order.Expires; !e.IsZero() && time.Now().After(e) {
		return i.fail(ctx, i.finding(tenants.CAStuck, "The order ran out at the authority."))
	}
	switch i.order.State {
	case tenants.Planned:
		return i.place(ctx)
	case tenants.Ordered:
		return i.readChallenges(ctx)
	case tenants.Proving:
		return i.prove(ctx)
	case tenants.Ready:
		return i.finalize(ctx)
	default:
		return i.collect(ctx)
	}
}

// save keeps the order as it now is. Another's save in between makes it fail: the lease was lost.
func (i *issuance) save(ctx context.Context) error {
	saved, err := i.sys.SaveOrder(ctx, i.order)
	if err == nil {
		i.order = saved
	}
	return err
}

// reach saves that the CA's answer took the order one state further.
func (i *issuance) reach(ctx context.Context, s tenants.OrderState) error {
	i.heard(ctx)
	i.order.State, i.order.Attempts, i.order.Finding = s, 0, tenants.Finding{}
	return i.save(ctx)
}

// place sends newOrder. If it may have been sent before, the order is looked for first.
func (i *issuance) place(ctx context.Context) (*rest, error) {
	if !i.order.Placing.IsZero() {
		found, ok, err := i.CA.FindOrder(ctx, i.account, i.order.Names, i.order.Placing)
		if err != nil {
			return i.problem(ctx, err)
		}
		if ok {
			return i.placed(ctx, found)
		}
	} else if r, err := i.spend(ctx); err != nil || r != nil {
		return r, err
	}
	i.order.Placing = time.Now()
	if err := i.save(ctx); err != nil {
		return nil, err
	}
	order, err := i.CA.NewOrder(ctx, i.account, acme.OrderRequest{
		Names: i.order.Names, Profile: i.order.Profile, Replaces: i.order.Replaces})
	if err != nil {
		return i.refused(ctx, err)
	}
	return i.placed(ctx, order)
}

func (i *issuance) placed(ctx context.Context, o acme.Order) (*rest, error) {
	i.order.URL, i.order.FinalizeURL, i.order.Expires = o.URL, o.Finalize, o.Expires
	if err := i.charge(ctx, o); err != nil {
		return nil, err
	}
	i.order.Challenges = nil
	for _, url := range o.Authorizations {
		i.order.Challenges = append(i.order.Challenges, tenants.Challenge{Order: i.order.ID, Authz: url})
	}
	return nil, i.reach(ctx, tenants.Ordered)
}

// refused: newOrder failed. Only an answer proves that no order was made; silence leaves Placing standing, so that
// the next try looks for the order first.
func (i *issuance) refused(ctx context.Context, err error) (*rest, error) {
	p := asProblem(err)
	if p == nil {
		return nil, err
	}
	if !p.Reached {
		i.refund(ctx)
	}
	if !p.Reached || p.Status != 0 && p.Status < 500 {
		i.order.Placing = time.Time{}
	}
	if p.Code == tenants.CARateLimited {
		i.correct(ctx, p)
	}
	return i.problem(ctx, err)
}

// readChallenges learns how each name is to be proved and saves every TXT value before any is written. A name
// that the CA still holds proved needs no record.
func (i *issuance) readChallenges(ctx context.Context) (*rest, error) {
	d := i.facts.Domain.Delegation
	for n := range i.order.Challenges {
		c := &i.order.Challenges[n]
		a, err := i.CA.Authorization(ctx, i.account, c.Authz)
		if err != nil {
			return i.problem(ctx, err)
		}
		if !i.ordered(a) {
			return i.fail(ctx, i.finding(tenants.CABroken, "authorization for "+a.Name+", which was not ordered"))
		}
		switch a.Status {
		case acme.Valid:
			c.Valid = time.Now()
		case acme.Pending:
			c.URL, c.Value, c.Record, c.Zone = a.Challenge.URL, a.Challenge.Value, d.Target(), d.Zone
			c.Presented = time.Now()
		default:
			return i.fail(ctx, i.finding(tenants.ChallengeInvalid, "authorization is "+string(a.Status)))
		}
	}
	return nil, i.reach(ctx, tenants.Proving)
}

// ordered reports whether the authorization is for a name of ours: what proves another name is not for our zone.
func (i *issuance) ordered(a acme.Authorization) bool {
	return slices.ContainsFunc(i.order.Names, func(name string) bool {
		return strings.TrimPrefix(name, "*.") == a.Name && strings.HasPrefix(name, "*.") == a.Wildcard
	})
}

// prove writes the TXT values, waits until every authoritative server of our zone shows them, tells the CA, and
// waits for its word.
func (i *issuance) prove(ctx context.Context) (*rest, error) {
	for n := range i.order.Challenges {
		c := &i.order.Challenges[n]
		if !c.Valid.IsZero() {
			continue
		}
		if i.resumed {
			if r, err := i.validated(ctx, c, true); err != nil || r != nil {
				return r, err
			}
		}
		if r, err := i.answer(ctx, c); err != nil || r != nil {
			return r, err
		}
	}
	for n := range i.order.Challenges {
		if r, err := i.await(ctx, &i.order.Challenges[n]); err != nil || r != nil {
			return r, err
		}
	}
	return nil, i.reach(ctx, tenants.Ready)
}

func (i *issuance) answer(ctx context.Context, c *tenants.Challenge) (*rest, error) {
	if !c.Valid.IsZero() || !c.Answered.IsZero() {
		return nil, nil
	}
	if err := i.Zone.Present(ctx, c.Zone, c.Record, c.Value); err != nil {
		r, err := i.zoneFault(ctx, err)
		if err != nil {
			return nil, err
		}
		return i.again(ctx, r.finding, time.Time{})
	}
	i.written(ctx)
	if r, err := i.propagated(ctx, c); err != nil || r != nil {
		return r, err
	}
	if err := i.CA.Answer(ctx, i.account, c.URL); err != nil {
		return i.problem(ctx, err)
	}
	c.Answered = time.Now()
	return nil, i.save(ctx)
}

// propagated waits until all servers of our zone answer with the value: a CA that asks the one that does not
// would count a failure against the name.
func (i *issuance) propagated(ctx context.Context, c *tenants.Challenge) (*rest, error) {
	seen, asked, err := 0, 0, error(nil)
	i.hint = 0
	ok, stopped := i.poll(ctx, 0, 25*time.Millisecond, func() bool {
		seen, asked, err = i.Eyes.Visible(ctx, c.Record, c.Value)
		return err == nil && asked > 0 && seen == asked
	})
	if stopped != nil {
		return nil, stopped
	}
	if !ok {
		f := i.finding(tenants.PropagationSlow, errText(err))
		f.Args["seen"], f.Args["asked"], f.Args["record"] = itoa(seen), itoa(asked), c.Record
		return i.again(ctx, f, time.Time{})
	}
	c.Seen = time.Now()
	return nil, nil
}

// await asks the CA for the authorization until it is decided.
func (i *issuance) await(ctx context.Context, c *tenants.Challenge) (*rest, error) {
	if !c.Valid.IsZero() {
		return nil, nil
	}
	var r *rest
	var err error
	_, stopped := i.poll(ctx, i.FirstPoll, 2*i.FirstPoll, func() bool {
		r, err = i.validated(ctx, c, false)
		return err != nil || r != nil || !c.Valid.IsZero()
	})
	switch {
	case stopped != nil:
		return nil, stopped
	case err != nil || r != nil:
		return r, err
	case c.Valid.IsZero():
		return i.processing(ctx, c.Answered)
	}
	return nil, nil
}

// validated reads the authorization once. On a resumed order it also tells whether the challenge was answered
// before the crash, since answering twice is an error at some authorities.
func (i *issuance) validated(ctx context.Context, c *tenants.Challenge, resumed bool) (*rest, error) {
	a, err := i.CA.Authorization(ctx, i.account, c.Authz)
	if err != nil {
		return i.problem(ctx, err)
	}
	i.hint = a.RetryAfter
	switch a.Status {
	case acme.Valid:
		c.Valid = time.Now()
	case acme.Pending:
		if resumed && a.Challenge.Status == acme.Processing {
			c.Answered = later(c.Answered, time.Now())
		}
		if resumed && a.Challenge.Status == acme.Pending {
			c.Answered = time.Time{}
		}
	default:
		f := i.finding(tenants.ChallengeInvalid, "authorization is "+string(a.Status))
		if p := a.Challenge.Error; p != nil {
			f = i.explain(p)
		}
		i.spendFailure(ctx)
		return i.fail(ctx, f)
	}
	return nil, nil
}

// finalize sends the CSR, unless the order's status says that this was done before a crash.
func (i *issuance) finalize(ctx context.Context) (*rest, error) {
	if i.resumed {
		o, err := i.CA.Order(ctx, i.account, i.order.URL)
		if err != nil {
			return i.problem(ctx, err)
		}
		if o.Status != acme.Ready && o.Status != acme.Pending {
			return i.finalized(ctx, o)
		}
	}
	csr, err := i.csr(ctx)
	if err != nil {
		return nil, err
	}
	o, err := i.CA.Finalize(ctx, i.account, i.order.FinalizeURL, csr)
	if err != nil {
		return i.problem(ctx, err)
	}
	return i.finalized(ctx, o)
}

func (i *issuance) csr(ctx context.Context) ([]byte, error) {
	sealed, err := i.sys.OrderKey(ctx, i.order.ID)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(sealed)
	if err != nil {
		return nil, err
	}
	return acme.CSR(key, i.order.Names)
}

func (i *issuance) finalized(ctx context.Context, o acme.Order) (*rest, error) {
	if o.Status == acme.Invalid {
		return i.invalid(ctx, o)
	}
	i.order.ResultURL = o.Certificate
	return nil, i.reach(ctx, tenants.Finalized)
}

func (i *issuance) invalid(ctx context.Context, o acme.Order) (*rest, error) {
	if o.Error != nil {
		return i.fail(ctx, i.explain(o.Error))
	}
	return i.fail(ctx, i.finding(tenants.CARefuses, "order is "+string(o.Status)))
}

// collect waits for the certificate, checks it against what was asked for, and makes it a version.
func (i *issuance) collect(ctx context.Context) (*rest, error) {
	if i.order.ResultURL == "" {
		if r, err := i.awaitResult(ctx); err != nil || r != nil {
			return r, err
		}
	}
	chain, err := i.CA.Certificate(ctx, i.account, i.order.ResultURL)
	if err != nil {
		return i.problem(ctx, err)
	}
	sealed, err := i.sys.OrderKey(ctx, i.order.ID)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(sealed)
	if err != nil {
		return nil, err
	}
	version, err := acme.CheckChain(chain, key, i.order.Names, time.Now())
	if err != nil {
		return i.fail(ctx, i.finding(tenants.CABroken, err.Error()))
	}
	return nil, i.issue(ctx, version)
}

func (i *issuance) awaitResult(ctx context.Context) (*rest, error) {
	var o acme.Order
	var err error
	done, stopped := i.poll(ctx, i.FirstPoll, 2*i.FirstPoll, func() bool {
		o, err = i.CA.Order(ctx, i.account, i.order.URL)
		i.hint = o.RetryAfter
		return err != nil || o.Status == acme.Invalid || o.Certificate != ""
	})
	switch {
	case stopped != nil:
		return nil, stopped
	case err != nil:
		return i.problem(ctx, err)
	case o.Status == acme.Invalid:
		return i.invalid(ctx, o)
	case !done:
		return i.processing(ctx, i.order.Reached[tenants.Finalized])
	}
	i.order.ResultURL = o.Certificate
	return nil, nil
}

// issue saves the version together with the plan for the next one.
func (i *issuance) issue(ctx context.Context, v tenants.Version) error {
	i.heard(ctx)
	v.Order, v.Certificate, v.Tenant = i.order.ID, i.order.Certificate, i.order.Tenant
	v.KeyType, v.Reason = i.facts.Certificate.KeyType, i.order.Reason
	facts := i.facts
	facts.Current, facts.Certificate.RenewNow, facts.Certificate.ARI = &v, time.Time{}, tenants.RenewalInfo{}
	i.order.State = tenants.Issued
	_, err := i.sys.Issue(ctx, i.order, v, tenants.Due(facts.RenewalFacts(), time.Now()))
	return err
}

// processing: the CA has not decided within our patience. It gets longer pauses, but not for ever.
func (i *issuance) processing(ctx context.Context, since time.Time) (*rest, error) {
	if !since.IsZero() && time.Since(since) > i.StuckAfter {
		return i.fail(ctx, i.finding(tenants.CAStuck, "still processing after "+i.StuckAfter.String()))
	}
	i.order.Attempts++
	if err := i.save(ctx); err != nil {
		return nil, err
	}
	return &rest{at: time.Now().Add(max(i.hint, tenants.Retry(i.order.Attempts+2, string(i.order.ID))))}, nil
}

// poll calls ready after first, then after pause, then after twice that and so on, but no sooner than the CA asked
// for, within the engine's patience.
func (i *issuance) poll(ctx context.Context, first, pause time.Duration, ready func() bool) (ok bool, err error) {
	wait, left := first, i.Patience
	for wait <= left {
		if err := sleep(ctx, wait); err != nil {
			return false, err
		}
		if ready() {
			return true, ctx.Err()
		}
		left -= wait
		wait, pause = max(pause, i.hint), 2*pause
	}
	return false, ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
