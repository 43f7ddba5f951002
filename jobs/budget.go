package jobs

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// charges lists the buckets that one new order spends from.
func (i *issuance) charges() []tenants.Charge {
	charges := []tenants.Charge{
		{Limit: tenants.OrdersPerAccount, Key: i.account.URL},
		{Limit: tenants.CertificatesPerSet, Key: nameSet(i.order.Names)},
	}
	for _, domain := range registered(i.order.Names) {
		charges = append(charges, tenants.Charge{Limit: tenants.CertificatesPerDomain, Key: domain})
	}
	return charges
}

// failures lists the buckets of failures of the order's names, of which each must have one to spare.
func (i *issuance) failures() (charges []tenants.Charge) {
	for _, name := range i.order.Names {
		charges = append(charges, failure(strings.TrimPrefix(name, "*.")))
	}
	return charges
}

// failure is the bucket of one identifier, which a wildcard shares with the name itself.
func failure(name string) tenants.Charge {
	return tenants.Charge{Limit: tenants.FailuresPerName, Key: name}
}

// free reports whether the CA counts this order at all: a renewal that names what it replaces may be exempt.
func (i *issuance) free() bool { return i.order.Replaces != "" && i.facts.Issuer.FreeARI }

// spend takes the order's tokens and saves that it is about to be placed. Without a token of the account the domain
// waits in the budget's waiting room, emergencies first, then the earliest expiry; without one of a narrower limit it waits for that alone.
func (i *issuance) spend(ctx context.Context) (*rest, error) {
	var charges []tenants.Charge
	if !i.free() {
		charges = append(i.charges(), i.failures()...)
	}
	i.order.Placing = time.Now()
	saved, spent, err := i.sys.PlaceOrder(ctx, i.order, i.facts.Issuer.ID, charges)
	if err != nil {
		return nil, err
	}
	if spent.OK {
		i.order = saved
		return nil, nil
	}
	i.order.Placing = time.Time{}
	code := tenants.BudgetSpent
	if spent.Limit.Limit == tenants.FailuresPerName {
		code = tenants.FailedTooOften
	}
	f := i.finding(code, "")
	f.Args["limit"], f.Args["until"] = string(spent.Limit.Limit), spent.At.UTC().Format("15:04 UTC")
	if spent.Limit.Limit == tenants.OrdersPerAccount {
		return &rest{budget: true, finding: f}, nil
	}
	return &rest{at: spent.At, finding: f}, nil
}

// charge spends for an order that was placed as a free renewal, which the CA then took for an ordinary one. It is too
// late to wait, but the bucket must know.
func (i *issuance) charge(ctx context.Context, o acme.Order) error {
	if !i.free() || o.Replaces != "" {
		return nil
	}
	i.order.Replaces = ""
	return i.sys.Book(ctx, i.facts.Issuer.ID, i.charges())
}

// refund gives the tokens back: the CA never heard of the order.
func (i *issuance) refund(ctx context.Context) {
	if i.free() {
		return
	}
	if err := i.sys.Refund(ctx, i.facts.Issuer.ID, i.charges()); err != nil {
		i.Log.Error("refund failed", "order", i.order.ID, "error", err)
	}
}

// correct believes the CA's own count over ours.
func (i *issuance) correct(ctx context.Context, p *acme.Problem) {
	until := retryAt(p)
	if until.IsZero() {
		until = time.Now().Add(time.Minute)
	}
	if err := i.sys.Correct(ctx, i.facts.Issuer.ID, limited(p.Detail, append(i.charges(), i.failures()...)), until); err != nil {
		i.Log.Error("correction failed", "order", i.order.ID, "error", err)
	}
}

// bookFailure counts an authorization that the CA found invalid against the name.
func (i *issuance) bookFailure(ctx context.Context, name string) {
	if err := i.sys.Book(ctx, i.facts.Issuer.ID, []tenants.Charge{failure(name)}); err != nil {
		i.Log.Error("counting a failure failed", "order", i.order.ID, "error", err)
	}
}

// limited guesses from the words of a 429 which limit was met, and for which name; Let's Encrypt's wording is documented
// at https://letsencrypt.org/docs/rate-limits/. Unknown words mean the first, the account's.
func limited(detail string, buckets []tenants.Charge) tenants.Charge {
	wanted, d := tenants.OrdersPerAccount, strings.ToLower(detail)
	switch {
	case strings.Contains(d, "failed authorizations"):
		wanted = tenants.FailuresPerName
	case strings.Contains(d, "exact set"):
		wanted = tenants.CertificatesPerSet
	case strings.Contains(d, "certificates") && strings.Contains(d, "issued for"):
		wanted = tenants.CertificatesPerDomain
	}
	best := buckets[0]
	for _, b := range buckets {
		named := strings.Contains(d, `"`+b.Key+`"`)
		if b.Limit == wanted && (best.Limit != wanted || named) {
			best = b
		}
	}
	return best
}

// Admit lets as many domains out of the waiting room as the account has tokens.
func (e *Engine) Admit(ctx context.Context) error {
	e.mu.Lock()
	issuer := e.issuer
	e.mu.Unlock()
	limit := issuer.Limits[tenants.OrdersPerAccount]
	if issuer.Account == "" || limit.Unlimited() {
		return nil
	}
	left, _, err := e.sys.BudgetLeft(ctx, issuer.ID, tenants.Charge{Limit: tenants.OrdersPerAccount, Key: issuer.Account})
	if err != nil || left == 0 {
		return err
	}
	_, err = e.sys.Admit(ctx, issuer.ID, left, limit.Reserve())
	return err
}

// nameSet is the key of the limit on one exact set of names.
func nameSet(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), ",")
}

// registered lists the distinct registered domains (public suffix and one label) of the names.
func registered(names []string) []string {
	var out []string
	for _, name := range names {
		base := strings.TrimPrefix(name, "*.")
		if domain, err := publicsuffix.EffectiveTLDPlusOne(base); err == nil {
			base = domain
		}
		if !slices.Contains(out, base) {
			out = append(out, base)
		}
	}
	return out
}
