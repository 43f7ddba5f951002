package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"perennial/store/seal"
	"perennial/tenants"
)

func openHere(t *testing.T) *DB {
	t.Helper()
	dir := t.TempDir()
	db, err := Open(t.Context(), Config{DSN: "sqlite:" + filepath.Join(dir, "test.db"), Key: seal.File(filepath.Join(dir, "key")),
		Zone: "delegation.example", Directory: "https://ca.example/directory"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestUnauditedWriteIsRefused(t *testing.T) {
	db := openHere(t)
	insert := func(t *tx) error {
		_, err := t.exec(`insert into tenants (id, slug, name, created_at) values ('ten_x', 'x', 'X', 1)`)
		return err
	}
	if err := db.write(t.Context(), insert); !errors.Is(err, errUnaudited) {
		t.Fatalf("got %v", err)
	}
	if _, err := db.read(t.Context()).tenant("ten_x"); tenants.KindOf(err) != tenants.NotFound {
		t.Fatalf("the row is there: %v", err)
	}
	if err := db.write(t.Context(), func(t *tx) error {
		t.record(tenants.System(platform), tenants.DidAddTenant, "ten_x", "X", "added X.")
		return insert(t)
	}); err != nil {
		t.Fatal(err)
	}
}

func TestReaderCannotWrite(t *testing.T) {
	db := openHere(t)
	var n int
	err := db.read(t.Context()).one(`insert into entry_heads (tenant_id, n) values ('x', 1) returning n`, nil, &n)
	if err == nil {
		t.Fatal("a reader wrote")
	}
}

// A cancelled request leaves no transaction behind that would block all others.
func TestCancelledWriteFreesTheWriter(t *testing.T) {
	db := openHere(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.write(ctx, func(t *tx) error {
		cancel()
		_, err := t.exec(`delete from tallies`)
		return err
	})
	if err == nil {
		t.Fatal("it committed")
	}
	if err := db.System().Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWeekOf(t *testing.T) {
	for _, c := range []struct{ at, want string }{
		{"2026-11-23T00:00:00Z", "2026-11-23"}, // a Monday
		{"2026-11-29T23:59:59Z", "2026-11-23"}, // its Sunday
		{"2027-01-01T12:00:00Z", "2026-12-28"},
		{"2026-11-23T00:30:00+02:00", "2026-11-16"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := weekOf(at).Format(time.DateOnly); got != c.want {
			t.Errorf("week of %s is %s, want %s", c.at, got, c.want)
		}
	}
}

func TestRefill(t *testing.T) {
	l := tenants.Limit{Count: 3, Per: 30 * time.Second}
	now := time.Unix(1000, 0)
	var tat time.Time
	for _, want := range []time.Duration{10, 10, 10} {
		tat, _, _ = l.Spend(tat, now, 1)
		if got := refill(l, tat, now).Sub(now); got != want*time.Second {
			t.Errorf("next token in %v, want %v", got, want*time.Second)
		}
	}
	until := now.Add(time.Hour)
	if got := refill(l, l.Empty(until), now); !got.Equal(until) {
		t.Errorf("the CA said %v, we say %v", until, got)
	}
	if got := refill(l, time.Time{}, now); !got.Equal(now) {
		t.Errorf("a full bucket refills at %v", got)
	}
}
