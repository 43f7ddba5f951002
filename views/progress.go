package views

import (
	"time"

	"perennial/tenants"
)

// logLine is one step of the live log.
type logLine struct {
	Class   string // done, now, or empty for what comes
	Icon    string // empty: a circle
	State   string // hidden word
	Title   string
	Text    string
	At      time.Time // when it was done
	Took    string
	Elapsed time.Duration // of the step that runs
}

// stepState is how far one step of the order has come.
type stepState struct {
	title, text string
	began, done time.Time
	skipped     bool
}

// log is the order as four steps: what is done with its time, what runs, what comes.
func (p DomainPage) log() []logLine {
	var lines []logLine
	running := false
	for _, s := range p.orderSteps() {
		lines = append(lines, p.logLine(s, running))
		running = running || s.done.IsZero() && !s.skipped
	}
	return lines
}

func (p DomainPage) logLine(s stepState, running bool) logLine {
	l := logLine{Title: s.title, Text: s.text, State: "Next: "}
	switch {
	case s.skipped || !s.done.IsZero():
		l.Class, l.Icon, l.State, l.At = "done", "check", "Done: ", s.done
		if !s.began.IsZero() && !s.done.IsZero() {
			l.Took = took(s.done.Sub(s.began))
		}
	case !running:
		l.Class, l.Icon, l.State = "now", "renew", "Now: "
		if !s.began.IsZero() {
			l.Elapsed = max(0, p.Now.Sub(s.began))
		}
	}
	return l
}

func (p DomainPage) orderSteps() []stepState {
	o := tenants.Order{}
	if p.Order != nil {
		o = *p.Order
	}
	ca := p.orderedAt().Name
	seen, answered, valid := challengeTimes(o)
	ordered, ready, issued := o.Reached[tenants.Ordered], o.Reached[tenants.Ready], o.Reached[tenants.Issued]
	if issued.IsZero() && o.State == tenants.Issued {
		issued = o.Ended
	}
	reused := !ready.IsZero() && len(o.Challenges) == 0
	if valid.IsZero() {
		valid = ready
	}
	written := stepState{title: "Challenge record written", text: "All of our name servers answer with it: the CNAME you set leads there.", began: ordered, done: seen, skipped: reused}
	validated := stepState{title: "Authority validates", text: ca + " looks the record up from several places.", began: answered, done: valid, skipped: reused}
	if reused {
		written.text = ca + " remembers an earlier proof of this record."
		validated.text = "Nothing to look up this time."
	}
	return []stepState{
		{title: "Order placed", text: ca + " takes the order for " + plural(max(1, len(o.Names)), "name") + ".", began: o.Created, done: ordered},
		written,
		validated,
		{title: "Certificate issued", text: "We check names, key and chain before we keep it.", began: ready, done: issued},
	}
}

// challengeTimes are the last instants over all challenges; zero while one of them has not come so far.
func challengeTimes(o tenants.Order) (seen, answered, valid time.Time) {
	all := len(o.Challenges) > 0
	for _, c := range o.Challenges {
		seen, answered, valid = later(seen, c.Seen), later(answered, c.Answered), later(valid, c.Valid)
		all = all && !c.Seen.IsZero()
	}
	if !all {
		seen = time.Time{}
	}
	if o.Reached[tenants.Ready].IsZero() {
		valid = time.Time{}
	}
	return seen, answered, valid
}

// detour says why the order is at another authority than the preferred one; empty when it is not.
func (p DomainPage) detour() string {
	if p.Order == nil || p.Order.Detour == "" {
		return ""
	}
	return "Ordered at " + p.orderedAt().Name + " instead. " + p.Order.Detour
}

// orderedAt is who has the latest order: what one that is done brought is the current version.
func (p DomainPage) orderedAt() tenants.Issuer {
	if p.ordering() {
		return p.Asks
	}
	return p.Issuer
}

// cameByDetour: the latest order brought the current version, from another authority than the preferred one.
func (p DomainPage) cameByDetour() bool {
	return p.detour() != "" && p.Order.State == tenants.Issued && p.Current != nil && p.Current.Order == p.Order.ID
}

// stepsDone is how many of the four are done.
func (p DomainPage) stepsDone() int {
	n := 0
	for _, l := range p.log() {
		if l.Class == "done" {
			n++
		}
	}
	return n
}

// logSay is the running step as one announced line.
func (p DomainPage) logSay() string {
	for _, l := range p.log() {
		if l.Class == "now" {
			return "Now: " + l.Title
		}
	}
	return "Certificate issued"
}

// elapsed is how long the order has been under way.
func (p DomainPage) elapsed() time.Duration {
	if p.Order == nil {
		return 0
	}
	return max(0, p.Now.Sub(p.Order.Created))
}

// trouble is what keeps the order waiting just now; it heals by itself or the page would be another one.
func (p DomainPage) trouble() (sentence string, ok bool) {
	f := p.Domain.Finding
	if p.Order != nil && !p.Order.Finding.OK() {
		f = p.Order.Finding
	}
	if f.OK() {
		return "", false
	}
	e := tenants.Explain(f)
	sentence = e.Happened + ". " + e.Why
	if p.Domain.Next.After(p.Now) {
		sentence += " Next try " + relative(p.Now, p.Domain.Next) + "."
	}
	return sentence, true
}
