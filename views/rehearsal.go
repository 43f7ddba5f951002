package views

import (
	"time"

	"perennial/tenants"
)

// rehearsing reports whether a dry run is under way, or being tidied up after.
func (p DomainPage) rehearsing() bool { return p.Rehearsal != nil && p.Rehearsal.Tidied.IsZero() }

// mayRehearse reports whether "Start dry run" makes sense and is allowed.
func (p DomainPage) mayRehearse() bool {
	return p.Staging.ID != "" && !p.Domain.Proved.IsZero() && !p.ordering() && !p.rehearsing() &&
		p.Domain.Status != tenants.Released && p.May(tenants.RenewCertificate)
}

// rehearsalWords is what a dry run would be, or why there can be none now.
func (p DomainPage) rehearsalWords() string {
	switch {
	case p.Staging.ID == "":
		return p.Issuer.NoStaging()
	case p.rehearsing() && p.Rehearsal.Ended.IsZero():
		return "One is under way."
	case p.rehearsing():
		return "The last one is being tidied up."
	case p.ordering():
		return "While a real order is under way, there is nothing to rehearse."
	}
	return "Goes the whole path at " + p.Staging.Name + " and keeps nothing."
}

// rehearsalResult is the outcome in one sentence; empty while it runs.
func (p DomainPage) rehearsalResult() string {
	r := p.Rehearsal
	at, length := clock(r.Asked)+" UTC", took(r.Ended.Sub(r.Asked))
	if !sameDay(p.Now, r.Asked) {
		at = shortDay(r.Asked) + ", " + at
	}
	switch {
	case r.Ended.IsZero():
		return ""
	case r.Passed():
		return "Dry run of " + at + " passed in " + length + ". Nothing was kept."
	}
	return "Dry run of " + at + " failed after " + length + ". Nothing was kept."
}

func (p DomainPage) rehearsalMood() mood {
	if p.Rehearsal.Passed() {
		return mood{"s-active", "check", "Passed"}
	}
	return mood{"s-failing", "cross", "Failed"}
}

// rehearsalSay is the announced line: the step that runs, or the result.
func (p DomainPage) rehearsalSay() string {
	for _, l := range p.rehearsalLog() {
		if l.Class == "now" {
			return "Dry run, now: " + l.Title
		}
	}
	return p.rehearsalResult()
}

func (p DomainPage) rehearsalExplained() tenants.Explanation {
	return tenants.Explain(p.Rehearsal.Finding.After(p.Domain.Proved))
}

// rehearsalDo is what to do about a failed dry run. What real orders do by themselves, a dry run does not.
func (p DomainPage) rehearsalDo() string {
	e := p.rehearsalExplained()
	switch {
	case e.Who == tenants.Customer, e.Who == tenants.DNSHost, e.Who == tenants.CADo && !e.Heals, p.Rehearsal.Finding.Code == tenants.RehearsalAccount: // again would end the same way
		return e.Do
	case e.Who == tenants.OperatorDo:
		return "Whoever runs this portal has to look at it. Nothing for you to do."
	}
	return "Nothing has to be changed. Start another dry run later."
}

// rehearsalLog is the dry run step by step. In one that failed, the step it failed at says so.
func (p DomainPage) rehearsalLog() []logLine {
	var lines []logLine
	stopped, over := false, !p.Rehearsal.Ended.IsZero()
	for _, s := range p.rehearsalSteps() {
		l := p.logLine(s, stopped || over)
		if l.Class == "" {
			if over && !stopped {
				l.Class, l.Icon, l.State, l.At = "s-failing", "cross", "Failed: ", p.Rehearsal.Ended
				l.Text = p.rehearsalExplained().Happened + "."
			} else if over {
				l.State, l.Text = "Not reached: ", ""
			}
			stopped = true
		}
		stopped = stopped || l.Class == "now"
		lines = append(lines, l)
	}
	return lines
}

func (p DomainPage) rehearsalSteps() []stepState {
	r, o := p.Rehearsal, tenants.Order{}
	if r.Order != nil {
		o = *r.Order
	}
	ca := r.Issuer.Name
	if ca == "" {
		ca = p.Staging.Name
	}
	seen, answered, valid := challengeTimes(o)
	ordered, ready, finalized := o.Reached[tenants.Ordered], o.Reached[tenants.Ready], o.Reached[tenants.Finalized]
	remembered := !ready.IsZero() && seen.IsZero()
	written := stepState{title: "Challenge record written", text: "All of our name servers answer with it: the CNAME you set leads there.", began: ordered, done: seen, skipped: remembered}
	if remembered {
		written.text, valid = ca+" remembers an earlier proof and asked for none.", ready
	}
	return []stepState{
		{title: "Record seen", text: "All of your name servers answer with it, and CAA lets " + p.Asks.Name + " issue.", began: r.Asked, done: r.Seen},
		{title: "Order placed", text: ca + " takes the order.", began: o.Created, done: ordered},
		written,
		{title: "Authority agrees", text: ca + " looks the record up.", began: answered, done: valid},
		{title: "Certificate asked for", text: "With a key that was made for this dry run.", began: ready, done: finalized},
		{title: "Certificate signed and checked", text: "Its names, key and chain are what a real one needs. Then it is thrown away.", began: finalized, done: o.Reached[tenants.Issued]},
	}
}

// rehearsalDone is how many of the steps are done, and of how many.
func (p DomainPage) rehearsalDone() (done, all int) {
	lines := p.rehearsalLog()
	for _, l := range lines {
		if l.Class == "done" {
			done++
		}
	}
	return done, len(lines)
}

func (p DomainPage) rehearsalElapsed() time.Duration { return max(0, p.Now.Sub(p.Rehearsal.Asked)) }

// rehearsalTrouble is what a dry run under way waits for; empty for nothing.
func (p DomainPage) rehearsalTrouble() string {
	r := p.Rehearsal
	if !r.Ended.IsZero() || r.Finding.OK() {
		return ""
	}
	e := tenants.Explain(r.Finding)
	return e.Happened + ". " + e.Why + " We try until " + clock(r.Ends()) + " UTC."
}
