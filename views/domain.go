package views

import (
	"strings"
	"time"

	"github.com/a-h/templ"

	"perennial/tenants"
)

// Domain is the page of one domain as it is now: whose turn it is decides which of the four it is.
func Domain(p DomainPage) templ.Component {
	switch {
	case p.Domain.Status == tenants.Released:
		return released(p)
	case p.ShowVersion && p.Current != nil:
		return Certificate(p)
	case p.Domain.Status == tenants.Failing || p.Domain.Status == tenants.Expired:
		return Failure(p)
	case p.Current == nil && p.Domain.Status == tenants.Waiting:
		return DomainWaiting(p)
	case p.Current == nil:
		return DomainIssuing(p)
	default:
		return Certificate(p)
	}
}

func (p DomainPage) url() string { return DomainURL(p.Tenant.Slug, p.Domain.ID) }

func (p DomainPage) mood() mood { return moodOf(p.Domain.Status, p.Current != nil) }

// ordering reports whether an order is open.
func (p DomainPage) ordering() bool { return p.Order != nil && p.Order.State.Open() }

// underWay reports whether the page may change while somebody looks at it.
func (p DomainPage) underWay() bool {
	if p.rehearsing() {
		return true
	}
	if p.ordering() || p.Current == nil || p.Domain.Status != tenants.Active {
		return p.Domain.Status != tenants.Released
	}
	return p.Certificate.Plan.At.Sub(p.Now) < soon || len(p.revocations()) > 0
}

func (p DomainPage) shell(say string, dialogs templ.Component) shell {
	s := shell{Title: p.Domain.Name, Current: "domains", Narrow: true, Dialogs: dialogs}
	if p.underWay() {
		s.Live, s.Say = EventsURL(p.Tenant.Slug, p.Domain.ID), say
	}
	if p.rehearsing() {
		s.Say = p.rehearsalSay()
	}
	return s
}

// turn is the first sentence of a page: whose turn it is, one act, what follows by itself.
type turn struct{ Who, Text string }

func (t turn) String() string { return strings.TrimSpace(t.Who + " " + t.Text) }

func (p DomainPage) waitingTurn() turn {
	const after = " After that we issue and renew without you."
	switch p.Domain.Finding.Code {
	case tenants.DelegationDiffers:
		return turn{"Your turn:", "change one DNS record." + after}
	case tenants.DelegationPartial:
		return turn{"Our turn:", "the record is at some of your name servers, we wait for the others. There is nothing for you to do."}
	case tenants.ResolverSilent:
		return turn{"Our turn:", "our own name servers do not answer, so we cannot look for your record. Add it below if it is not there yet; we go on asking."}
	case tenants.DNSSilent, tenants.DNSBroken:
		return turn{"Your turn:", "we cannot ask your name servers. Add the record below if it is not there yet; we go on asking."}
	case tenants.DomainMissing:
		return turn{"Your turn:", "this domain is not in DNS yet. Register or delegate it, then add one DNS record."}
	}
	if p.Domain.Check == nil {
		return turn{"Your turn:", "add one DNS record. We are having a first look now."}
	}
	if p.Domain.Finding.OK() {
		return turn{"Our turn:", "the record is right. We are placing the order now."}
	}
	return turn{"Your turn:", "add one DNS record." + after}
}

// stage is one of the three steps at the head of a new domain.
type stage struct {
	Class, Icon, State, Word, Fine string
}

func (p DomainPage) waitingStages() []stage {
	return []stage{
		{"done", "check", "Done: ", "Name", "reserved for " + p.Tenant.Name},
		{"here s-waiting", "clock", "Now: ", "DNS record", p.recordWords()},
		{"", "", "Next: ", "Certificate", "by itself, about 1 minute"},
	}
}

func (p DomainPage) issuingStages() []stage {
	seen := "correct"
	if !p.Domain.Proved.IsZero() {
		seen += " since " + p.proved()
	}
	return []stage{
		{"done", "check", "Done: ", "Name", "reserved for " + p.Tenant.Name},
		{"done", "check", "Done: ", "DNS record", seen},
		{"here s-renewing", "renew", "Now: ", "Certificate", p.Asks.Name + " is asked"},
	}
}

func (p DomainPage) proved() string {
	if sameDay(p.Now, p.Domain.Proved) {
		return minute(p.Domain.Proved) + " UTC"
	}
	return shortDay(p.Domain.Proved)
}

// recordWords is how far the customer's record is, in three words.
func (p DomainPage) recordWords() string {
	if p.Domain.Check == nil {
		return "first look under way"
	}
	right, asked := 0, len(p.Domain.Check.Delegation)
	for _, a := range p.Domain.Check.Delegation {
		if a.Result == tenants.Right {
			right++
		}
	}
	switch p.Domain.Finding.Code {
	case "":
		return "correct"
	case tenants.DelegationDiffers:
		return "found, target differs"
	case tenants.DelegationPartial:
		return "at " + number(right) + " of " + plural(asked, "name server")
	case tenants.DNSSilent, tenants.DNSBroken, tenants.ResolverSilent:
		return "could not ask"
	default:
		return "not there yet"
	}
}

