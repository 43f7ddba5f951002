package tenants

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hours is when a tenant wants its certificates renewed. The zero Hours allows every minute, in UTC. [ParseHours] makes
// one from a form; the store keeps it as JSON.
//
// What counts is the clock on the wall in Zone: a minute is open when that clock shows a time inside the hours, so an hour
// that a clock change skips does not exist, and one that it repeats is open twice.
type Hours struct {
	Days     []time.Weekday `json:"days,omitempty"`    // on which the hours begin; empty: every day
	From     int            `json:"from,omitempty"`    // minutes after midnight, 0 to 1439
	To       int            `json:"to,omitempty"`      // the same; before From: on the next day; equal to From: the whole of the day
	Zone     string         `json:"zone,omitempty"`    // IANA name, as in Europe/Berlin; empty: UTC
	Freezes  []Freeze       `json:"freezes,omitempty"` // when nothing renews
	PerDay   int            `json:"per_day,omitempty"` // at most so many renewals on one day of the zone; 0: no limit
	location *time.Location // of Zone, so that it is not looked up for each certificate
}

// Freeze is a range of days, both included, on which nothing renews.
type Freeze struct {
	First string `json:"first"` // as in 2026-12-19, in the zone of the hours
	Last  string `json:"last"`
	Why   string `json:"why,omitempty"` // a word for people
}

// Span is a piece of time, End not included.
type Span struct{ Start, End time.Time }

// Contains reports whether t lies inside the span.
func (s Span) Contains(t time.Time) bool { return !t.Before(s.Start) && t.Before(s.End) }

// UnmarshalJSON reads what the store keeps.
func (h *Hours) UnmarshalJSON(text []byte) error {
	type plain Hours
	if err := json.Unmarshal(text, (*plain)(h)); err != nil {
		return fmt.Errorf("read renewal hours: %w", err)
	}
	h.location = h.zone()
	return nil
}

// Open lists the open spans inside [start, end): sorted, apart from each other, in UTC.
func (h Hours) Open(start, end time.Time) []Span {
	var open []Span
	for _, w := range walls(h.zone(), start, end) {
		for _, s := range h.onWall(w.Span) {
			open = joined(open, Span{s.Start.Add(-w.ahead), s.End.Add(-w.ahead)})
		}
	}
	return open
}

// wall is a piece of time between two clock changes, written as the clock on the wall shows it: UTC plus ahead.
type wall struct {
	Span
	ahead time.Duration
}

func walls(zone *time.Location, start, end time.Time) (all []wall) {
	for start.Before(end) {
		local := start.In(zone)
		_, seconds := local.Zone()
		until := end
		if _, change := local.ZoneBounds(); !change.IsZero() {
			until = earlier(change, end)
		}
		ahead := time.Duration(seconds) * time.Second
		all = append(all, wall{Span{start.UTC().Add(ahead), until.UTC().Add(ahead)}, ahead})
		start = until
	}
	return all
}

// onWall is Open where the clock never changes.
func (h Hours) onWall(w Span) (open []Span) {
	frozen := h.frozen()
	for day := w.Start.Truncate(24*time.Hour).AddDate(0, 0, -1); day.Before(w.End); day = day.AddDate(0, 0, 1) {
		if len(h.Days) > 0 && !slices.Contains(h.Days, day.Weekday()) {
			continue
		}
		hours := h.of(day)
		for _, s := range without(Span{later(hours.Start, w.Start), earlier(hours.End, w.End)}, frozen) {
			open = joined(open, s)
		}
	}
	return open
}

// of is the hours that begin on a day.
func (h Hours) of(day time.Time) Span {
	from, to := time.Duration(h.From)*time.Minute, time.Duration(h.To)*time.Minute
	switch {
	case from == to:
		from, to = 0, 24*time.Hour
	case to < from:
		to += 24 * time.Hour
	}
	return Span{day.Add(from), day.Add(to)}
}

// frozen is the freezes, sorted. One that cannot be read freezes nothing.
func (h Hours) frozen() (all []Span) {
	for _, f := range h.Freezes {
		if s, ok := f.span(); ok {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return all
}

// FreezeSpans lists the freezes as they pass in time: sorted, apart from each other, in UTC.
func (h Hours) FreezeSpans() (all []Span) {
	for _, wall := range h.frozen() {
		all = joined(all, Span{h.instant(wall.Start), h.instant(wall.End)})
	}
	return all
}

// instant is when the clock on the wall shows the beginning of a day.
func (h Hours) instant(day time.Time) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, h.zone()).UTC()
}

