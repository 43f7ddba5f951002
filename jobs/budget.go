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

// buckets lists all that a new order could spend from, the account's first.
func (i *issuance) buckets() []tenants.Charge {
	buckets := []tenants.Charge{
		{Limit: tenants.OrdersPerAccount, Key: i.account.URL},
		{Limit: tenants.CertificatesPerSet, Key: nameSet(i.order.Names)},
	}
	for _, domain := range registered(i.order.Names) {
		buckets = append(buckets, tenants.Charge{Limit: tenants.CertificatesPerDomain, Key: domain})
	}
	for _, name := range bases(i.order.Names) {
		buckets = append(buckets, failures(name)...)
	}
	return buckets
}

// charges lists what the order does spend: only what the CA counts. Of failures it must have some to spare.
func (i *issuance) charges() []tenants.Charge {
	current := i.facts.Current
	if current != nil && current.IssuerID != i.facts.Issuer.ID { // to this issuer there is none
		current = nil
	}
	return slices.DeleteFunc(i.buckets(), func(c tenants.Charge) bool {
		return !i.facts.Issuer.Counts(c.Limit, i.order, current)
	})
}

// failures are the buckets of one identifier, which a wildcard shares with the name itself.
func failures(name string) []tenants.Charge {
	return []tenants.Charge{{Limit: tenants.FailuresPerName, Key: name}, {Limit: tenants.ConsecutiveFailures, Key: name}}
}

// spend takes the order's tokens and saves that it is about to be placed. Without a token of the account the domain
// waits in the budget's waiting room, emergencies first, then the earliest expiry; without one of a narrower limit it waits for that alone.
func (i *issuance) spend(ctx context.Context) (*rest, error) {
	i.order.Placing = time.Now()
	saved, spent, err := i.sys.PlaceOrder(ctx, i.changed(), i.charges())
	if err != nil {
		return nil, err
	}
	if spent.OK {
		i.saved(saved)
		return nil, nil
	}
	i.order.Placing = time.Time{}
	f := i.finding(refusals[spent.Limit.Limit], "")
	if f.Code == "" {
		f.Code = tenants.BudgetSpent
	}
	f = f.With("limit", string(spent.Limit.Limit)).WithUntil(spent.At, time.Now())
	at := spent.At
	if often := time.Now().Add(10 * time.Minute); f.Code == tenants.FailedInARow && at.After(often) {
		at = often // DNS is looked at: a change there ends it
	}
	return &rest{at: at, budget: spent.Limit.Limit == tenants.OrdersPerAccount, finding: f}, nil
}

// refusals are what the ledger's word means where it is not that its budget is spent.
var refusals = map[tenants.LimitName]tenants.Code{
	tenants.FailuresPerName: tenants.FailedTooOften, tenants.ConsecutiveFailures: tenants.FailedInARow,
}

// charge spends for an order that was placed as a replacement, which the CA then took for an ordinary one. It is too
// late to wait, but the buckets must know.
func (i *issuance) charge(ctx context.Context, o acme.Order) error {
	if i.order.Replaces == "" || o.Replaces != "" {
		return nil
	}
	paid := i.charges()
	i.order.Replaces = ""
	owed := slices.DeleteFunc(i.charges(), func(c tenants.Charge) bool {
		return c.Limit.Failures() || slices.Contains(paid, c)
	})
	i.order.Cost = append(i.order.Cost, owed...)
	return i.sys.Book(ctx, i.facts.Issuer.ID, owed)
}

// refund gives the tokens back: the CA never heard of the order.
func (i *issuance) refund(ctx context.Context) {
	if err := i.sys.Refund(ctx, i.facts.Issuer.ID, i.order.Cost); err != nil {
		i.Log.Error("refund failed", "order", i.order.ID, "error", err)
		return
	}
	i.order.Cost = nil
}

