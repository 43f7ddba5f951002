package store

import (
	"errors"
	"time"

	"perennial/tenants"
)

// facts gathers what is known about a domain.
func (q query) facts(d *domainRow, now time.Time) (tenants.Facts, error) {
	all, err := q.directories()
	if err != nil {
		return tenants.Facts{}, err
	}
	return q.factsAmong(all, d, now)
}

// factsAmong gathers what is known about a domain, given all issuers.
func (q query) factsAmong(all []Authority, d *domainRow, now time.Time) (f tenants.Facts, err error) {
	f = tenants.Facts{Domain: d.Domain, Releasing: !d.releasing.IsZero(), Failures: d.failures, LastFailed: d.failedAt, Asked: !d.lookAsked.IsZero()}
	begun, err := q.lineage(&f)
	if err != nil {
		return f, err
	}
	if f.Current, err = q.currentVersion(f.Certificate); err != nil {
		return f, err
	}
	if spki := f.Certificate.OwnSPKI(); spki != "" {
		if f.Exposed, err = q.exposed(spki); err != nil {
			return f, err
		}
	}
	if !f.Asked { // otherwise as if there had been no look
		if f.Domain.Check, err = d.lastCheck(); err != nil {
			return f, err
		}
	}
	if err = q.underWay(d, begun, &f); err != nil {
		return f, err
	}
	if err = q.issuers(all, &f, now); err != nil {
		return f, err
	}
	if f.Releasing || d.Proved.IsZero() {
		f.Authz, err = q.authorizations(d, now)
	}
	return f, err
}

// underWay says what was begun for a domain and is not done: at most times nothing, which one question tells.
type underWay struct{ ordered, dirty, rehearsed, revoking bool }

const lineageSQL = `select ` + certificateColumns + `, t.hours, t.policy, t.policy_at,
	case when exists (select 1 from orders o where o.tenant_id = $1 and o.domain_id = $2 and o.ended_at = 0) then 1 else 0 end,
	case when exists (select 1 from challenges h where h.tenant_id = $1 and h.domain_id = $2 and h.presented_at > 0 and h.cleaned_at = 0) then 1 else 0 end,
	case when exists (select 1 from rehearsals r where r.tenant_id = $1 and r.domain_id = $2 and r.tidied_at = 0) then 1 else 0 end,
	case when exists (select 1 from versions v where v.certificate_id = c.id and v.revoke_asked_at > 0 and v.revoked_at = 0) then 1 else 0 end
from certificates c join tenants t on t.id = c.tenant_id where c.tenant_id = $1 and c.domain_id = $2`

// lineage fills in the certificate and what its tenant set for all of them.
func (q query) lineage(f *tenants.Facts) (begun underWay, err error) {
	err = q.one(lineageSQL, []any{f.Domain.Tenant, f.Domain.ID}, append(scanCertificate(&f.Certificate),
		doc(&f.Hours), doc(&f.Policy), at(&f.PolicySince),
		flag{&begun.ordered}, flag{&begun.dirty}, flag{&begun.rehearsed}, flag{&begun.revoking})...)
	if err == nil && f.Certificate.Event.ID != "" {
		f.Certificate.Event, err = q.eventOf(f.Certificate)
	}
	return begun, orAbsent(err, "certificate")
}

// underWay fills in what was begun.
func (q query) underWay(d *domainRow, begun underWay, f *tenants.Facts) (err error) {
	if begun.ordered {
		f.Order, err = q.openOrder(d)
	}
	if begun.dirty && err == nil {
		f.Leftover, err = q.leftover(d)
	}
	if begun.rehearsed && err == nil {
		f.Rehearsal, err = q.untidyRehearsal(d)
	}
	if begun.revoking && err == nil {
		f.Revoking, err = q.revoking(d)
	}
	return err
}

// rules fills in what the tenant set for all its certificates.
func (q query) rules(tenant tenants.TenantID, f *tenants.Facts) error {
	return orAbsent(q.one(`select hours, policy, policy_at from tenants where id = $1`, []any{tenant},
		doc(&f.Hours), doc(&f.Policy), at(&f.PolicySince)), "tenant")
}

