package views

import (
	"strings"
	"time"

	"perennial/tenants"
)

// mood is how a status or a result looks: always colour, icon and word together.
type mood struct {
	Class string // sets the colour
	Icon  string // name in icons
	Word  string
}

var moods = map[tenants.Status]mood{
	tenants.Expired:    {"s-expired", "cross", "Expired"},
	tenants.Failing:    {"s-failing", "warn", "Renewal failing"},
	tenants.Waiting:    {"s-waiting", "clock", "Waiting for DNS"},
	tenants.Renewing:   {"s-renewing", "renew", "Renewing"},
	tenants.Active:     {"s-active", "check", "Active"},
	tenants.Released:   {"s-quiet", "box", "Given up"},
	tenants.Status(""): {"s-unknown", "unknown", "Could not ask"},
}

// moodOf is the look of a domain: before the first version, failing and renewing have other words.
func moodOf(s tenants.Status, hasVersion bool) mood {
	m, ok := moods[s]
	if !ok {
		m = moods[""]
	}
	switch {
	case s == tenants.Failing && !hasVersion:
		m.Word = "Failing"
	case s == tenants.Renewing && !hasVersion:
		m.Word = "Issuing"
	}
	return m
}

// result is the look of one name server's answer.
func result(a tenants.Answer) mood {
	switch a {
	case tenants.Right:
		return mood{"s-active", "check", "Right"}
	case tenants.Missing:
		return mood{"s-waiting", "clock", "Not there"}
	case tenants.Differs:
		return mood{"s-failing", "warn", "Differs"}
	default:
		return mood{"s-unknown", "unknown", "Could not ask"}
	}
}

// outcome is the look of an audit entry; what was done says nothing.
func outcome(o tenants.Outcome) mood {
	switch o {
	case tenants.Refused:
		return mood{"s-waiting", "ban", "Denied"}
	case tenants.Broke:
		return mood{"s-failing", "warn", "Failed"}
	default:
		return mood{}
	}
}

// actorLook is the icon of an actor and the word that stands for it.
func actorLook(k tenants.ActorKind) mood {
	switch k {
	case tenants.Person:
		return mood{Icon: "person", Word: "Person"}
	case tenants.TokenActor:
		return mood{Icon: "token", Word: "API token"}
	case tenants.AgentActor:
		return mood{Icon: "agent", Word: "Agent"}
	case tenants.CAActor:
		return mood{Icon: "ca", Word: "Authority"}
	default:
		return mood{Icon: "system", Word: "Perennial"}
	}
}

// nextStep is what comes next for a domain in a list, in a few words.
func (r DomainRow) nextStep(now time.Time) string {
	switch r.Status {
	case tenants.Active:
		if r.Finding.Code == tenants.KeyNeeded {
			return r.Finding.Short()
		}
		if paused := pausedStep(now, r.PausedUntil); paused != "" {
			return paused
		}
		return renewsWords(now, r.RenewAt)
	case tenants.Renewing:
		return orderWords(r.OrderState, r.Finding)
	}
	// a row with a version was proved once, so a missing record was removed
	if short := r.Finding.After(r.NotBefore).Short(); short != "" {
		return short
	}
	switch r.Status {
	case tenants.Waiting:
		return "Add 1 DNS record"
	case tenants.Expired:
		return "Not renewed in time"
	}
	return "We are looking into it"
}

func renewsWords(now, at time.Time) string {
	switch {
	case at.IsZero():
		return "Next renewal is being planned"
	case !at.After(now):
		return "Renews now"
	}
	return "Renews " + dayOrTime(now, at)
}

// dayOrTime is a date without a preposition, a time when it is less than a day away.
func dayOrTime(now, t time.Time) string {
	if soonOrToday(now, t) {
		return "at " + minute(t)
	}
	return shortDay(t)
}

func orderWords(s tenants.OrderState, f tenants.Finding) string {
	if short := f.Short(); short != "" {
		return short
	}
	switch s {
	case tenants.Planned, "":
		return "Order is being placed"
	case tenants.Ordered, tenants.Proving:
		return "Authority is validating"
	default:
		return "Authority is signing"
	}
}

// reasonWords is why a version was ordered.
func reasonWords(r tenants.Reason) string {
	switch r {
	case tenants.FirstIssue:
		return "First certificate"
	case tenants.OnRequest:
		return "Asked for"
	case tenants.KeyCompromised:
		return "Key compromised"
	case tenants.WasRevoked:
		return "Revoked"
	case tenants.Recalled:
		return "Recalled by the authority"
	case tenants.SettingsChanged:
		return "Settings changed"
	case tenants.InMassEvent:
		return "Mass replacement"
	case tenants.AgainstPolicy:
		return "Policy"
	case tenants.Overdue:
		return "Past its safety line"
	default:
		return "Planned renewal"
	}
}

// roleWord is a role as pages write it.
func roleWord(r tenants.Role) string { return capital(string(r)) }

// keyWords is a key type in full.
func keyWords(k tenants.KeyType) string {
	switch k {
	case tenants.P256, tenants.P384:
		return "ECDSA " + string(k)
	case tenants.RSA2048, tenants.RSA3072, tenants.RSA4096:
		return strings.Replace(string(k), "-", " ", 1)
	default:
		return string(k)
	}
}

// limitWords names a limit of the authority and, in the fine line, whose it is and how fast it refills.
func (b BudgetLine) words() (name, fine string) {
	rate := number(b.Count) + " in " + length(b.Per)
	if b.Shut && b.Count == 0 {
		rate = "limit not known"
	}
	switch b.Limit {
	case tenants.OrdersPerAccount:
		return "New orders", rate + ", shared by everybody"
	case tenants.CertificatesPerDomain:
		return "Certificates for " + orElse(b.Key, "one registered domain"), rate + ", shared by everybody"
	case tenants.CertificatesPerSet:
		return "Same set of names", worst(rate, b.Key)
	case tenants.FailuresPerName:
		return "Failed checks", worst(rate, b.Key)
	case tenants.ConsecutiveFailures:
		return "Failed checks in a row", worst(number(b.Count)+" for one name, then it is paused", b.Key)
	case tenants.AccountsPerAddress:
		return "New accounts", rate + " from one address"
	case tenants.RenewalsReplacing:
		return "Renewals in the CA’s window", "exempt when they replace the old certificate"
	default:
		return string(b.Limit), worst(rate, b.Key)
	}
}

func worst(rate, key string) string {
	if key == "" {
		return rate
	}
	return rate + ", worst is " + key
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
