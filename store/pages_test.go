package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// walk reads a list page by page and back again, and returns the names in order.
func (s story) walk(in tenants.Tenant, f store.DomainFilter) []string {
	s.Helper()
	var names, back []string
	var last store.DomainPage
	for {
		p := must[store.DomainPage](s)(s.w.Scope(in).Domains(s.ctx, f))
		for _, d := range p.Rows {
			names = append(names, d.Name)
		}
		if last = p; p.Next == "" {
			break
		}
		f.Cursor = p.Next
	}
	if last.Total != len(names) {
		s.Errorf("total %d, %d rows", last.Total, len(names))
	}
	for p := last; ; {
		var page []string
		for _, d := range p.Rows {
			page = append(page, d.Name)
		}
		back = append(page, back...)
		if p.Prev == "" {
			break
		}
		f.Cursor = p.Prev
		p = must[store.DomainPage](s)(s.w.Scope(in).Domains(s.ctx, f))
	}
	if !slices.Equal(back, names) {
		s.Errorf("forwards %v, backwards %v", names, back)
	}
	return names
}

func TestPagesAreComplete(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		var all []string
		for i := range 20 {
			id := s.register(w.Acme, name(i))
			if i%3 == 0 {
				s.issue(id, time.Duration(i%2+1)*15*24*time.Hour) // many with nearly the same end
			}
			all = append(all, name(i))
		}
		s.register(w.Northwind, "other.example")
		for _, sort := range []string{"expires", "name", ""} {
			for limit := 1; limit <= 21; limit += 4 {
				names := s.walk(w.Acme, store.DomainFilter{Sort: sort, Limit: limit})
				if sort == "name" && !slices.IsSorted(names) {
					t.Errorf("by name: %v", names)
				}
				slices.Sort(names)
				if !slices.Equal(names, all) {
					t.Errorf("sorted by %q, %d a page: %v", sort, limit, names)
				}
			}
		}
		if n := len(s.walk(w.Acme, store.DomainFilter{Status: tenants.Active, Limit: 2})); n != 7 {
			t.Errorf("%d active", n)
		}
		if n := len(s.walk(w.Acme, store.DomainFilter{Status: tenants.Active, Sort: "name", Limit: 2})); n != 7 {
			t.Errorf("%d active by name", n)
		}
		if n := len(s.walk(w.Acme, store.DomainFilter{Query: "N000", Limit: 3})); n != 10 {
			t.Errorf("%d with n000", n)
		}
		if n := len(s.walk(w.Acme, store.DomainFilter{Week: w.Clock.Now().Add(30 * 24 * time.Hour), Limit: 2})); n != 3 {
			t.Errorf("%d in the week", n)
		}
	})
}

// A row that comes or goes between two pages hides no other and shows none twice.
func TestPagesAreStable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		var ids []tenants.DomainID
		for i := range 9 {
			ids = append(ids, s.register(w.Acme, name(i)))
		}
		f := store.DomainFilter{Limit: 3, Sort: "name"}
		first := must[store.DomainPage](t)(w.Scope(w.Acme).Domains(s.ctx, f))
		s.release(w.Acme, ids[0])
		s.release(w.Acme, ids[2])
		s.register(w.Acme, "a.example")
		f.Cursor = first.Next
		second := must[store.DomainPage](t)(w.Scope(w.Acme).Domains(s.ctx, f))
		if second.Rows[0].ID != ids[3] || len(second.Rows) != 3 {
			t.Errorf("second page: %+v", second.Rows)
		}
		f.Cursor = "no cursor \x00"
		if p := must[store.DomainPage](t)(w.Scope(w.Acme).Domains(s.ctx, f)); p.Rows[0].Name != "a.example" {
			t.Errorf("a broken cursor leads to %+v", p.Rows)
		}
	})
}

// SQLite is not told when nobody waits any more, so the store has to look by itself.
func TestCancelledReadEnds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.Scope(w.Acme).Domains(ctx, store.DomainFilter{}); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled read ends with %v", err)
		}
	})
}

func TestEntryPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		for i := range 7 {
			s.register(w.Acme, name(i))
		}
		for _, log := range []interface {
			Entries(ctx context.Context, f store.EntryFilter) (store.EntryPage, error)
		}{w.Scope(w.Acme), w.Platform()} {
			f, seen := store.EntryFilter{Limit: 3}, map[tenants.EntryID]bool{}
			var total int
			for {
				p := must[store.EntryPage](t)(log.Entries(s.ctx, f))
				total = p.Total
				for _, e := range p.Entries {
					if seen[e.ID] {
						t.Errorf("entry %d twice", e.Number)
					}
					seen[e.ID] = true
				}
				if f.Cursor = p.Next; p.Next == "" {
					break
				}
			}
			if len(seen) != total {
				t.Errorf("%d of %d entries", len(seen), total)
			}
		}
	})
}

// A page touches its rows and not the tenant's others: both engines find it through an index.
func TestPagesUseAnIndex(t *testing.T) {
	w := storetest.New(t)
	s := tell(t, w)
	s.register(w.Acme, "shop.example")
	for order, index := range map[string]string{"sort_at, id": "domains_expires", "name": "domains_name"} {
		var id, parent, unused int
		var detail string
		row := s.raw().QueryRow(`explain query plan select id from domains d where d.tenant_id = $1 and d.released_at = 0 order by `+order+` limit 51`, "x")
		check(t, row.Scan(&id, &parent, &unused, &detail))
		if want := fmt.Sprintf("SEARCH d USING INDEX %s (tenant_id=?)", index); detail != want && detail != fmt.Sprintf("SEARCH d USING COVERING INDEX %s (tenant_id=?)", index) {
			t.Errorf("by %s: %s", order, detail)
		}
	}
}

// The operator's page counts the domains of an issuer in an index alone: their rows are many and wide.
func TestDomainsOfAnIssuerAreCountedInAnIndex(t *testing.T) {
	w := storetest.New(t)
	s := tell(t, w)
	s.register(w.Acme, "shop.example")
	rows, err := s.raw().Query(`explain query plan select (select count(*) from domains d where d.issuer_id = i.id and d.released_at = 0) from issuers i where i.id = $1`, "x")
	check(t, err)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		check(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	if check(t, rows.Err()); !slices.Contains(plan, "SEARCH d USING COVERING INDEX domains_issuer (issuer_id=?)") {
		t.Errorf("the plan: %s", strings.Join(plan, "; "))
	}
}
