package jobs

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// farthestStart is how far in the future a certificate may begin to be waited for: further than any clock is wrong by
// chance.
const farthestStart = 24 * time.Hour

// issuance is one order in the hands of a worker: it takes as many steps in a row as need no waiting.
type issuance struct {
	*turn
	order   tenants.Order
	account acme.Account
	kept    []tenants.Challenge // as they were saved last
	unsaved bool                // the CA's last answer, see flush
	signer  crypto.Signer       // the order's own key, once it was needed
	resumed bool                // the state was loaded, not reached just now: the effect that follows may have happened already
	hint    time.Duration       // the CA's last Retry-After, zero for none
}

// advance takes the open order as far as it goes.
func (t *turn) advance(ctx context.Context) (*rest, error) {
	if r, err := t.outageOf(ctx, t.facts.Issuer.ID); err != nil || r != nil {
		return r, err
	}
	issuer, account, err := t.ready(ctx)
	if err != nil {
		return t.caFault(ctx, err)
	}
	t.facts.Issuer = issuer
	i := &issuance{turn: t, order: *t.facts.Order, account: account, kept: slices.Clone(t.facts.Order.Challenges), resumed: true}
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
	saved, err := i.sys.SaveOrder(ctx, i.changed())
	if err == nil {
		i.saved(saved)
	}
	return err
}

// changed is the order with those of its challenges that are not as they were saved last.
func (i *issuance) changed() tenants.Order {
	o := i.order
	o.Challenges = slices.DeleteFunc(slices.Clone(o.Challenges), func(c tenants.Challenge) bool { return slices.Contains(i.kept, c) })
	return o
}

// saved takes over what became of changed.
func (i *issuance) saved(o tenants.Order) {
	all := i.order.Challenges
	for _, c := range o.Challenges {
		n := slices.IndexFunc(all, func(mine tenants.Challenge) bool { return mine.Authz == c.Authz })
		all[n] = c
	}
	i.order, i.order.Challenges = o, all
	i.kept, i.unsaved = slices.Clone(all), false
}

// note lets an answer of the CA, which gives it again to whoever asks, wait for the next save: before the next effect of
// ours there is one, see flush. A dry run ends as its row says, so there it is saved at once.
func (i *issuance) note(ctx context.Context) error {
	i.unsaved = true
	if i.order.Dry() {
		return i.save(ctx)
	}
	return nil
}

// flush saves what was noted, before something else is done to the outside world and as soon as there is something to wait
// for, which is when people look.
func (i *issuance) flush(ctx context.Context) error {
	if !i.unsaved {
		return nil
	}
	return i.save(ctx)
}

// reach saves that the CA's answer took the order one state further.
func (i *issuance) reach(ctx context.Context, s tenants.OrderState) error {
	i.arrive(ctx, s)
	return i.save(ctx)
}

func (i *issuance) arrive(ctx context.Context, s tenants.OrderState) {
	i.heard(ctx)
	i.order.State, i.order.Attempts, i.order.Finding = s, 0, tenants.Finding{}
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

// csr is the request: the customer's own as it was pasted, byte for byte, or one for the order's key.
func (i *issuance) csr(ctx context.Context) ([]byte, error) {
	if i.order.CSR != "" {
		own, err := ownCSR(i.order)
		if err != nil {
			return nil, err
		}
		return own.Raw, nil
	}
	key, err := i.key(ctx)
	if err != nil {
		return nil, err
	}
	return acme.CSR(key, i.order.Names)
}

// public is the key that the certificate must be for.
func (i *issuance) public(ctx context.Context) (crypto.PublicKey, error) {
	if i.order.CSR != "" {
		own, err := ownCSR(i.order)
		if err != nil {
			return nil, err
		}
		return own.PublicKey, nil
	}
	key, err := i.key(ctx)
	if err != nil {
		return nil, err
	}
	return key.Public(), nil
}

func (i *issuance) key(ctx context.Context) (crypto.Signer, error) {
	if i.signer != nil {
		return i.signer, nil
	}
	sealed, err := i.sys.OrderKey(ctx, i.order.ID)
	if err != nil {
		return nil, err
	}
	i.signer, err = parseKey(sealed)
	return i.signer, err
}

// ownCSR is the CSR that the customer brought. It was checked when it was pasted.
func ownCSR(o tenants.Order) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode([]byte(o.CSR))
	if block == nil {
		return nil, fmt.Errorf("read CSR of order %s: no PEM block", o.ID)
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read CSR of order %s: %w", o.ID, err)
	}
	return csr, nil
}

