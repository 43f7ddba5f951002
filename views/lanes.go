package views

import (
	"slices"
	"time"

	"perennial/tenants"
)

// lane is the picture of one certificate's life: a pale bar from its beginning, a stronger one from the planned
// renewal to the end, a diamond at the planned instant, a line at the end.
type lane struct {
	Class string
	Life  bar
	Late  bar    // from the planned renewal, or from when it began to fail
	Mark  string // x of the diamond; empty when nothing is planned or it is out of the picture
	End   string // x of the end line; empty when it is out of the picture
	Empty bool   // no version: nothing to draw
}

func (a axis) lane(r DomainRow, now time.Time) lane {
	if !r.HasVersion {
		return lane{Class: moodOf(r.Status, false).Class, Empty: true}
	}
	l := lane{Class: moodOf(r.Status, true).Class, Life: a.bar(r.NotBefore, r.NotAfter)}
	from := a.lateFrom(r, now)
	if !from.IsZero() {
		l.Late = a.bar(from, r.NotAfter)
	}
	if r.Status == tenants.Active && !r.RenewAt.IsZero() && a.holds(r.RenewAt) {
		l.Mark = a.at(r.RenewAt)
	}
	if !r.NotAfter.After(a.to) {
		l.End = a.at(r.NotAfter)
	}
	return l
}

// lateFrom is where the strong part of the bar begins.
func (a axis) lateFrom(r DomainRow, now time.Time) time.Time {
	switch r.Status {
	case tenants.Active:
		return r.RenewAt
	case tenants.Renewing, tenants.Waiting:
		return later(r.Since, r.NotBefore)
	case tenants.Failing:
		return later(r.Since, r.NotBefore)
	default:
		return r.NotBefore
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// listAxis is the axis of the domain list: a little of the past, and as much of the future as most rows need. A
// bar that is much longer than the others runs out of the picture at the right, as one that began earlier does
// at the left; the date stands as text in the row.
func listAxis(rows []DomainRow, now time.Time) axis {
	ahead := aheads(rows, now)
	if len(ahead) == 0 {
		return laneAxis(now.Add(-14*day1), now.Add(91*day1), now)
	}
	longest, middle := ahead[len(ahead)-1], ahead[len(ahead)/2]
	span := min(longest, 12*middle)
	span += span / 100
	behind := span / 6
	for _, r := range rows {
		if ago := now.Sub(r.NotAfter); r.HasVersion && ago > 0 && ago < span/2 {
			behind = max(behind, ago+span/20)
		}
	}
	return laneAxis(now.Add(-behind), now.Add(span), now)
}

// aheads lists how long each row is still valid, ascending.
func aheads(rows []DomainRow, now time.Time) []time.Duration {
	var ahead []time.Duration
	for _, r := range rows {
		if d := r.NotAfter.Sub(now); r.HasVersion && d > 0 {
			ahead = append(ahead, d)
		}
	}
	slices.Sort(ahead)
	return ahead
}
