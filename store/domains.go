package store

import (
	"fmt"
	"strings"
	"time"

	"perennial/tenants"
)

// domainRow is a row of domains with its delegation and its row of agenda. Everything that pages show of it is written
// by saveDomain.
type domainRow struct {
	tenants.Domain // Next is derived from agenda; Check is left out, see lastCheck
	agenda

	issuer     tenants.IssuerID
	registered string
	releasing  time.Time
	lookAsked  time.Time // a person asked for a look at DNS that did not happen yet
	check      string    // the last check as the column holds it: few who load the row need it

	hasVersion             bool
	notBefore, notAfter    time.Time
	renewAt, noLater       time.Time
	windowStart, windowEnd time.Time
	free                   bool
	pausedUntil            time.Time     // as in certificates
	slotWidth              time.Duration // of the slot that renewAt is counted in; zero for none
	orderState             tenants.OrderState
	reason                 tenants.Reason // of the open order, or else of the plan
	failures               int
	failedAt               time.Time
	failedOn               string // what DNS said when the last order failed: Check.Answers
	counted                *tally // the counter it is in, as loaded; nil for none
	countedSlot            *slot  // the same of the renewal's slot
	loaded, loadedAgenda   []any  // the columns' values as loaded
}

// agenda is who works on a domain and when somebody must.
type agenda struct {
	next, nudged time.Time
	turn         int64
	working      bool
	leaseOwner   string
	leaseUntil   time.Time
	rank         tenants.Rank      // in their lane, from entering the waiting room to the end of the order
	awaiting     tenants.AccountID // whose waiting room it is in
	admitted     tenants.AccountID // whose waiting room let it out
	silent       tenants.IssuerID  // whose answer it waits for
}

// The lanes in which domains go when not all can: lower goes first.
const (
	laneEmergency = 0 // may spend what is kept back of each limit
	laneRenewal   = 1
	laneNew       = 2 // new names, and renewals that are only wished for
	laneSlow      = 3 // keeps failing
	lanes         = 4
)

const slowAfter = 3 // failures in a row

func (d *domainRow) lane() int {
	slow := d.failures >= slowAfter
	switch {
	case d.reason.Emergency() && !(slow && d.reason == tenants.Overdue): // what is overdue for its own failures is not urgent to others
		return laneEmergency
	case slow:
		return laneSlow
	case d.hasVersion && !d.reason.Wished(d.windowStart, d.notBefore, d.notAfter):
		return laneRenewal
	}
	return laneNew
}

// sortAt is the date a list sorts by: the end of the version, and of the reservation before there is one.
func (d *domainRow) sortAt() time.Time {
	if d.hasVersion {
		return d.notAfter
	}
	return d.Reserved
}

// tally is the counter that the row belongs in; nil when it is released.
func (d *domainRow) tally() *tally {
	if d.Status == tenants.Released {
		return nil
	}
	t := tally{tenant: d.Tenant, status: d.Status}
	if d.hasVersion {
		t.week = us(weekOf(d.notAfter))
	}
	return &t
}

const domainColumns = `
d.id, d.tenant_id, d.delegation_id, d.issuer_id, d.name, d.registered, d.status, d.finding, d.dns_check, d.proved_at,
d.reserved_at, d.since_at, d.created_at, d.created_by, d.releasing_at, d.released_at, d.look_asked_at, d.has_version, d.not_before,
d.not_after, d.renew_at, d.window_start, d.window_end, d.no_later, d.free, d.paused_until, d.slot_width, d.order_state, d.reason, d.failures, d.failed_at, d.failed_on,
a.fair_rank, a.awaiting_budget, a.admitted_budget, a.awaiting_answer, a.next_action_at, a.nudged_at, a.turn, a.working, a.lease_owner, a.lease_until,
g.base, g.label, g.zone`

const (
	tenantDomainSQL = `select` + domainColumns + `
from domains d join agenda a on a.domain_id = d.id join delegations g on g.id = d.delegation_id where d.tenant_id = $1 and d.id = $2`

	anyDomainSQL = `select` + domainColumns + `
from domains d join agenda a on a.domain_id = d.id join delegations g on g.id = d.delegation_id where d.id = $1`
)

