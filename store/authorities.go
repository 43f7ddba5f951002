package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"perennial/tenants"
)

// Where the value of a limit comes from. A later one counts instead of those before it.
const (
	LimitPublished  = "published" // by the authority
	LimitConfigured = "settings"
	LimitOverridden = "operator"
)

// IssuerView is an issuer as the operator sees it.
type IssuerView struct {
	Issuer   tenants.Issuer // Limits are those that count
	Default  bool           // of the settings: everybody's whose policy names none
	Retired  time.Time      // since then it gets no new orders; zero: it does
	Rank     int            // in the order of preference, from 0
	EABKeyID string         // of the external account binding; its key is never shown
	Created  time.Time
	Health   *Health // nil while it was never asked
	Accounts []AccountView
	Limits   []LimitView
	Domains  int // whose current certificate came from it, or whose first will
}

// AccountView is one of our accounts at an issuer.
type AccountView struct {
	tenants.Account
	InUse  bool        // new orders are placed with it
	Orders *BudgetLine // what it may still order; nil when that is not limited
}

// LimitView is one limit of an issuer, with its fullest bucket over all tenants.
type LimitView struct {
	BudgetLine
	Source   string    // LimitPublished …
	Override *Override // the operator's own value, if there is one
}

// Issuers lists all issuers, in the order of preference.
func (p *Platform) Issuers(ctx context.Context) ([]IssuerView, error) {
	if err := p.may(ctx, tenants.ReadTenants, ""); err != nil {
		return nil, err
	}
	q := p.db.read(ctx)
	all, err := q.authorities()
	if err != nil {
		return nil, err
	}
	health, err := p.db.System().Health(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]IssuerView, len(all))
	for n, a := range all {
		if views[n], err = q.issuerView(a, p.db.now()); err != nil {
			return nil, err
		}
		views[n].Rank = n
		if i := slices.IndexFunc(health, func(h Health) bool { return h.What == "ca:"+string(a.ID) }); i >= 0 {
			views[n].Health = &health[i]
		}
	}
	return views, nil
}

// Issuer is one of Issuers.
func (p *Platform) Issuer(ctx context.Context, id tenants.IssuerID) (IssuerView, error) {
	all, err := p.Issuers(ctx)
	if err != nil {
		return IssuerView{}, err
	}
	if i := slices.IndexFunc(all, func(v IssuerView) bool { return v.Issuer.ID == id }); i >= 0 {
		return all[i], nil
	}
	return IssuerView{}, absent("authority")
}

const issuerViewSQL = `
select i.eab_key_id, i.retired_at, i.created_at, i.overrides,
	(select count(*) from domains d where d.issuer_id = i.id and d.released_at = 0)
from issuers i where i.id = $1`

func (q query) issuerView(a Authority, now time.Time) (v IssuerView, err error) {
	v = IssuerView{Issuer: a.Issuer, Default: a.Directory == q.home}
	own := overrides{}
	if err := q.one(issuerViewSQL, []any{a.ID}, &v.EABKeyID, at(&v.Retired), at(&v.Created), doc(&own), &v.Domains); err != nil {
		return v, err
	}
	for n, account := range a.Accounts {
		one := AccountView{Account: account, InUse: n < a.InUse}
		if one.Orders, err = q.ordersLeft(a.With(account), now); err != nil {
			return v, err
		}
		v.Accounts = append(v.Accounts, one)
	}
	lines, err := q.budgetAt(platform, a.Issuer, now)
	for _, line := range lines {
		limit := LimitView{BudgetLine: line, Source: sourceOf(line, own)}
		if o, overridden := own[line.Limit]; overridden {
			limit.Override = &o
		}
		v.Limits = append(v.Limits, limit)
	}
	return v, err
}

// sourceOf tells where a limit's value comes from.
func sourceOf(line BudgetLine, own overrides) string {
	_, overridden := own[line.Limit]
	switch published := line.Rule.Allows; {
	case overridden:
		return LimitOverridden
	case line.Count == published.Count && line.Per == published.Per:
		return LimitPublished
	}
	return LimitConfigured
}

// ordersLeft is what an account may still order; nil when nothing limits that.
func (q query) ordersLeft(i tenants.Issuer, now time.Time) (*BudgetLine, error) {
	limit := i.Limits[tenants.OrdersPerAccount]
	line := BudgetLine{Issuer: i.Name, Limit: tenants.OrdersPerAccount, Key: i.Account, Left: limit.Count, Count: limit.Count,
		Per: limit.Per, Counted: true}
	b, err := q.bucket(i.ID, tenants.Charge{Limit: tenants.OrdersPerAccount, Key: i.Account})
	if b.hold(limit, now); err == nil && b.tat.After(now) {
		line = line.of(b, limit, now)
	}
	if limit.Unlimited() && !line.Shut {
		return nil, err
	}
	return &line, err
}

// wrongFields are the sentences of an invalid form.
func wrongFields(err error) map[string]string {
	if e, ok := errors.AsType[*tenants.Error](err); ok {
		return e.Fields
	}
	return nil
}
