package jobs_test

import (
	"container/heap"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"perennial/jobs/dns"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// sim is a world that is driven from one due instant to the next, and that counts what it promises.
//
// Its own instants are the CA's: what a certificate is worth is told by everybody else's clock, not by the portal's.
type sim struct {
	*world
	size
	dir     string // of the database
	raw     *sql.DB
	random  *rand.Rand
	actors  []tenants.Actor
	names   map[string]*simName
	agenda  events
	begun   time.Time
	stopped time.Time // the end of the stint before
	finish  time.Time

	wall  stopwatch
	told  time.Duration // when progress was last told
	turns int

	planned, asked, issued  int // names: to be registered, registered, with a first certificate
	expired, late, unserved int
}

// simName is a name as an onlooker knows it.
type simName struct {
	actor  tenants.Actor
	id     tenants.DomainID
	well   time.Time         // since when its record is right; zero while it is not
	latest *x509.Certificate // that the CA signed
}

// grace is how long a name must have been well before its certificate's end counts against the portal. Of a record that
// was set again it may learn up to ten minutes later.
const grace = time.Hour

func (s *sim) now() time.Time { return s.ca.now() }

// event is something that happens to the world at an instant.
type event struct {
	at time.Time
	do func()
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func (s *sim) at(t time.Time, do func()) { heap.Push(&s.agenda, event{t, do}) }

// happen lets everything happen whose instant has come.
func (s *sim) happen() {
	for len(s.agenda) > 0 && !s.agenda[0].at.After(s.now()) {
		heap.Pop(&s.agenda).(event).do()
	}
}

// workers is how many are taken up before the world has a say again.
const workers = 32

// run goes from one due instant to the next until end, or until done.
func (s *sim) run(end time.Time, done func() bool) {
	s.t.Helper()
	for s.now().Before(end) && !done() {
		s.happen()
		s.progress()
		if n := s.some(workers); n > 0 {
			s.turns += n
			time.Sleep(time.Millisecond) // work takes time: the store's instants have no nanoseconds
			continue
		}
		work, err := s.db.System().Pending(s.ctx)
		s.must(err)
		next := earliestOf(end, work.Next.Add(s.ca.skew), s.nextEvent(), s.probe())
		if work.Queued {
			next = earliestOf(next, s.refill())
		}
		time.Sleep(max(next.Sub(s.now()), s.tick))
	}
}

// progress says now and then how far the story is, for whoever watches a long one (go test -v).
func (s *sim) progress() {
	if passed := s.wall.Since(); passed > s.told+time.Minute {
		s.told = passed
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.t.Logf("day %.1f: %d names, %d turns, %d orders; %d MB of heap, %.0f minutes", s.now().Sub(s.begun).Hours()/24, s.asked, s.turns,
			s.ca.sim.counts.orders, m.HeapAlloc>>20, passed.Minutes())
	}
}

// stopwatch measures real time, also where time is virtual.
type stopwatch struct{ begun time.Time }

func (w stopwatch) Since() time.Duration { return realNow().Sub(w.begun) }

func realNow() time.Time {
	var at syscall.Timeval
	if err := syscall.Gettimeofday(&at); err != nil {
		panic(err)
	}
	return time.Unix(at.Unix())
}

// served: everybody who is to come has come and had a certificate.
func (s *sim) served() bool { return s.asked == s.planned && s.issued == s.planned }

func never() bool { return false }

// refill is when the account, if it has no token left, gets one: then those that wait for one are due.
func (s *sim) refill() time.Time {
	issuer, err := s.db.System().Issuer(s.ctx, s.issuer.Directory)
	s.must(err)
	if issuer.Account == "" || issuer.Limits[tenants.OrdersPerAccount].Unlimited() {
		return time.Time{}
	}
	left, at, err := s.db.System().BudgetLeft(s.ctx, issuer.ID, tenants.Charge{Limit: tenants.OrdersPerAccount, Key: issuer.Account})
	s.must(err)
	if left > 0 {
		return time.Time{}
	}
	return at.Add(s.ca.skew)
}

// probe is when those that wait for a silent CA are due again, if that is to come.
func (s *sim) probe() time.Time {
	if next := s.engine.NextProbe(); next.After(time.Now()) {
		return next.Add(s.ca.skew)
	}
	return time.Time{}
}

func (s *sim) nextEvent() time.Time {
	if len(s.agenda) == 0 {
		return time.Time{}
	}
	return s.agenda[0].at
}

// earliestOf passes over zero times, which stand for never, also when a skew was added to them.
func earliestOf(first time.Time, rest ...time.Time) time.Time {
	for _, t := range rest {
		if !t.IsZero() && t.Unix() > 0 && t.Before(first) {
			first = t
		}
	}
	return first
}

func (s *sim) people(n int) {
	for i := range n {
		slug := fmt.Sprintf("tenant-%d", i)
		id, err := s.db.System().AddTenant(s.ctx, store.TenantInput{Name: slug, Slug: slug})
		s.must(err)
		s.actors = append(s.actors, tenants.Actor{Kind: tenants.Person, Name: "ops@" + slug, Tenant: id, Role: tenants.Admin})
	}
}

// ask registers a name for the next tenant in turn.
func (s *sim) ask(name string) {
	actor := s.actors[s.asked%len(s.actors)]
	id, err := s.db.As(actor).RegisterDomain(s.ctx, name, store.RegisterOptions{})
	s.must(err)
	s.names[name] = &simName{actor: actor, id: id, well: s.now()}
	s.asked++
}

func (s *sim) view(n *simName) store.DomainView {
	v, err := s.db.As(n.actor).Domain(s.ctx, n.id)
	s.must(err)
	return v
}

// look opens the database beside the portal.
func (s *sim) look(t *testing.T) (stop func()) {
	var err error
	if s.raw, err = sql.Open("sqlite", strings.TrimPrefix(s.dsn, "sqlite:")); err != nil {
		t.Fatal(err)
	}
	return func() { _ = s.raw.Close() } // nothing was written
}

// current is the serial number and the end of what the portal has for a name; zero for nothing. It is asked at the end of
// every certificate, and so reads no more than that.
func (s *sim) current(n *simName) (serial string, until time.Time) {
	var end int64
	err := s.raw.QueryRowContext(s.ctx, `select v.serial, v.not_after from certificates c join versions v on v.id = c.current_version
where c.domain_id = $1`, n.id).Scan(&serial, &end)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}
	}
	s.must(err)
	return serial, time.UnixMicro(end)
}

