package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

const life = 90 * 24 * time.Hour

// slotCounts are the counters as they are kept, and as the rows say they should be.
func (s story) slotCounts() (kept, counted map[string]int) {
	s.Helper()
	kept, counted = map[string]int{}, map[string]int{}
	read := func(into map[string]int, text string) {
		rows, err := s.raw().Query(text)
		check(s, err)
		defer rows.Close()
		for rows.Next() {
			var issuer string
			var width, at int64
			var n int
			check(s, rows.Scan(&issuer, &width, &at, &n))
			start := time.UnixMicro(at).UTC().Truncate(time.Duration(width) * time.Second)
			into[fmt.Sprint(issuer, width, start)] += n
		}
		check(s, rows.Err())
	}
	read(kept, `select issuer_id, width, start_at, n from slots where n <> 0`)
	read(counted, `select issuer_id, slot_width, renew_at, 1 from domains where released_at = 0 and slot_width > 0 and renew_at > 0`)
	return kept, counted
}

func (s story) slotsAreExact() {
	s.Helper()
	kept, counted := s.slotCounts()
	if diff := cmp.Diff(counted, kept); diff != "" {
		s.Errorf("counters of slots (- counted, + kept):\n%s", diff)
	}
}

// Certificates that are issued together renew apart, whoever they belong to.
func TestRenewalsAreSpread(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		for i := range 30 {
			s.issue(s.register([]tenants.Tenant{w.Acme, w.Northwind}[i%2], name(i)), life)
		}
		kept, _ := s.slotCounts()
		for slot, n := range kept {
			if n > 1 {
				t.Errorf("%d renewals in %s, while hundreds of slots are empty", n, slot)
			}
		}
		if len(kept) != 30 {
			t.Errorf("%d slots", len(kept))
		}
		s.slotsAreExact()
	})
}

// plans are the instants of a tenant's renewals.
func (s story) plans(in tenants.Tenant, ids []tenants.DomainID) (at map[tenants.DomainID]time.Time) {
	at = map[tenants.DomainID]time.Time{}
	for _, id := range ids {
		at[id] = s.view(in, id).Certificate.Plan.At
	}
	return at
}

// New hours move the renewals that they do not allow, no others, and nothing before they are saved.
func TestHoursMoveOnlyWhatTheyMust(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		var ids []tenants.DomainID
		for i := range 20 {
			ids = append(ids, s.register(w.Acme, name(i)))
			s.issue(ids[i], life)
		}
		before, scope := s.plans(w.Acme, ids), w.Scope(w.Acme)
		hours := tenants.Hours{Days: []time.Weekday{time.Monday, time.Tuesday}, From: 6 * 60, To: 18 * 60}
		preview := must[tenants.Prospect](t)(scope.PreviewHours(s.ctx, hours))
		if diff := cmp.Diff(before, s.plans(w.Acme, ids)); diff != "" || preview.Moved == 0 {
			t.Fatalf("a preview of %d moves moved: %s", preview.Moved, diff)
		}
		saved := must[tenants.Prospect](t)(scope.SaveHours(s.ctx, hours))
		if saved.Text() != preview.Text() {
			t.Errorf("promised %q, did %q", preview.Text(), saved.Text())
		}
		after, moved := s.plans(w.Acme, ids), 0
		for id, at := range after {
			allowed := len(hours.Open(before[id], before[id].Add(time.Second))) > 0
			if len(hours.Open(at, at.Add(time.Second))) == 0 || allowed && !at.Equal(before[id]) {
				t.Errorf("%v went to %v", before[id], at)
			}
			if !at.Equal(before[id]) {
				moved++
			}
		}
		if moved != preview.Moved {
			t.Errorf("%d moved, %d were promised", moved, preview.Moved)
		}
		s.slotsAreExact()
		entries := must[store.EntryPage](t)(scope.Entries(s.ctx, store.EntryFilter{What: string(tenants.DidChangeHours)}))
		if entries.Total != 1 || entries.Entries[0].Changes[0].After != hours.String() {
			t.Errorf("entries: %+v", entries.Entries)
		}
		if again := must[tenants.Prospect](t)(scope.SaveHours(s.ctx, hours)); again.Moved != 0 {
			t.Errorf("the same hours moved %d", again.Moved)
		}
	})
}

// A number per day holds for all renewals of the tenant, as far as there are days.
func TestHoursPerDay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		must[tenants.Prospect](t)(w.Scope(w.Acme).SaveHours(s.ctx, tenants.Hours{PerDay: 2}))
		var ids []tenants.DomainID
		for i := range 30 {
			ids = append(ids, s.register(w.Acme, name(i)))
			s.issue(ids[i], life)
		}
		days := map[string]int{}
		for _, at := range s.plans(w.Acme, ids) {
			days[at.Format(time.DateOnly)]++
		}
		for on, n := range days {
			if n > 2 {
				t.Errorf("%d on %s", n, on)
			}
		}
		s.slotsAreExact()
	})
}

// Whoever may renew at any time leaves the hours of others to them, from the moment on when they are saved.
func TestHoursOfOthersAreLeftToThem(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		for i := range 40 {
			s.register(w.Acme, name(i)) // each is still to be planned
		}
		s.issue(s.register(w.Northwind, "before.example"), life)
		must[tenants.Prospect](t)(w.Scope(w.Acme).SaveHours(s.ctx, tenants.Hours{To: 24 * 60,
			Days: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}}))
		for i := range 8 {
			id := s.register(w.Northwind, name(100+i))
			s.issue(id, life)
			if at := s.view(w.Northwind, id).Certificate.Plan.At.UTC(); at.Weekday() != time.Saturday && at.Weekday() != time.Sunday {
				t.Errorf("planned for %v, when Acme must renew", at.Format("Mon 2 Jan 15:04"))
			}
		}
	})
}