func (i *issuance) finalized(ctx context.Context, o acme.Order) (*rest, error) {
	if o.Status == acme.Invalid {
		return i.invalid(ctx, o)
	}
	i.order.ResultURL = o.Certificate
	i.arrive(ctx, tenants.Finalized)
	i.order.Reached[tenants.Finalized] = time.Now()
	return nil, i.note(ctx)
}

func (i *issuance) invalid(ctx context.Context, o acme.Order) (*rest, error) {
	if o.Error != nil {
		return i.rejected(ctx, o.Error)
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
	public, err := i.public(ctx)
	if err != nil {
		return nil, err
	}
	version, err := acme.CheckChain(chain, public, i.order.Names, time.Now())
	if err != nil {
		return i.unusable(ctx, err)
	}
	return nil, i.issue(ctx, version)
}

// unusable: the chain is not what was asked for. One that is only not valid yet, as it seems while our clock is behind,
// is kept and looked at again when it is: another order would bring another such one, and spend budget.
func (i *issuance) unusable(ctx context.Context, err error) (*rest, error) {
	f := i.finding(tenants.CABroken, err.Error())
	if p := asProblem(err); p != nil && p.RetryAfter > 0 && p.RetryAfter <= farthestStart {
		return i.again(ctx, f, retryAt(p))
	}
	return i.fail(ctx, f)
}

func (i *issuance) awaitResult(ctx context.Context) (*rest, error) {
	var o acme.Order
	var err error
	done, stopped := i.pollCA(ctx, &i.authority.signing, func() bool {
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
	if i.order.Dry() {
		i.order.State = tenants.Issued
		return i.sys.PassRehearsal(ctx, i.id, i.facts.Rehearsal.Asked)
	}
	v.Order, v.Certificate, v.Tenant = i.order.ID, i.order.Certificate, i.order.Tenant
	v.Reason, v.OwnKey = i.order.Reason, i.order.CSR != ""
	facts := i.facts
	if v.KeyCreated = i.order.Created; facts.Current != nil && facts.Current.SPKI == v.SPKI {
		v.KeyCreated = facts.Current.KeyCreated
	}
	facts.Certificate = facts.Certificate.Succeeded(i.order, facts.Current, v)
	facts.Current, facts.Signer = &v, facts.Issuer
	i.order.State = tenants.Issued
	_, err := i.sys.Issue(ctx, i.changed(), v, tenants.Due(facts.RenewalFacts(), time.Now()))
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

// noticeable is how long a wait must be for people to look what is waited for.
const noticeable = 50 * time.Millisecond

// pollCA polls at the CA's pace, and learns it.
func (i *issuance) pollCA(ctx context.Context, p *pace, ready func() bool) (ok bool, err error) {
	first, asked := p.first(i.FirstPoll), 0
	if first >= noticeable {
		if err := i.flush(ctx); err != nil {
			return false, err
		}
	}
	var unkept error
	ok, err = i.poll(ctx, first, max(2*first, i.FirstPoll/4), func() bool {
		done := ready()
		if asked++; asked == 1 {
			p.learn(first, i.FirstPoll, done)
		}
		if !done {
			unkept = i.flush(ctx)
		}
		return done || unkept != nil
	})
	return ok, cmp.Or(unkept, err)
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
