package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"perennial/tenants"
)

// tx is a write transaction under way: one call, one tx, nothing nested.
type tx struct {
	query
	db      *DB
	now     time.Time
	entries []tenants.Entry
	deltas  map[tally]int
	slots   map[slot]int
	wakes   map[tenants.DomainID]hint // for the queue
	woken   map[tenants.TenantID]int  // how many of each tenant's are in wakes
	touched map[topic]bool            // whom to tell after the commit

	reissued bool // issuers or their accounts were written
}

// errUnchanged ends a transaction in which it turned out that there is nothing to change. The caller sees no error.
var errUnchanged = errors.New("nothing to change")

// errUnaudited is a fault in this package.
var errUnaudited = errors.New("a change without an audit entry does not commit")

// tries is how often a transaction is tried when Postgres says that another time it may work.
const tries = 4

// write runs fn in a transaction that must record at least one audit entry.
func (db *DB) write(ctx context.Context, fn func(*tx) error) error {
	return db.transact(ctx, true, fn)
}

// housekeep runs fn in a transaction that need not be audited: leases, the ledger, a session being used. Nothing
// that a person could ask "who did that?" about.
func (db *DB) housekeep(ctx context.Context, fn func(*tx) error) error {
	return db.transact(ctx, false, fn)
}

func (db *DB) transact(ctx context.Context, audited bool, fn func(*tx) error) error {
	for try := 1; ; try++ {
		err := db.attempt(ctx, audited, fn)
		if errors.Is(err, errUnchanged) {
			return nil
		}
		if err == nil || try == tries || !passing(err) {
			return err
		}
	}
}

func (db *DB) attempt(ctx context.Context, audited bool, fn func(*tx) error) error {
	var t *tx
	err := db.engine.run(ctx, func(ctx context.Context, c transaction) error {
		t = &tx{query: query{ctx, c, db.cfg.Directory}, db: db, now: db.now(),
			deltas: map[tally]int{}, slots: map[slot]int{}, wakes: map[tenants.DomainID]hint{}, woken: map[tenants.TenantID]int{}, touched: map[topic]bool{}}
		if err := fn(t); err != nil {
			return err
		}
		if err := t.flush(audited); err != nil {
			return err
		}
		return db.fails(Committing)
	})
	if t != nil && t.reissued {
		db.known.forget()
	}
	if err != nil {
		return err
	}
	db.hub.tell(t.touched)
	return db.fails(Committed)
}

// flush writes what every transaction writes last. Jobs come first, because their rows are hardly shared; counters
// and entry numbers, which all transactions of a tenant share, come last, each in sorted order.
func (t *tx) flush(audited bool) error {
	if audited && len(t.entries) == 0 {
		return errUnaudited
	}
	if err := t.flushWakes(); err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	if err := t.flushSlots(); err != nil {
		return fmt.Errorf("count planned renewals: %w", err)
	}
	if err := t.flushTallies(); err != nil {
		return fmt.Errorf("count: %w", err)
	}
	if err := t.flushEntries(); err != nil {
		return fmt.Errorf("write audit entry: %w", err)
	}
	return t.announce()
}

// touch says that pages about the domain are out of date.
func (t *tx) touch(tenant tenants.TenantID, domain tenants.DomainID) {
	t.touched[topic{tenant, domain}] = true
}
