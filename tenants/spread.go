package tenants

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// How renewals are spread.
//
// Time is cut into slots, and a renewal goes where its issuer has the least to do: to the slot of its window and its
// tenant's hours with the fewest renewals planned and expected. What is expected ([Forecast]) is what makes this even:
// who can go anywhere leaves room for those who come later and can go nowhere else. Among equals a hash of the
// certificate chooses, and another the second inside the slot, so that nobody needs to agree with anybody.
//
// A plan that is still allowed is never moved, however the loads change; not even when its minute is over: it is due.

// Slot is one piece of the time line in which the planned renewals of an issuer are counted. Slots are aligned with
// the clock in UTC, so those of one width never overlap.
type Slot struct {
	Start time.Time // UTC
	Width time.Duration
}

// Grid is the row of slots over one window. Grids are comparable: many certificates issued together share one.
type Grid struct {
	Start time.Time // UTC
	Width time.Duration
	Count int
}

// Grid is v's window before its safety line, rounded out to slots. Their width follows from the length of the window
// alone: an hour for a day and longer, less for less, so that a short window has some dozens as well.
func (v Verdict) Grid() Grid {
	w := v.window()
	width := slotWidth(w.End.Sub(w.Start))
	start := w.Start.UTC().Truncate(width)
	return Grid{start, width, int(max(0, w.End.Sub(start)+width-1) / width)}
}

// Slot is where the store counts v, and false when v is not spread: requests, emergencies, what is overdue.
func (v Verdict) Slot() (Slot, bool) {
	width := v.Grid().Width
	return Slot{v.At.UTC().Truncate(width), width}, v.spreads()
}

func slotWidth(window time.Duration) time.Duration {
	for _, width := range []time.Duration{time.Hour, 15 * time.Minute, 5 * time.Minute, time.Minute, 10 * time.Second} {
		if window >= 24*width {
			return width
		}
	}
	return time.Second
}

// spreads reports whether the instant may be chosen. One at or after the end of its window means: at once.
func (v Verdict) spreads() bool {
	return v.Movable() && v.window().Contains(v.At)
}

// window is where the instant may lie.
func (v Verdict) window() Span { return Span{v.Start, earlier(v.End, v.NoLater)} }

// Load is what else is planned. Nothing in it counts the certificate that is being placed.
type Load struct {
	Planned []int          // renewals of the issuer in each slot, of all tenants, in the order of the slots asked for; nil: none
	Coming  []float64      // the same for those not planned yet, from Forecast.Coming; nil: none
	Days    map[string]int // the tenant's renewals at all issuers by day, as 2026-12-19 in the zone of its hours; only read with Hours.PerDay
}

// Settle chooses the final instant of a plan. v is what Due says, old the plan of the same version that is in force: the
// zero Verdict for a version that has none. load is asked at most once, and only when something has to be chosen or the
// tenant has a limit per day; with such a limit and a zone of odd half hours a slot can be asked for twice in a row.
//
// Only windows are spread; requests and emergencies break the hours. The instant is never past the safety line. When
// the hours leave nothing, or every day has its number, they lose and the sentence says so.
func Settle(f RenewalFacts, v, old Verdict, h Hours, now time.Time, load func([]Slot) Load) Verdict {
	if !v.spreads() {
		return v
	}
	due, p := v, placing{hours: h, window: v.window(), width: v.Grid().Width}
	p.look(now)
	held := old.spreads() && (covers(p.open, old.At) || p.outside && p.window.Contains(old.At))
	switch {
	case held && (h.PerDay == 0 || p.outside):
		v.At = old.At
	case len(p.pieces) > 0:
		v.At = p.choose(f, old.At, held, load)
	}
	p.outside = !covers(p.open, v.At) // a plan inside the hours may be over, and none of them left
	v.Text = p.sentence(f, due, v)
	return v
}

// placing is one certificate on its way to an instant.
type placing struct {
	hours   Hours
	window  Span
	width   time.Duration // of a slot
	open    []Span        // the window inside the hours
	pieces  []piece       // what may be chosen, none of it over already
	outside bool          // the hours leave nothing, so they do not count
	crowded bool          // every day has its number, so that does not count
}

// look finds what may be chosen. Past minutes may not: together they would all come at once.
func (p *placing) look(now time.Time) {
	left := Span{now.UTC().Truncate(time.Second).Add(time.Second), p.window.End}
	p.open = p.hours.Open(p.window.Start, p.window.End)
	ahead := inside(p.open, left)
	if len(ahead) == 0 {
		p.outside = true
		ahead = inside([]Span{p.window}, left)
	}
	p.pieces = p.hours.pieces(ahead)
}

func covers(spans []Span, at time.Time) bool {
	return slices.ContainsFunc(spans, func(s Span) bool { return s.Contains(at) })
}

func inside(spans []Span, bounds Span) (clipped []Span) {
	for _, s := range spans {
		s = Span{later(s.Start, bounds.Start), earlier(s.End, bounds.End)}
		if s.Start.Before(s.End) {
			clipped = append(clipped, s)
		}
	}
	return clipped
}

// choose finds the instant. A plan that is held stays unless its day has too many and another has room.
func (p *placing) choose(f RenewalFacts, old time.Time, held bool, load func([]Slot) Load) time.Time {
	all := sliced(p.pieces, p.width)
	l := load(slotsOf(all))
	most := p.perDay(all, l.Days)
	if held && (p.crowded || l.Days[p.hours.Day(old)] <= most) {
		return old
	}
	slotSeed, secondSeed := seed(f)
	best, lowest := candidate{}, math.Inf(1)
	for i, c := range all {
		if l.Days[c.day] > most {
			continue
		}
		if has := l.at(i) + chance(slotSeed, c.Slot); has < lowest {
			best, lowest = c, has
		}
	}
	return p.within(best, secondSeed)
}

