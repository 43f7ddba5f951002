package storetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"perennial/tenants"
)

// Consistent fails the test for every row of the database at dsn that contradicts another, or that no life of a domain
// leads to: see laws. now is the time of the portals that work on it, which may be in the middle of something.
func Consistent(t testing.TB, dsn string, now time.Time) {
	t.Helper()
	broken, err := Broken(context.Background(), dsn, now)
	if err != nil {
		t.Fatalf("check the database: %v", err)
	}
	for _, text := range broken {
		t.Errorf("inconsistent database: %s", text)
	}
}

// Broken is Consistent for programs: a sentence for each law that is broken, with the first few rows that break it.
func Broken(ctx context.Context, dsn string, now time.Time) (broken []string, err error) {
	conn, err := openReader(dsn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tx, err := conn.BeginTx(ctx, snapshot(dsn))
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return BrokenIn(ctx, tx, now)
}

// BrokenIn is Broken as seen by a transaction that is under way.
func BrokenIn(ctx context.Context, tx *sql.Tx, now time.Time) (broken []string, err error) {
	for _, l := range laws {
		rows, err := l.broken(ctx, tx, now)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.says, err)
		}
		if len(rows) > 0 {
			broken = append(broken, fmt.Sprintf("%s; broken by %d: %s", l.says, len(rows), strings.Join(rows[:min(len(rows), 5)], "; ")))
		}
	}
	return broken, nil
}

// openReader opens a database beside whoever else has it open.
func openReader(dsn string) (*sql.DB, error) {
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		return sql.Open("pgx", dsn)
	}
	return sql.Open("sqlite", path+"?_pragma=busy_timeout(60000)&_pragma=query_only(1)")
}

