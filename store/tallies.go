package store

import (
	"cmp"
	"slices"
	"time"

	"perennial/tenants"
)

// tally is the key of one counter row.
type tally struct {
	tenant tenants.TenantID
	week   int64 // Monday 00:00 UTC of the week in which the version ends; 0 without one
	status tenants.Status
}

// weekOf is the start of the ISO week that an instant is in.
func weekOf(t time.Time) time.Time {
	t = t.UTC()
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
}

const addTallySQL = `
insert into tallies (tenant_id, week, status, n) values ($1, $2, $3, $4)
on conflict (tenant_id, week, status) do update set n = tallies.n + excluded.n`

func (t *tx) flushTallies() error {
	keys := make([]tally, 0, len(t.deltas))
	for k, n := range t.deltas {
		if n != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b tally) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.week, b.week), cmp.Compare(a.status, b.status))
	})
	for _, k := range keys {
		if _, err := t.exec(addTallySQL, k.tenant, k.week, k.status, t.deltas[k]); err != nil {
			return err
		}
	}
	return nil
}

type tallyRow struct {
	week   time.Time // zero: no version
	status tenants.Status
	n      int
}

const talliesSQL = `select week, status, n from tallies where tenant_id = $1 and n <> 0 order by week, status`

func (q query) tallies(tenant tenants.TenantID) ([]tallyRow, error) {
	return collect(q, func(r rows) (t tallyRow, err error) {
		return t, r.Scan(at(&t.week), &t.status, &t.n)
	}, talliesSQL, tenant)
}

// overview sums the counters of a tenant.
func overview(all []tallyRow) Overview {
	o := Overview{ByStatus: map[tenants.Status]int{}}
	for _, t := range all {
		o.ByStatus[t.status] += t.n
		o.Total += t.n
		if t.week.IsZero() {
			continue
		}
		if k := len(o.Weeks); k == 0 || !o.Weeks[k-1].Start.Equal(t.week) {
			o.Weeks = append(o.Weeks, Week{Start: t.week, ByStatus: map[tenants.Status]int{}})
		}
		o.Weeks[len(o.Weeks)-1].ByStatus[t.status] += t.n
	}
	o.WithoutHelp = o.ByStatus[tenants.Expired] + o.ByStatus[tenants.Failing] + o.ByStatus[tenants.Waiting]
	return o
}
