package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const readers = 4

// migrationLock is the Postgres advisory lock that lets one process migrate: "perennia" in ASCII.
const migrationLock = 0x706572656e6e6961

func connect(ctx context.Context, dsn string) (*engine, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		return connectSQLite(ctx, path)
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return connectPostgres(ctx, dsn)
	}
	return nil, errors.New(`the database setting must begin with "sqlite:" or "postgres://"`)
}

func connectSQLite(ctx context.Context, path string) (*engine, error) {
	if path == "" || strings.ContainsAny(path, "?#") || strings.HasPrefix(path, ":") {
		return nil, fmt.Errorf(`open database: %q is not the path of a file`, path)
	}
	if err := private(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	// The first to open a new file switches it to WAL, which fails at once when another does the same.
	unlock, err := lockFile(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	defer unlock()
	// Immediate transactions take the write lock when they begin. A deferred one that reads first and then writes
	// would fail at once with SQLITE_BUSY, whatever the timeout.
	writer, err := openSQLite(ctx, path, 1, url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"temp_store(memory)"}}) // what a statement or a savepoint may have to undo is no reason to write a file
	if err != nil {
		return nil, err
	}
	reader, err := openSQLite(ctx, path, readers, url.Values{"_pragma": {"busy_timeout(10000)", "query_only(1)"}})
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	cache := &statements{db: writer}
	return &engine{
		name: "sqlite", sqlite: writer, read: sqliteReader{&statements{db: reader}},
		run: (&group{begin: func(ctx context.Context) (transaction, error) {
			tx, err := writer.BeginTx(ctx, nil)
			return &sqliteTx{tx: tx, cache: cache}, err
		}}).run,
		close: func() error { return errors.Join(reader.Close(), writer.Close()) },
	}, nil
}

// private creates the file so that only its owner can read it, since SQLite would ask the umask.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func openSQLite(ctx context.Context, path string, size int, settings url.Values) (*sql.DB, error) {
	settings.Set("_dqs", "0")
	db, err := sql.Open("sqlite", path+"?"+settings.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", filepath.Base(path), err)
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", filepath.Base(path), err), db.Close())
	}
	return db, nil
}

func connectPostgres(ctx context.Context, dsn string) (*engine, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read database setting: %w", err)
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		cfg.MaxConns = 16
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &engine{
		name: "postgres", pool: pool, read: pgConn{pool},
		lock: " for update",
		run: alone(func(ctx context.Context) (transaction, error) {
			tx, err := pool.BeginTx(ctx, pgx.TxOptions{})
			if err != nil {
				return nil, err
			}
			return &pgTx{pgConn{tx}, tx}, nil
		}),
		close: func() error { pool.Close(); return nil },
	}, nil
}

// exclusive keeps other processes from migrating at the same time.
func (e *engine) exclusive(ctx context.Context, dsn string) (unlock func(), err error) {
	if e.pool != nil {
		return e.advisoryLock(ctx)
	}
	return lockFile(strings.TrimPrefix(dsn, "sqlite:"))
}

// lockFile keeps other processes from opening a SQLite database or migrating it.
func lockFile(path string) (unlock func(), err error) {
	// A file of its own: closing any descriptor of the database file would drop SQLite's own locks on it.
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // closing unlocks
}

func (e *engine) advisoryLock(ctx context.Context) (func(), error) {
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.Exec(ctx, "select pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		c.Release()
		return nil, err
	}
	return func() {
		// Closing the connection unlocks even when the unlocking statement cannot be sent.
		if _, err := c.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", int64(migrationLock)); err != nil {
			_ = c.Conn().Close(context.WithoutCancel(ctx))
		}
		c.Release()
	}, nil
}
