package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"perennial/tenants"
)

// EventForecast is what a dry run of a mass event found.
type EventForecast struct {
	tenants.DryRun
	Event   tenants.MassEvent
	Tenants []EventTenant // most certificates first
	Budget  []EventLimit
}

// EventTenant is what an event would replace of one tenant.
type EventTenant struct {
	Tenant       tenants.Tenant
	Certificates int
	Issuers      []string // their names, sorted
}

// EventLimit is what an event asks of one of our accounts at an authority.
type EventLimit struct {
	Issuer       string
	Certificates int
	Left         int // orders that the limit allows now; math.MaxInt when unlimited
	tenants.EventBudget
}

// DryRunEvent counts what an event would replace, at present. It changes nothing, and reads some thousand certificates at
// a time, so that nobody waits for it.
func (p *Platform) DryRunEvent(ctx context.Context, form tenants.MassEventForm) (f EventForecast, err error) {
	if err := p.may(ctx, tenants.ReplaceMany, ""); err != nil {
		return f, err
	}
	now := p.db.now()
	if f.Event, err = tenants.ParseMassEvent(form, now); err != nil {
		return f, err
	}
	return p.db.read(ctx).forecast(f.Event, now)
}

func (q query) forecast(e tenants.MassEvent, now time.Time) (f EventForecast, err error) {
	f.Event = e
	issuers, err := q.issuersByID()
	if err != nil {
		return f, err
	}
	if _, known := issuers[e.Issuer]; e.Issuer != "" && !known {
		return f, &tenants.Error{Kind: tenants.Invalid, Text: "This authority is not used here. Choose one of the list.",
			Fields: map[string]string{"issuer": "This authority is not used here. Choose one of the list."}}
	}
	c, err := q.countEvent(e, issuers)
	if err != nil {
		return f, err
	}
	if f.Budget, err = q.eventLimits(c, now); err != nil {
		return f, err
	}
	f.DryRun = e.DryRun(c.totals(), budgets(f.Budget), now)
	f.Tenants, err = q.eventTenants(c, issuers)
	return f, err
}

func (q query) issuersByID() (map[tenants.IssuerID]Authority, error) {
	all, err := q.authorities()
	byID := map[tenants.IssuerID]Authority{}
	for _, a := range all {
		byID[a.ID] = a
	}
	return byID, err
}

// EventIssuers lists the authorities that an event may name, by preference.
func (p *Platform) EventIssuers(ctx context.Context) (issuers []tenants.Issuer, err error) {
	if err := p.may(ctx, tenants.ReadTenants, ""); err != nil {
		return nil, err
	}
	all, err := p.db.read(ctx).authorities()
	for _, a := range all {
		issuers = append(issuers, a.Issuer)
	}
	return issuers, err
}

// match is a certificate that an event replaces.
type match struct {
	certificate tenants.Certificate
	version     tenants.Version
	sameNames   bool // the version has those that the certificate asks for; then neither lists them
}

// walked is how many certificates one statement reads, so that neither memory nor a snapshot is held for long.
const walked = 2000

const walkSQL = `
select c.id, c.tenant_id, c.domain_id, c.issuer_id, o.profile, c.names, v.id, v.issuer_id, v.serial, v.spki, v.issued_at, v.names, v.ari_cert_id
from certificates c join versions v on v.id = c.current_version join orders o on o.id = v.order_id join domains d on d.id = c.domain_id
where c.id > $1 and d.released_at = 0 and d.releasing_at = 0 order by c.id`

// walk reads the next certificates after one of them and keeps those that the event matches. last is the last that it
// read, empty when there are no more.
func (q query) walk(e tenants.MassEvent, after tenants.CertificateID) (found []match, last tenants.CertificateID, err error) {
	err = q.each(func(r rows) error {
		var c tenants.Certificate
		var v tenants.Version
		var asked, has string
		if err := r.Scan(&c.ID, &c.Tenant, &c.Domain, &c.Issuer, &v.Profile, &asked, &v.ID, &v.IssuerID, &v.Serial, &v.SPKI, at(&v.Issued),
			&has, &v.ARICertID); err != nil {
			return err
		}
		last = c.ID
		if !e.Matches(v) {
			return nil
		}
		found = append(found, match{c, v, asked == has})
		if asked != has { // only then does it matter which they are
			m := &found[len(found)-1]
			return errors.Join(doc(&m.certificate.Names).Scan(asked), doc(&m.version.Names).Scan(has))
		}
		return nil
	}, walkSQL+limitTo(walked-1), after)
	return found, last, err
}

