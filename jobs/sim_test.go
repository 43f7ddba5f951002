package jobs_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"perennial/tenants"
)

var (
	simSeed = flag.Uint64("sim.seed", 1, "what the chances in the simulations follow from")
	simFull = flag.Bool("sim.full", false, "simulate in full size")
	simPart = flag.Int("sim.part", 1, "with -sim.full, simulate so small a part of the domains")
)

const day = 24 * time.Hour

// How often the portal looks for what is due: as it does, or so that many are taken up at once.
const (
	often  = time.Second
	rarely = time.Minute
)

// scenario is a story that the portal must survive. play leaves finish at the instant when its work was done.
type scenario struct {
	name               string
	short, small, full size
	play               func(t *testing.T, s *sim)
}

type size struct {
	domains, days int
	limits        tenants.Limits // of the CA, which the portal knows
	tick          time.Duration  // how often the portal looks for what is due
}

var scenarios = []scenario{
	{"years", size{1, 6, letsEncrypt(1), often}, size{3, 80, letsEncrypt(1), often}, size{2000, 730, letsEncrypt(1), rarely}, one(years)},
	{"onboarding", size{25, 1, letsEncrypt(60), often}, size{250, 1, letsEncrypt(15), often}, size{100_000, 7, letsEncrypt(1), rarely}, one(onboarding)},
	{"outage", size{1, 9, letsEncrypt(1), often}, size{2, 45, letsEncrypt(1), often}, size{100, 45, letsEncrypt(1), rarely}, one(outage)},
	{"revocation", size{8, 1, letsEncrypt(10), often}, size{100, 1, letsEncrypt(10), often}, size{2000, 1, letsEncrypt(1), rarely}, one(revocation)},
	{"restarts", size{2, 3, letsEncrypt(1), often}, size{8, 12, letsEncrypt(1), often}, size{300, 60, letsEncrypt(1), rarely}, one(restarts)},
	{"clock", size{2, 6, letsEncrypt(1), often}, size{10, 24, letsEncrypt(1), often}, size{300, 60, letsEncrypt(1), rarely}, clock},
}

// letsEncrypt is Let's Encrypt's limits, with a part of the orders.
func letsEncrypt(part int) tenants.Limits {
	limits := maps.Clone(tenants.NewIssuer("https://acme-v02.api.letsencrypt.org/directory").Limits)
	orders := limits[tenants.OrdersPerAccount]
	orders.Count /= part
	limits[tenants.OrdersPerAccount] = orders
	return limits
}

// TestSim plays every scenario and prints a line for each: see make sim. What must be 0 fails the test.
func TestSim(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, *simSeed)
			z := sc.small
			if *simFull {
				z = sc.full
				z.domains /= *simPart
			} else if testing.Short() {
				z = sc.short
			}
			s := &sim{size: z, dir: memory(t), random: chances(*simSeed), names: map[string]*simName{}, wall: stopwatch{realNow()}}
			sc.play(t, s)
			s.report(t, sc.name)
		})
	}
}

// one is a story in which the clock is right.
func one(play func(*sim)) func(*testing.T, *sim) {
	return func(t *testing.T, s *sim) { s.stint(t, 0, func() { play(s) }) }
}

// memory is a directory that costs no waiting for a disk, where there is one.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "sim")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// stint is the life of one process, in virtual time of its own: so its clock may begin before that of the one before
// it ended. skew is how far the world's clock is ahead of this process's.
func (s *sim) stint(t *testing.T, skew time.Duration, play func()) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if s.world == nil {
			s.world = newSimWorld(s)
		} else {
			time.Sleep(time.Until(s.stopped.Add(-skew)))
		}
		s.ca.skew = skew
		defer s.open(t, s.dir)()
		defer s.look(t)()
		s.start()
		if s.asked == 0 {
			s.people(min(50, 1+s.domains/2))
			s.begun = s.now()
		}
		play()
		s.stopped = s.now()
	})
}

func (s *sim) report(t *testing.T, name string) {
	c := s.ca.sim.counts
	fmt.Printf("%s domains=%d days=%.0f expired=%d revoked_late=%d avoidable_429=%d orders=%d busiest_hour=%d finish=%.1fd",
		name, s.asked, s.stopped.Sub(s.begun).Hours()/24, s.expired, s.late, c.avoidable, c.orders,
		slices.Max(append(slices.Collect(maps.Values(s.ca.sim.perHour)), 0)), s.finish.Sub(s.begun).Hours()/24)
	fmt.Printf(" doubled=%d unserved=%d exempt=%d stormy_429=%d raced_429=%d kills=%d turns=%d seed=%d wall=%.1fs\n",
		c.doubled, s.unserved, c.exempt, c.stormy, c.raced, s.kills, s.turns, *simSeed, s.wall.Since().Seconds())
	if s.expired+s.late+c.avoidable+c.raced+c.doubled+s.unserved > 0 {
		t.Errorf("%s: expired, revoked_late, avoidable_429, raced_429, doubled and unserved must be 0 (seed %d)", name, *simSeed)
	}
}

