package views

import (
	"slices"
	"time"

	"perennial/tenants"
)

// OverviewPage is the operator's home: what happened in the period, and what is the case now, over all tenants.
type OverviewPage struct {
	Page
	Period string // "1h", "24h" or "30d"

	// Renewed and Failed count orders that ended in the period; first issues are counted apart.
	Renewed, Failed           int
	FirstIssued, FirstsFailed int
	Lead                      time.Duration // median of what was left of the versions that were replaced

	Valid      int       // certificates that have not expired
	Soon       int       // of these, how many expire within 7 days
	NextExpiry time.Time // of these, the first; zero for none
	NewFailing int       // names that fail before their first certificate

	Causes   []Cause             // most certificates first
	Holders  int                 // tenants with certificates that fail or have expired
	Refused  []RefusedRevocation // first asked first, not more than a table takes
	Refusals int                 // how many there are
	Running  []RunningState
	Lanes    [4]LaneLoad // emergencies, renewals, new names and wishes, names that keep failing
	Budgets  []AccountBudget
	Planned  []DayLoad // today and the 13 days that follow
	Outages  []Outage
}

// Cause counts the certificates that fail to renew, or have expired, for one cause.
type Cause struct {
	Code    tenants.Code // empty: nothing was found, yet they expired
	Count   int
	Soon    int       // of Count, expire within 7 days
	Lost    int       // of Count, expired in the last 7 days
	First   time.Time // the first expiry, which may be over
	Names   []string  // of at most two tenants who have them, those with most first
	Holders int       // how many tenants have them
}

// RefusedRevocation is a version that somebody asked to revoke and the authority refuses to.
type RefusedRevocation struct {
	ID          tenants.DomainID
	Name        string
	Number      int // of the version
	Issuer      string
	TenantID    tenants.TenantID
	TenantName  string
	Slug        string
	Asked, Next time.Time // next: of the next try
}

// RunningState counts the open orders in one state.
type RunningState struct {
	State  tenants.OrderState
	Count  int
	Oldest time.Time // when the first of them was placed; zero for never
}

// LaneLoad is what stands in one lane.
type LaneLoad struct {
	Due     int       // to be looked at, which nobody does yet
	Since   time.Time // the first of them was due then; zero for none
	Waiting int       // for a place in the authority's budget
}

// AccountBudget is what an account at an authority has left. What follows after Reserve is the same for all accounts there.
type AccountBudget struct {
	ID        tenants.IssuerID
	Issuer    string
	Account   int        // from 1
	Of        int        // accounts that share the work there
	Orders    BudgetLine // Count is 0 when they are not limited
	Reserve   int        // of Orders.Count, kept for emergencies
	Domain    BudgetLine // the registered domain with the fewest certificates left; without Key none was used
	Refused   int        // limits that the authority's answers corrected in the period
	RefusedAt time.Time
}

// OverviewPeriods are the periods to choose from.
var OverviewPeriods = []struct {
	Value, Word string
	Length      time.Duration
}{{"1h", "1 h", time.Hour}, {"24h", "24 h", day1}, {"30d", "30 days", 30 * day1}}

// headline is the first sentence of the page.
type headline struct {
	Strong, Rest string
	URL          string // of what it is about; empty for nothing to look at
	Act          string // what the link to it says; empty: show certificates
	Calm         bool   // nothing is the operator's to do
}

// lateQueue is how late a due domain may be before something must be wrong with the workers.
const lateQueue = 10 * time.Minute

// longOff is for how long an authority may put us off before somebody should ask whether it means it.
const longOff = 6 * time.Hour

// headline names the worst thing: first what stops everything, then what only the operator can repair, then what is about to
// break for want of others.
func (p OverviewPage) headline() headline {
	for _, worst := range []func() (headline, bool){p.stalled, p.ours, p.putOff, p.unrevoked, p.endangered, p.lost} {
		if h, found := worst(); found {
			h.Strong = "Look here first."
			h.Rest += p.safe()
			return h
		}
	}
	return headline{Strong: "Nothing is yours to do.", Rest: p.quietWords(), Calm: true}
}

// stalled: due work that nobody does. Names that keep failing may wait.
func (p OverviewPage) stalled() (headline, bool) {
	due, since := 0, p.Now
	for _, l := range p.Lanes[:3] {
		if due += l.Due; l.Due > 0 {
			since = earlier(since, l.Since)
		}
	}
	if p.Now.Sub(since) < lateQueue {
		return headline{}, false
	}
	return headline{Rest: plural(due, "domain") + " " + wait(due) + " for a worker, the first since " + minute(since) +
		" UTC. See whether a process of the portal runs and has workers."}, true
}