// eventCount is what was counted of an event.
type eventCount struct {
	byTenant  map[tenants.TenantID]map[tenants.IssuerID]int
	byAccount map[tenants.AccountID]*eventLimit
	charged   map[orderKind]bool // what was asked of tenants.Issuer.Counts already
}

type eventLimit struct {
	EventLimit
	issuer tenants.Issuer // with the account
}

// orderKind is what decides whether an authority counts the renewal of unchanged names.
type orderKind struct {
	issuer    tenants.IssuerID
	replacing bool
}

func (q query) countEvent(e tenants.MassEvent, issuers map[tenants.IssuerID]Authority) (eventCount, error) {
	c := eventCount{map[tenants.TenantID]map[tenants.IssuerID]int{}, map[tenants.AccountID]*eventLimit{}, map[orderKind]bool{}}
	for after := tenants.CertificateID(""); ; {
		found, last, err := q.walk(e, after)
		if err != nil || last == "" {
			return c, err
		}
		for _, m := range found {
			c.add(m, issuers[m.certificate.Issuer].For(m.certificate.Tenant))
		}
		after = last
	}
}

func (c eventCount) add(m match, i tenants.Issuer) {
	if c.byTenant[m.certificate.Tenant] == nil {
		c.byTenant[m.certificate.Tenant] = map[tenants.IssuerID]int{}
	}
	c.byTenant[m.certificate.Tenant][i.ID]++
	l := c.byAccount[i.AccountID]
	if l == nil {
		l = &eventLimit{EventLimit{Issuer: i.Name}, i}
		c.byAccount[i.AccountID] = l
	}
	l.Certificates++
	if c.charges(m, i) {
		l.Charged++
	}
}

// charges reports whether the authority counts the order that replaces m.
func (c eventCount) charges(m match, i tenants.Issuer) bool {
	kind := orderKind{i.ID, m.version.ARICertID != ""}
	if counts, known := c.charged[kind]; known && m.sameNames {
		return counts
	}
	order := tenants.Order{Names: m.certificate.Names, Replaces: m.version.ARICertID}
	counts := i.Counts(tenants.OrdersPerAccount, order, &m.version)
	if m.sameNames {
		c.charged[kind] = counts
	}
	return counts
}

func (c eventCount) totals() (n tenants.EventCounts) {
	n.Tenants = len(c.byTenant)
	for _, l := range c.byAccount {
		n.Certificates += l.Certificates
		n.Charged += l.Charged
	}
	return n
}

func (q query) eventLimits(c eventCount, now time.Time) (all []EventLimit, err error) {
	for _, l := range c.byAccount {
		if l.EventBudget, err = q.accountBudget(l.issuer, l.Charged); err != nil {
			return nil, err
		}
		l.Left = l.Limit.Left(l.TAT, now)
		all = append(all, l.EventLimit)
	}
	slices.SortFunc(all, func(a, b EventLimit) int {
		return cmp.Or(cmp.Compare(b.Certificates, a.Certificates), cmp.Compare(a.Issuer, b.Issuer))
	})
	return all, nil
}

// accountBudget is the bucket that an authority counts our orders in, with so many orders to come.
func (q query) accountBudget(i tenants.Issuer, charged int) (tenants.EventBudget, error) {
	b, err := q.bucket(i.ID, tenants.Charge{Limit: tenants.OrdersPerAccount, Key: i.Account})
	return tenants.EventBudget{Charged: charged, Limit: i.Limits[tenants.OrdersPerAccount], TAT: b.tat}, err
}

func budgets(lines []EventLimit) (all []tenants.EventBudget) {
	for _, l := range lines {
		all = append(all, l.EventBudget)
	}
	return all
}

func (q query) eventTenants(c eventCount, issuers map[tenants.IssuerID]Authority) ([]EventTenant, error) {
	all, err := q.allTenants()
	if err != nil {
		return nil, err
	}
	var list []EventTenant
	for _, t := range all {
		row := EventTenant{Tenant: t}
		for id, n := range c.byTenant[t.ID] {
			row.Certificates += n
			row.Issuers = append(row.Issuers, issuers[id].Name)
		}
		if slices.Sort(row.Issuers); row.Certificates > 0 {
			list = append(list, row)
		}
	}
	slices.SortStableFunc(list, func(a, b EventTenant) int { return cmp.Compare(b.Certificates, a.Certificates) })
	return list, nil
}

// EventStart is the form that starts an event for real.
type EventStart struct {
	tenants.MassEventForm
	Since   time.Time // of the dry run that it rests on: what was issued later does not match
	Counted int       // how many certificates that found
	Typed   string    // [typed] the same number, by hand
}

