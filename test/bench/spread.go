package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"perennial/tenants"
)

const (
	spreadTenants  = 50
	spreadLifetime = 90 * 24 * time.Hour
	spreadHours    = 15*24 + 1 // from the start of the first window to the end of the last
)

var spreadStart = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// none is an aim for counts that must be zero.
const none = 0.001

// spread measures how even the load on an issuer is when many certificates are issued within one hour, whose windows
// then lie upon each other. The limit is the smallest busiest hour that any plan could have, known in advance who comes.
func (b *bench) spread(context.Context) (lines []line, err error) {
	n := b.size(100_000, 5000)
	var s *spreading
	for _, order := range arrivals {
		if s, err = newSpreading(n); err != nil {
			return lines, err
		}
		s.blind = order.blind
		slices.SortStableFunc(s.all, order.less)
		took, bound := s.plan(), s.bound()
		lines = append(lines, s.ratio("busiest hour ÷ bound, "+order.name, bound, order.aim))
		b.note("Spreading %s: busiest hour %d, bound %d, %s µs a certificate.", order.name, s.busiest(), bound,
			number(float64(took.Nanoseconds())/1000/float64(n)))
	}
	lines = append(lines, s.disturbed(b)...)
	s.jitter()
	lines = append(lines, s.ratio("busiest hour ÷ bound, by random jitter", s.bound(), 0))
	if s, err = newSpreading(0); err != nil {
		return lines, err
	}
	return append(lines, s.million(b.size(1_000_000, 20_000))...), nil
}

// disturbed is what happens to plans that are made.
func (s *spreading) disturbed(b *bench) []line {
	restart := s.again(func(_ int, v tenants.Verdict) tenants.Verdict { return v })
	refresh := s.again(func(i int, v tenants.Verdict) tenants.Verdict {
		if i%10 == 0 {
			v.Start, v.At, v.End = v.Start.Add(2*time.Hour), v.At.Add(2*time.Hour), v.End.Add(-2*time.Hour)
		}
		return v
	})
	b.note("New windows for a tenth moved %d plans.", refresh.moved)
	return append([]line{
		{what: "plans moved by a restart", got: float64(restart.moved), aim: none},
		{what: "plans moved needlessly by new windows for a tenth", got: float64(refresh.needless), aim: none},
	}, s.freeze(b)...)
}

// arrivals are the orders in which certificates come. Without a forecast, who comes last finds its hours full.
var arrivals = []struct {
	name  string
	less  func(a, b *certificate) int
	blind bool
	aim   float64
}{
	{"without a forecast, flexible tenants first", func(a, b *certificate) int { return b.room - a.room }, true, 0},
	{"100,000 certificates, narrow tenants first", func(a, b *certificate) int { return a.room - b.room }, false, 1.05},
	{"100,000 certificates, flexible tenants first", func(a, b *certificate) int { return b.room - a.room }, false, 1.05},
	{"100,000 certificates, tenant after tenant", func(a, b *certificate) int { return a.tenant - b.tenant }, false, 1.05},
	{"100,000 certificates, mixed", func(a, b *certificate) int { return 0 }, false, 1.05},
}

type certificate struct {
	tenant, room int // room: open hours of the tenant
	facts        tenants.RenewalFacts
	due, plan    tenants.Verdict
}

// spreading is an issuer as the store keeps it: a counter per slot, and per tenant what is planned in the window.
type spreading struct {
	hours          []tenants.Hours
	room           [][]int // hours of the window in which each tenant is open
	demand, placed []int   // certificates of each tenant, and how many have a plan
	all            []*certificate
	planned        map[tenants.Slot]int
	forecasts      map[tenants.Grid]*tenants.Forecast
	blind          bool // no forecasts
}

func newSpreading(n int) (*spreading, error) {
	random := rand.New(rand.NewPCG(1, 2))
	s := &spreading{planned: map[tenants.Slot]int{}, forecasts: map[tenants.Grid]*tenants.Forecast{},
		demand: make([]int, spreadTenants), placed: make([]int, spreadTenants)}
	for i := range spreadTenants {
		h, err := someHours(i, random)
		if err != nil {
			return nil, err
		}
		s.hours, s.room = append(s.hours, h), append(s.room, roomOf(h))
	}
	weights := s.weights()
	for i := range n {
		t, _ := slices.BinarySearch(weights, random.Float64()*weights[spreadTenants-1])
		s.demand[t]++
		f := factsOf(i, spreadStart.Add(time.Hour/time.Duration(n)*time.Duration(i)))
		s.all = append(s.all, &certificate{tenant: t, room: len(s.room[t]), facts: f, due: dueInLastThird(f)})
	}
	return s, nil
}