// mayWrite takes a token of what our DNS provider lets us write, together with all other processes. It waits for one as
// long as a worker waits for anything; then it gives the worker's place up. Where nothing is limited it costs nothing.
func (t *turn) mayWrite(ctx context.Context) (*rest, error) {
	t.Engine.mu.Lock()
	issuer := t.home
	t.Engine.mu.Unlock()
	patience := time.Now().Add(t.Patience)
	if issuer.Limits[tenants.ZoneWrites].Unlimited() {
		return nil, nil
	}
	for {
		spent, err := t.sys.Spend(ctx, issuer.ID, t.id, []tenants.Charge{{Limit: tenants.ZoneWrites}})
		if err != nil || spent.OK {
			return nil, err
		}
		if spent.At.After(patience) { // not all at the instant of the next token
			return &rest{at: spent.At.Add(tenants.Retry(3, string(t.id))), finding: t.facts.Domain.Finding}, nil
		}
		if err := sleep(ctx, time.Until(spent.At)); err != nil {
			return nil, err
		}
	}
}

// correct believes the CA's own count over ours.
func (i *issuance) correct(ctx context.Context, p *acme.Problem) {
	until := retryAt(p)
	if until.IsZero() {
		until = time.Now().Add(time.Minute)
	}
	if err := i.sys.Correct(ctx, i.facts.Issuer.ID, limited(p.Detail, i.buckets()), until); err != nil {
		i.Log.Error("correction failed", "order", i.order.ID, "error", err)
	}
}

// bookFailures counts an authorization that the CA found invalid against the name. A name and its wildcard have one each, which
// the CA counts against the name alike, and both were answered before either was decided.
func (i *issuance) bookFailures(ctx context.Context, name string) {
	failed := 0
	for _, c := range i.order.Challenges {
		if !c.Answered.IsZero() && c.Valid.IsZero() {
			failed++
		}
	}
	for range max(1, failed) {
		if err := i.sys.Book(ctx, i.facts.Issuer.ID, failures(name)); err != nil {
			i.Log.Error("counting a failure failed", "order", i.order.ID, "error", err)
		}
	}
}

// limited guesses from the words of a 429 which limit was met, and for which name; Let's Encrypt's wording is documented
// at https://letsencrypt.org/docs/rate-limits/. Unknown words mean the first, the account's.
func limited(detail string, buckets []tenants.Charge) tenants.Charge {
	wanted, d := tenants.OrdersPerAccount, strings.ToLower(detail)
	switch {
	case strings.Contains(d, "failed authorizations"), strings.Contains(d, "temporarily prevented"): // the latter of a paused name
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

// Admit lets as many domains out of each account's waiting room as the account has tokens, and all in turn where the limit
// was lifted. Where none is known they wait while the CA puts us off.
func (e *Engine) Admit(ctx context.Context) error {
	all, err := e.sys.Authorities(ctx)
	if err != nil {
		return err
	}
	for _, issuer := range all {
		for _, account := range issuer.Accounts {
			if err := e.admit(ctx, issuer.With(account)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) admit(ctx context.Context, issuer tenants.Issuer) error {
	limit := issuer.Limits[tenants.OrdersPerAccount]
	if issuer.Account == "" {
		return nil
	}
	left, _, err := e.sys.BudgetLeft(ctx, issuer.ID, tenants.Charge{Limit: tenants.OrdersPerAccount, Key: issuer.Account})
	if err != nil || left == 0 {
		return err
	}
	if limit.Unlimited() { // some at a time, as a claim takes them
		left = scanBatch
	}
	_, err = e.sys.Admit(ctx, issuer.AccountID, left, limit.Reserve())
	return err
}

// nameSet is the key of the limit on one exact set of names.
func nameSet(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), ",")
}

// bases are the names without their stars, each once.
func bases(names []string) (all []string) {
	for _, name := range names {
		if base := strings.TrimPrefix(name, "*."); !slices.Contains(all, base) {
			all = append(all, base)
		}
	}
	return all
}

// registered lists the distinct registered domains (public suffix and one label) of the names.
func registered(names []string) []string {
	var out []string
	for _, base := range bases(names) {
		if domain, err := publicsuffix.EffectiveTLDPlusOne(base); err == nil {
			base = domain
		}
		if !slices.Contains(out, base) {
			out = append(out, base)
		}
	}
	return out
}
