package views

import (
	"github.com/a-h/templ"

	"perennial/tenants"
)

// loggedWords says what is kept of the act.
func (p ConfirmPage) loggedWords() string {
	if p.Actor.Address == "" {
		return "Written to the audit log with your name."
	}
	return "Written to the audit log with your address " + p.Actor.Address + "."
}

func (p ConfirmPage) keyUntil() string { return stamp(p.Version.NotAfter) + " UTC" }

func (p ConfirmPage) renewSubject() string {
	if p.Current == nil {
		return "No version yet"
	}
	return "version " + number(p.Current.Number) + ", valid until " + stamp(p.Current.NotAfter) + " UTC"
}

func (p ConfirmPage) renewEffect() string {
	if p.Current == nil {
		return "There is nothing to renew before the first version is issued."
	}
	s := "We order version " + number(p.Current.Number+1) + " now"
	if at := p.Certificate.Plan.At; at.After(p.Now) {
		s += " instead of " + when(p.Now, at)
	}
	if p.paused() {
		s += ", although renewals are paused"
	}
	return s + ". Version " + number(p.Current.Number) + " stays valid until its own end."
}

func (p ConfirmPage) releaseSubject() string {
	if p.Current == nil {
		return "no certificate was issued for it yet"
	}
	return "version " + number(p.Current.Number) + ", valid until " + stamp(p.Current.NotAfter) + " UTC"
}

func (p ConfirmPage) releaseEffect() string {
	const after = " Afterwards the CNAME can go from your DNS, and whoever adds the name again gets another record."
	if p.Current == nil {
		return "We forget the reservation and the record." + after
	}
	if len(p.revocations()) > 0 {
		return "We stop renewing, and what was to be revoked is revoked at once, since nothing will replace it." + after
	}
	return "We stop renewing. The certificate that you have works until its end, and no other follows." + after
}

// mayRenew reports whether "Renew now" makes sense and is allowed.
func (p DomainPage) mayRenew() bool {
	return p.Current != nil && !p.ordering() && p.Domain.Status != tenants.Released && p.May(tenants.RenewCertificate)
}

// troubled reports whether there is a failure page beside this one.
func (p DomainPage) troubled() bool {
	return p.Domain.Status == tenants.Failing || p.Domain.Status == tenants.Expired
}

// file is one line of the downloads.
type file struct{ id, url, word, kind string }

func (p DomainPage) files() []file {
	base := VersionURL(p.Tenant.Slug, p.Domain.ID, p.Current.ID)
	return []file{
		{"download-fullchain", base + "/fullchain.pem", "Certificate and chain", "PEM"},
		{"download-cert", base + "/cert.pem", "Certificate only", "PEM"},
		{"download-der", base + "/cert.der", "Certificate only", "DER"},
		{"download-chain", base + "/chain.pem", "Chain only", "PEM"},
	}
}

func (p DomainPage) validMood() mood {
	if !p.Current.NotAfter.After(p.Now) {
		return mood{"s-expired", "cross", "Expired"}
	}
	if p.revokedNow() {
		return mood{"s-failing", "ban", "Revoked"}
	}
	word := day(p.Current.NotAfter)
	if p.near() {
		word = clock(p.Current.NotAfter) + " UTC"
	}
	if p.troubled() {
		return mood{"s-failing", "warn", word}
	}
	return mood{"s-active", "check", word}
}

func (p DomainPage) validWords() string {
	if p.revokedNow() {
		return "not to be trusted any more"
	}
	return relative(p.Now, p.Current.NotAfter) + ", " + length(p.Current.Lifetime()) + " in all"
}

func (p DomainPage) renewMood() mood {
	at := p.Certificate.Plan.At
	switch {
	case p.troubled():
		return p.mood()
	case p.ordering() || p.Domain.Status == tenants.Renewing:
		return mood{"s-renewing", "renew", "Under way"}
	case p.lacksKey():
		return mood{"s-waiting", "clock", "Waits for you"}
	case at.IsZero():
		return mood{"s-quiet", "clock", "Being planned"}
	case p.near():
		return mood{"s-active", "check", clock(at) + " UTC"}
	default:
		return mood{"s-active", "check", day(at)}
	}
}

func (p DomainPage) renewFine() string {
	at := p.Certificate.Plan.At
	switch {
	case p.troubled():
		return p.explanation().Short
	case p.ordering() || p.Domain.Status == tenants.Renewing:
		return "nothing for you to do"
	case p.lacksKey():
		return lowerFirst(p.Domain.Finding.Short())
	case !at.After(p.Now):
		return "in a moment"
	default:
		return relative(p.Now, at) + ", by itself"
	}
}

func (p DomainPage) versionsWords() string {
	if n := p.Current.Number; n > len(p.Versions) {
		return "the latest " + number(len(p.Versions)) + " of " + number(n)
	}
	return plural(len(p.Versions), "version")
}

// invalid marks a field as wrong and ties it to its sentence.
func invalid(yes bool, describedBy string) templ.Attributes {
	if !yes {
		return nil
	}
	return templ.Attributes{"aria-invalid": "true", "aria-describedby": describedBy}
}

// described ties a group of fields to its sentence; a group itself is never marked as wrong.
func described(yes bool, by string) templ.Attributes {
	if !yes {
		return nil
	}
	return templ.Attributes{"aria-describedby": by}
}
