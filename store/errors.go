package store

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"perennial/tenants"
)

// Codes of the two engines. SQLite: https://sqlite.org/rescode.html, Postgres: appendix A of its manual.
const (
	sqliteUnique     = 2067
	sqlitePrimaryKey = 1555
	pgUnique         = "23505"
	pgDeadlock       = "40P01"
	pgSerialization  = "40001"
)

// mapped gives an engine's error the meaning it has for our callers. It is the only place that knows codes.
func mapped(err error) error {
	if err == nil || !unique(err) {
		return err
	}
	text := "Somebody else changed this at the same moment. Look again, then try once more."
	if held(err) {
		text = heldElsewhere
	}
	return &tenants.Error{Kind: tenants.Conflict, Text: text, Err: err}
}

func unique(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqliteUnique || e.Code() == sqlitePrimaryKey
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == pgUnique
}

// held reports whether the violated index is the one that lets one tenant hold a name.
func held(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.ConstraintName == "delegations_held"
	}
	return strings.Contains(err.Error(), "delegations.base")
}

// passing reports whether the same transaction may succeed when it is tried again: Postgres broke a circle of
// waiting transactions, or somebody else inserted what this one had not found.
func passing(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == pgDeadlock || e.Code == pgSerialization || e.Code == pgUnique)
}

// absent is the one answer for what does not exist and for what belongs to somebody else.
func absent(noun string) error {
	return tenants.Errorf(tenants.NotFound, "There is no such %s here. Go back to the list and choose again.", noun)
}

// orAbsent turns errNone into absent.
func orAbsent(err error, noun string) error {
	if errors.Is(err, errNone) {
		return absent(noun)
	}
	return err
}

func conflict(format string, args ...any) error {
	return tenants.Errorf(tenants.Conflict, format, args...)
}
