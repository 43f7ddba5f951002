package store

import (
	"errors"
	"slices"
	"time"

	"perennial/tenants"
)

// offers are the issuers that a tenant's orders may go to, the preferred one first: those of its policy that are in use, or
// else that of the settings. Only a policy that would ever move on gets more than one.
func (q query) offers(all []Authority, p tenants.Policy, tenant tenants.TenantID) (offers []tenants.Offer) {
	for _, id := range p.Issuers {
		i := slices.IndexFunc(all, func(a Authority) bool { return a.ID == id && !a.Retired && a.StagingOf == "" })
		if i < 0 {
			continue
		}
		offers = append(offers, tenants.Offer{Issuer: all[i].For(tenant)})
		if p.FailoverAfter <= 0 {
			return offers
		}
	}
	if len(offers) > 0 {
		return offers
	}
	for _, a := range all {
		if a.Directory == q.home {
			return []tenants.Offer{{Issuer: a.For(tenant)}}
		}
	}
	return nil
}

// service fills in how the issuers have served of late.
func (q query) service(f *tenants.Facts) error {
	attempts, err := q.attempts(f)
	if err != nil {
		return err
	}
	for n := range f.Offers {
		o := &f.Offers[n]
		o.Trouble = trouble(attempts, o.ID)
		var ok bool
		err := q.one(`select ok from health where what = $1`, []any{"ca:" + string(o.ID)}, flag{&ok})
		if err != nil && !errors.Is(err, errNone) {
			return err
		}
		o.Silent = err == nil && !ok
	}
	return nil
}

// attempt is an order that brought no version, or none yet.
type attempt struct {
	issuer  tenants.IssuerID
	code    tenants.Code // empty: nothing is wrong, or not known
	created time.Time
	open    bool
}

const attemptsSQL = `
select o.issuer_id, o.finding, o.created_at, o.ended_at from orders o
where o.tenant_id = $1 and o.domain_id = $2 and o.id > $3 order by o.id desc limit 50`

// attempts lists the orders since the current version's, newest first.
func (q query) attempts(f *tenants.Facts) ([]attempt, error) {
	var last tenants.OrderID
	if f.Current != nil {
		last = f.Current.Order
	}
	return collect(q, func(r rows) (a attempt, err error) {
		var finding tenants.Finding
		var ended time.Time
		err = r.Scan(&a.issuer, doc(&finding), at(&a.created), at(&ended))
		if a.code, a.open = finding.Code, ended.IsZero(); a.open && !a.code.IssuersOwn() { // what keeps an order from being placed, the domain says
			a.code = f.Domain.Finding.Code
		}
		return a, err
	}, attemptsSQL, f.Domain.Tenant, f.Domain.ID, last)
}

// trouble finds since when all orders at an issuer failed for reasons of its own.
func trouble(attempts []attempt, id tenants.IssuerID) (f tenants.Trouble) {
	for _, a := range attempts {
		switch own := a.code.IssuersOwn(); {
		case a.issuer != id || a.open && !own: // nothing is known of that one
			continue
		case !own:
			return f
		}
		if f.Since = a.created; f.Code == "" {
			f.Code = a.code
		}
	}
	return f
}