// signed is told of every certificate, and looks again at its end.
func (s *sim) signed(name string, leaf *x509.Certificate) {
	n := s.names[name]
	if n.latest == nil {
		s.issued++
	}
	n.latest = leaf
	s.at(leaf.NotAfter, func() { s.ended(n, leaf) })
}

func (s *sim) ended(n *simName, leaf *x509.Certificate) {
	if n.well.IsZero() || s.now().Sub(n.well) < grace {
		return
	}
	if _, until := s.current(n); !until.After(leaf.NotAfter) {
		s.expired++
		v := s.view(n)
		s.t.Logf("%s expired at %v: %s, finding %+v, order %+v", v.Domain.Name, leaf.NotAfter, v.Domain.Status, v.Domain.Finding, v.Order)
	}
}

// revoke announces that the CA will revoke some of the certificates at the deadline, and looks then.
func (s *sim) revoke(part float64, deadline time.Time) {
	for _, name := range sortedNames(s.names) {
		n := s.names[name]
		if n.latest == nil || s.random.Float64() >= part {
			continue
		}
		leaf := n.latest
		s.ca.sim.revoked[leaf.SerialNumber.String()] = deadline
		s.at(deadline, func() {
			if serial, _ := s.current(n); serial == "" || serial == fmt.Sprintf("%x", leaf.SerialNumber) {
				s.late++
				v := s.view(n)
				s.t.Logf("%s was not replaced before it was revoked: %s, finding %+v, plan %+v", name, v.Domain.Status, v.Domain.Finding, v.Certificate.Plan)
			}
		})
	}
}

// done notes when a story was over, and who has no certificate then although its record is right. The database must be
// consistent, by the portal's own clock.
func (s *sim) done() {
	s.finish = s.now()
	storetest.Consistent(s.t, s.dsn, time.Now())
	for _, n := range s.names {
		if _, until := s.current(n); !n.well.IsZero() && s.now().Sub(n.well) > day && !until.After(s.now()) {
			s.unserved++
			v := s.view(n)
			s.t.Logf("%s has no certificate: %s, finding %+v, order %+v", v.Domain.Name, v.Domain.Status, v.Domain.Finding, v.Order)
		}
	}
}

func chances(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// upTo is a time of at least a minute, by chance.
func (s *sim) upTo(most time.Duration) time.Duration {
	return time.Minute + time.Duration(s.random.Int64N(int64(most)))
}

// askAll registers n more names, evenly spread over a time.
func (s *sim) askAll(n int, over time.Duration) {
	for i, name := range names(s.planned + n)[s.planned:] {
		at := time.Duration(float64(over) * float64(i) / float64(n)) // a week times 100,000 is no Duration
		s.at(s.now().Add(at), func() { s.ask(name) })
	}
	s.planned += n
}

// away takes a name's record away for a while.
func (s *sim) away(name string, from, to time.Time) {
	s.at(from, func() {
		s.names[name].well = time.Time{}
		s.dns.set(name, tenants.Missing)
	})
	s.at(to, func() {
		s.names[name].well = s.now()
		s.dns.set(name, tenants.Right)
	})
}

func newSimWorld(s *sim) *world {
	dns := &fakeDNS{}
	w := &world{dns: dns, ca: newFakeCA(dns), stuckAfter: time.Hour, issuer: tenants.Issuer{
		Name: "Simulated CA", Directory: "https://ca.test/dir", Limits: s.limits, FreeARI: true}}
	newSimCA(w.ca, s.limits, s.random).onSign = s.signed
	return w
}

var errRefused = &dns.Fault{Code: tenants.WriteRefused, Raw: "REFUSED"}

func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
