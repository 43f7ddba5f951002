package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// conn is what both engines are to the rest of the package: a connection or a transaction that speaks one SQL
// text with $1 … $n.
type conn interface {
	exec(ctx context.Context, text string, args []any) (changed int64, err error)
	query(ctx context.Context, text string, args []any) (rows, error)
}

// rows is a result being read. Close is called by the helpers below.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// failing is a conn whose queries fail when a test says so.
type failing struct {
	conn
	fail func(Moment) error
}

func (f failing) query(ctx context.Context, text string, args []any) (rows, error) {
	if err := f.fail(Reading); err != nil {
		return nil, err
	}
	return f.conn.query(ctx, text, args)
}

// errNone says that a statement that must yield a row yielded none. Callers turn it into their own not found.
var errNone = errors.New("no row")

// query is a connection for the length of one call. It holds the call's context because it never outlives it.
type query struct {
	ctx  context.Context
	conn conn
	home string // directory of the issuer of those whose policy names none
}

func (q query) exec(text string, args ...any) (int64, error) {
	n, err := q.conn.exec(q.ctx, text, args)
	return n, mapped(err)
}

// one reads the first row into dest, or returns errNone.
func (q query) one(text string, args []any, dest ...any) error {
	r, err := q.conn.query(q.ctx, text, args)
	if err != nil {
		return mapped(err)
	}
	defer r.Close()
	if !r.Next() {
		if err := r.Err(); err != nil {
			return mapped(err)
		}
		return errNone
	}
	if err := r.Scan(dest...); err != nil {
		return fmt.Errorf("scan row: %w", err)
	}
	r.Close()
	return mapped(r.Err())
}

// each calls scan for every row.
func (q query) each(scan func(rows) error, text string, args ...any) error {
	r, err := q.conn.query(q.ctx, text, args)
	if err != nil {
		return mapped(err)
	}
	defer r.Close()
	for r.Next() {
		if err := scan(r); err != nil {
			return err
		}
	}
	return mapped(r.Err())
}

// collect reads all rows.
func collect[T any](q query, scan func(rows) (T, error), text string, args ...any) ([]T, error) {
	var all []T
	err := q.each(func(r rows) error {
		one, err := scan(r)
		all = append(all, one)
		return err
	}, text, args...)
	return all, err
}

// scanOne reads a row of one column.
func scanOne[T any](r rows) (v T, err error) { return v, r.Scan(&v) }

// sqliteRows gives sql.Rows the shape of pgx.Rows, and the context that its statement was not given.
type sqliteRows struct {
	*sql.Rows
	ctx context.Context
}

func (r sqliteRows) Next() bool { return r.ctx.Err() == nil && r.Rows.Next() }
func (r sqliteRows) Err() error { return cmp.Or(r.Rows.Err(), r.ctx.Err()) }
func (r sqliteRows) Close()     { _ = r.Rows.Close() } // Err reports what matters

// statements keeps one prepared statement per SQL text, since SQLite would otherwise compile it anew each time.
type statements struct {
	db    *sql.DB
	known sync.Map // string → *sql.Stmt
}

// get returns the prepared statement, or nil while there is none.
func (s *statements) get(text string) *sql.Stmt {
	if v, ok := s.known.Load(text); ok {
		return v.(*sql.Stmt)
	}
	return nil
}

func (s *statements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := s.get(text); stmt != nil {
		return stmt, nil
	}
	stmt, err := s.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if old, raced := s.known.LoadOrStore(text, stmt); raced {
		_ = stmt.Close()
		return old.(*sql.Stmt), nil
	}
	return stmt, nil
}

// sqliteReader reads outside transactions, on a pool of its own.
//
// Cancelling ctx ends a result between two rows and does not interrupt a statement: for each statement that may be
// interrupted, the driver and database/sql start a goroutine each, which cost more than most statements here.
type sqliteReader struct{ *statements }

