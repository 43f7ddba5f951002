package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// together runs calls so that all of them share one transaction, in their order: the first is held back until the
// last waits. It returns what each came back with.
func together(t *testing.T, db *DB, g *group, calls ...func(*tx) error) []error {
	t.Helper()
	errs := make([]error, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		inside := make(chan struct{})
		all.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					errs[i] = fmt.Errorf("panic: %v", r)
				}
			}()
			errs[i] = db.housekeep(t.Context(), func(x *tx) error {
				if i == 0 {
					close(inside)
					g.waitFor(len(calls) - 1)
				}
				return call(x)
			})
		})
		if i == 0 {
			<-inside
		} else if i < len(calls)-1 {
			g.waitFor(i)
		}
	}
	all.Wait()
	return errs
}

// waitFor waits until n calls wait for the baton.
func (g *group) waitFor(n int) {
	for g.queued.Load() < int64(n) {
		time.Sleep(time.Millisecond)
	}
}

// openGrouped opens a database whose group the test can watch.
func openGrouped(t *testing.T) (*DB, *group) {
	db := openHere(t)
	begin := func(ctx context.Context) (transaction, error) {
		c, err := db.engine.sqlite.BeginTx(ctx, nil)
		return &sqliteTx{tx: c, cache: &statements{db: db.engine.sqlite}}, err
	}
	g := &group{begin: begin}
	db.engine.run = g.run
	return db, g
}

func mark(n int) func(*tx) error {
	return func(t *tx) error {
		_, err := t.exec(`insert into tallies (tenant_id, week, status, n) values ('', $1, 'active', 1)`, n)
		return err
	}
}

func (db *DB) marks(t *testing.T) []int {
	t.Helper()
	all, err := collect(db.read(t.Context()), scanOne[int], `select week from tallies order by week`)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGroupKeepsTheGoodAndUndoesTheBad(t *testing.T) {
	broken := errors.New("broken")
	fail := func(n int) func(*tx) error { return func(t *tx) error { return errors.Join(mark(n)(t), broken) } }
	db, g := openGrouped(t)
	errs := together(t, db, g, mark(1), fail(2), mark(3),
		func(t *tx) error { _ = mark(4)(t); panic("four") },
		mark(3), // breaks the primary key
		func(t *tx) error { _ = mark(5)(t); return errUnchanged },
		mark(6))
	for i, want := range []bool{true, false, true, false, false, true, true} {
		if (errs[i] == nil) != want {
			t.Errorf("call %d came back with %v", i, errs[i])
		}
	}
	if got := db.marks(t); !slices.Equal(got, []int{1, 3, 6}) {
		t.Errorf("kept %v", got)
	}
}

// When the first fails, there is nothing to share; those who wait get a transaction of their own.
func TestGroupOutlivesItsFirst(t *testing.T) {
	db, g := openGrouped(t)
	errs := together(t, db, g, func(t *tx) error { return errors.Join(mark(1)(t), errors.New("broken")) }, mark(2), mark(3))
	if errs[0] == nil || errs[1] != nil || errs[2] != nil {
		t.Errorf("came back with %v", errs)
	}
	if got := db.marks(t); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("kept %v", got)
	}
}

// SQLite may give up a whole transaction, for instance when the disk is full. Then nobody is told that his work is
// kept, and the next transaction works.
func TestGroupIsLostTogether(t *testing.T) {
	db, g := openGrouped(t)
	lose := func(t *tx) error { _, err := t.exec("rollback"); return err }
	errs := together(t, db, g, mark(1), lose, mark(2))
	if errs[0] == nil || errs[1] == nil || errs[2] != nil {
		t.Fatalf("came back with %v", errs)
	}
	if got := db.marks(t); !slices.Equal(got, []int{2}) {
		t.Errorf("kept %v", got)
	}
}

// Who gives up while waiting gets nothing done, and does not keep the others from being committed.
func TestGroupAndCancelledCalls(t *testing.T) {
	db, g := openGrouped(t)
	ctx, cancel := context.WithCancel(t.Context())
	var late error
	errs := together(t, db, g, mark(1), func(t *tx) error {
		cancel()
		return mark(2)(t)
	})
	late = db.housekeep(ctx, mark(3))
	if errs[0] != nil || errs[1] != nil || !errors.Is(late, context.Canceled) {
		t.Errorf("came back with %v and %v", errs, late)
	}
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			if n%3 == 0 {
				go cancel()
			}
			defer cancel()
			err := db.housekeep(ctx, mark(100+n))
			if kept := slices.Contains(db.marks(t), 100+n); kept != (err == nil) {
				t.Errorf("%d: kept %v, came back with %v", n, kept, err)
			}
		})
	}
	all.Wait()
}
