// Package storetest gives tests a real database: migrated, with two tenants, on each engine.
//
// SQLite is a file in the test's own folder. Postgres is one temporary cluster for the whole test program, with a
// database for each test. Where Postgres is not installed its tests are skipped with a loud line, and fail when
// CI=true.
package storetest

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/seal"
	"perennial/tenants"
)

const (
	// Zone is the delegation zone of test databases.
	Zone = "delegation.example"
	// Directory is the ACME directory of their issuer.
	Directory = "https://ca.example/directory"
)

// World is a database with two tenants, Acme Retail and Northwind.
type World struct {
	DB        *store.DB
	DSN       string
	Clock     *Clock
	Acme      tenants.Tenant
	Northwind tenants.Tenant
	Fail      func(store.Moment) error // of every database opened here; nil: nothing fails
	cfg       store.Config
}

// Clock is the time of a world: the real (or virtual) one plus what a test moved it on.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

// Now is the time in the world.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// Each runs a test on SQLite and on Postgres.
func Each(t *testing.T, test func(t *testing.T, w *World)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, New(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, NewPostgres(t)) })
}

// New makes a world on SQLite.
func New(t testing.TB) *World {
	t.Helper()
	path := filepath.Join(t.TempDir(), "perennial.db")
	if err := os.WriteFile(path, must(t, sqliteTemplate), 0o600); err != nil {
		t.Fatalf("copy template: %v", err)
	}
	return open(t, "sqlite:"+path)
}

// NewPostgres makes a world on Postgres.
func NewPostgres(t testing.TB) *World {
	t.Helper()
	return open(t, theCluster(t).database(t))
}

// Open opens the world's database once more, as a second process would.
func (w *World) Open(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), w.cfg)
	if err != nil {
		t.Fatalf("open database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	return db
}

// Actor is a person with a role in a tenant.
func (w *World) Actor(in tenants.Tenant, role tenants.Role) tenants.Actor {
	name := string(role) + "@" + in.Slug + ".example"
	return tenants.Actor{Kind: tenants.Person, Name: name, Issuer: "https://login.example", Subject: name,
		Tenant: in.ID, Role: role, Address: "198.51.100.24", RequestID: "req_test"}
}

// Scope is a tenant as its admin sees it.
func (w *World) Scope(in tenants.Tenant) *store.Scope { return w.DB.As(w.Actor(in, tenants.Admin)) }

// Platform is what the operator sees.
func (w *World) Platform() *store.Platform { return w.DB.Platform(Operator()) }

// Operator is a person who runs the portal.
func Operator() tenants.Actor {
	return tenants.Actor{Kind: tenants.Person, Name: "operator@portal.example", Issuer: "https://login.example",
		Subject: "operator", Platform: tenants.Operator, Address: "198.51.100.1", RequestID: "req_test"}
}

// Config is the configuration of a test database.
func Config(dsn string) store.Config {
	return store.Config{DSN: dsn, Key: key, Zone: Zone, Directory: Directory,
		Rules: tenants.NameRules{AllowSpecialUse: true}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func open(t testing.TB, dsn string) *World {
	t.Helper()
	w := &World{DSN: dsn, Clock: &Clock{}, cfg: Config(dsn)}
	w.cfg.Now = w.Clock.Now
	w.cfg.Fail = func(m store.Moment) error {
		if w.Fail == nil {
			return nil
		}
		return w.Fail(m)
	}
	w.DB = w.Open(t)
	all, err := w.DB.System().Tenants(context.Background())
	if err != nil {
		t.Fatalf("read tenants: %v", err)
	}
	for _, one := range all {
		switch one.Slug {
		case "acme":
			w.Acme = one
		case "northwind":
			w.Northwind = one
		}
	}
	return w
}

// furnish makes the template that all worlds are copies of.
func furnish(dsn string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, Config(dsn))
	if err != nil {
		return err
	}
	for _, in := range []store.TenantInput{
		{Name: "Acme Retail", Slug: "acme", Groups: groups("acme")},
		{Name: "Northwind", Slug: "northwind", Groups: groups("northwind")},
	} {
		if _, err := db.System().AddTenant(ctx, in); err != nil {
			return err
		}
	}
	return db.Close()
}

// groups maps "acme-admin" to admin, and so on.
func groups(slug string) (gs []store.GroupInput) {
	for _, r := range tenants.Roles {
		gs = append(gs, store.GroupInput{Claim: slug + "-" + string(r), Role: r})
	}
	return gs
}

// theKEK is one key for the whole test program, because templates are shared.
var theKEK = sync.OnceValues(func() (seal.KEK, error) {
	dir, err := os.MkdirTemp("", "perennial-key-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the temporary folder
	return seal.OpenFile(filepath.Join(dir, "key"), true)
})

func key(bool) (seal.KEK, error) { return theKEK() }

// sqliteTemplate is the file that every SQLite world begins as.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "perennial-sqlite-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the temporary folder
	path := filepath.Join(dir, "template.db")
	if err := furnish("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// must fails the test for what the whole program needs.
func must[T any](t testing.TB, make func() (T, error)) T {
	t.Helper()
	v, err := make()
	if err != nil {
		t.Fatalf("prepare test database: %v", strings.TrimSpace(err.Error()))
	}
	return v
}
