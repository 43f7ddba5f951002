package views

import (
	"slices"
	"strconv"
	"time"

	"perennial/tenants"
)

// columns is a bar chart whose columns are links: x in percent, y in pixels.
type columns struct {
	Label   string // of the whole picture
	Height  int
	Base    int      // y of the base line
	Grid    []string // y of the guide lines
	Columns []column
	Bands   []band
	Limit   limit
	NowX    string // x of the line at now; empty for none
	Heading string
	Links   bool // columns are links
}

// band is a piece of time in which columns are not expected.
type band struct{ X, W, Middle, Word string }

// limit is a line that columns should not pass. Without Y there is none.
type limit struct{ Y, WordsY, Words string }

// column is one slot.
type column struct {
	X, W     string // of the slot, which is also the area that reacts
	BarX     string
	BarW     string
	Middle   string
	Label    string // under the base; empty for none
	Alt      bool   // dropped on narrow screens
	Now      bool   // the label is the word for today
	FromLeft bool   // the label begins at the column's left edge
	Count    string // above the column; empty for none
	CountY   string
	Parts    []part // from the base upwards
	Name     string // of the link
	ID       string
	URL      string // empty when the slot holds nothing
}

// part is one colour of a column.
type part struct{ Class, Y, H string }

const (
	plotTop  = 24  // y of the tallest column's top
	plotBase = 120 // y of the base line
)

// slot is a column before it has a place.
type slot struct {
	from   time.Time
	count  map[tenants.Status]int
	first  tenants.DomainID // the first domain in it, for columns finer than a week
	beyond string           // " or earlier", " or later": it also counts what ends outside the picture
}

func (s slot) total() int {
	n := 0
	for _, c := range s.count {
		n += c
	}
	return n
}

// expiryChart is the chart of the home page: by week, or finer when every domain is at hand and all end soon.
func (p DomainsPage) expiryChart() columns {
	if slots, every := p.fineSlots(); slots != nil {
		return p.chart(slots, every)
	}
	return p.chart(p.weekSlots(), week1)
}

func (p DomainsPage) chart(slots []slot, every time.Duration) columns {
	c := columns{Links: true, Label: "Certificates by " + unitName(every) + " of expiry", Heading: "Expiry by " + unitName(every), Height: plotBase + 30, Base: plotBase}
	c.Grid = []string{px(plotTop), px((plotTop + plotBase) / 2)}
	most, n := 1, len(slots)
	c.Columns = make([]column, 0, n)
	for _, s := range slots {
		most = max(most, s.total())
	}
	for i, s := range slots {
		c.Columns = append(c.Columns, p.column(s, i, n, most, every))
	}
	if n > 0 {
		span := slots[n-1].from.Add(every).Sub(slots[0].from)
		if at := p.Now.Sub(slots[0].from); at > 0 && at < span {
			c.NowX = percent(float64(at) / float64(span))
		}
	}
	return c
}

func (p DomainsPage) column(s slot, i, n, most int, every time.Duration) column {
	w := 1 / float64(n)
	x := float64(i) * w
	c := column{
		X: percent(x), W: percent(w), BarX: percent(x + .18*w), BarW: percent(.64 * w), Middle: percent(x + w/2),
		Label: s.label(every, i, n), Alt: i%(max(labelEvery(n), (n+4)/5)) != 0,
	}
	total := s.total()
	if total == 0 {
		return c
	}
	c.Parts = stack(s.count, most)
	if n <= 45 || total == most {
		c.Count = number(total)
		c.CountY = px(plotBase - height(total, most) - 6)
	}
	c.Name = s.name(every) + ": " + plural(total, "certificate") + " " + verb(total, "expire")
	c.ID = "expiry-" + strconv.Itoa(i)
	c.URL = p.slotURL(s, every)
	return c
}

// slotURL filters the list by the week; finer columns lead to their first row, which is on this page.
func (p DomainsPage) slotURL(s slot, every time.Duration) string {
	f := DomainsFilter{}
	if every < week1 {
		return f.url(p.Tenant.Slug, "") + "#" + string(s.first)
	}
	f.Week = s.from
	return f.url(p.Tenant.Slug, "")
}