// years: lifetimes shrink on the way, the CA has bad hours, and a few customers lose their record for some days.
func years(s *sim) {
	s.dns.rate = newTank(tenants.Limit{Count: 5, Per: time.Second}, s.now())
	s.ca.sim.slow, s.ca.sim.lossy = 0.02, 0.005
	s.askAll(s.domains, day)
	end := s.begun.Add(time.Duration(s.days) * day)
	third := end.Sub(s.begun) / 3
	s.ca.validity = min(90*day, third) // so that small sizes see renewals of each kind, too
	s.at(s.begun.Add(third), func() { s.ca.validity /= 2 })
	s.at(s.begun.Add(2*third), func() { s.ca.validity = min(6*day, s.ca.validity) })
	for from := s.begun.Add(s.upTo(10 * day)); from.Before(end); from = from.Add(s.upTo(20 * day)) {
		s.badHours(from)
	}
	most := min(9*day, end.Sub(s.begun)/20)
	for range (s.domains + 46) / 50 { // 2 %, one of a few, and nobody where only one is there
		from := s.begun.Add(day + s.upTo(end.Sub(s.begun)-day))
		s.away(names(s.domains)[s.random.IntN(s.domains)], from, from.Add(s.upTo(most)))
	}
	s.run(end, never)
	s.done()
}

// badHours: the CA is silent, or busy, or our zone takes no writes.
func (s *sim) badHours(from time.Time) {
	hours := span{from, from.Add(s.upTo(min(8*time.Hour, time.Duration(s.days)*day/90)))}
	switch s.random.IntN(3) {
	case 0:
		s.ca.sim.outages = append(s.ca.sim.outages, hours)
	case 1:
		s.ca.sim.storms = append(s.ca.sim.storms, span{from, from.Add(time.Hour)})
	default:
		s.at(hours.from, func() { s.dns.refuse = errRefused })
		s.at(hours.to, func() { s.dns.refuse = nil })
	}
}

// onboarding: more names in a week than the account's limit allows.
func onboarding(s *sim) {
	s.ca.sim.lag = 2 * time.Second
	s.ca.holds = 12 * time.Hour // as long as any portal that hears of a revocation in time believes it: most turns are such questions
	s.askAll(s.domains, time.Duration(s.days)*day)
	s.run(s.begun.Add(200*day), s.served)
	s.done()
}

// outage: the CA is away for five days (with the shorter lives of a short test, less) when its certificates are to be
// renewed.
func outage(s *sim) {
	s.ca.validity = time.Duration(s.days) * day
	s.askAll(s.domains, day)
	wave := s.begun.Add(s.ca.validity * 2 / 3)
	s.ca.sim.outages = []span{{wave, wave.Add(s.ca.validity / 9)}}
	s.run(s.begun.Add(s.ca.validity+2*day), never)
	s.done()
}

// revocation: part of all certificates is to be replaced within a day, while new names come in.
func revocation(s *sim) {
	s.askAll(s.domains, time.Duration(s.days)*6*time.Hour)
	s.run(s.begun.Add(60*day), s.served)
	deadline := s.now().Add(day)
	s.revoke(0.3, deadline)
	s.askAll(s.domains/5, day)
	s.run(s.now().Add(200*day), func() bool { return s.now().After(deadline) && s.served() })
	s.done()
}

// restarts: the process is killed every hour, in the middle of something where that can be.
func restarts(s *sim) {
	s.ca.validity = 6 * day
	s.ca.sim.slow = 0.2
	s.askAll(s.domains, 2*day)
	end := s.begun.Add(time.Duration(s.days) * day)
	for hour := s.begun.Add(time.Hour); hour.Before(end); hour = hour.Add(time.Hour) {
		s.at(hour, s.kill)
	}
	s.run(end, never)
	s.done()
}

// kill stops the process here, and the next one in the middle of a call.
func (s *sim) kill() {
	calls := []string{"newOrder", "authorization", "present", "answer", "finalize", "order", "certificate", "remove", "renewalInfo"}
	plan := map[string]mode{calls[s.random.IntN(len(calls))]: []mode{killBefore, killAfter}[s.random.IntN(2)]}
	s.ca.arm(plan)
	s.dns.arm(plan)
	s.kills++
	s.start()
}

// clock: the portal's clock is hours wrong for a while, ahead and behind, and the machine sleeps for half a day. Within a
// process virtual time cannot step back: a step is between two processes.
func clock(t *testing.T, s *sim) {
	part := time.Duration(s.days) * day / 6
	for i, skew := range []time.Duration{0, -5 * time.Hour, 0, 5 * time.Hour, 0} {
		s.stint(t, skew, func() {
			if i == 0 {
				s.ca.validity = 6 * day
				s.askAll(s.domains, day)
			}
			length := part
			if skew > 0 { // behind, it takes no certificate for valid yet
				length = min(part, day)
			}
			s.run(s.now().Add(length), never)
			time.Sleep(12 * time.Hour) // suspended
			s.run(s.now().Add(time.Hour), never)
			s.done()
		})
	}
}
