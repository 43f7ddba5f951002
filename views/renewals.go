package views

import (
	"slices"
	"strconv"
	"time"

	"perennial/tenants"
)

func (p RenewalsPage) shell() shell {
	s := shell{Title: "Renewal schedule", Current: "renewals"}
	if p.Note != "" || p.Spread.Effect != "" || len(p.Spread.Errors) > 0 {
		return s // a live update must not take away what was just said
	}
	if len(p.Next) > 0 && p.Next[0].At.Sub(p.Now) < soon {
		s.Live, s.Say = EventsURL(p.Tenant.Slug, ""), p.loadWords()
	}
	return s
}

// days are the slots of the chart: every day of the period, today first.
func (p RenewalsPage) days() []DayLoad {
	load := map[time.Time]DayLoad{}
	for _, d := range p.Load {
		load[d.Day.UTC().Truncate(day1)] = d
	}
	today := p.Now.UTC().Truncate(day1)
	var days []DayLoad
	for i := range p.Days {
		t := today.Add(time.Duration(i) * day1)
		d := load[t]
		d.Day = t
		days = append(days, d)
	}
	return days
}

func (d DayLoad) total() int { return d.Free + d.Costly + d.Failed }

func (p RenewalsPage) busiest() DayLoad {
	var most DayLoad
	for _, d := range p.days() {
		if d.total() > most.total() {
			most = d
		}
	}
	return most
}

// loadWords is the sentence beside the chart; it holds what the picture shows.
func (p RenewalsPage) loadWords() string {
	if p.Total == 0 {
		return "None in the next " + number(p.Days) + " days."
	}
	s := number(p.Total) + " in the next " + number(p.Days) + " days."
	b := p.busiest()
	switch {
	case b.total() == p.Total && sameDay(b.Day, p.Now):
		return s + " All are planned for today."
	case b.total() > 1:
		return s + " The busiest day is " + b.Day.Format("Mon 2 Jan") + " with " + number(b.total()) + p.because(b) + "."
	}
	return s
}

// because says so when a freeze made the day busy: between the two there is no minute in which anything may renew.
func (p RenewalsPage) because(d DayLoad) string {
	for _, f := range p.freezes() {
		next := d.Day.Add(day1)
		before := d.Day.Before(f.Start) && len(p.Hours.Open(next, f.Start)) == 0
		after := next.After(f.End) && len(p.Hours.Open(f.End, d.Day)) == 0
		if before || after {
			return ", because nothing renews in your freeze"
		}
	}
	return ""
}

// freezes are those that the chart shows.
func (p RenewalsPage) freezes() (seen []tenants.Span) {
	start := p.Now.UTC().Truncate(day1)
	end := start.Add(time.Duration(p.Days) * day1)
	for _, f := range p.Hours.FreezeSpans() {
		if f.Start.Before(end) && f.End.After(start) {
			seen = append(seen, f)
		}
	}
	return seen
}

// frozen reports whether most of a day lies in a freeze. The days are those of UTC, freezes have a zone of their own.
func (p RenewalsPage) frozen(d DayLoad) bool {
	return slices.ContainsFunc(p.freezes(), func(f tenants.Span) bool { return f.Contains(d.Day.Add(day1 / 2)) })
}

func (p RenewalsPage) chart() columns {
	days := p.days()
	most := max(1, p.busiest().total())
	scale := most
	if p.Hours.PerDay <= limitSeen*most {
		scale = max(most, p.Hours.PerDay)
	}
	c := columns{Label: "Planned renewals by day", Height: plotBase + 30, Base: plotBase, Grid: []string{px(plotTop), px((plotTop + plotBase) / 2)}}
	for i, d := range days {
		c.Columns = append(c.Columns, p.dayColumn(d, i, len(days), most, scale))
	}
	for _, f := range p.freezes() {
		c.Bands = append(c.Bands, p.freezeBand(f))
	}
	if n := p.Hours.PerDay; n > 0 && n <= scale {
		y := plotBase - height(n, scale)
		c.Limit = limit{px(y), px(y - 6), "at most " + number(n) + " a day"}
	}
	return c
}

// limitSeen is how many times the busiest day a limit may be for the picture to show it: a higher one would leave no
// height to the columns.
const limitSeen = 3

func (p RenewalsPage) freezeBand(f tenants.Span) band {
	start, length := p.Now.UTC().Truncate(day1), float64(p.Days)*float64(day1)
	from := max(0, float64(f.Start.Sub(start))/length)
	to := min(1, float64(f.End.Sub(start))/length)
	return band{percent(from), percent(to - from), percent((from + to) / 2), "freeze"}
}

