package jobs

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"perennial/jobs/acme"
	"perennial/jobs/dns"
	"perennial/tenants"
)

// parked is how long something that only the operator can mend is left alone before it is tried again.
const parked = 15 * time.Minute

// asProblem is what the CA answered, nil when err is a fault of our own or the context's.
func asProblem(err error) *acme.Problem {
	p, _ := errors.AsType[*acme.Problem](err)
	return p
}

// asRefusal is the CA's no, which the same request will hardly change; nil when err is none.
func asRefusal(err error) *acme.Problem {
	if p := asProblem(err); p != nil && p.Status >= 400 && p.Status < 500 && p.Code != tenants.CARateLimited {
		return p
	}
	return nil
}

// passing reports whether trying the same again later may help.
func passing(err error) bool {
	p := asProblem(err)
	return p != nil && (p.Code.NoAnswer() || p.Code == tenants.CARateLimited)
}

// finding fills in what every sentence about this domain may need.
func (t *turn) finding(c tenants.Code, raw string) tenants.Finding {
	d := t.facts.Domain
	return tenants.Finding{Code: c, Raw: raw, Args: map[string]string{
		"name": d.Name, "ca": t.facts.Issuer.Name, "record": d.Delegation.Name(), "target": d.Delegation.Target(),
	}}
}

// explain turns a CA's problem into a finding.
func (t *turn) explain(p *acme.Problem) tenants.Finding {
	f := t.finding(p.Code, p.Error())
	if at := retryAt(p); !at.IsZero() {
		f = f.WithUntil(at, time.Now())
	}
	return f
}

// retryAt is the instant before which the CA does not want to be asked again, zero when it named none.
func retryAt(p *acme.Problem) time.Time {
	if p.RetryAfter <= 0 {
		return time.Time{}
	}
	return time.Now().Add(p.RetryAfter)
}

// problem decides what a CA's refusal of one step means for the order: try the step again, or end the order.
func (i *issuance) problem(ctx context.Context, err error) (*rest, error) {
	p := asProblem(err)
	if p == nil {
		return nil, err
	}
	if asRefusal(p) != nil && i.outdated(ctx, i.order.Account, i.account.Key) {
		return i.again(ctx, i.facts.Domain.Finding, time.Now())
	}
	switch p.Code {
	case tenants.CASilent, tenants.CAUntrusted:
		outage := i.unheard(ctx, p)
		r, err := i.again(ctx, i.explain(p), retryAt(p))
		if r != nil {
			r.silent = outage
		}
		return r, err
	case tenants.CARateLimited:
		i.orders.heard()
		return i.again(ctx, i.explain(p), retryAt(p))
	case tenants.CAAccount:
		return i.again(ctx, i.explain(p), i.accountFault(ctx, i.order.Account, p))
	}
	return i.rejected(ctx, p)
}

// rejected ends an order that the authority refuses.
func (i *issuance) rejected(ctx context.Context, p *acme.Problem) (*rest, error) {
	f := i.explain(p).WithProfile(i.order, i.facts.Certificate)
	if k := p.Kind(); k == "badCSR" || k == "badPublicKey" {
		served, err := i.served(ctx)
		if err != nil {
			return nil, err
		}
		f = f.OfKey(i.order.CSR != "", served)
	}
	return i.fail(ctx, f)
}

// served reports whether the order's key is that of the current version.
func (i *issuance) served(ctx context.Context) (bool, error) {
	if i.facts.Current == nil {
		return false, nil
	}
	public, err := i.public(ctx)
	if err != nil {
		return false, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]) == i.facts.Current.SPKI, err
}

// again saves what was reached and comes back at the instant the CA named, or after a growing pause.
func (i *issuance) again(ctx context.Context, f tenants.Finding, at time.Time) (*rest, error) {
	i.order.Attempts++
	i.order.Finding = f
	if err := i.save(ctx); err != nil {
		return nil, err
	}
	return &rest{at: later(at, time.Now().Add(tenants.Retry(i.order.Attempts, string(i.order.ID)))), finding: f}, nil
}

// fail ends the order and the turn; the next turn cleans up. What is still needed begins anew, after a pause that
// grows with every failure in a row.
func (i *issuance) fail(ctx context.Context, f tenants.Finding) (*rest, error) {
	i.order.State, i.order.Finding = tenants.Failed, f
	if i.order.Dry() {
		return &rest{at: time.Now(), finding: f}, i.endRehearsal(ctx, f)
	}
	i.facts.Order = nil
	i.facts.Failures++
	if err := i.sys.FailOrder(ctx, i.changed(), f, tenants.StatusAfter(i.facts, f, time.Now())); err != nil {
		return nil, err
	}
	return &rest{at: time.Now(), finding: f}, nil
}

// caFault is a failure at the CA outside of an order's own step: its directory, our account.
func (t *turn) caFault(ctx context.Context, err error) (*rest, error) {
	p := asProblem(err)
	if p == nil {
		return nil, err
	}
	if p.Code.NoAnswer() && t.unheard(ctx, p) {
		return &rest{silent: true, finding: t.explain(p)}, nil
	}
	f := t.explain(p).Lasting(t.facts.Domain.Finding, time.Now())
	at := f.Again(time.Now(), string(t.id))
	if p.Code == tenants.CAAccount {
		at = t.accountFault(ctx, t.facts.Issuer.AccountID, p)
	}
	return &rest{at: later(retryAt(p), at), finding: f}, nil
}

// zoneFault is a failure of our own delegation zone. The customer can do nothing about it.
func (t *turn) zoneFault(ctx context.Context, err error) (*rest, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	code, raw := tenants.WriteSilent, err.Error()
	if fault, ok := errors.AsType[*dns.Fault](err); ok {
		code, raw = fault.Code, fault.Raw
	}
	f := t.finding(code, raw)
	f.Args["zone"] = t.facts.Domain.Delegation.Zone
	t.unwritten(ctx, raw)
	f = f.Lasting(t.facts.Domain.Finding, time.Now())
	return &rest{at: f.Again(time.Now(), string(t.id)), finding: f}, nil
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func itoa(n int) string { return strconv.Itoa(n) }
