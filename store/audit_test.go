package store_test

import (
	"fmt"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func TestEntriesAreNumberedWithoutGaps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		for i := range 5 {
			s.issue(s.register(w.Acme, name(i)), time.Hour)
			s.register(w.Northwind, "north-"+name(i))
			_, err := w.Scope(w.Acme).RegisterDomain(s.ctx, name(i), store.RegisterOptions{})
			wantKind(t, err, tenants.Invalid) // leaves no hole
		}
		for _, in := range []tenants.Tenant{w.Acme, w.Northwind} {
			want := must[store.EntryPage](t)(w.Scope(in).Entries(s.ctx, store.EntryFilter{})).Total
			for number := int64(want); number > 0; number-- {
				e := must[tenants.Entry](t)(w.Scope(in).Entry(s.ctx, number))
				if e.Number != number || e.Tenant != in.ID || e.ID == "" || e.Text == "" {
					t.Fatalf("entry %d of %s: %+v", number, in.Slug, e)
				}
			}
		}
	})
}

func TestEntryKeepsEverything(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		e := s.lastEntry(w.Acme)
		want := w.Actor(w.Acme, tenants.Admin)
		if e.Actor != want || e.Action != tenants.DidRegister || e.Object != string(id) || e.Subject != "shop.example" ||
			e.Text != "added shop.example." || e.Outcome != tenants.Done {
			t.Errorf("entry: %+v", e)
		}
		again := must[tenants.Entry](t)(w.Scope(w.Acme).Entry(s.ctx, e.Number))
		if string(again.Canonical()) != string(e.Canonical()) {
			t.Error("the canonical bytes changed")
		}
	})
}

func TestEntryFilter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		begun := w.Clock.Now()
		id := s.register(w.Acme, "shop.example")
		w.Clock.Advance(time.Hour)
		s.register(w.Acme, "100%_odd.example"[5:])
		viewer := w.DB.As(w.Actor(w.Acme, tenants.Viewer))
		_, err := viewer.Entries(s.ctx, store.EntryFilter{})
		wantKind(t, err, tenants.Denied)
		for _, c := range []struct {
			filter store.EntryFilter
			want   int
		}{
			{store.EntryFilter{}, 4}, // with the tenant's own beginning
			{store.EntryFilter{What: "domain."}, 2},
			{store.EntryFilter{What: "domain.register", Target: "SHOP"}, 1},
			{store.EntryFilter{Target: string(id)}, 1},
			{store.EntryFilter{Target: "%"}, 0},
			{store.EntryFilter{Who: "ADMIN@"}, 2},
			{store.EntryFilter{Outcome: tenants.Refused}, 1},
			{store.EntryFilter{From: begun.Add(30 * time.Minute)}, 2},
			{store.EntryFilter{To: begun.Add(30 * time.Minute), What: "domain."}, 1},
			{store.EntryFilter{Who: "a\x00\xff"}, 0},
		} {
			p := must[store.EntryPage](t)(w.Scope(w.Acme).Entries(s.ctx, c.filter))
			if p.Total != c.want || len(p.Entries) != c.want {
				t.Errorf("%+v: %d of %d entries, want %d", c.filter, len(p.Entries), p.Total, c.want)
			}
		}
	})
}

func TestExportIsCompleteAndAudited(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		for i := range 12 {
			var batch []string
			for j := range 100 {
				batch = append(batch, fmt.Sprintf("n%d-%d.example", i, j))
			}
			must[store.Registered](t)(w.Scope(w.Acme).RegisterDomains(s.ctx, batch))
		}
		var numbers []int64
		check(t, w.Scope(w.Acme).ExportEntries(s.ctx, store.EntryFilter{}, func(e tenants.Entry) error {
			numbers = append(numbers, e.Number)
			return nil
		}))
		for i, n := range numbers {
			if n != int64(len(numbers)-i) {
				t.Fatalf("line %d is entry %d", i, n)
			}
		}
		if len(numbers) != 1202 || s.lastEntry(w.Acme).Action != tenants.DidExport {
			t.Errorf("%d entries, the last is %+v", len(numbers), s.lastEntry(w.Acme))
		}
	})
}

func TestDownloadsAreAudited(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		version := s.issue(s.register(w.Acme, "shop.example"), time.Hour)
		_, key, err := w.Scope(w.Acme).DownloadKey(s.ctx, version)
		check(t, err)
		if e := s.lastEntry(w.Acme); e.Action != tenants.DidDownloadKey || len(key.Reveal()) < 100 {
			t.Errorf("after the key: %+v", e)
		}
		_, _, err = w.DB.As(w.Actor(w.Acme, tenants.Auditor)).DownloadKey(s.ctx, version)
		wantKind(t, err, tenants.Denied)
		if e := s.lastEntry(w.Acme); e.Outcome != tenants.Refused || e.Text != "tried to download a private key. The role Auditor may not download a private key." {
			t.Errorf("after the attempt: %+v", e)
		}
		_, v, err := w.DB.As(w.Actor(w.Acme, tenants.Viewer)).DownloadChain(s.ctx, version)
		check(t, err)
		if e := s.lastEntry(w.Acme); e.Action != tenants.DidDownload || v.Chain == "" {
			t.Errorf("after the chain: %+v", e)
		}
	})
}