// stack puts the states above each other, trouble on the base.
func stack(count map[tenants.Status]int, most int) []part {
	var parts []part
	y := float64(plotBase)
	for _, s := range tenants.Statuses {
		if n := count[s]; n > 0 {
			h := height(n, most)
			y -= h
			parts = append(parts, part{moodOf(s, true).Class, px(y), px(h)})
		}
	}
	return parts
}

func height(n, most int) float64 { return float64(n) / float64(most) * (plotBase - plotTop) }

// weekSlots are the weeks from the first to the last in which something expires, at least fifteen.
func (p DomainsPage) weekSlots() []slot {
	count := map[time.Time]map[tenants.Status]int{}
	first := monday(p.Now).Add(-week1)
	last := first.Add(14 * week1)
	for _, w := range p.Weeks {
		start := monday(w.Start)
		count[start] = w.ByStatus
		if start.Before(first) && p.Now.Sub(start) < 9*week1 {
			first = start
		}
		if start.After(last) && start.Sub(p.Now) < 60*week1 {
			last = start
		}
	}
	var slots []slot
	for t := first; !t.After(last); t = t.Add(week1) {
		slots = append(slots, slot{from: t, count: count[t]})
	}
	return slots
}

func monday(t time.Time) time.Time { return t.UTC().Truncate(week1) }

// fineSlots groups by minutes, hours or days when everything ends within four weeks; nil otherwise.
func (p DomainsPage) fineSlots() ([]slot, time.Duration) {
	rows := slices.DeleteFunc(slices.Clone(p.All), func(r DomainRow) bool { return !r.HasVersion })
	if len(rows) == 0 {
		return nil, 0
	}
	slices.SortFunc(rows, func(a, b DomainRow) int { return a.NotAfter.Compare(b.NotAfter) })
	a := listAxis(rows, p.Now)
	if a.to.Sub(a.from) > 4*week1 {
		return nil, 0
	}
	every := stepFor(a.to.Sub(a.from), 16).length()
	return fill(rows, a.from.Truncate(every), a.to, every), every
}

// fill sorts the rows into slots. What ends outside the picture is counted in the outermost slot, which says so.
func fill(rows []DomainRow, from, to time.Time, every time.Duration) []slot {
	var slots []slot
	for t := from; t.Before(to); t = t.Add(every) {
		slots = append(slots, slot{from: t, count: map[tenants.Status]int{}})
	}
	for _, r := range rows {
		i := min(max(int(r.NotAfter.Sub(from)/every), 0), len(slots)-1)
		switch {
		case r.NotAfter.Before(from):
			slots[i].beyond = " or earlier"
		case !r.NotAfter.Before(slots[i].from.Add(every)):
			slots[i].beyond = " or later"
		}
		if slots[i].total() == 0 {
			slots[i].first = r.ID
		}
		slots[i].count[r.Status]++
	}
	return slots
}

// labelEvery is how many columns share one label.
func labelEvery(n int) int {
	switch {
	case n <= 16:
		return 1
	case n <= 32:
		return 2
	default:
		return 4
	}
}

func (s slot) label(every time.Duration, i, n int) string {
	if i%labelEvery(n) != 0 {
		return ""
	}
	label := shortDay(s.from)
	if every < day1 && !s.from.Equal(s.from.Truncate(day1)) {
		label = minute(s.from)
	}
	switch s.beyond {
	case " or earlier":
		return "to " + label
	case " or later":
		return label + " on"
	}
	return label
}

// name is the slot in the link's hidden words.
func (s slot) name(every time.Duration) string {
	switch {
	case every >= week1:
		return "Week of " + s.from.Format("2 January")
	case every >= day1:
		return s.from.Format("2 January") + s.beyond
	default:
		return minute(s.from) + " to " + minute(s.from.Add(every)) + s.beyond
	}
}

func unitName(every time.Duration) string {
	switch {
	case every >= week1:
		return "week"
	case every >= day1:
		return "day"
	case every >= time.Hour:
		return "hour"
	default:
		return "minute"
	}
}

func verb(n int, v string) string {
	if n == 1 {
		return v + "s"
	}
	return v
}
