package jobs

import (
	"context"
	"net/http"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// underWay is how long a request may take to become visible at the CA, as long as one is waited for. What a process sent
// just before it was killed can still arrive after the next one has looked for it.
const underWay = 20 * time.Second

// place sends newOrder. If it may have been sent before, the order is looked for first, until nothing can be under way
// any more.
func (i *issuance) place(ctx context.Context) (*rest, error) {
	if !i.order.Placing.IsZero() {
		if now := time.Now(); i.order.Placing.After(now.Add(underWay)) { // a clock that was wrong said so
			i.order.Placing = now
			if err := i.save(ctx); err != nil {
				return nil, err
			}
		}
		found, ok, err := i.lookFor(ctx)
		if err != nil {
			return i.problem(ctx, err)
		}
		if ok {
			return i.placed(ctx, found)
		}
		if at := i.order.Placing.Add(underWay); time.Now().Before(at) {
			return &rest{at: at, finding: i.facts.Domain.Finding}, nil
		}
		i.order.Placing = time.Now()
		if err := i.save(ctx); err != nil { // the lease may have been lost while the CA answered
			return nil, err
		}
	} else if r, err := i.spend(ctx); err != nil || r != nil {
		return r, err
	}
	order, err := i.request(ctx, i.order.Replaces)
	if err != nil && i.balks(err) {
		return i.placePlain(ctx)
	}
	if err != nil {
		return i.refused(ctx, err)
	}
	return i.placed(ctx, order)
}

func (i *issuance) request(ctx context.Context, replaces string) (acme.Order, error) {
	return i.CA.NewOrder(ctx, i.account, acme.OrderRequest{Names: i.order.Names, Profile: i.order.Profile, Replaces: replaces})
}

// lookFor finds the order if the CA has one that we sent for and did not hear of. All others of the account that were placed
// since then are known.
func (i *issuance) lookFor(ctx context.Context) (acme.Order, bool, error) {
	known, err := i.sys.OrderURLs(ctx, i.order.Account, i.order.Placing)
	if err != nil {
		return acme.Order{}, false, err
	}
	return i.CA.FindOrder(ctx, i.account, acme.LostOrder{Names: i.order.Names, Since: i.order.Placing, Known: known})
}

// patient is how often newOrder may end in a server error before it is tried without what it replaces.
const patient = 3

// balks reports whether the CA, which answers, fails again and again over an order that names what it replaces: it may
// have lost what it knew of that certificate.
func (i *issuance) balks(err error) bool {
	p := asProblem(err)
	return p != nil && p.Status >= 500 && i.order.Replaces != "" && i.order.Attempts >= patient
}

// placePlain sends newOrder as if nothing were replaced, since a renewal that costs budget is better than none. The
// server error may have come after an order was made, so that one is looked for first. The next try, if there has to be
// one, names again what it replaces.
func (i *issuance) placePlain(ctx context.Context) (*rest, error) {
	order, ok, err := i.lookFor(ctx)
	if err == nil && !ok {
		order, err = i.request(ctx, "")
	}
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
	if !p.Reached || p.Status == http.StatusTooManyRequests { // which the CA does not count in its other limits either
		i.refund(ctx)
	}
	if !p.Reached || p.Status != 0 && p.Status < 500 {
		i.order.Placing = time.Time{}
		if p.Unreplaced { // so that the next try is counted, and waits until there is a token
			i.order.Replaces = ""
		}
	}
	if p.Code == tenants.CARateLimited && counted(p) {
		i.correct(ctx, p)
	}
	return i.problem(ctx, err)
}

// counted reports whether a refusal says anything of how many orders there may be: not that of a nonce, and not that of a
// server that is busy, which has the same type (Let's Encrypt sends it with 503).
func counted(p *acme.Problem) bool { return p.Reached && p.Status < 500 }
