package jobs_test

import (
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

var matrixFull = flag.Bool("matrix.full", false, "let every call fail in every way on both engines, which takes minutes")

// stage is a world with one domain, whose life is played on it.
type stage struct {
	*world
	id    tenants.DomainID
	next  func() // the portal does what it means to do next, and the time until then has passed
	pause func() // the last look at DNS is old afterwards
	armed func() // begins the part of the life in which things fail
}

// theatres build a stage on each engine.
var theatres = map[string]func(t *testing.T, play func(*stage)){"sqlite": onSQLite, "postgres": onPostgres}

// onSQLite plays in virtual time, with one process after the other.
func onSQLite(t *testing.T, play func(*stage)) {
	inOneWorld(t, func(w *world) {
		s := &stage{world: w, pause: func() { time.Sleep(2 * time.Minute) }}
		w.ca.thinks = 50 * time.Millisecond
		s.next = func() {
			w.turn()
			w.sleep(w.view(s.id))
		}
		play(s)
	})
}

// onPostgres plays in the real time, which a server beside us keeps, with two processes by turns. Nobody waits for an
// instant to come, since a domain may be tended at any; and what a dead process holds is taken from it.
func onPostgres(t *testing.T, play func(*stage)) {
	db := storetest.NewPostgres(t)
	zone := &fakeDNS{}
	w := &world{t: t, ctx: t.Context(), dsn: db.DSN, dns: zone, ca: newFakeCA(zone), stuckAfter: 10 * time.Minute, patience: 50 * time.Millisecond,
		issuer: tenants.Issuer{Name: "Test CA", Directory: storetest.Directory}}
	w.ca.thinks, w.ca.tooLong, w.dns.tooLong = 2*time.Millisecond, 10*time.Millisecond, 10*time.Millisecond
	db.Fail, w.scope = w.fails, db.Scope(db.Acme)
	raw, err := sql.Open("pgx", db.DSN)
	w.must(err)
	t.Cleanup(func() { _ = raw.Close() }) // everything is committed
	processes := []*store.DB{db.DB, db.Open(t)}
	s := &stage{world: w, pause: func() {}}
	s.next = func() {
		slices.Reverse(processes)
		w.db = processes[0]
		w.start()
		for _, text := range []string{`update agenda set lease_until = 1, next_action_at = 1 where lease_owner <> ''`,
			`update orders set placing_at = placing_at - 60000000 where placing_at > 0 and state = 'planned'`} {
			_, err := raw.ExecContext(w.ctx, text)
			w.must(err)
		}
		if w.view(s.id).Domain.Finding.Code == tenants.ResolverSilent { // or it would be looked at in three seconds
			w.must(w.scope.CheckNow(w.ctx, s.id))
		}
		w.tend(s.id)
	}
	play(s)
}

// reach lets the portal go on until it has come so far.
func (s *stage) reach(what string, done func(store.DomainView) bool) {
	s.t.Helper()
	var v store.DomainView
	for range 500 {
		s.next()
		if v = s.view(s.id); done(v) {
			return
		}
	}
	s.t.Fatalf("it did not come to %s: %s, finding %+v, order %+v", what, v.Domain.Status, v.Domain.Finding, v.Order)
}

// certified: so many versions, no order open, nothing left in DNS.
func (s *stage) certified(n int) func(store.DomainView) bool {
	return func(v store.DomainView) bool {
		return len(v.Versions) == n && v.Domain.Status == tenants.Active && !v.Order.State.Open() && len(s.dns.left()) == 0
	}
}

func released(v store.DomainView) bool { return v.Domain.Status == tenants.Released }

const lifeName = "shop.acme.example"

// lives are what can happen to a domain, and how many orders that is worth at the CA.
var lives = []struct {
	name   string
	play   func(*stage)
	orders int
	first  map[string]mode // what fails anyhow
	only   string          // the call that the life is played for
}{
	{name: "life", play: whole, orders: 2},
	{name: "order lost", play: whole, orders: 2, first: map[string]mode{"newOrder": slowAfter}, only: "findOrder"},
	{name: "renewal lost", play: whole, orders: 2, first: map[string]mode{"newOrder 2": killAfter}, only: "findOrder"},
	{name: "given up", play: cut, orders: 1},
}

// whole: issued, renewed, given up.
func whole(s *stage) {
	s.armed()
	s.id = s.register(lifeName)
	s.reach("the first version", s.certified(1))
	s.pause()
	s.must(s.scope.RenewNow(s.ctx, s.id))
	s.reach("the second version", s.certified(2))
	s.must(s.scope.Release(s.ctx, s.id, lifeName))
	s.reach("its end", released)
}

// cut: given up while its first order is being proved.
func cut(s *stage) {
	s.dns.slow = true
	s.id = s.register(lifeName)
	s.reach("a TXT value", func(store.DomainView) bool { return len(s.dns.left()) == 1 })
	s.armed()
	s.must(s.scope.Release(s.ctx, s.id, lifeName))
	s.reach("its end", released)
}

// over checks what must hold after every life, whatever failed in it.
func (s *stage) over(orders int) {
	s.t.Helper()
	if n := len(s.ca.orders); n != orders {
		s.t.Errorf("the CA has %d orders instead of %d", n, orders)
	}
	versions := 0
	for _, o := range s.ca.orders {
		if o.status == acme.Valid {
			versions++
		}
		if authz := o.view().Authorizations[0]; !slices.Contains(s.ca.gone, authz) {
			s.t.Errorf("%s lives on at the CA", authz)
		}
	}
	if n := len(s.view(s.id).Versions); n != versions {
		s.t.Errorf("%d versions of %d certificates", n, versions)
	}
	if left := s.dns.left(); len(left) > 0 {
		s.t.Errorf("%v is left in DNS", left)
	}
	storetest.Consistent(s.t, s.dsn, time.Now())
}

// TestEveryCallFails plays each life once to learn which calls it makes of the CA and of DNS. Then it plays it again for
// each of them and each way in which a call can fail. In short mode each call fails in one way.
func TestEveryCallFails(t *testing.T) {
	for engine, build := range theatres {
		for _, l := range lives {
			uses := callsOf(t, build, l.play, l.first)
			for i, call := range uses {
				if !strings.HasPrefix(call, l.only) {
					continue
				}
				for j, how := range modes {
					if !chosen(engine, i, j) {
						continue
					}
					t.Run(fmt.Sprint(engine, "/", l.name, "/", call, "/", how), func(t *testing.T) {
						t.Parallel()
						build(t, func(s *stage) { s.suffer(l.play, l.first, call, how); s.over(l.orders) })
					})
				}
			}
		}
	}
}

// chosen thins the matrix out: a life takes a second on Postgres, which makes many minutes in all. Without -matrix.full
// each call fails there in one way, in short mode every fourth; on SQLite in every way, in short mode in one.
func chosen(engine string, call, how int) bool {
	one := call%len(modes) == how
	switch {
	case *matrixFull:
		return true
	case engine == "postgres":
		return one && (!testing.Short() || call%4 == 0)
	}
	return one || !testing.Short()
}

func callsOf(t *testing.T, build func(*testing.T, func(*stage)), play func(*stage), first map[string]mode) (uses []string) {
	build(t, func(s *stage) {
		s.armed = func() {
			s.ca.arm(first)
			s.ca.trace = func(use string) { uses = append(uses, use) }
			s.dns.trace = s.ca.trace
		}
		play(s)
	})
	return uses
}

// suffer plays a life in which one use of a call fails.
func (s *stage) suffer(play func(*stage), first map[string]mode, call string, how mode) {
	plan, met := maps.Clone(first), false
	if plan == nil {
		plan = map[string]mode{}
	}
	plan[call] = how
	s.armed = func() {
		s.ca.arm(plan)
		s.dns.arm(plan)
		s.ca.trace = func(use string) { met = met || use == call }
		s.dns.trace = s.ca.trace
	}
	play(s)
	if !met {
		s.t.Errorf("%s was never called", call)
	}
}

// TestEveryStoreCallFails does the same to the store, at every read and at every commit that the engine asks for: just
// before it, and just after it, when everything is kept and the engine does not know. Without -matrix.full it takes some of them; see every.
func TestEveryStoreCallFails(t *testing.T) {
	for engine, build := range theatres {
		for _, l := range []int{0, 3} {
			play, step := lives[l].play, every(engine)
			moments := momentsOf(t, build, play)
			for i := 0; i < len(moments); i += step {
				t.Run(fmt.Sprint(engine, "/", lives[l].name, "/", i, " ", moments[i]), func(t *testing.T) {
					t.Parallel()
					build(t, func(s *stage) { s.failAt(play, i); s.over(lives[l].orders) })
				})
			}
		}
	}
}

// every is how many moments there are for one that is tried. The numbers have no divisor in common with anything.
func every(engine string) int {
	switch {
	case *matrixFull:
		return 1
	case engine == "postgres":
		return 31
	case testing.Short():
		return 13
	}
	return 3
}

func momentsOf(t *testing.T, build func(*testing.T, func(*stage)), play func(*stage)) (all []store.Moment) {
	build(t, func(s *stage) {
		s.armed = func() {
			s.fail = func(m store.Moment) error {
				if s.tending {
					all = append(all, m)
				}
				return nil
			}
		}
		play(s)
	})
	return all
}

// failAt plays a life in which the n-th moment of the store fails.
func (s *stage) failAt(play func(*stage), n int) {
	s.armed = func() {
		s.fail = func(store.Moment) error {
			if !s.tending {
				return nil
			}
			if n--; n == -1 {
				return errStore
			}
			return nil
		}
	}
	play(s)
	s.fail = nil
}
