package views

import (
	"strconv"
	"strings"
	"time"

	"perennial/tenants"
)

// overviewCell is one number of the strip.
type overviewCell struct {
	ID, Label, Value, Unit, Fine string
	Bad                          bool
	URL                          string // of the part of the page that holds more; empty for none
}

// cells are the six numbers.
func (p OverviewPage) cells() []overviewCell {
	return []overviewCell{p.workedCell(), p.soonCell(), p.failingCell(), p.runningCell(), p.leadCell(), p.ordersCell()}
}

// badShare is the share of failed renewals from which on the number is red.
const badShare = .05

// workedCell: of the renewals whose order ended in the period, how many were issued. First issues do not count.
func (p OverviewPage) workedCell() overviewCell {
	c := overviewCell{ID: "worked", Label: "Renewals that worked", Value: "none", Fine: "no order ended in " + p.periodWord()}
	if n := p.Renewed + p.Failed; n > 0 {
		share := float64(p.Renewed) / float64(n)
		c.Value, c.Unit = strconv.FormatFloat(float64(int(share*1000))/10, 'f', 1, 64), "%"
		c.Fine = "all " + number(n) + " in " + p.periodWord()
		c.Bad = 1-share > badShare
		if p.Failed > 0 {
			c.Fine = number(p.Failed) + " of " + number(n) + " failed"
		}
	}
	return c
}

// soonCell: valid certificates whose end is at most 7 days away, whether they renew before or not.
func (p OverviewPage) soonCell() overviewCell {
	c := overviewCell{ID: "soon", Label: "Expire within 7 days", Value: number(p.Soon), Fine: "all renew by themselves"}
	help := 0
	for _, cause := range p.Causes {
		if !cause.explained().Heals {
			help += cause.Soon
		}
	}
	switch {
	case help > 0:
		c.Fine, c.Bad, c.URL = number(help)+" of them will not renew", true, "#h-causes"
	case p.Soon == 0 && p.NextExpiry.IsZero():
		c.Fine = "there is none"
	case p.Soon == 0:
		c.Fine = "nearest " + relative(p.Now, p.NextExpiry)
	}
	return c
}

// failingCell: certificates whose status is failing or expired.
func (p OverviewPage) failingCell() overviewCell {
	n := p.failing()
	c := overviewCell{ID: "failing", Label: "Renewals failing", Value: number(n), Fine: "nobody waits"}
	if n > 0 {
		c.Fine, c.URL = plural(len(p.Causes), "cause")+", "+plural(p.Holders, "tenant"), "#h-causes"
		c.Bad = !p.headline().Calm
	}
	return c
}

// runningCell: orders that an authority knows of and that have not ended, first issues too.
func (p OverviewPage) runningCell() overviewCell {
	c := overviewCell{ID: "running", Label: "Orders running", Fine: "nothing is under way", URL: "#h-running"}
	n, oldest := 0, p.Now
	for _, s := range p.Running {
		if s.State != tenants.Planned {
			n += s.Count
			oldest = earlier(oldest, orNow(s.Oldest, p.Now))
		}
	}
	if c.Value = number(n); n > 0 {
		c.Fine = "oldest " + length(p.Now.Sub(oldest))
	}
	return c
}

func orNow(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t
}

// leadCell: how long the replaced certificates had left, the median of the renewals that worked in the period.
func (p OverviewPage) leadCell() overviewCell {
	c := overviewCell{ID: "lead", Label: "Lead time", Value: "none", Fine: "nothing renewed in " + p.periodWord()}
	if p.Renewed > 0 {
		c.Fine = "left at renewal, median"
	}
	if p.Renewed > 0 && p.Lead > 0 {
		c.Value, c.Unit, _ = strings.Cut(length(p.Lead), " ")
		c.Unit = " " + c.Unit
	}
	if p.Renewed > 0 && p.Lead <= 0 {
		c.Fine, c.Bad = "half were renewed after their end", true
	}
	return c
}

// ordersCell: what the account with the smallest share left may still order.
func (p OverviewPage) ordersCell() overviewCell {
	c := overviewCell{ID: "orders", Label: "Orders left", Value: "no limit", URL: "#h-limits"}
	tightest := 2.0
	for _, b := range p.Budgets {
		o := b.Orders
		if o.Count == 0 && !o.Shut || o.share() >= tightest {
			continue
		}
		tightest = o.share()
		c.Value, c.Fine, c.Bad = number(o.Left), "of "+number(o.Count)+", "+b.Issuer, o.Left <= b.Reserve
		if o.Shut {
			c.Fine = b.Issuer + " until " + date(p.Now, o.RefillsAt)
		}
	}
	return c
}