func (f Freeze) span() (Span, bool) {
	first, wrong1 := time.Parse(time.DateOnly, f.First)
	last, wrong2 := time.Parse(time.DateOnly, f.Last)
	return Span{first, last.AddDate(0, 0, 1)}, wrong1 == nil && wrong2 == nil && !last.Before(first)
}

// without is what sorted holes leave of a span.
func without(s Span, holes []Span) (left []Span) {
	for _, hole := range holes {
		if piece := (Span{s.Start, earlier(hole.Start, s.End)}); piece.Start.Before(piece.End) {
			left = append(left, piece)
		}
		s.Start = later(s.Start, hole.End)
	}
	if s.Start.Before(s.End) {
		left = append(left, s)
	}
	return left
}

// joined adds a span that does not begin before the last one does.
func joined(all []Span, s Span) []Span {
	if n := len(all); n > 0 && !s.Start.After(all[n-1].End) {
		all[n-1].End = later(all[n-1].End, s.End)
		return all
	}
	return append(all, s)
}

// zone is the location of Zone: UTC when this machine does not know it.
func (h Hours) zone() *time.Location {
	if h.location != nil {
		return h.location
	}
	if zone, err := time.LoadLocation(h.Zone); err == nil {
		return zone
	}
	return time.UTC
}

// anyTime reports whether every minute is open.
func (h Hours) anyTime() bool { return h.everyDay() && h.From == h.To && len(h.Freezes) == 0 }

func (h Hours) everyDay() bool { return len(h.Days) == 0 || len(h.Days) == 7 }

// Words is the week for people: "Mo to Th, 06:00 to 12:00 UTC".
func (h Hours) Words() string {
	zone := h.Zone
	if zone == "" {
		zone = "UTC"
	}
	switch {
	case h.From != h.To:
		return fmt.Sprintf("%s, %s to %s %s", h.days(), hhmm(h.From), hhmm(h.To), zone)
	case h.everyDay() && zone == "UTC":
		return "at any time"
	case h.everyDay():
		return "at any time, " + zone
	}
	return fmt.Sprintf("%s, all day, %s", h.days(), zone)
}

// String is everything for pages and the audit log: "Mo to Th, 06:00 to 12:00 UTC, not from 19 Dec 2026 to 3 Jan 2027
// (Christmas), at most 18 a day".
func (h Hours) String() string {
	parts := []string{h.Words()}
	for _, f := range h.Freezes {
		parts = append(parts, f.String())
	}
	if h.PerDay > 0 {
		parts = append(parts, fmt.Sprintf("at most %d a day", h.PerDay))
	}
	return strings.Join(parts, ", ")
}

func (f Freeze) String() string {
	words := "not on " + dayWords(f.First)
	if f.First != f.Last {
		words = "not from " + dayWords(f.First) + " to " + dayWords(f.Last)
	}
	if f.Why != "" {
		words += " (" + f.Why + ")"
	}
	return words
}

// days is "every day", or runs of days that begin on Monday: "Mo to Th and Sa".
func (h Hours) days() string {
	if h.everyDay() {
		return "every day"
	}
	var runs []string
	for i := 0; i < 7; i++ {
		first := i
		for i < 7 && slices.Contains(h.Days, weekdays[i].day) {
			i++
		}
		switch i - first {
		case 0:
		case 1, 2:
			for _, d := range weekdays[first:i] {
				runs = append(runs, d.word)
			}
		default:
			runs = append(runs, weekdays[first].word+" to "+weekdays[i-1].word)
		}
	}
	return listed(runs)
}

// weekdays is the order and the words of days, on forms as on pages.
var weekdays = [7]struct {
	word string
	day  time.Weekday
}{
	{"Mo", time.Monday}, {"Tu", time.Tuesday}, {"We", time.Wednesday}, {"Th", time.Thursday}, {"Fr", time.Friday},
	{"Sa", time.Saturday}, {"Su", time.Sunday},
}

func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func hhmm(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// dayWords turns 2026-12-19 into 19 Dec 2026.
func dayWords(date string) string {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return day.Format("2 Jan 2006")
}