// roomOf is the hours of the window, counted from its start, in which somebody is open.
func roomOf(h tenants.Hours) (room []int) {
	start := spreadStart.Add(spreadLifetime * 2 / 3)
	for hour := range spreadHours {
		at := start.Add(time.Duration(hour) * time.Hour)
		if len(h.Open(at, at.Add(time.Hour))) > 0 {
			room = append(room, hour)
		}
	}
	return room
}

// weights gives tenants certificates by the fourth root of their room: narrow ones then need nearly all of it, and a
// plan that lets others in has to put theirs on top.
func (s *spreading) weights() (sums []float64) {
	sum := 0.0
	for _, room := range s.room {
		sum += math.Sqrt(math.Sqrt(float64(len(room))))
		sums = append(sums, sum)
	}
	return sums
}

func factsOf(i int, issued time.Time) tenants.RenewalFacts {
	return tenants.RenewalFacts{ID: tenants.CertificateID(fmt.Sprintf("crt_%026d", i)), Serial: fmt.Sprintf("%x", i), IssuerName: "Example CA",
		NotBefore: issued, NotAfter: issued.Add(spreadLifetime)}
}

// dueInLastThird is what Due says without a window of the CA.
func dueInLastThird(f tenants.RenewalFacts) tenants.Verdict {
	start, line := f.NotAfter.Add(-spreadLifetime/3), f.NotAfter.Add(-spreadLifetime/6)
	return tenants.Verdict{At: start, Start: start, End: line, NoLater: line, Reason: tenants.LastThird}
}

// someHours are of every kind: any time, office hours, nights, one weekday of two hours.
func someHours(i int, random *rand.Rand) (tenants.Hours, error) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Tokyo"}
	kinds := []struct{ days, least, more int }{{7, 24, 1}, {5, 4, 8}, {7, 3, 5}, {2, 6, 12}, {1, 2, 3}}
	kind, first, from := kinds[i%len(kinds)], random.IntN(7), random.IntN(24)
	to := (from + kind.least + random.IntN(kind.more)) % 24
	form := tenants.HoursForm{Zone: zones[random.IntN(len(zones))], From: fmt.Sprintf("%02d:00", from), To: fmt.Sprintf("%02d:00", to)}
	words := []string{"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"}
	for d := range kind.days {
		form.Days = append(form.Days, words[(first+d)%7])
	}
	return tenants.ParseHours(form)
}

// plan gives every certificate its instant, in the order of s.all.
func (s *spreading) plan() time.Duration {
	start := time.Now()
	for _, c := range s.all {
		s.settle(c, c.due)
	}
	return time.Since(start)
}

// settle is what the store does in its transaction.
func (s *spreading) settle(c *certificate, due tenants.Verdict) {
	slot, known := c.plan.Slot()
	if known {
		s.planned[slot]--
	}
	c.plan = tenants.Settle(c.facts, due, c.plan, s.hours[c.tenant], c.facts.NotBefore, func(slots []tenants.Slot) tenants.Load {
		l := tenants.Load{Planned: s.counters(slots)}
		if !s.blind {
			l.Coming = s.forecast(due.Grid()).Coming(slots)
		}
		return l
	})
	slot, _ = c.plan.Slot()
	s.planned[slot]++
	if known {
		return
	}
	s.placed[c.tenant]++
	for _, f := range s.forecasts {
		f.Took(c.tenant)
	}
}

func (s *spreading) counters(slots []tenants.Slot) []int {
	counters := make([]int, len(slots))
	for i, slot := range slots {
		counters[i] = s.planned[slot]
	}
	return counters
}

// forecast is made once for all certificates whose windows lie on the same slots.
func (s *spreading) forecast(g tenants.Grid) *tenants.Forecast {
	f := s.forecasts[g]
	if f == nil {
		demand := make([]tenants.Demand, len(s.hours))
		for t, h := range s.hours {
			demand[t] = tenants.Demand{Hours: h, Planned: s.placed[t], Coming: max(0, s.demand[t]-s.placed[t])}
		}
		f = tenants.Expect(g, demand)
		s.forecasts[g] = f
	}
	return f
}

// jitter plans each certificate at a random instant that it may have.
func (s *spreading) jitter() {
	random := rand.New(rand.NewPCG(3, 4))
	for _, c := range s.all {
		var total time.Duration
		open := s.hours[c.tenant].Open(c.due.Start, c.due.End)
		for _, o := range open {
			total += o.End.Sub(o.Start)
		}
		left := time.Duration(random.Int64N(int64(total)))
		for _, o := range open {
			if length := o.End.Sub(o.Start); left >= length {
				left -= length
				continue
			}
			c.plan = c.due
			c.plan.At = o.Start.Add(left)
			break
		}
	}
}

