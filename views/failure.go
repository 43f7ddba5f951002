package views

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"perennial/tenants"
)

// explanation is the finding in words, also where nothing was found and yet it expired. A record that was right once was removed
// or changed since.
func (p DomainPage) explanation() tenants.Explanation {
	if p.Domain.Status == tenants.Expired && p.Domain.Finding.OK() {
		return tenants.Unrenewed
	}
	return tenants.Explain(p.Domain.Finding.After(p.Domain.Proved))
}

func (p DomainPage) failureTurn() turn {
	e := p.explanation()
	t := turn{"Our turn:", lowerFirst(e.Do)}
	if e.Who == tenants.Customer || !e.Heals && (e.Who == tenants.DNSHost || e.Who == tenants.CADo) { // who has to be told by somebody
		t.Who = "Your turn:"
	}
	if short := p.customerAct(); short != "" {
		t.Text = short
	}
	t.Text = strings.TrimSpace(t.Text + " " + p.leftWords())
	return t
}

// whoActs is who must act. What is chosen under Change certificate is not for whoever runs the DNS.
func whoActs(f tenants.Finding, e tenants.Explanation) string {
	switch f.Code {
	case tenants.KeyNeeded, tenants.CARefusesCSR, tenants.CAProfile:
		if e.Who == tenants.Customer {
			return "You"
		}
	}
	return e.Who.Words()
}

// customerAct is the one act in few words; the exact record stands below on the page.
func (p DomainPage) customerAct() string {
	at := p.Domain.Finding.Args["at"]
	switch p.Domain.Finding.Code {
	case tenants.DelegationMissing:
		if !p.Domain.Proved.IsZero() {
			return "set the CNAME record at " + p.Domain.Delegation.Name() + " again."
		}
		return "add one CNAME record at " + p.Domain.Delegation.Name() + "."
	case tenants.DelegationDiffers:
		return "change one CNAME record at " + p.Domain.Delegation.Name() + "."
	case tenants.KeyNeeded, tenants.CARefusesCSR, tenants.CAProfile:
		return lowerFirst(p.explanation().Do)
	case tenants.CAAForbids:
		if p.Domain.Finding.Args["case"] == "critical" {
			return "remove one CAA record at " + at + "."
		}
		return "add one CAA record at " + orElse(at, p.Domain.Delegation.Base) + "."
	}
	return ""
}

// leftWords is how long the present version still helps.
func (p DomainPage) leftWords() string {
	switch {
	case p.Current == nil:
		return "There is no certificate yet."
	case !p.Current.NotAfter.After(p.Now):
		return "The certificate expired " + relative(p.Now, p.Current.NotAfter) + "."
	case p.revokedNow():
		return "The certificate is revoked."
	default:
		return "The certificate stays valid for " + roughly(p.Now, p.Current.NotAfter) + "."
	}
}

// urgency is the third of what, who, how urgent.
func (p DomainPage) urgency() (headline, fine string) {
	if p.Current == nil {
		return "Nothing is at risk", "No certificate was issued for this name yet."
	}
	safety, end := p.safety(), p.Current.NotAfter
	switch {
	case p.revokedNow():
		return "Revoked", "Visitors may see an error already."
	case !end.After(p.Now):
		return "Expired " + relative(p.Now, end), "Whoever still shows this certificate shows an error."
	case !safety.After(p.Now):
		return "No slack left", "Then " + roughly(p.Now, end) + " until it expires."
	default:
		return roughly(p.Now, safety) + " of slack", "Then " + roughly(safety, end) + " until it expires."
	}
}

// safety is the line that a renewal should not pass.
func (p DomainPage) safety() time.Time {
	if !p.Certificate.Plan.NoLater.IsZero() {
		return p.Certificate.Plan.NoLater
	}
	return p.Current.NotAfter
}

// meanwhile is one line of what we do until somebody acts.
type meanwhile struct{ Icon, Text, Right string }

