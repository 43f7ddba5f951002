package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// dialects are the few words in which the two schemas differ. Text sorts by code point on both engines, so that
// keyset pages mean the same everywhere.
func dialect(name string) (goose.Dialect, *strings.Replacer) {
	if name == "sqlite" {
		return goose.DialectSQLite3, strings.NewReplacer("{int}", "integer", "{text}", "text", "{bytes}", "blob", "{strict}", " strict")
	}
	return goose.DialectPostgres, strings.NewReplacer("{int}", "bigint", "{text}", `text collate "C"`, "{bytes}", "bytea", "{strict}", "")
}

// migrate runs our migrations, then River's. Both only ever go forward.
func (e *engine) migrate(ctx context.Context, log *slog.Logger) error {
	db := e.sqlite
	if e.pool != nil {
		db = stdlib.OpenDBFromPool(e.pool)
		defer db.Close() //nolint:errcheck // the pool stays
	}
	steps, kind, err := ours(e.name)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(kind, db, nil, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	if e.pool != nil {
		return migrateRiver[pgx.Tx](ctx, riverpgxv5.New(e.pool), log)
	}
	return migrateRiver[*sql.Tx](ctx, riversqlite.New(e.sqlite), log)
}

// ours reads the embedded files, "0001_schema.sql" and on, as migrations.
func ours(engine string) ([]*goose.Migration, goose.Dialect, error) {
	kind, words := dialect(engine)
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, kind, err
	}
	var steps []*goose.Migration
	for _, name := range files {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, kind, err
		}
		var version int64
		if _, err := fmt.Sscanf(name, "migrations/%d_", &version); err != nil {
			return nil, kind, fmt.Errorf("number of %s: %w", name, err)
		}
		steps = append(steps, step(version, words.Replace(string(text))))
	}
	if len(steps) == 0 {
		return nil, kind, errors.New("no migrations")
	}
	return steps, kind, nil
}

func step(version int64, text string) *goose.Migration {
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	}}, nil)
}

func migrateRiver[T any](ctx context.Context, driver riverdriver.Driver[T], log *slog.Logger) error {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(quiet{log.Handler()})})
	if err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}
