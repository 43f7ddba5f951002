package views

import (
	"math"
	"time"

	"perennial/tenants"
)

// ReplacementRun is one replacement that was started.
type ReplacementRun struct {
	Event     tenants.MassEvent
	Counts    tenants.EventCounts // at the start
	Subject   string              // what is replaced
	Started   time.Time
	StartedBy string
	Marked    time.Time // all its certificates were found; zero before
	Stopped   time.Time
	StoppedBy string
	Ended     time.Time // zero while something is left to do
}

// ReplacementProgress is how far the certificates of a replacement are, or those of one tenant.
type ReplacementProgress struct {
	All, Replaced, Ordered, Failing, Left int
	Last                                  time.Time // the last plan of those still to go
}

// ReplacementPage is one replacement.
type ReplacementPage struct {
	Page
	Run      ReplacementRun
	Progress ReplacementProgress
	Keys     []string
	Tenants  []ReplacementPart
	Trouble  []ReplacementTrouble
	Budget   []ReplacementLimit // of orders that wait for it
	Finish   time.Time          // zero when it cannot be told
}

// ReplacementPart is one tenant's part.
type ReplacementPart struct {
	Tenant   tenants.Tenant
	Progress ReplacementProgress
}

// ReplacementTrouble is a certificate that is not replaced without somebody's help.
type ReplacementTrouble struct {
	Tenant  tenants.Tenant
	ID      tenants.DomainID
	Name    string
	Status  tenants.Status
	Finding tenants.Finding
	Since   time.Time
}

// heading is what is replaced, and how many.
func (r ReplacementRun) heading() string {
	return r.Subject + ", " + plural(r.Counts.Certificates, "certificate")
}

func (r ReplacementRun) url() string { return ReplacementURL(r.Event.ID) }

// mood is how a run stands.
func (r ReplacementRun) mood(now time.Time) mood {
	switch {
	case !r.Ended.IsZero() && !r.Stopped.IsZero():
		return mood{"s-quiet", "ban", "Stopped"}
	case !r.Ended.IsZero():
		return mood{"s-active", "check", "Done"}
	case !r.Stopped.IsZero():
		return mood{"s-waiting", "clock", "Stopping"}
	case now.After(r.Event.Deadline):
		return mood{"s-failing", "warn", "Past its deadline"}
	}
	return mood{"s-renewing", "renew", "Running"}
}

func (r ReplacementRun) running() bool { return r.Ended.IsZero() && r.Stopped.IsZero() }

func (r ReplacementRun) endWords() string {
	switch {
	case !r.Stopped.IsZero():
		return "stopped " + stamp(r.Stopped)
	case !r.Ended.IsZero():
		return stamp(r.Ended)
	}
	return "due " + stamp(r.Event.Deadline)
}

// toGo is how many have nothing done for them yet.
func (p ReplacementProgress) toGo() int { return p.All - p.Replaced - p.Ordered - p.Failing - p.Left }

func (p ReplacementProgress) share(n int) float64 {
	return float64(n) / float64(max(1, p.All))
}

// total is how many there are: until all are found, as many as the dry run said.
func (p ReplacementPage) total() int {
	if p.Run.Marked.IsZero() && p.Run.Stopped.IsZero() {
		return p.Run.Counts.Certificates
	}
	return p.Progress.All
}

func (p ReplacementPage) lede() turn {
	g, late := p.Progress, p.Now.After(p.Run.Event.Deadline)
	switch open := p.total() - g.Replaced - g.Left; {
	case !p.Run.Ended.IsZero() && !p.Run.Stopped.IsZero():
		return turn{"", p.Run.StoppedBy + " stopped it. " + p.replacedWords() + ", and all else keeps its own plan."}
	case !p.Run.Ended.IsZero():
		return turn{"", p.replacedWords() + p.leftWords() + ". Nothing is left to do."}
	case !p.Run.Stopped.IsZero():
		return turn{"Our turn:", "what is ordered comes to its end; all else goes back to its own plan."}
	case p.Run.Marked.IsZero():
		return turn{"Our turn:", "finding the certificates, " + number(g.All) + " of " + number(p.total()) + " so far."}
	case late:
		return turn{"Your turn:", "the deadline has passed and " + plural(open, "certificate") + " " + isAre(open) + " not replaced. We keep trying" + p.needWords() + "."}
	case g.Failing > 0 && g.Failing == open:
		return turn{"Your turn:", plural(open, "certificate") + " " + needs(open) + " a person, all others are replaced. We keep trying."}
	}
	return turn{"Our turn:", p.finishWords() + p.needWords() + "."}
}

