package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// work starts workers that only say what they were given.
func (s story) work(db *store.DB, workers int) <-chan tenants.DomainID {
	s.Helper()
	seen := make(chan tenants.DomainID, 100)
	stop, err := db.System().Work(s.ctx, store.WorkConfig{Workers: workers, Tend: func(_ context.Context, id tenants.DomainID) error {
		seen <- id
		return nil
	}})
	check(s, err)
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := stop(ctx); err != nil {
			s.Errorf("stop workers: %v", err)
		}
	})
	return seen
}

func (s story) expect(seen <-chan tenants.DomainID, want tenants.DomainID) {
	s.Helper()
	select {
	case got := <-seen:
		if got != want {
			s.Fatalf("worked on %s, want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		s.Fatal("nobody worked")
	}
}

func TestWork(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		seen := s.work(w.DB, 2)
		id := s.register(w.Acme, "shop.example")
		s.expect(seen, id)
		check(t, w.Scope(w.Acme).CheckNow(s.ctx, id))
		s.expect(seen, id)
		must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10))
		s.expect(seen, id)
	})
}

// Whoever hands in many does not keep another's first waiting, neither when they are registered nor when they are due.
func TestNobodyWaitsBehindManyOfAnother(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		var many []string
		for i := range 60 {
			many = append(many, name(i))
		}
		must[store.Registered](t)(w.Scope(w.Acme).RegisterDomains(s.ctx, many))
		theirs := s.register(w.Northwind, "first.example")
		among := func(first int) {
			t.Helper()
			rows, err := s.raw().Query(`select args from river_job where state = 'available' order by priority, scheduled_at, id`)
			check(t, err)
			defer rows.Close()
			for place := 1; rows.Next(); place++ {
				var args string
				check(t, rows.Scan(&args))
				if strings.Contains(args, string(theirs)) {
					if place > first {
						t.Errorf("another's first is number %d", place)
					}
					return
				}
			}
			t.Error("another's first is not in the queue")
		}
		among(2)
		_, err := s.raw().Exec(`delete from river_job`)
		check(t, err)
		w.Clock.Advance(time.Hour)
		must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 100))
		among(2)
	})
}

// What is asked for many times before anybody begins is one job.
func TestManyWishesAreOneJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		for range 5 {
			check(t, w.Scope(w.Acme).CheckNow(s.ctx, id))
		}
		must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10))
		var n int
		check(t, s.raw().QueryRow(`select count(*) from river_job`).Scan(&n))
		if n != 1 {
			t.Errorf("%d jobs", n)
		}
	})
}

// A claim of many puts in the jobs that are missing, and no second one beside those that wait.
func TestClaimAmongWaitingJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		for i := range 5 {
			s.register(w.Acme, name(i))
		}
		_, err := s.raw().Exec(`delete from river_job where id in (select id from river_job order by id limit 3)`)
		check(t, err)
		for range 2 {
			if got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); len(got) != 5 {
				t.Fatalf("claimed %v", got)
			}
			var n int
			check(t, s.raw().QueryRow(`select count(*) from river_job where state = 'available'`).Scan(&n))
			if n != 5 {
				t.Errorf("%d jobs", n)
			}
			w.Clock.Advance(time.Hour)
		}
	})
}

// After kill -9 the queue still believes that the old job runs. A new one must be let in at once.
func TestJobsAfterACrash(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		begun, fetched := s.register(w.Acme, "begun.example"), s.register(w.Acme, "fetched.example")
		s.begin(begun)
		must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10))
		_, err := s.raw().Exec(`update river_job set state = 'running', attempted_at = CURRENT_TIMESTAMP`)
		check(t, err)
		check(t, s.sys.ClearLeases(s.ctx)) // on Postgres leases run out instead
		w.Clock.Advance(time.Hour)
		must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10))
		seen := s.work(w.DB, 1)
		first := <-seen
		second := <-seen
		if first == second || first != begun && first != fetched || second != begun && second != fetched {
			t.Errorf("worked on %s and %s", first, second)
		}
	})
}

func TestRolledBackWishIsNoJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		_, err := w.Scope(w.Acme).RegisterDomains(s.ctx, []string{"good.example", "bad_.example"})
		wantKind(t, err, tenants.Invalid)
		var n int
		check(t, s.raw().QueryRow(`select count(*) from river_job`).Scan(&n))
		if n != 0 {
			t.Errorf("%d jobs", n)
		}
	})
}

// Changes signals after the commit, to those concerned only, also in other processes on Postgres.
func TestChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		listener := w.DB
		if w.DB.Engine() == "postgres" {
			listener = w.Open(t)
		}
		ctx, cancel := context.WithCancel(t.Context())
		one, any, other := listener.Changes(ctx, w.Acme.ID, id), listener.Changes(ctx, w.Acme.ID, ""), listener.Changes(ctx, w.Northwind.ID, "")
		s.hears(w, id, one)
		s.hears(w, id, one)
		drain(other) // a process that begins to listen tells all once: that was over before the second time
		s.hears(w, id, any)
		select {
		case <-other:
			t.Error("another tenant was told")
		default:
		}
		cancel()
		var group sync.WaitGroup
		for _, ear := range []<-chan struct{}{one, any, other} {
			group.Go(func() {
				for range ear { // until it is closed
				}
			})
		}
		group.Wait()
	})
}

func drain(ear <-chan struct{}) {
	select {
	case <-ear:
	default:
	}
}

// hears changes the domain until the ear is told: a listener that has just started may not listen yet.
func (s story) hears(w *storetest.World, id tenants.DomainID, ear <-chan struct{}) {
	s.Helper()
	drain(ear)
	for range 100 {
		check(s, w.Scope(w.Acme).CheckNow(s.ctx, id))
		select {
		case <-ear:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
	s.Fatal("no signal")
}