// stateWords names what an order does in its state.
var stateWords = map[tenants.OrderState]string{
	tenants.Planned: "To be placed", tenants.Ordered: "Order placed", tenants.Proving: "Proving the name",
	tenants.Ready: "Name proved", tenants.Finalized: "Being issued",
}

// runningShare is the length of a state's bar: of the longest.
func (p OverviewPage) runningShare(s RunningState) float64 {
	most := 1
	for _, r := range p.Running {
		most = max(most, r.Count)
	}
	return float64(s.Count) / float64(most)
}

func (p OverviewPage) openOrders() (n int) {
	for _, s := range p.Running {
		n += s.Count
	}
	return n
}

// newNames is the fine print about first issues.
func (p OverviewPage) newNames() string {
	s := "New names in " + p.periodWord() + ": " + number(p.FirstIssued) + " issued, " + number(p.FirstsFailed) + " failed."
	if p.NewFailing > 0 {
		s += " " + number(p.NewFailing) + " " + verb(p.NewFailing, "fail") + " now."
	}
	return s
}

var laneWords = [...]string{"Emergencies", "Renewals", "New and wished", "Slow lane"}

func (l LaneLoad) lag(now time.Time) string {
	if l.Due == 0 || l.Since.IsZero() {
		return "none"
	}
	return took(now.Sub(l.Since))
}

func (p OverviewPage) waiting() (n int) {
	for _, l := range p.Lanes {
		n += l.Waiting
	}
	return n
}

func (p OverviewPage) waitingWords() string {
	n := p.waiting()
	return plural(n, "order") + " " + verb(n, "wait") + " for a place. They go out by lane, earliest expiry first, as soon as there is one."
}

// meterClass is amber from the reserve on.
func (b AccountBudget) meterClass() string {
	if b.Orders.Left*4 < b.Orders.Count || b.Orders.Left <= b.Reserve {
		return "s-waiting"
	}
	return "s-active"
}

func (b AccountBudget) kept() float64 { return float64(b.Reserve) / float64(max(1, b.Orders.Count)) }

// domainWords are the registered domain with the fewest certificates left: "9 of 50, northwind.example".
func (b AccountBudget) domainWords() string {
	switch {
	case b.Account > 1:
		return "as above"
	case b.Domain.Count == 0:
		return "no such limit"
	case b.Domain.Key == "":
		return "none used"
	}
	return b.Domain.left() + ", " + b.Domain.Key
}

func (b AccountBudget) refusedWords(now time.Time) string {
	switch {
	case b.Account > 1:
		return "as above"
	case b.Refused == 0:
		return "none"
	}
	return plural(b.Refused, "limit") + ", last " + date(now, b.RefusedAt)
}

func (b AccountBudget) id() string { return "account-" + string(b.ID) + "-" + strconv.Itoa(b.Account) }

// fine tells accounts at one authority apart.
func (b AccountBudget) fine() string {
	s := "orders are not limited"
	switch {
	case b.Orders.Shut:
		s = "the authority puts us off"
	case b.Orders.Count > 0:
		s = number(b.Orders.Count) + " orders in " + length(b.Orders.Per)
	}
	if b.Of > 1 {
		return "account " + number(b.Account) + " of " + number(b.Of) + ", " + s
	}
	return s
}

// plannedWords hold what the picture of the next two weeks shows.
func (p OverviewPage) plannedWords() string {
	total, most := 0, DayLoad{}
	for _, d := range p.Planned {
		if total += d.total(); d.total() > most.total() {
			most = d
		}
	}
	switch {
	case total == 0:
		return "No renewal is planned."
	case most.total() == total:
		return plural(total, "renewal") + ", on " + most.Day.Format("Mon 2 Jan") + "."
	}
	return plural(total, "renewal") + ". The busiest day is " + most.Day.Format("Mon 2 Jan") + " with " + number(most.total()) + "."
}

func (p OverviewPage) plannedChart() columns {
	most := 1
	for _, d := range p.Planned {
		most = max(most, d.total())
	}
	c := columns{Label: "Planned renewals by day", Height: plotBase + 30, Base: plotBase, Grid: []string{px(plotTop), px((plotTop + plotBase) / 2)}}
	for i, d := range p.Planned {
		w := 1 / float64(len(p.Planned))
		x := float64(i) * w
		s := column{X: percent(x), W: percent(w), BarX: percent(x + .17*w), BarW: percent(.66 * w), Middle: percent(x + w/2), Label: shortDay(d.Day), Alt: i%2 == 1}
		if i == 0 {
			s.Label, s.Now = "Today", true
		}
		if n := d.total(); n > 0 {
			h := height(n, most)
			s.Parts, s.Count, s.CountY = []part{bare("s-accent", plotBase-h, h)}, number(n), px(plotBase-h-6)
		}
		c.Columns = append(c.Columns, s)
	}
	return c
}