// at is what the i-th slot is to expect in the end.
func (l Load) at(i int) float64 {
	n := 0.0
	if l.Planned != nil {
		n = float64(l.Planned[i])
	}
	if l.Coming != nil {
		n += l.Coming[i]
	}
	return n
}

// perDay is the highest number that a day may already have: one less than the limit or, when no day has so few, the
// lowest of all.
func (p *placing) perDay(all []candidate, days map[string]int) int {
	if p.hours.PerDay == 0 {
		return math.MaxInt
	}
	lowest := math.MaxInt
	for _, c := range all {
		lowest = min(lowest, days[c.day])
	}
	p.crowded = lowest >= p.hours.PerDay
	return max(lowest, p.hours.PerDay-1)
}

// candidate is a slot with an open part. With a limit per day, the part that lies on one day.
type candidate struct {
	Slot
	day  string
	open time.Duration
}

func slotsOf(all []candidate) []Slot {
	slots := make([]Slot, len(all))
	for i, c := range all {
		slots[i] = c.Slot
	}
	return slots
}

// sliced is the slots that sorted pieces touch, without those that are open for less than half as long as others: the
// renewals of an hour would crowd into a few minutes.
func sliced(pieces []piece, width time.Duration) []candidate {
	n := 0
	for _, s := range pieces {
		n += int(s.End.Sub(s.Start)/width) + 2
	}
	all, widest := make([]candidate, 0, n), time.Duration(0)
	for _, s := range pieces {
		for at, start := s.Start, s.Start.Truncate(width); at.Before(s.End); {
			end := start.Add(width)
			until := earlier(end, s.End)
			if n := len(all); n == 0 || !all[n-1].Start.Equal(start) || all[n-1].day != s.day {
				all = append(all, candidate{Slot: Slot{start, width}, day: s.day})
			}
			c := &all[len(all)-1]
			c.open += until.Sub(at)
			widest = max(widest, c.open)
			at, start = until, end
		}
	}
	return slices.DeleteFunc(all, func(c candidate) bool { return 2*c.open < widest })
}

// within is the certificate's own second of the open part of a slot.
func (p *placing) within(c candidate, seed uint64) (at time.Time) {
	offset, _ := bits.Mul64(seed, uint64(c.open))
	left := time.Duration(offset).Truncate(time.Second)
	for _, s := range p.pieces {
		part := Span{later(s.Start, c.Start), earlier(s.End, c.Start.Add(c.Width))}
		if s.day != c.day || !part.Start.Before(part.End) {
			continue
		}
		if at = part.Start.Add(left); at.Before(part.End) {
			return at
		}
		left -= part.End.Sub(part.Start)
	}
	return at
}

// piece is a span, of one day where days count.
type piece struct {
	Span
	day string
}

// pieces cuts sorted spans at the midnights of the zone when the tenant has a limit per day.
func (h Hours) pieces(spans []Span) (all []piece) {
	if h.PerDay == 0 || len(spans) == 0 {
		for _, s := range spans {
			all = append(all, piece{Span: s})
		}
		return all
	}
	for _, w := range walls(h.zone(), spans[0].Start, spans[len(spans)-1].End) {
		for day := w.Start.Truncate(24 * time.Hour); day.Before(w.End); day = day.AddDate(0, 0, 1) {
			bounds := Span{later(day, w.Start).Add(-w.ahead), earlier(day.AddDate(0, 0, 1), w.End).Add(-w.ahead)}
			for _, s := range inside(spans, bounds) {
				all = append(all, piece{s, day.Format(time.DateOnly)})
			}
		}
	}
	return all
}

// Day is the day of t in the zone of the hours, as in 2026-12-19: what Load.Days counts by.
func (h Hours) Day(t time.Time) string { return t.In(h.zone()).Format(time.DateOnly) }

// seed is where the certificate's own choices come from: one for the slot, one for the second inside it.
func seed(f RenewalFacts) (slot, second uint64) {
	sum := sha256.Sum256([]byte(string(f.ID) + "\x00" + f.Serial))
	return binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])
}

// chance maps a seed and a slot to [0, 1): less than one renewal, so that it only decides among equals. The mixing is
// SplitMix64 (Steele, Lea and Flood, 2014).
func chance(seed uint64, s Slot) float64 {
	x := seed + uint64(s.Start.Unix())*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// sentence is Due's own with the instant that was chosen, and what the hours had to do with it.
func (p *placing) sentence(f RenewalFacts, due, v Verdict) string {
	if p.outside {
		return fmt.Sprintf("Your renewal hours leave no minute before %s, so we chose %s outside them.", f.clock(p.window.End), f.clock(v.At))
	}
	text := strings.TrimSuffix(strings.Replace(due.Text, "we chose "+f.clock(due.At), "we chose "+f.clock(v.At), 1), ".")
	if !p.hours.anyTime() {
		text += fmt.Sprintf(", in your renewal hours (%s)", p.hours.Words())
	}
	if p.crowded {
		text += fmt.Sprintf(", although every open day has its %d renewals", p.hours.PerDay)
	}
	return text + "."
}
