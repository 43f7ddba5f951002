package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// group lets write transactions that queue for SQLite's one writer share a commit, and so its wait for the disk. Each
// succeeds or fails alone, by a savepoint of its own, and returns only when the shared commit is on disk: whoever
// calls sees an ordinary transaction. The one after whom nobody waits commits for all.
type group struct {
	begin  func(context.Context) (transaction, error)
	baton  sync.Mutex   // held by whoever uses the connection
	queued atomic.Int64 // those who wait for the baton
	shared *shared      // begun and not ended; nil for none
}

// shared is one transaction of the engine with what several calls did in it.
type shared struct {
	transaction
	members int           // whose work is in it
	ended   chan struct{} // closed once err is final
	err     error         // why nothing of it was kept
}

// maxMembers bounds how long the first waits for the last.
const maxMembers = 64

// run calls do within the shared transaction. An error of do undoes what do did, and nothing else.
//
// Cancelling ctx does not interrupt a statement, since SQLite answers that by rolling back the whole transaction,
// which is others' too. It is looked at before and after do, which calls nothing slow.
func (g *group) run(ctx context.Context, do part) error {
	g.queued.Add(1)
	g.baton.Lock()
	g.queued.Add(-1)
	s, err := g.take(ctx, do)
	if s == nil {
		return err
	}
	<-s.ended // also after an error: what do saw of others may yet be undone
	if err == nil {
		err = s.err
	}
	return err
}

// take does one call's part, and ends the transaction when nobody is to follow. It gives the baton on.
func (g *group) take(ctx context.Context, do part) (*shared, error) {
	defer g.baton.Unlock()
	if g.shared == nil {
		tx, err := g.begin(context.WithoutCancel(ctx))
		if err != nil {
			return nil, fmt.Errorf("begin transaction: %w", err)
		}
		g.shared = &shared{transaction: tx, ended: make(chan struct{})}
	}
	s := g.shared
	defer func() {
		if s.err != nil || s.members == 0 || s.members >= maxMembers || g.queued.Load() == 0 {
			g.shared = nil
			s.end(context.WithoutCancel(ctx))
		}
	}()
	return s, s.join(ctx, do)
}

// join adds one call's part, or none of it.
func (s *shared) join(ctx context.Context, do part) (err error) {
	inner := context.WithoutCancel(ctx)
	// The first needs no savepoint: if it fails, there is nobody to spare.
	alone := s.members == 0
	if !alone {
		if _, err := s.exec(inner, "savepoint member", nil); err != nil {
			return err
		}
	}
	kept := false
	defer func() { // also when do panics
		if kept {
			s.members++
		}
		if !alone {
			s.settle(inner, kept)
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := do(inner, s.transaction); err != nil {
		return err
	}
	kept = ctx.Err() == nil
	return ctx.Err()
}

// settle ends a savepoint. When that fails, SQLite has given up the transaction as a whole, as it does when the disk is
// full.
func (s *shared) settle(ctx context.Context, kept bool) {
	if !kept {
		if _, err := s.exec(ctx, "rollback to member", nil); err != nil {
			s.err = fmt.Errorf("roll back: %w", err)
			return
		}
	}
	if _, err := s.exec(ctx, "release member", nil); err != nil {
		s.err = fmt.Errorf("end savepoint: %w", err)
	}
}

// end commits, unless the transaction is lost or empty, and lets everybody go on.
func (s *shared) end(ctx context.Context) {
	defer close(s.ended)
	if s.err != nil || s.members == 0 {
		_ = s.rollback(ctx) // there is nothing to lose
		return
	}
	if err := s.commit(ctx); err != nil {
		s.err = fmt.Errorf("commit transaction: %w", mapped(err))
	}
}