func (p DomainPage) meanwhile() []meanwhile {
	var list []meanwhile
	next := "by itself"
	if p.Domain.Next.After(p.Now) {
		next = "next " + relative(p.Now, p.Domain.Next)
	}
	if p.aboutDNS() {
		list = append(list,
			meanwhile{"find", "We go on looking at your DNS. That costs no budget.", next},
			meanwhile{"renew", "We order within a minute after the record allows it, at any hour.", "by itself"})
	} else if p.Domain.Finding.Code == tenants.KeyNeeded {
		list = append(list, meanwhile{"renew", "We order within a minute after you saved, at any hour.", "by itself"})
	} else {
		list = append(list, meanwhile{"renew", "We try again, with longer pauses the longer it lasts.", next})
	}
	if p.Current != nil && p.Current.NotAfter.After(p.Now) && !p.replacing() {
		list = append(list, meanwhile{"check", "Version " + number(p.Current.Number) + " stays as it is.", "until " + date(p.Now, p.Current.NotAfter)})
	}
	return list
}

// aboutDNS reports whether the cause lies in the customer's DNS.
func (p DomainPage) aboutDNS() bool { return strings.HasPrefix(string(p.Domain.Finding.Code), "dns.") }

func (p DomainPage) aboutCAA() bool {
	return strings.HasPrefix(string(p.Domain.Finding.Code), "dns.caa.")
}

// attempts are the latest orders in two words each.
func (p DomainPage) attempts() []fact {
	var list []fact
	for _, o := range p.Orders {
		list = append(list, fact{shortDay(o.Created) + ", " + minute(o.Created), p.attemptWords(o)})
	}
	return list
}

func (p DomainPage) attemptWords(o tenants.Order) string {
	switch {
	case o.State == tenants.Issued:
		return "issued"
	case o.State.Open():
		return "under way"
	}
	if short := o.Finding.After(p.Domain.Proved).Short(); short != "" {
		return lowerFirst(short)
	}
	return "failed"
}

// lowerFirst makes a sentence fit behind "Your turn:". Abbreviations and names with inner capitals stay.
func lowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	second, _ := utf8.DecodeRuneInString(s[size:])
	if unicode.IsUpper(second) {
		return s
	}
	return string(unicode.ToLower(first)) + s[size:]
}

// slack is the picture of a failing certificate: the failing stretch strong, a dimension line to the safety line.
type slack struct {
	axis
	Class             string
	Life, Bad         bar
	End, Safe         string
	From, To, Middle  string // of the dimension line; From empty when there is no slack left
	Words             string
	Since, SinceWords string
	SafeWords         string
	EndWords          string
}

func (p DomainPage) slack() slack {
	v, since := p.Current, p.Domain.Since
	ahead := max(v.NotAfter.Sub(p.Now), v.Lifetime()/20)
	from := p.Now.Add(-ahead * 2 / 5)
	if since.Before(from) && p.Now.Sub(since) < ahead {
		from = since.Add(-ahead / 10)
	}
	if v.NotAfter.Before(p.Now) {
		from = v.NotBefore
	}
	to := later(v.NotAfter, p.Now).Add(ahead / 5)
	a := pictureAxis(from, to, p.Now, 7)
	span := to.Sub(from)
	s := slack{axis: a, Class: p.mood().Class, Life: a.bar(v.NotBefore, v.NotAfter), Bad: a.bar(later(since, v.NotBefore), earlier(p.Now, v.NotAfter)), End: a.at(v.NotAfter)}
	s.EndWords = "expires " + markDay(v.NotAfter, span)
	if v.NotAfter.Before(p.Now) {
		s.EndWords = "expired " + markDay(v.NotAfter, span)
		return s
	}
	s.Since, s.SinceWords = a.at(since), "failing since "+markDay(since, span)
	return p.withSlack(s, span)
}

// withSlack adds the safety line and, where there is room, the words between it and today.
func (p DomainPage) withSlack(s slack, span time.Duration) slack {
	safe := p.safety()
	s.Safe = s.at(safe)
	if p.Current.NotAfter.Sub(safe) > span/6 && safe.Sub(p.Domain.Since) > span/3 {
		s.SafeWords = "no later than " + markDay(safe, span)
	}
	if safe.Sub(p.Now) > span/8 {
		s.From, s.To = s.at(p.Now), s.at(safe)
		s.Middle = s.at(p.Now.Add(safe.Sub(p.Now) / 2))
		s.Words = roughly(p.Now, safe) + " of slack"
	}
	return s
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