// replanned is what a second planning did.
type replanned struct{ moved, needless int }

// again plans everything once more, as after a restart, with windows that may have changed. A move is needless when the
// old instant was still allowed.
func (s *spreading) again(window func(i int, v tenants.Verdict) tenants.Verdict) (r replanned) {
	clear(s.forecasts)
	for i, c := range s.all {
		before, due := c.plan.At, window(i, c.due)
		s.settle(c, due)
		if c.plan.At.Equal(before) {
			continue
		}
		r.moved++
		if slices.ContainsFunc(s.hours[c.tenant].Open(due.Start, due.End), func(o tenants.Span) bool { return o.Contains(before) }) {
			r.needless++
		}
	}
	return r
}

// freeze keeps one tenant that was open at any time from renewing on four days.
func (s *spreading) freeze(b *bench) []line {
	s.hours[0].Freezes = []tenants.Freeze{{First: "2027-01-26", Last: "2027-01-29"}}
	s.room[0] = roomOf(s.hours[0])
	r := s.again(func(_ int, v tenants.Verdict) tenants.Verdict { return v })
	b.note("The freeze moved %d plans.", r.moved)
	return []line{
		{what: "plans moved needlessly by a freeze of one tenant", got: float64(r.needless), aim: none},
		s.ratio("busiest hour ÷ bound, after that freeze", s.bound(), 0),
	}
}

// ratio is the busiest hour as a multiple of the bound.
func (s *spreading) ratio(what string, bound int, aim float64) line {
	return line{what: what, got: float64(s.busiest()) / float64(bound), limit: "1", aim: aim}
}

func (s *spreading) busiest() (most int) {
	hours := map[time.Time]int{}
	for _, c := range s.all {
		hour := c.plan.At.Truncate(time.Hour)
		hours[hour]++
		most = max(most, hours[hour])
	}
	return most
}

// bound is the smallest busiest hour: the least m with which all certificates flow from their tenants through hours of
// m each. Windows count as if all were the longest, so the truth can only be higher.
func (s *spreading) bound() int {
	low, high := 0, len(s.all)
	for low+1 < high {
		if m := (low + high) / 2; s.fits(m) {
			high = m
		} else {
			low = m
		}
	}
	return high
}

// fits is a maximum flow by augmenting paths. Tenants push into hours with room; a full hour makes room by sending what
// another tenant has there elsewhere.
func (s *spreading) fits(m int) bool {
	f := flow{room: s.room, used: make([]int, spreadHours), carries: make([][spreadHours]int, len(s.room)), most: m}
	for t, left := range s.demand {
		for left > 0 {
			clear(f.seen[:])
			pushed := f.push(t, left)
			if pushed == 0 {
				return false
			}
			left -= pushed
		}
	}
	return true
}

// flow is how many certificates of each tenant lie in each hour.
type flow struct {
	room    [][]int
	used    []int
	carries [][spreadHours]int
	most    int
	seen    [spreadHours]bool
}

func (f *flow) push(tenant, amount int) int {
	for _, hour := range f.room[tenant] {
		if n := min(amount, f.most-f.used[hour]); n > 0 {
			f.used[hour] += n
			f.carries[tenant][hour] += n
			return n
		}
	}
	for _, hour := range f.room[tenant] {
		if f.seen[hour] {
			continue
		}
		f.seen[hour] = true
		for other := range f.room {
			if n := min(amount, f.carries[other][hour]); other != tenant && n > 0 {
				if n = f.push(other, n); n > 0 {
					f.carries[other][hour] -= n
					f.carries[tenant][hour] += n
					return n
				}
			}
		}
	}
	return 0
}

// million plans a million certificates that are issued in one day, and keeps of them what the store keeps.
func (s *spreading) million(n int) []line {
	for t := range s.demand {
		s.demand[t] = n / spreadTenants
	}
	runtime.GC()
	before := heapSize()
	start, most := time.Now(), before
	for i := range n {
		c := &certificate{tenant: i % spreadTenants, facts: factsOf(i, spreadStart.Add(24*time.Hour/time.Duration(n)*time.Duration(i)))}
		c.due = dueInLastThird(c.facts)
		if g := c.due.Grid(); s.forecasts[g] == nil {
			clear(s.forecasts)
		}
		s.settle(c, c.due)
		if i%10_000 == 0 {
			most = max(most, heapSize())
		}
	}
	return []line{
		{what: "planning 1,000,000 certificates", got: time.Since(start).Seconds(), unit: " s"},
		{what: "planning 1,000,000 certificates, heap", got: float64(most-before) / (1 << 20), unit: " MB"},
	}
}

func heapSize() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