// issuers fills in who was or will be asked, and who signed what there is.
func (q query) issuers(all []Authority, f *tenants.Facts, now time.Time) error {
	defer func() { stage(all, f) }()
	if f.Current != nil {
		f.Signer = of(all, f.Current.IssuerID, f.Current.Account)
	}
	if f.Offers = q.offers(all, f.Policy, f.Domain.Tenant); len(f.Offers) == 0 {
		f.Offers = []tenants.Offer{{Issuer: withFirst(all, f.Certificate.Issuer)}}
	}
	if len(f.Offers) > 1 {
		f.Offers = f.OffersFor(f.Certificate.Prefers)
		if err := q.service(f); err != nil {
			return err
		}
	}
	if f.Order != nil {
		f.Issuer = of(all, f.Order.Issuer, f.Order.Account)
		return nil
	}
	f.Issuer, _ = tenants.Choose(*f, now)
	return nil
}

const (
	certificateColumns = `
c.id, c.tenant_id, c.domain_id, c.names, c.issuer_id, c.profile, c.key_type, c.current_version, c.plan, c.ari,
	c.renew_now_at, c.renewed_by, c.strategy, c.csr, c.changed_at, c.changed, c.compromised_at, c.compromised_by, c.key_refused_at, c.revoked_at,
	c.paused_until, c.paused_by, c.paused_why, c.event_id, c.prefers`

	certificateSQL = `select ` + certificateColumns + `, ` + issuerColumns + `
from certificates c join issuers i on i.id = c.issuer_id join accounts b on b.issuer_id = i.id and b.shard = 0
where c.tenant_id = $1 and c.domain_id = $2`
)

func scanCertificate(c *tenants.Certificate) []any {
	return []any{&c.ID, &c.Tenant, &c.Domain, doc(&c.Names), &c.Issuer, &c.Profile, &c.KeyType, &c.Current,
		doc(&c.Plan), doc(&c.ARI), at(&c.RenewNow), &c.RenewedBy, &c.Strategy, &c.CSR, at(&c.Changed), &c.Change,
		at(&c.Compromised), &c.CompromisedBy, at(&c.KeyRefused), at(&c.Revoked), at(&c.PausedUntil), &c.PausedBy, &c.PausedWhy, &c.Event.ID, &c.Prefers}
}

// certificateOf is the certificate of a domain, and the issuer of its current version or, before there is one, of its first.
func (q query) certificateOf(tenant tenants.TenantID, id tenants.DomainID) (c tenants.Certificate, i tenants.Issuer, err error) {
	err = q.one(certificateSQL, []any{tenant, id}, append(scanCertificate(&c), scanIssuer(&i)...)...)
	if err == nil && c.Event.ID != "" {
		c.Event, err = q.eventOf(c)
	}
	return c, i, orAbsent(err, "certificate")
}

func (q query) currentVersion(c tenants.Certificate) (*tenants.Version, error) {
	if c.Current == "" {
		return nil, nil
	}
	v, err := q.version(c.Tenant, c.Current)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

func (q query) openOrder(d *domainRow) (*tenants.Order, error) {
	var o tenants.Order
	err := q.one(`select `+orderColumns+` from orders o where o.tenant_id = $1 and o.domain_id = $2 and o.ended_at = 0 and o.reason <> $3`,
		[]any{d.Tenant, d.ID, tenants.InRehearsal}, scanOrder(&o)...)
	if errors.Is(err, errNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o.Challenges, err = q.challenges(o)
	return &o, err
}

// leftover lists the TXT values that closed orders may still have in DNS.
func (q query) leftover(d *domainRow) ([]tenants.Challenge, error) {
	return collect(q, readChallenge, `select `+challengeColumns+`
from challenges c join orders o on o.id = c.order_id
where c.tenant_id = $1 and c.domain_id = $2 and c.presented_at > 0 and c.cleaned_at = 0 and o.ended_at > 0 order by c.id`,
		d.Tenant, d.ID)
}

// remembered is how long an authority may reuse an authorization: longer than any allows (CA/Browser Forum Baseline
// Requirements, section 4.2.1: 200 days in 2026).
const remembered = 200 * 24 * time.Hour

// authorizations lists the authorizations that were won with this claim and may live on at the authority.
func (q query) authorizations(d *domainRow, now time.Time) ([]tenants.Authorization, error) {
	return collect(q, func(r rows) (a tenants.Authorization, err error) { return a, r.Scan(&a.URL, &a.Issuer, &a.Account) }, `
select c.authz, o.issuer_id, o.account_id from challenges c join orders o on o.id = c.order_id
where c.tenant_id = $1 and c.domain_id = $2 and c.authz <> '' and o.created_at > $3 and o.reason <> $4
group by c.authz, o.issuer_id, o.account_id order by max(c.id) desc limit 500`,
		d.Tenant, d.ID, us(now.Add(-remembered)), tenants.InRehearsal)
}