// ownDomain loads one tenant's domain, released ones included.
func (q query) ownDomain(tenant tenants.TenantID, id tenants.DomainID, lock string, now time.Time) (*domainRow, error) {
	return q.domainRow(now, tenantDomainSQL+ofD(lock), tenant, id)
}

// anyDomain loads a domain for the portal itself.
func (q query) anyDomain(id tenants.DomainID, lock string, now time.Time) (*domainRow, error) {
	return q.domainRow(now, anyDomainSQL+ofD(lock), id)
}

// ofD locks the rows of domains and agenda and not the delegation joined to them.
func ofD(lock string) string {
	if lock == "" {
		return ""
	}
	return " for update of d, a"
}

func (q query) domainRow(now time.Time, text string, args ...any) (*domainRow, error) {
	d := &domainRow{}
	if err := q.one(text, args, scanDomain(d)...); err != nil {
		return nil, orAbsent(err, "domain")
	}
	d.settled(now)
	return d, nil
}

func scanDomain(d *domainRow) []any {
	g := &d.Delegation
	return []any{&d.ID, &d.Tenant, &g.ID, &d.issuer, &d.Name, &d.registered, &d.Status, doc(&d.Finding), &d.check,
		at(&d.Proved), at(&d.Reserved), at(&d.Since), at(&d.Created), &d.CreatedBy, at(&d.releasing), at(&d.Released),
		at(&d.lookAsked), flag{&d.hasVersion}, at(&d.notBefore), at(&d.notAfter), at(&d.renewAt), at(&d.windowStart),
		at(&d.windowEnd), at(&d.noLater), flag{&d.free}, at(&d.pausedUntil), seconds{&d.slotWidth}, &d.orderState, &d.reason, &d.failures, at(&d.failedAt),
		&d.failedOn, &d.rank, &d.awaiting, &d.admitted, &d.silent, at(&d.next), at(&d.nudged), &d.turn, flag{&d.working}, &d.leaseOwner, at(&d.leaseUntil), &g.Base,
		&g.Label, &g.Zone}
}

// settled completes a row that was just read.
func (d *domainRow) settled(now time.Time) {
	if !d.leased(now) {
		d.Next = d.next
	}
	d.counted, d.countedSlot, d.loaded, d.loadedAgenda = d.tally(), d.slot(), d.values(), d.agendaValues()
}

// leased reports whether somebody was given the domain to work on.
func (d *domainRow) leased(now time.Time) bool { return d.leaseOwner != "" && d.leaseUntil.After(now) }

var (
	domainFields = []string{"issuer_id", "status", "finding", "dns_check", "proved_at", "reserved_at", "since_at", "releasing_at",
		"released_at", "look_asked_at", "sort_at", "has_version", "not_before", "not_after", "renew_at", "window_start",
		"window_end", "no_later", "free", "paused_until", "slot_width", "order_state", "reason", "failures", "failed_at",
		"failed_on", "cause"}
	agendaFields = []string{"lane", "not_after", "next_action_at", "nudged_at", "turn", "working", "lease_owner",
		"lease_until", "fair_rank", "awaiting_budget", "admitted_budget", "awaiting_answer"}
)

func (d *domainRow) values() []any {
	return []any{d.issuer, d.Status, encFinding(d.Finding), d.check, us(d.Proved), us(d.Reserved), us(d.Since), us(d.releasing),
		us(d.Released), us(d.lookAsked), us(d.sortAt()), bit(d.hasVersion), us(d.notBefore), us(d.notAfter), us(d.renewAt),
		us(d.windowStart), us(d.windowEnd), us(d.noLater), bit(d.free), us(d.pausedUntil), int64(d.slotWidth / time.Second), d.orderState, d.reason, int64(d.failures),
		us(d.failedAt), d.failedOn, string(d.Finding.Code)}
}

func (d *domainRow) agendaValues() []any {
	return []any{int64(d.lane()), us(d.notAfter), us(d.next), us(d.nudged), d.turn, bit(d.working), d.leaseOwner,
		us(d.leaseUntil), d.rank, d.awaiting, d.admitted, d.silent}
}

// saveDomain writes a row that was loaded under lock in the same transaction. It is the only way that a domain's
// status or expiry changes, so that the counters always match the rows.
func (t *tx) saveDomain(d *domainRow) error {
	t.count(d)
	t.touch(d.Tenant, d.ID)
	if err := t.update("domains", "tenant_id = $1 and id = $2", []any{d.Tenant, d.ID}, domainFields, d.loaded, d.values()); err != nil {
		return err
	}
	return t.update("agenda", "domain_id = $1", []any{d.ID}, agendaFields, d.loadedAgenda, d.agendaValues())
}