// snapshot lets all laws see the same instant. On SQLite every transaction does.
func snapshot(dsn string) *sql.TxOptions {
	if strings.HasPrefix(dsn, "sqlite:") {
		return nil
	}
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// law is what holds whenever a transaction has ended.
type law struct {
	says  string
	sql   string                                                      // selects a text for each row that breaks it
	ahead time.Duration                                               // not zero: the $1 of sql is so far ahead of now
	read  func(context.Context, *sql.Tx, time.Time) ([]string, error) // instead of sql, where rows hold structures
}

func (l law) broken(ctx context.Context, tx *sql.Tx, now time.Time) ([]string, error) {
	switch {
	case l.read != nil:
		return l.read(ctx, tx, now)
	case l.ahead != 0:
		return texts(ctx, tx, l.sql, now.Add(l.ahead).UnixMicro())
	}
	return texts(ctx, tx, l.sql)
}

func texts(ctx context.Context, tx *sql.Tx, text string, args ...any) (all []string, err error) {
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

const (
	// longestLease is how long a lease may be at most, and soon is when whoever has something to clean comes back.
	longestLease = time.Hour
	soon         = time.Hour
)

// laws are grouped by what they are about: orders, versions, keys, challenges, copies, counters, the log, the agenda.
var laws = []law{
	{says: "a domain has one open order at most", sql: `
select domain_id from orders where ended_at = 0 group by domain_id having count(*) > 1`},
	{says: "an order has ended when its state says so", sql: `
select id || ' is ' || state from orders where (ended_at > 0) <> (state in ('issued', 'failed'))`},
	{says: "an order that the authority knows has its URL", sql: `
select id || ' is ' || state from orders where state in ('ordered', 'proving', 'ready', 'finalized', 'issued')
	and url = ''`},
	{says: "an order, its certificate and its domain belong together", sql: `
select o.id from orders o join certificates c on c.id = o.certificate_id join domains d on d.id = o.domain_id
where c.domain_id <> d.id or o.tenant_id <> d.tenant_id or c.tenant_id <> d.tenant_id or c.issuer_id <> d.issuer_id`},
	{says: "every domain has one certificate", sql: `
select d.id from domains d where (select count(*) from certificates c where c.domain_id = d.id) <> 1`},

	{says: "the current version is the newest of its lineage", sql: `
select c.id from certificates c where c.current_version <> coalesce((select v.id from versions v
	where v.certificate_id = c.id and v.tenant_id = c.tenant_id order by v.number desc limit 1), '')`},
	{says: "versions are numbered from 1 without gaps", sql: `
select certificate_id from versions group by certificate_id having min(number) <> 1 or max(number) <> count(*)`},
	{says: "all versions but the current one are replaced", sql: `
select v.id from versions v join certificates c on c.id = v.certificate_id where (v.replaced_at = 0) <> (v.id = c.current_version)`},
	{says: "an issued order has one version and no other order has any, nor has a dry run", sql: `
select o.id || ' is ' || o.state from orders o
where (select count(*) from versions v where v.order_id = o.id) <> case when o.state = 'issued' and o.reason <> 'dry run' then 1 else 0 end`},
	{says: "a version is of the certificate, the names and the reason of its order", sql: `
select v.id from versions v join orders o on o.id = v.order_id
where v.certificate_id <> o.certificate_id or v.tenant_id <> o.tenant_id or v.names <> o.names or v.reason <> o.reason or v.not_before >= v.not_after`},

	{says: "an order holds a key while it is open, and not after, and never one of the customer's", sql: `
select id || ' is ' || state from orders where (ended_at = 0 and csr = '') <> (private_key is not null and length(private_key) > 0)`},
	{says: "every version has its key, unless the customer has it", sql: `
select v.id from versions v join orders o on o.id = v.order_id
where (o.csr = '') <> (v.private_key is not null and length(v.private_key) > 0)`},

	{says: "a released domain leaves no TXT value and no open order behind", sql: `
select d.name from domains d where d.released_at > 0 and (exists (select 1 from challenges c
	where c.domain_id = d.id and c.presented_at > 0 and c.cleaned_at = 0) or exists (select 1 from orders o where o.domain_id = d.id and o.ended_at = 0))`},
	{says: "whoever may have a TXT value of an ended order in DNS comes back soon", ahead: soon, sql: `
select d.name from domains d join agenda a on a.domain_id = d.id where (a.next_action_at = 0 or a.next_action_at > $1)
	and exists (select 1 from challenges c join orders o on o.id = c.order_id
		where c.domain_id = d.id and c.presented_at > 0 and c.cleaned_at = 0 and o.ended_at > 0)`},
	{says: "a challenge belongs to the domain of its order, and what is to be presented has a place and a value", sql: `
select c.id from challenges c join orders o on o.id = c.order_id where c.domain_id <> o.domain_id or c.tenant_id <> o.tenant_id
	or c.presented_at > 0 and (c.value = '' or c.record = '' or c.zone = '')`},

	{says: "a domain copies its current version", sql: `
select d.name from domains d join certificates c on c.domain_id = d.id left join versions v on v.id = c.current_version
where d.has_version <> case when v.id is null then 0 else 1 end or d.not_before <> coalesce(v.not_before, 0)
	or d.not_after <> coalesce(v.not_after, 0) or d.sort_at <> coalesce(v.not_after, d.reserved_at)`},
	{says: "a domain copies the state of its open order", sql: `
select d.name || ' has ' || d.order_state from domains d left join orders o on o.domain_id = d.id and o.ended_at = 0 and o.reason <> 'dry run'
where d.order_state <> coalesce(o.state, '')`},
	{says: "a domain copies its plan", read: plansCopied},
	{says: "a domain is released when its status says so", sql: `
select name || ' is ' || status from domains where (status = 'released') <> (released_at > 0)`},
	{says: "a domain's delegation is its tenant's, and held as long as a domain needs it", sql: `
select g.base from delegations g where (g.released = 0) <> exists (select 1 from domains d where d.delegation_id = g.id and d.released_at = 0)
	or exists (select 1 from domains d where d.delegation_id = g.id and d.tenant_id <> g.tenant_id)`},

	{says: "tallies count the domains", sql: `
select tenant_id || ' ' || status || ' ' || cast(week as text) || ': ' || cast(sum(n) as text) || ' too many' from (
	select tenant_id, week, status, n from tallies union all
	select tenant_id, case has_version when 0 then 0 else ((not_after / ` + day + ` + 3) / 7 * 7 - 3) * ` + day + ` end, status, cast(-1 as bigint)
	from domains where released_at = 0) both_sides
group by tenant_id, week, status having sum(n) <> 0`},
	// Slots are counted from year 1, which is so many microseconds before 1970.
	{says: "slots count the planned renewals", sql: `
select issuer_id || ' ' || cast(width as text) || ' s from ' || cast(start_at as text) || ': ' || cast(sum(n) as text) || ' too many' from (
	select issuer_id, width, start_at, n from slots union all
	select issuer_id, slot_width, (renew_at + 62135596800000000) / (slot_width * 1000000) * (slot_width * 1000000) - 62135596800000000, cast(-1 as bigint)
	from domains where released_at = 0 and slot_width > 0 and renew_at > 0) both_sides
group by issuer_id, width, start_at having sum(n) <> 0`},
	{says: "no counter is below zero", sql: `
select tenant_id || ' ' || status from tallies where n < 0 union all select issuer_id || ' ' || cast(start_at as text) from slots where n < 0`},

	{says: "the audit log is numbered from 1 without gaps, up to its head", sql: `
select e.tenant_id from (select tenant_id, count(*) as n, min(number) as least, max(number) as most from entries group by tenant_id) e
	left join entry_heads h on h.tenant_id = e.tenant_id where e.least <> 1 or e.most <> e.n or coalesce(h.n, 0) <> e.n
union all select tenant_id from entry_heads h where n > 0 and not exists (select 1 from entries e where e.tenant_id = h.tenant_id)`},
	{says: "every version has one line in the audit log", sql: `
select d.name from domains d join certificates c on c.domain_id = d.id
where (select count(*) from versions v where v.certificate_id = c.id) <>
	(select count(*) from entries e where e.tenant_id = d.tenant_id and e.object = d.id and e.action = 'certificate.issue')`},

	{says: "every domain is on the agenda until it is released", sql: `
select d.name from domains d left join agenda a on a.domain_id = d.id
where a.domain_id is null or a.tenant_id <> d.tenant_id or a.not_after <> d.not_after or a.lane < 0 or a.lane > 3 or (a.next_action_at = 0) <> (d.released_at > 0)`},
	{says: "a lease has an owner and an end, and its domain is due by then", sql: `
select domain_id || ' ' || lease_owner from agenda
where (lease_owner = '') <> (lease_until = 0) or lease_owner = '' and working = 1 or lease_owner <> '' and next_action_at > lease_until`},
	{says: "no lease is held for ever", ahead: longestLease, sql: `
select domain_id || ' ' || lease_owner from agenda where lease_until > $1`},
	{says: "who waits for a budget is planned and not placed, and who was let out of the waiting room is not in it", sql: `
select a.domain_id from agenda a where (a.awaiting_budget <> '' or a.admitted_budget <> '') and (a.awaiting_budget = a.admitted_budget
	or not exists (select 1 from accounts b where b.id = a.awaiting_budget or b.id = a.admitted_budget))
union all select a.domain_id from agenda a where a.awaiting_budget <> ''
	and not exists (select 1 from orders o where o.domain_id = a.domain_id and o.ended_at = 0 and o.state = 'planned' and o.placing_at = 0)`},
	{says: "a bucket owes no more than its limit twice over, unless the authority said so, and only knows the past", read: bucketsPossible},
}

const plansSQL = `
select d.name, c.plan, d.renew_at, d.window_start, d.window_end, d.no_later, d.slot_width
from domains d join certificates c on c.domain_id = d.id`

// plansCopied compares the columns that lists read with the plan they are copied from.
func plansCopied(ctx context.Context, tx *sql.Tx, _ time.Time) (broken []string, err error) {
	rows, err := tx.QueryContext(ctx, plansSQL)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, text string
		var got, want [5]int64
		if err := rows.Scan(&name, &text, &got[0], &got[1], &got[2], &got[3], &got[4]); err != nil {
			return nil, err
		}
		if text != "" {
			var plan tenants.Verdict
			if err := json.Unmarshal([]byte(text), &plan); err != nil {
				return nil, fmt.Errorf("plan of %s: %w", name, err)
			}
			want = columnsOf(plan)
		}
		if got != want {
			broken = append(broken, fmt.Sprintf("%s has %v instead of %v", name, got, want))
		}
	}
	return broken, rows.Err()
}

func columnsOf(p tenants.Verdict) (want [5]int64) {
	for i, at := range []time.Time{p.At, p.Start, p.End, p.NoLater} {
		if !at.IsZero() {
			want[i] = at.UnixMicro()
		}
	}
	if s, counted := p.Slot(); counted {
		want[4] = int64(s.Width / time.Second)
	}
	return want
}

const bucketsSQL = `
select b.limit_name, b.bucket, b.tat, b.corrected_at, i.limits from buckets b join issuers i on i.id = b.issuer_id`

// bucketsPossible looks for instants that no spending leads to. A bucket may owe: what the authority counted is booked
// whether there was a token or not.
func bucketsPossible(ctx context.Context, tx *sql.Tx, now time.Time) (broken []string, err error) {
	rows, err := tx.QueryContext(ctx, bucketsSQL)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name tenants.LimitName
		var key, text string
		var tat, corrected int64
		if err := rows.Scan(&name, &key, &tat, &corrected, &text); err != nil {
			return nil, err
		}
		limits := tenants.Limits{}
		if text != "" {
			if err := json.Unmarshal([]byte(text), &limits); err != nil {
				return nil, fmt.Errorf("limits: %w", err)
			}
		}
		longest := now.Add(2 * limits[name].Every() * time.Duration(limits[name].Count)).UnixMicro()
		if tat < 0 || corrected > now.UnixMicro() || corrected == 0 && tat > longest {
			broken = append(broken, fmt.Sprintf("%s of %s: %v", name, key, time.UnixMicro(tat).UTC()))
		}
	}
	return broken, rows.Err()
}