func (p RenewalsPage) dayColumn(d DayLoad, i, n, most, scale int) column {
	w := 1 / float64(n)
	x := float64(i) * w
	c := column{X: percent(x), W: percent(w), BarX: percent(x + .16*w), BarW: percent(.68 * w), Middle: percent(x + w/2)}
	c.Label, c.Alt = dayLabel(d.Day, i, n)
	c.FromLeft, c.Now = true, i == 0
	total := d.total()
	if total == 0 {
		return c
	}
	y := float64(plotBase)
	for _, part := range []struct {
		class string
		n     int
	}{{"s-failing", d.Failed}, {"s-accent half", d.Costly}, {"s-accent", d.Free}} {
		if part.n > 0 {
			h := height(part.n, scale)
			y -= h
			c.Parts = append(c.Parts, bare(part.class, y, h))
		}
	}
	if n <= 45 || total == most {
		c.Count, c.CountY = number(total), px(y-6)
	}
	return c
}

func bare(class string, y, h float64) part { return part{class, px(y), px(h)} }

// dayLabel names today and the Mondays; in long periods every second one.
func dayLabel(t time.Time, i, n int) (label string, alt bool) {
	week := (i + int(t.Add(-time.Duration(i)*day1).Weekday()+6)%7) / 7
	switch {
	case i == 0:
		return "Today", false
	case t.Weekday() != time.Monday || i < 4 || i > n-2 || n > 45 && (i < 7 || week%2 == 1):
		return "", false
	default:
		return shortDay(t), week%2 == 0
	}
}

// dayRow is a line of the table: a day, or all days of a freeze in which nothing is planned.
type dayRow struct {
	DayLoad
	Last   time.Time
	Freeze bool
}

// dayRows is the table that says what the picture shows.
func (p RenewalsPage) dayRows() (rows []dayRow) {
	for _, d := range p.days() {
		r := dayRow{d, d.Day, p.frozen(d)}
		switch n := len(rows); {
		case r.total() == 0 && !r.Freeze:
		case n > 0 && rows[n-1].continues(r):
			rows[n-1].Last = r.Day
		default:
			rows = append(rows, r)
		}
	}
	return rows
}

// continues reports whether the next row belongs to this one.
func (r dayRow) continues(next dayRow) bool {
	return r.Freeze && next.Freeze && r.total() == 0 && next.total() == 0 && r.Last.Add(day1).Equal(next.Day)
}

func (r dayRow) words() string {
	s := r.Day.Format("Mon 2 Jan")
	if r.Last.After(r.Day) {
		s += " to " + r.Last.Format("Mon 2 Jan")
	}
	if r.Freeze {
		s += ", freeze"
	}
	return s
}

// nextAxis is the axis of the next renewals' lanes.
func (p RenewalsPage) nextAxis() axis {
	to := p.Now.Add(time.Minute)
	for _, r := range p.Next {
		to = later(to, later(r.At, r.End))
	}
	if n := len(p.Next); n > 0 { // one far window must not squeeze the others
		to = earlier(to, later(p.Next[n-1].At, p.Now).Add(3*abs(p.Next[n-1].At.Sub(p.Now))+time.Minute))
	}
	span := to.Sub(p.Now)
	return laneAxis(p.Now.Add(-span/20), to.Add(span/20), p.Now)
}

func (a axis) planned(r PlannedRenewal) lane {
	l := lane{Class: "s-active"}
	if r.Status == tenants.Failing || r.Status == tenants.Expired {
		l.Class = moodOf(r.Status, true).Class
	}
	if !r.Start.IsZero() {
		l.Late = a.bar(r.Start, r.End)
	}
	if a.holds(r.At) {
		l.Mark = a.at(r.At)
	}
	return l
}

// windowWords is the window in a table: "23 to 25 Nov", "13:05 to 13:09".
func (r PlannedRenewal) windowWords() string {
	a, b := r.Start.UTC(), r.End.UTC()
	switch {
	case a.IsZero() || b.IsZero():
		return "none"
	case sameDay(a, b) && b.Sub(a) < time.Hour:
		return clock(a) + " to " + clock(b)
	case sameDay(a, b):
		return minute(a) + " to " + minute(b)
	case a.Month() == b.Month() && a.Year() == b.Year():
		return strconv.Itoa(a.Day()) + " to " + shortDay(b)
	default:
		return shortDay(a) + " to " + shortDay(b)
	}
}