// couldNotAsk: nothing is known to be wrong with the record.
func (p DomainPage) couldNotAsk() bool {
	switch p.Domain.Finding.Code {
	case tenants.DNSSilent, tenants.DNSBroken, tenants.ResolverSilent:
		return true
	}
	return false
}

// delegationName is the record's name as most DNS pages want it, without the zone that they add themselves.
func (p DomainPage) shortName() string {
	short, found := strings.CutSuffix(p.Domain.Delegation.Name(), "."+p.zone())
	if !found || p.zone() == "" {
		return ""
	}
	return short
}

// zone is what a DNS page adds to a name by itself.
func (p DomainPage) zone() string {
	if c := p.Domain.Check; c != nil && c.Zone != "" {
		return strings.TrimSuffix(c.Zone, ".")
	}
	return p.Registered
}

// shared reports whether the record serves a second name of the tenant: a wildcard and its base name share it.
func (p DomainPage) wildcard() bool { return strings.HasPrefix(p.Domain.Name, "*.") }

// checkedWords is when DNS was asked and when it is asked again.
func (p DomainPage) checkedWords() string {
	if p.Domain.Check == nil {
		return "We are asking for the first time now."
	}
	s := "Checked " + relative(p.Now, p.Domain.Check.At)
	switch {
	case p.Domain.Next.IsZero() || !p.Domain.Next.After(p.Now):
		return s + ", checking again now."
	default:
		return s + ", next check " + relative(p.Now, p.Domain.Next) + "."
	}
}

// fact is a quiet label and its value.
type fact struct{ Label, Value string }

// terms are what the certificate will be like.
func (p DomainPage) terms() []fact {
	key := keyWords(p.Certificate.KeyType) + ", new each time"
	switch p.Certificate.Strategy {
	case tenants.ReuseKey:
		key = keyWords(p.Certificate.KeyType) + ", the same each time"
	case tenants.OwnCSR:
		key = "yours, in your CSR"
	}
	facts := []fact{{"Authority", p.Issuer.Name}, {"Key", key}}
	if len(p.Certificate.Names) > 1 {
		facts = append([]fact{{"Names", p.Domain.InWords(p.Certificate.Names)}}, facts...)
	}
	if p.Lifetime > 0 {
		facts = append(facts, fact{"Valid for", length(p.Lifetime)})
	}
	if profile := orElse(p.Certificate.Profile, p.Issuer.Profile); profile != "" {
		facts = append(facts, fact{"Profile", profile})
	}
	return facts
}

func (p DomainPage) reservedUntil() string {
	if p.Domain.Reserved.IsZero() || !p.Domain.Proved.IsZero() {
		return ""
	}
	if p.Domain.Reserved.Sub(p.Now) < 2*day1 {
		return stamp(p.Domain.Reserved) + " UTC"
	}
	return day(p.Domain.Reserved)
}

func currentStep(yes bool) templ.Attributes {
	if !yes {
		return nil
	}
	return templ.Attributes{"aria-current": "step"}
}

// sinceWords is how long something runs, in a sentence of its own.
func sinceWords(d time.Duration) string {
	if d < time.Second {
		return "just begun"
	}
	return took(d.Truncate(time.Second)) + " so far"
}

// technical is what a support person asks for.
func (p DomainPage) technical() string {
	o := p.Order
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			b.WriteString(name + strings.Repeat(" ", 10-len(name)) + value + "\n")
		}
	}
	line("order", string(o.ID)+", "+string(o.State))
	line("begun", machine(o.Created))
	line("url", o.URL)
	line("profile", o.Profile)
	line("key", string(p.Certificate.KeyType))
	if o.Attempts > 0 {
		line("tries", number(o.Attempts))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// whoFine says why it is theirs.
func (p DomainPage) whoFine() string {
	switch p.explanation().Who {
	case tenants.Customer:
		if p.lacksKey() {
			return "Only you have the key. We cannot make another one for you."
		}
		if p.Domain.Finding.Code == tenants.CAProfile {
			return "It was chosen for this certificate, and we choose no other."
		}
		return "We cannot change that record, only look at it."
	case tenants.DNSHost:
		return "We cannot repair their name servers, only ask again."
	case tenants.CADo:
		return "It decides by its own rules."
	case tenants.OperatorDo:
		return "There is nothing for you to do."
	default:
		return "It heals by itself."
	}
}

func (p DomainPage) lastIssued() []fact {
	return []fact{{"Version", number(p.Current.Number)}, {"Authority", orElse(p.Issuer.Name, p.Current.Issuer)}, {"Expires", day(p.Current.NotAfter)}}
}

// nowAnchor and nowShift put the word at now where it stays inside the picture.
func (a axis) nowAnchor() string {
	if a.NowEnd {
		return "end"
	}
	return "start"
}

func (a axis) nowShift() string {
	if a.NowEnd {
		return "-6"
	}
	return "6"
}