func (p ReplacementPage) replacedWords() string {
	return number(p.Progress.Replaced) + " of " + plural(p.Progress.All, "certificate") + " " + isAre(p.Progress.All) + " replaced"
}

func (p ReplacementPage) leftWords() string {
	if p.Progress.Left == 0 {
		return ""
	}
	return ", " + number(p.Progress.Left) + " were given up by their tenants"
}

func (p ReplacementPage) finishWords() string {
	if p.Finish.IsZero() {
		return "the last ones are under way"
	}
	return "done at about " + p.instant(p.Finish) + ", " + apart(p.Finish, p.Run.Event.Deadline)
}

// instant is one of the run's, without a year while it is this one.
func (p ReplacementPage) instant(t time.Time) string {
	switch {
	case sameDay(p.Now, t):
		return minute(t) + " UTC"
	case p.Now.UTC().Year() == t.UTC().Year():
		return shortDay(t) + ", " + minute(t) + " UTC"
	}
	return stamp(t) + " UTC"
}

func (p ReplacementPage) needWords() string {
	if p.Progress.Failing == 0 {
		return ""
	}
	return ". " + number(p.Progress.Failing) + " " + needs(p.Progress.Failing) + " a person"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// say is announced when it changes.
func (p ReplacementPage) say() string {
	return number(p.Progress.Replaced) + " of " + number(p.total()) + " replaced"
}

// events is the stream to listen to while something is left to do.
func (p ReplacementPage) events() string {
	if !p.Run.Ended.IsZero() {
		return ""
	}
	return p.Run.url() + "/events"
}

func (p ReplacementPage) evidenceURL() string {
	return with(AuditURL(""), "target", string(p.Run.Event.ID))
}

func (p ReplacementPage) mayStop() bool { return p.Run.running() && p.May(tenants.ReplaceMany) }

// counter is one number of the strip above.
type counter struct {
	Class, Word, Fine string
	N                 int
}

func (p ReplacementPage) counters() []counter {
	fine := "each at its own time"
	if p.Progress.Failing > 0 {
		fine = number(p.Progress.Failing) + " of them " + needs(p.Progress.Failing) + " a person"
	}
	replaced := "by a newer version"
	if len(p.Keys) > 0 {
		replaced = "by a version with a new key"
	}
	toGo := p.total() - p.Progress.Replaced - p.Progress.Ordered - p.Progress.Left
	if !p.Run.Ended.IsZero() && p.Progress.Left > 0 {
		return []counter{{"s-active", "Replaced", replaced, p.Progress.Replaced}, {"s-quiet", "Left as they were", "they keep their own plans", p.Progress.Left}}
	}
	return []counter{{"s-active", "Replaced", replaced, p.Progress.Replaced},
		{"s-renewing", "Under way", "ordered at the authority, or waiting for its limit", p.Progress.Ordered}, {"s-quiet", "Still to go", fine, toGo}}
}

func (p ReplacementPage) parts() (shown []ReplacementPart, more ReplacementPart) {
	const most = 20
	if len(p.Tenants) <= most+1 {
		return p.Tenants, more
	}
	for _, t := range p.Tenants[most:] {
		g := &more.Progress
		g.All, g.Replaced, g.Ordered, g.Failing, g.Left = g.All+t.Progress.All, g.Replaced+t.Progress.Replaced,
			g.Ordered+t.Progress.Ordered, g.Failing+t.Progress.Failing, g.Left+t.Progress.Left
		if t.Progress.Last.After(g.Last) {
			g.Last = t.Progress.Last
		}
	}
	more.Tenant.Name = number(len(p.Tenants)-most) + " more"
	return p.Tenants[:most], more
}

// state is how one tenant's part stands, and a fine line.
func (t ReplacementPart) state(p ReplacementPage) (mood, string) {
	g := t.Progress
	switch {
	case g.Replaced == g.All:
		return mood{"s-active", "check", "Done"}, ""
	case g.Failing > 0:
		return mood{"s-failing", "warn", number(g.Failing) + " " + needs(g.Failing) + " a person"}, lastWords(p.Now, g.Last)
	case g.Replaced+g.Left == g.All:
		return mood{"s-quiet", "ban", "Stopped"}, number(g.Left) + " as before"
	case g.Ordered > 0 || g.Replaced > 0:
		return mood{"s-renewing", "renew", "Running"}, lastWords(p.Now, g.Last)
	}
	return mood{"s-quiet", "clock", "Planned"}, lastWords(p.Now, g.Last)
}

func lastWords(now, last time.Time) string {
	if !last.After(now) {
		return ""
	}
	return "the last " + when(now, last)
}

// The parts of a bar: replaced and ordered from its left, failing at its right end.
func (g ReplacementProgress) replacedPart() string { return percent(g.share(g.Replaced)) }
func (g ReplacementProgress) orderedPart() string  { return percent(g.share(g.Ordered)) }
func (g ReplacementProgress) failingFrom() string  { return percent(1 - g.share(g.Failing)) }
func (g ReplacementProgress) failingPart() string  { return percent(g.share(g.Failing)) }

func (t ReplacementTrouble) known() string { return orElse(t.Finding.Short(), "Not renewed in time") }

// who must act, as the operator reads it.
func (t ReplacementTrouble) who() string {
	switch tenants.Explain(t.Finding).Who {
	case tenants.Customer:
		return "the tenant"
	case tenants.OperatorDo:
		return "you"
	case tenants.CADo:
		return "the authority"
	case tenants.DNSHost:
		return "their DNS host"
	}
	return "nobody, we try again"
}

// facts stand in the rail.
func (p ReplacementPage) facts() []fact {
	list := []fact{{"Started", p.instant(p.Run.Started)}, {"Asked by", p.Run.StartedBy}, {"Due", p.instant(p.Run.Event.Deadline)}}
	switch {
	case !p.Run.Ended.IsZero():
		list = append(list, fact{"Ended", p.instant(p.Run.Ended)})
	case p.Run.Event.Deadline.After(p.Now):
		list = append(list, fact{"Room left", took(p.Run.Event.Deadline.Sub(p.Now).Truncate(time.Minute))})
	}
	if p.Run.running() && !p.Finish.IsZero() {
		list = append(list, fact{"Ends about", p.instant(p.Finish)})
	}
	if p.Run.StoppedBy != "" {
		list = append(list, fact{"Stopped by", p.Run.StoppedBy})
	}
	return append(list, fact{"Reason", orElse(p.Run.Event.Why, "none given")})
}

func (p ReplacementPage) budgetWords() []string {
	var lines []string
	for _, b := range p.Budget {
		line := number(b.Certificates) + " " + waits(b.Certificates) + " for " + b.Issuer
		if b.Left != math.MaxInt && !b.Limit.Unlimited() {
			line += ", which has " + number(b.Left) + " of " + plural(b.Limit.Count, "order") + " left now and gives 1 back every " + length(b.Limit.Every())
		}
		lines = append(lines, line+".")
	}
	return lines
}

func waits(n int) string {
	if n == 1 {
		return "waits"
	}
	return "wait"
}

// stopEffect is what stopping does, before it is confirmed.
func (p ReplacementPage) stopEffect() string {
	rest := p.total() - p.Progress.Replaced - p.Progress.Ordered - p.Progress.Left
	return "What is replaced stays so (" + number(p.Progress.Replaced) + "), what is ordered comes to its end (" + number(p.Progress.Ordered) +
		"), and the rest (" + number(rest) + ") goes back to its own plan, as if this had never begun."
}