// dryRunLasts is how long an event may be started on the strength of a dry run.
const dryRunLasts = time.Hour

// StartEvent begins to replace what a dry run found, for real. It is refused with Conflict when that is not true any more. Event and
// audit entry are one transaction; certificates are marked afterwards by System.PushEvents. Sent twice, it starts one event.
func (p *Platform) StartEvent(ctx context.Context, in EventStart) (id tenants.EventID, err error) {
	if err := p.may(ctx, tenants.ReplaceMany, ""); err != nil {
		return "", err
	}
	now := p.db.now()
	e, err := tenants.ParseMassEvent(in.MassEventForm, now)
	if err != nil {
		return "", err
	}
	if e.Since = in.Since.UTC().Truncate(time.Microsecond); e.Since.After(now) || now.Sub(e.Since) > dryRunLasts {
		return "", conflict("This dry run is more than an hour old. Look at the new one, then type its number.")
	}
	if err := in.confirmed(); err != nil {
		return "", err
	}
	f, err := p.db.read(ctx).forecast(e, now)
	if err != nil {
		return "", err
	}
	if f.Certificates != in.Counted {
		return "", conflict("The dry run found %d certificates, and now there are %d. Look at the new one, then type its number.", in.Counted, f.Certificates)
	}
	err = p.db.write(ctx, func(t *tx) error {
		id, err = t.startEvent(p.actor, f)
		return err
	})
	return id, err
}

// confirmed: the number was typed by hand.
func (in EventStart) confirmed() error {
	typed := strings.ReplaceAll(strings.TrimSpace(in.Typed), ",", "")
	text := ""
	switch {
	case in.Counted <= 0:
		return conflict("No certificate matches, so there is nothing to replace. Choose something else.")
	case typed == "":
		text = fmt.Sprintf("The number is missing. Type %d.", in.Counted)
	case typed != fmt.Sprint(in.Counted):
		text = fmt.Sprintf("%d would be replaced. Type this number, or change what must go.", in.Counted)
	default:
		return nil
	}
	return &tenants.Error{Kind: tenants.Invalid, Text: text, Fields: map[string]string{"typed": text}}
}

const (
	sameEventSQL = `select id from events where created_by = $1 and since_at = $2`

	addEventSQL = `
insert into events (id, subject, issuer_id, profile, serials, spki, since_at, deadline, why, certificates, tenants, charged,
	created_at, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
)

func (t *tx) startEvent(by tenants.Actor, f EventForecast) (id tenants.EventID, err error) {
	e := f.Event
	if err := t.one(sameEventSQL, []any{by.Name, us(e.Since)}, &id); !errors.Is(err, errNone) {
		return id, cmp.Or(err, errUnchanged)
	}
	issuer := ""
	if e.Issuer != "" {
		issuer = f.Budget[0].Issuer // the only one that matches
	}
	id = mintID[tenants.EventID](t.now)
	subject := clean(e.Subject(issuer))
	if _, err := t.exec(addEventSQL, id, subject, e.Issuer, clean(e.Profile), enc(e.Serials), enc(e.SPKI), us(e.Since), us(e.Deadline),
		clean(e.Why), f.Certificates, f.DryRun.Tenants, f.Charged, us(t.now), by.Name); err != nil {
		return "", err
	}
	for _, spki := range e.SPKI {
		if err := t.expose(spki); err != nil {
			return "", err
		}
	}
	by.Tenant = platform
	t.record(by, tenants.DidStartEvent, string(id), subject, e.Started(f.EventCounts))
	return id, nil
}

// StopEvent ends an event before its time. What is ordered goes on, and what is replaced stays replaced; all else goes back
// to its own plan, see System.PushEvents.
func (p *Platform) StopEvent(ctx context.Context, id tenants.EventID) error {
	if err := p.may(ctx, tenants.ReplaceMany, string(id)); err != nil {
		return err
	}
	return p.db.write(ctx, func(t *tx) error {
		r, err := t.eventRun(id, t.db.engine.lock)
		if err != nil {
			return err
		}
		if !r.Ended.IsZero() || !r.Stopped.IsZero() {
			return conflict("This replacement is over already. Look at what it did.")
		}
		by := p.actor
		by.Tenant = platform
		t.record(by, tenants.DidStopEvent, string(id), r.Subject, "stopped the replacement. What was not ordered yet goes back to its own plan.")
		_, err = t.exec(`update events set stopped_at = $2, stopped_by = $3 where id = $1`, id, us(t.now), by.Name)
		return err
	})
}