func (c sqliteReader) exec(ctx context.Context, text string, args []any) (int64, error) {
	return 0, errors.New("a reader cannot write")
}

func (c sqliteReader) query(ctx context.Context, text string, args []any) (rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	inner := context.WithoutCancel(ctx)
	stmt, err := c.prepare(inner, text)
	if err != nil {
		return nil, err
	}
	r, err := stmt.QueryContext(inner, args...)
	if err != nil {
		return nil, err
	}
	return sqliteRows{r, ctx}, nil
}

// sqliteTx writes. Preparing needs the pool's only connection, which the transaction holds: a text met for the
// first time runs unprepared and is prepared once the transaction is over.
type sqliteTx struct {
	tx     *sql.Tx
	cache  *statements
	unseen []string
}

func (c *sqliteTx) exec(ctx context.Context, text string, args []any) (int64, error) {
	var res sql.Result
	var err error
	if stmt := c.cache.get(text); stmt != nil {
		res, err = c.tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	} else {
		c.unseen = append(c.unseen, text)
		res, err = c.tx.ExecContext(ctx, text, args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c *sqliteTx) query(ctx context.Context, text string, args []any) (rows, error) {
	var r *sql.Rows
	var err error
	if stmt := c.cache.get(text); stmt != nil {
		r, err = c.tx.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	} else {
		c.unseen = append(c.unseen, text)
		r, err = c.tx.QueryContext(ctx, text, args...)
	}
	if err != nil {
		return nil, err
	}
	return sqliteRows{r, ctx}, nil
}

func (c *sqliteTx) rollback(context.Context) error { return c.tx.Rollback() }

func (c *sqliteTx) commit(ctx context.Context) error {
	if err := c.tx.Commit(); err != nil {
		return err
	}
	c.learn(ctx)
	return nil
}

// learn prepares what was met for the first time.
func (c *sqliteTx) learn(ctx context.Context) {
	for _, text := range c.unseen {
		_, _ = c.cache.prepare(ctx, text) // a text that does not compile has failed already
	}
}

// pgLike is what a pgx pool and a pgx transaction have in common.
type pgLike interface {
	Exec(ctx context.Context, text string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
}

type pgConn struct{ pgLike }

func (c pgConn) exec(ctx context.Context, text string, args []any) (int64, error) {
	tag, err := c.Exec(ctx, text, args...)
	return tag.RowsAffected(), err
}

func (c pgConn) query(ctx context.Context, text string, args []any) (rows, error) {
	return c.Query(ctx, text, args...)
}

type pgTx struct {
	pgConn
	tx pgx.Tx
}

func (c *pgTx) commit(ctx context.Context) error   { return c.tx.Commit(ctx) }
func (c *pgTx) rollback(ctx context.Context) error { return c.tx.Rollback(ctx) }

// transaction is a conn that ends.
type transaction interface {
	conn
	commit(context.Context) error
	rollback(context.Context) error
}

// part is what one call does in a transaction.
type part func(context.Context, transaction) error

// alone runs each part in a transaction of its own.
func alone(begin func(context.Context) (transaction, error)) func(context.Context, part) error {
	return func(ctx context.Context, do part) error {
		c, err := begin(ctx)
		if err != nil {
			return fmt.Errorf("begin transaction: %w", err)
		}
		if err := do(ctx, c); err != nil {
			_ = c.rollback(context.WithoutCancel(ctx)) // the first error says why
			return err
		}
		if err := c.commit(ctx); err != nil {
			return fmt.Errorf("commit transaction: %w", mapped(err))
		}
		return nil
	}
}

// engine is one of the two databases.
type engine struct {
	name   string
	read   conn
	run    func(context.Context, part) error // in a transaction that is on disk when it returns
	lock   string                            // ends a select that will be followed by an update
	sqlite *sql.DB
	pool   *pgxpool.Pool
	close  func() error
}
