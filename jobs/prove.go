package jobs

import (
	"context"
	"slices"
	"strings"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

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
	if !slices.ContainsFunc(i.order.Challenges, func(c tenants.Challenge) bool { return c.Valid.IsZero() }) {
		return nil, i.reach(ctx, tenants.Ready)
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
// waits for its word. All of them are there before it is told of the first: a name and its wildcard are proved at one
// record, and what the CA saw there once it may remember for the other.
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
		if r, err := i.show(ctx, c); err != nil || r != nil {
			return r, err
		}
	}
	for n := range i.order.Challenges {
		if r, err := i.answer(ctx, &i.order.Challenges[n]); err != nil || r != nil {
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

// show writes a TXT value and waits until it is seen.
func (i *issuance) show(ctx context.Context, c *tenants.Challenge) (*rest, error) {
	if !c.Valid.IsZero() || !c.Answered.IsZero() {
		return nil, nil
	}
	if err := i.flush(ctx); err != nil { // that another challenge was answered
		return nil, err
	}
	if r, err := i.mayWrite(ctx); err != nil || r != nil {
		return r, err
	}
	if err := i.Zone.Present(ctx, c.Zone, c.Record, c.Value); err != nil {
		r, err := i.zoneFault(ctx, err)
		if err != nil {
			return nil, err
		}
		return i.again(ctx, r.finding, time.Time{})
	}
	i.written(ctx)
	return i.propagated(ctx, c)
}

func (i *issuance) answer(ctx context.Context, c *tenants.Challenge) (*rest, error) {
	if !c.Valid.IsZero() || !c.Answered.IsZero() {
		return nil, nil
	}
	if err := i.CA.Answer(ctx, i.account, c.URL); err != nil {
		return i.problem(ctx, err)
	}
	c.Answered = time.Now()
	return nil, i.note(ctx)
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
	_, stopped := i.pollCA(ctx, &i.authority.validation, func() bool {
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
			return i.follow(ctx, c, a.Challenge)
		}
	default:
		f := i.finding(tenants.ChallengeInvalid, "authorization is "+string(a.Status))
		if p := a.Challenge.Error; p != nil {
			f = i.explain(p)
		}
		i.bookFailures(ctx, strings.TrimPrefix(a.Name, "*."))
		return i.fail(ctx, f)
	}
	return nil, nil
}

// follow takes over another TXT value: a name is proved with the account's key (RFC 8555, section 8.1), and that was changed
// since the order was placed.
func (i *issuance) follow(ctx context.Context, c *tenants.Challenge, now acme.DNS01) (*rest, error) {
	if now.Value == c.Value {
		return nil, nil
	}
	if r, err := i.remove(ctx, *c); err != nil || r != nil {
		return r, err
	}
	c.Value, c.Seen = now.Value, time.Time{}
	return nil, i.save(ctx)
}
