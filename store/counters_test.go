package store_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// Whatever happens in whatever order, the counters equal what is counted.
func TestCountersAreExact(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		r := rand.New(rand.NewPCG(7, 7))
		var ids []tenants.DomainID
		home := map[tenants.DomainID]tenants.Tenant{}
		for step := range 150 {
			if len(ids) < 5 || r.IntN(6) == 0 {
				in := []tenants.Tenant{w.Acme, w.Northwind}[r.IntN(2)]
				id := s.register(in, name(step))
				ids, home[id] = append(ids, id), in
				continue
			}
			k := r.IntN(len(ids))
			if s.randomly(r, home[ids[k]], ids[k]) {
				ids = append(ids[:k], ids[k+1:]...)
			}
		}
		for _, in := range []tenants.Tenant{w.Acme, w.Northwind} {
			got := must[store.Overview](t)(w.Scope(in).Overview(s.ctx))
			if diff := cmp.Diff(s.counted(in), got); diff != "" {
				t.Errorf("counters of %s (- counted, + kept):\n%s", in.Slug, diff)
			}
			page := must[store.DomainPage](t)(w.Scope(in).Domains(s.ctx, store.DomainFilter{Query: "no such name"}))
			if diff := cmp.Diff(got, page.Overview); diff != "" {
				t.Errorf("counters beside an empty page of %s (- overview, + page):\n%s", in.Slug, diff)
			}
		}
		s.slotsAreExact()
		check(t, s.sys.Sweep(s.ctx))
		got := must[store.Overview](t)(w.Scope(w.Acme).Overview(s.ctx))
		if diff := cmp.Diff(s.counted(w.Acme), got); diff != "" {
			t.Errorf("after the sweep:\n%s", diff)
		}
		storetest.Consistent(t, w.DSN, w.Clock.Now())
	})
}

// randomly does something to a domain and reports whether it is gone afterwards.
func (s story) randomly(r *rand.Rand, in tenants.Tenant, id tenants.DomainID) (gone bool) {
	f := s.begin(id)
	switch r.IntN(6) {
	case 0:
		if f.Order != nil {
			check(s, s.sys.FailOrder(s.ctx, *f.Order, tenants.Finding{Code: tenants.CARefuses}, tenants.Failing))
		}
	case 1:
		if f.Order == nil {
			s.issue(id, time.Duration(1+r.IntN(90*24))*time.Hour)
		}
	case 2:
		if f.Order == nil {
			s.plan(id)
		}
	case 3:
		check(s, s.sys.Rest(s.ctx, id, owner, s.w.Clock.Now(), tenants.Finding{Code: tenants.CAAForbids}, tenants.Failing))
	case 4:
		s.w.Clock.Advance(time.Duration(r.IntN(48)) * time.Hour)
		check(s, s.sys.Expire(s.ctx, id))
	default:
		s.release(in, id)
		return true
	}
	return false
}

// counted counts the rows themselves.
func (s story) counted(in tenants.Tenant) store.Overview {
	s.Helper()
	o := store.Overview{ByStatus: map[tenants.Status]int{}}
	weeks := map[int64]map[tenants.Status]int{}
	var order []int64
	db := s.raw()
	rows, err := db.Query(`select status, has_version, not_after from domains where tenant_id = $1 and status <> 'released' order by not_after`, string(in.ID))
	check(s, err)
	defer rows.Close()
	for rows.Next() {
		var status tenants.Status
		var has, end int64
		check(s, rows.Scan(&status, &has, &end))
		o.ByStatus[status]++
		o.Total++
		if has == 0 {
			continue
		}
		week := monday(time.UnixMicro(end).UTC()).Unix()
		if weeks[week] == nil {
			weeks[week] = map[tenants.Status]int{}
			order = append(order, week)
		}
		weeks[week][status]++
	}
	check(s, rows.Err())
	for _, week := range order {
		o.Weeks = append(o.Weeks, store.Week{Start: time.Unix(week, 0).UTC(), ByStatus: weeks[week]})
	}
	o.WithoutHelp = o.ByStatus[tenants.Expired] + o.ByStatus[tenants.Failing] + o.ByStatus[tenants.Waiting]
	return o
}

func monday(t time.Time) time.Time {
	day := t.Truncate(24 * time.Hour)
	for day.Weekday() != time.Monday {
		day = day.Add(-24 * time.Hour)
	}
	return day
}

// raw is a connection past the store, for what only an attacker or a test would do.
func (s story) raw() *sql.DB {
	s.Helper()
	driver, dsn := "pgx", s.w.DSN
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", fmt.Sprintf("%s?_pragma=busy_timeout(5000)", path)
	}
	db, err := sql.Open(driver, dsn)
	check(s, err)
	s.Cleanup(func() { _ = db.Close() })
	return db
}
