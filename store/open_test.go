package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/seal"
	"perennial/store/storetest"
	"perennial/tenants"
)

func TestOpenTwiceIsHarmless(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		again := w.Open(t)
		if _, err := again.As(w.Actor(w.Acme, tenants.Viewer)).Domain(s.ctx, id); err != nil {
			t.Error(err)
		}
		check(t, again.Ping(s.ctx))
	})
}

// Several processes that start on an empty database migrate it once, and end up with one key.
func TestOpenAtTheSameTime(t *testing.T) {
	for _, c := range []struct{ name, dsn string }{
		{"sqlite", "sqlite:" + filepath.Join(t.TempDir(), "new.db")},
		{"postgres", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.dsn == "" {
				c.dsn = storetest.Postgres(t)
			}
			cfg := storetest.Config(c.dsn)
			cfg.Key = seal.File(filepath.Join(t.TempDir(), "key"))
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					db, err := store.Open(t.Context(), cfg)
					if err != nil {
						t.Error(err)
						return
					}
					if err := db.System().Sweep(t.Context()); err != nil {
						t.Error(err)
					}
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
		})
	}
}

func TestLostKeyIsNoticed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	cfg := store.Config{DSN: "sqlite:" + filepath.Join(dir, "test.db"), Key: seal.File(path), Directory: "https://ca.example/d"}
	db := must[*store.DB](t)(store.Open(t.Context(), cfg))
	check(t, db.Close())
	check(t, os.Rename(path, path+".away"))
	if _, err := store.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("without the key: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a new key was made for a database that holds secrets")
	}
	_, err := seal.OpenFile(path, true)
	check(t, err)
	if _, err := store.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "does not belong to this database") {
		t.Errorf("with another key: %v", err)
	}
	check(t, os.Rename(path+".away", path))
	db = must[*store.DB](t)(store.Open(t.Context(), cfg))
	check(t, db.Close())
	info := must[os.FileInfo](t)(os.Stat(filepath.Join(dir, "test.db")))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("database mode %v", info.Mode())
	}
}

func TestOpenRefusesWhatItCannotRead(t *testing.T) {
	for _, dsn := range []string{"", "perennial.db", "mysql://x", "sqlite:", "sqlite::memory:", "sqlite:a?mode=ro", "postgres://%zz"} {
		cfg := storetest.Config(dsn)
		if _, err := store.Open(t.Context(), cfg); err == nil {
			t.Errorf("opened %q", dsn)
		}
	}
}

// Whoever can write to the database cannot make one tenant's key appear as another's.
func TestMovedBlobsDoNotOpen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		first, second := s.issue(s.register(w.Acme, "a.example"), time.Hour), s.issue(s.register(w.Acme, "b.example"), time.Hour)
		third := s.issue(s.register(w.Northwind, "c.example"), time.Hour)
		db := s.raw()
		move := func(from, to tenants.VersionID) {
			_, err := db.Exec(`update versions set private_key = (select private_key from versions where id = $1) where id = $2`, string(from), string(to))
			check(t, err)
		}
		move(first, second)
		if _, _, err := w.Scope(w.Acme).DownloadKey(s.ctx, second); err == nil {
			t.Error("a key moved to another row opens")
		}
		if n := must[store.EntryPage](t)(w.Scope(w.Acme).Entries(s.ctx, store.EntryFilter{What: string(tenants.DidDownloadKey)})).Total; n != 0 {
			t.Error("the audit log says that a key was handed out")
		}
		move(first, third)
		if _, _, err := w.Scope(w.Northwind).DownloadKey(s.ctx, third); err == nil {
			t.Error("a key moved to another tenant opens")
		}
		_, _, err := w.Scope(w.Acme).DownloadKey(s.ctx, first)
		check(t, err)
	})
}
