package views

import "time"

// axis maps instants to percent of a picture's width and carries its ticks.
type axis struct {
	from, to time.Time
	Ticks    []tick
	NowX     string // "" when now is outside
	NowLabel string // "Today", or "Now" when the axis spans less than two days
	NowEnd   bool   // the word would leave the picture at the right: it ends at its line
	NowStart bool   // the same at the left: it begins there
}

// tick is one line with a name; every second one is dropped on narrow screens.
type tick struct {
	X, Label string
	Alt      bool
}

// at is where t stands, clamped to the picture.
func (a axis) at(t time.Time) string { return percent(a.share(t)) }

func (a axis) share(t time.Time) float64 {
	span := a.to.Sub(a.from)
	if span <= 0 {
		return 0
	}
	return min(max(float64(t.Sub(a.from))/float64(span), 0), 1)
}

func (a axis) holds(t time.Time) bool { return !t.Before(a.from) && !t.After(a.to) }

// bar is a stretch of time in percent.
type bar struct{ X, W string }

func (a axis) bar(from, to time.Time) bar {
	x := a.share(from)
	return bar{percent(x), percent(max(0, a.share(to)-x))}
}

// step is one of the units an axis can be ruled in.
type step struct {
	every  time.Duration // zero: calendar months
	months int
	layout string
}

var steps = []step{
	{every: time.Second, layout: "15:04:05"}, {every: 5 * time.Second, layout: "15:04:05"}, {every: 15 * time.Second, layout: "15:04:05"}, {every: 30 * time.Second, layout: "15:04:05"},
	{every: time.Minute, layout: "15:04"}, {every: 2 * time.Minute, layout: "15:04"}, {every: 5 * time.Minute, layout: "15:04"},
	{every: 10 * time.Minute, layout: "15:04"}, {every: 15 * time.Minute, layout: "15:04"}, {every: 30 * time.Minute, layout: "15:04"},
	{every: time.Hour, layout: "15:04"}, {every: 2 * time.Hour, layout: "15:04"}, {every: 3 * time.Hour, layout: "15:04"}, {every: 6 * time.Hour, layout: "15:04"}, {every: 12 * time.Hour, layout: "15:04"},
	{every: day1, layout: "2 Jan"}, {every: 3 * day1, layout: "2 Jan"}, {every: week1, layout: "2 Jan"}, {every: 2 * week1, layout: "2 Jan"},
	{months: 1, layout: "Jan"}, {months: 3, layout: "Jan 2006"}, {months: 12, layout: "2006"},
}

const (
	day1  = 24 * time.Hour
	week1 = 7 * day1
)

// length is about how long the step is, for choosing.
func (s step) length() time.Duration {
	if s.months > 0 {
		return time.Duration(s.months) * 30 * day1
	}
	return s.every
}

// floor is the last line at or before t. Weeks begin on Monday, since the Go zero time is one.
func (s step) floor(t time.Time) time.Time {
	t = t.UTC()
	if s.months == 0 {
		return t.Truncate(s.every)
	}
	m := (int(t.Month())-1)/s.months*s.months + 1
	return time.Date(t.Year(), time.Month(m), 1, 0, 0, 0, 0, time.UTC)
}

func (s step) next(t time.Time) time.Time {
	if s.months > 0 {
		return t.AddDate(0, s.months, 0)
	}
	return t.Add(s.every)
}

func (s step) label(t time.Time) string {
	if s.every > 0 && s.every < day1 && t.Equal(t.Truncate(day1)) {
		return shortDay(t)
	}
	return t.Format(s.layout)
}

// stepFor is the finest step that rules the span with at most n lines.
func stepFor(span time.Duration, n int) step {
	for _, s := range steps {
		if span <= s.length()*time.Duration(n) {
			return s
		}
	}
	return steps[len(steps)-1]
}

// laneAxis rules the narrow lanes of a list, above which the word at now stands in the middle of its line.
func laneAxis(from, to, now time.Time) axis { return newAxis(from, to, now, 5, .18) }

// pictureAxis rules the wide picture of one certificate, where that word stands at the right of its line.
func pictureAxis(from, to, now time.Time, n int) axis { return newAxis(from, to, now, n, .08) }

// newAxis rules the span with at most n lines. Names that would run into the word at now are left out, and lines
// at the very end.
func newAxis(from, to, now time.Time, n int, before float64) axis {
	a := axis{from: from, to: to, NowLabel: "Today"}
	span := to.Sub(from)
	if span < 2*day1 {
		a.NowLabel = "Now"
	}
	if a.holds(now) {
		a.NowX = a.at(now)
		a.NowStart, a.NowEnd = a.share(now) < .08, a.share(now) > .9
	}
	s := stepFor(span, n)
	for t := s.next(s.floor(from)); t.Before(to) && len(a.Ticks) < 2*n; t = s.next(t) {
		if a.share(t) > .97 {
			break
		}
		a.Ticks = append(a.Ticks, tick{X: a.at(t), Label: a.room(s.label(t), t, now, before), Alt: len(a.Ticks)%2 == 1 || a.beside(t, now)})
	}
	return a
}

// beside reports whether a name stands so close to the word at now that a narrow screen has no room for both.
func (a axis) beside(t, now time.Time) bool {
	d := a.share(t) - a.share(now)
	return a.NowX != "" && d > -.16 && d < .14
}

// room drops a label that would run into the word at now.
func (a axis) room(label string, t, now time.Time, before float64) string {
	d := a.share(t) - a.share(now)
	if a.NowX != "" && d > -before && d < .05 {
		return ""
	}
	return label
}