func wait(n int) string { return verb(n, "wait") }

// ours: causes that only the operator can repair, of several the one that holds up most. What expired without a cause holds
// up nothing; it comes under lost.
func (p OverviewPage) ours() (headline, bool) {
	var worst *Cause
	for i, c := range p.Causes {
		if c.Code != "" && c.explained().Who == tenants.OperatorDo && (worst == nil || c.Count > worst.Count) {
			worst = &p.Causes[i]
		}
	}
	if worst == nil {
		return headline{}, false
	}
	return headline{Rest: worst.explained().Happened + ": " + plural(worst.Count, "certificate") + " " + verb(worst.Count, "wait") + ", " +
		worst.nearest(p.Now) + ".", URL: CauseURL(worst.Code)}, true
}

// putOff: orders wait for an authority that put one of our accounts off for long.
func (p OverviewPage) putOff() (headline, bool) {
	i := slices.IndexFunc(p.Budgets, func(b AccountBudget) bool { return b.Orders.Shut && b.Orders.RefillsAt.Sub(p.Now) > longOff })
	if i < 0 || p.waiting() == 0 {
		return headline{}, false
	}
	b := p.Budgets[i]
	return headline{Rest: b.Issuer + " takes no orders before " + date(p.Now, b.Orders.RefillsAt) + ", and " + plural(p.waiting(), "order") + " " +
		wait(p.waiting()) + " for a place. If that is a mistake, have it repaired there and ask again.", URL: IssuerURL(b.ID), Act: "Show authority"}, true
}

// unrevoked: whoever has a key that was reported goes on being believed.
func (p OverviewPage) unrevoked() (headline, bool) {
	if p.Refusals == 0 {
		return headline{}, false
	}
	h := headline{Rest: plural(p.Refusals, "version") + " " + are(p.Refusals) + " not revoked, because " + p.Refused[0].Issuer + " refuses. Read its raw answer.", URL: p.Refused[0].url(), Act: "Show certificate"}
	return h, true
}

// url is the certificate, where the authority's raw answer stands.
func (r RefusedRevocation) url() string { return DomainURL(r.Slug, r.ID) + "/certificate" }

func (p OverviewPage) refusedWords() string {
	if n := len(p.Refused); n < p.Refusals {
		return "the first " + number(n) + " of " + number(p.Refusals)
	}
	return plural(p.Refusals, "version")
}

// endangered: what expires soon and does not renew without somebody else's help.
func (p OverviewPage) endangered() (headline, bool) {
	n, first := 0, Cause{}
	for _, c := range p.Causes {
		if c.Soon == 0 || c.explained().Heals {
			continue
		}
		if n += c.Soon; first.Count == 0 || c.Soon > first.Soon {
			first = c
		}
	}
	if n == 0 {
		return headline{}, false
	}
	return headline{Rest: plural(n, "certificate") + " " + verb(n, "expire") + " within 7 days and will not renew without help. Most of all: " +
		lowerFirst(first.explained().Short) + ", " + first.holders() + ".", URL: CauseURL(first.Code)}, true
}

// lost: what expired lately.
func (p OverviewPage) lost() (headline, bool) {
	n, first := 0, Cause{}
	for _, c := range p.Causes {
		if n += c.Lost; c.Lost > first.Lost {
			first = c
		}
	}
	if n == 0 {
		return headline{}, false
	}
	return headline{Rest: plural(n, "certificate") + " expired in the last 7 days. Most of all: " + lowerFirst(first.explained().Short) +
		", " + first.holders() + ".", URL: CauseURL(first.Code)}, true
}

// safe says what is not in danger.
func (p OverviewPage) safe() string {
	if p.NextExpiry.IsZero() || p.NextExpiry.Sub(p.Now) < day1 || sameDay(p.Now, p.NextExpiry) {
		return ""
	}
	return " Nothing expires today."
}

func (p OverviewPage) quietWords() string {
	if p.Valid == 0 {
		return "No certificate was issued so far."
	}
	s := plural(p.Valid, "certificate") + " " + are(p.Valid) + " valid"
	if !p.NextExpiry.IsZero() {
		s += ", the nearest expiry is " + relative(p.Now, p.NextExpiry)
	}
	s += "."
	if n := p.failing(); n > 0 {
		s += " " + plural(n, "renewal") + " " + verb(n, "fail") + " and " + verb(n, "wait") + " for somebody else."
	}
	return s
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func (p OverviewPage) failing() (n int) {
	for _, c := range p.Causes {
		n += c.Count
	}
	return n
}

func (p OverviewPage) periodWord() string {
	for _, period := range OverviewPeriods {
		if period.Value == p.Period {
			return period.Word
		}
	}
	return ""
}