func (r PlannedRenewal) atWords(now time.Time, h tenants.Hours) (instant, fine string) {
	fine = relative(now, r.At)
	switch {
	case !r.At.After(now):
		fine = "now"
	case r.PausedUntil.After(now):
		fine = lowerFirst(pausedStep(now, r.PausedUntil))
	case len(h.Open(r.At, r.At.Add(time.Second))) == 0:
		fine = "outside your hours"
	}
	if sameDay(now, r.At) {
		return clock(r.At), fine
	}
	return r.At.UTC().Format("Mon 2 Jan, 15:04"), fine
}

func (r PlannedRenewal) noLaterWords(now time.Time) string {
	switch {
	case r.NoLater.IsZero():
		return "none"
	case sameDay(now, r.NoLater):
		return clock(r.NoLater)
	default:
		return shortDay(r.NoLater)
	}
}

func (r PlannedRenewal) cost() string {
	if r.Free {
		return "nothing"
	}
	return "1 order"
}

// meterClass is amber where less than a quarter is left.
func (b BudgetLine) meterClass() string {
	if b.Count > 0 && b.Left*4 < b.Count {
		return "s-waiting"
	}
	return "s-active"
}

func (b BudgetLine) share() float64 {
	if b.Count == 0 {
		return 0
	}
	return float64(b.Left) / float64(b.Count)
}

// until says when there is one again, where the authority put us off.
func (b BudgetLine) until(now time.Time) string {
	if !b.Shut {
		return ""
	}
	return "next one " + when(now, b.RefillsAt)
}

// left is what can still be spent, in words.
func (b BudgetLine) left() string {
	switch {
	case b.Count == 0 && b.Shut:
		return "none"
	case b.Count == 0:
		return "no limit"
	case !b.Counted:
		return "not counted"
	default:
		return number(b.Left) + " of " + number(b.Count)
	}
}

func (b BudgetLine) refills(now time.Time) (at, rate string) {
	rate = b.rate()
	switch {
	case b.Count == 0 && !b.Shut:
		return "never needed", rate
	case !b.Counted:
		return rate, ""
	case b.RefillsAt.IsZero() || !b.RefillsAt.After(now):
		return "full", rate
	case sameDay(now, b.RefillsAt):
		return clock(b.RefillsAt), rate
	default:
		return shortDay(b.RefillsAt) + ", " + minute(b.RefillsAt), rate
	}
}

// rate is how fast tokens come back, empty where nothing is limited.
func (b BudgetLine) rate() string {
	switch every := (tenants.Limit{Count: b.Count, Per: b.Per}).Every(); {
	case every == 0:
		return ""
	case every < time.Second:
		return number(int(time.Second/every)) + " a second"
	default:
		return "1 every " + took(every)
	}
}

// source says who knows the line, and how.
func (b BudgetLine) source(now time.Time) (icon, who, how string) {
	switch {
	case !b.Corrected.IsZero():
		return "ca", "Corrected by the CA", "its answer " + moment(now, b.Corrected)
	case b.Counted && b.ours():
		return "system", "Ours", "counted, limit set by the operator"
	case b.Counted:
		return "system", "Ours", "counted"
	case b.ours():
		return "person", "Set by the operator", ""
	default:
		return "ca", "Rule of the CA", ""
	}
}

// ours reports whether the limit is not the one that the authority publishes.
func (b BudgetLine) ours() bool {
	return b.Rule.Source == "" || b.Rule.Allows != tenants.Limit{Count: b.Count, Per: b.Per}
}

// ruleWords are the link to the rule: "read 22 Nov 2026", and what it says.
func (b BudgetLine) ruleWords() (text, title string) {
	text = "read " + day(b.Rule.Read.Time)
	if b.Counted {
		text = "rule " + text
	}
	title = b.Rule.Says
	if !b.Rule.Edition.IsZero() {
		title += " Source of " + day(b.Rule.Edition.Time) + "."
	}
	return text, title
}

func (p RenewalsPage) budgetName() string {
	name := p.IssuerName
	if len(p.Budget) > 0 && p.Budget[0].Issuer != "" {
		name = p.Budget[0].Issuer
	}
	return orElse(name, "the authority")
}

func (p RenewalsPage) nextWords() string {
	if p.Total > len(p.Next) && len(p.Next) > 0 {
		return "the first " + number(len(p.Next)) + " of " + number(p.Total)
	}
	return "times in UTC"
}
