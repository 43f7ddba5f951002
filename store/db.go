package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"perennial/tenants"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	cfg    Config
	log    *slog.Logger
	engine *engine
	keys   *keyring
	queue  queue
	hub    *hub

	forecasts forecasts
	known     known

	stop context.CancelFunc // of what runs in the background
	idle sync.WaitGroup     // what runs in the background
}

// Open connects, migrates and checks that the sealing key belongs to the database. Only the database must answer;
// nothing else is contacted.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	engine, err := connect(ctx, cfg.DSN)
	if err != nil {
		return nil, err
	}
	db := &DB{cfg: cfg, log: cfg.Log, engine: engine, hub: newHub()}
	if err := db.prepare(ctx); err != nil {
		_ = engine.close() // the first error says why
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	db.stop = stop
	if engine.pool != nil {
		db.idle.Go(func() { db.listen(background) })
	}
	return db, nil
}

// prepare brings the schema up to date and opens the keys, one process at a time.
func (db *DB) prepare(ctx context.Context) error {
	unlock, err := db.engine.exclusive(ctx, db.cfg.DSN)
	if err != nil {
		return fmt.Errorf("lock database for migration: %w", err)
	}
	defer unlock()
	if err := db.engine.migrate(ctx, db.log); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	if db.queue, err = newQueue(db.engine, db.log); err != nil {
		return fmt.Errorf("open queue: %w", err)
	}
	db.keys, err = openKeys(ctx, db)
	return err
}

// Close waits for what runs in the background and closes the database. Stop the workers first.
func (db *DB) Close() error {
	db.stop()
	db.idle.Wait()
	return db.engine.close()
}

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	var n int
	if err := db.read(ctx).one("select 1", nil, &n); err != nil {
		return &tenants.Error{Kind: tenants.Unavailable, Text: "The database does not answer. Try again in a minute.", Err: err}
	}
	return nil
}

// Engine is "sqlite" or "postgres".
func (db *DB) Engine() string { return db.engine.name }

// As opens one tenant's rows to an actor: those of actor.Tenant.
func (db *DB) As(actor tenants.Actor) *Scope { return &Scope{db: db, actor: actor} }

// Platform opens the pages across tenants to an actor.
func (db *DB) Platform(actor tenants.Actor) *Platform { return &Platform{db: db, actor: actor} }

// System is for jobs, sessions and commands.
func (db *DB) System() *System { return &System{db: db} }

// Scope is one tenant as one actor sees it.
type Scope struct {
	db    *DB
	actor tenants.Actor
}

// Platform is all tenants as an operator or an auditor sees them.
type Platform struct {
	db    *DB
	actor tenants.Actor
}

// System is the whole database without an actor in front.
type System struct {
	db    *DB
	owner string // of the lease that a decision rests on, see Under; empty: nobody's
}

func (db *DB) now() time.Time { return db.cfg.Now().UTC().Truncate(time.Microsecond) }

func (db *DB) read(ctx context.Context) query {
	if db.cfg.Fail != nil {
		return query{ctx, failing{db.engine.read, db.cfg.Fail}, db.cfg.Directory}
	}
	return query{ctx, db.engine.read, db.cfg.Directory}
}

// fails is what Config.Fail says of the moment.
func (db *DB) fails(m Moment) error {
	if db.cfg.Fail == nil {
		return nil
	}
	return db.cfg.Fail(m)
}

// mintID makes an identifier.
func mintID[T tenants.ID](now time.Time) T {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	return tenants.MakeID[T](now, random)
}

// like is a pattern that matches anything containing part, whatever signs it has. Use with escape '\'.
func like(part string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(part)) + "%"
}

// pageSize keeps a page between 1 and 200 rows, 50 unless asked.
func pageSize(asked int) int {
	if asked <= 0 {
		return 50
	}
	return min(asked, 200)
}