// update writes the columns whose values changed, and so spares the indexes on all others.
func (t *tx) update(table, where string, args []any, columns []string, before, after []any) error {
	var set []string
	for i, column := range columns {
		if after[i] != before[i] {
			args = append(args, after[i])
			set = append(set, fmt.Sprintf("%s = $%d", column, len(args)))
		}
	}
	if len(set) == 0 {
		return nil
	}
	_, err := t.exec("update "+table+" set "+strings.Join(set, ", ")+" where "+where, args...)
	return err
}

// lastCheck is what DNS answered when it was asked last; nil when it never was.
func (d *domainRow) lastCheck() (*tenants.Check, error) {
	if d.check == "" {
		return nil, nil
	}
	c := &tenants.Check{}
	if err := doc(c).Scan(d.check); err != nil {
		return nil, fmt.Errorf("read check of %s: %w", d.Name, err)
	}
	return c, nil
}

const (
	addDomainSQL = `
insert into domains (id, tenant_id, delegation_id, issuer_id, name, registered, status, reserved_at, since_at, created_at,
	created_by, sort_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

	addAgendaSQL = `insert into agenda (domain_id, tenant_id, lane, not_after, next_action_at) values ($1, $2, $3, $4, $5)`
)

func (t *tx) addDomain(d *domainRow) error {
	if _, err := t.exec(addDomainSQL, d.ID, d.Tenant, d.Delegation.ID, d.issuer, d.Name, d.registered, d.Status,
		us(d.Reserved), us(d.Since), us(d.Created), d.CreatedBy, us(d.sortAt())); err != nil {
		return err
	}
	t.count(d)
	t.touch(d.Tenant, d.ID)
	_, err := t.exec(addAgendaSQL, d.ID, d.Tenant, d.lane(), us(d.notAfter), us(d.next))
	return err
}

// count moves the row from the counter it was loaded with to the one it belongs in now.
func (t *tx) count(d *domainRow) {
	if d.counted != nil {
		t.deltas[*d.counted]--
	}
	if d.counted = d.tally(); d.counted != nil {
		t.deltas[*d.counted]++
	}
	if d.countedSlot != nil {
		t.slots[*d.countedSlot]--
	}
	if d.countedSlot = d.slot(); d.countedSlot != nil {
		t.slots[*d.countedSlot]++
	}
}

// setStatus changes the status and remembers since when.
func (d *domainRow) setStatus(s tenants.Status, now time.Time) {
	if d.Status != s {
		d.Status, d.Since = s, now
	}
}

// due makes the row due now, or as soon as whoever works on it rests.
func (t *tx) due(d *domainRow) {
	t.wake(d.Tenant, d.ID, d.turn)
	if d.leased(t.now) && d.working {
		d.nudged = t.now
		return
	}
	d.next, d.awaiting, d.silent = t.now, "", ""
}

// judged is what the status becomes once f is known, from the copies that the row holds.
func (d *domainRow) judged(f tenants.Finding, now time.Time) tenants.Status {
	facts := tenants.Facts{Domain: d.Domain, Certificate: tenants.Certificate{Plan: tenants.Verdict{NoLater: d.noLater}}}
	if d.hasVersion {
		facts.Current = &tenants.Version{NotBefore: d.notBefore, NotAfter: d.notAfter}
	}
	if d.orderState != "" {
		facts.Order = &tenants.Order{State: d.orderState}
	}
	return tenants.StatusAfter(facts, f, now)
}

// refresh brings the status in line after an order moved. What fails keeps failing until Rest or Issue says otherwise.
func (d *domainRow) refresh(now time.Time) {
	if d.Status != tenants.Failing || d.Finding.OK() {
		d.setStatus(d.judged(d.Finding, now), now)
	}
}

func encFinding(f tenants.Finding) string {
	if f.OK() {
		return ""
	}
	f.Raw = clip4k(f.Raw)
	return clean(enc(f))
}

// clip4k bounds what a hostile server can make us keep of its own words.
func clip4k(s string) string { return s[:min(len(s), 4096)] }
