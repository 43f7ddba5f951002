package tenants

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

var strategyWords = map[KeyStrategy]string{
	RotateKey: "us, a new one each time",
	ReuseKey:  "us, the same until the policy wants another",
	OwnCSR:    "you, in a CSR",
}

func (f Facts) settingRows(s Settings) []Change {
	kind, csr := string(s.KeyType), "none"
	if s.Strategy == OwnCSR {
		kind, csr = "none", "none"
		if s.own.SPKI != "" {
			kind, csr = string(s.own.KeyType), "for the key "+s.own.SPKI[:8]+"…"
		}
	}
	rows := []Change{{Field: "Names", After: f.Domain.InWords(s.Names)}}
	if len(f.Offers) > 1 {
		rows = append(rows, Change{Field: "Authority", After: f.issuerWords(s.Prefers)})
	}
	rows = append(rows, Change{Field: "Key type", After: kind}, Change{Field: "Key comes from", After: strategyWords[s.Strategy]}, Change{Field: "Your CSR", After: csr})
	if f.choosesProfile() {
		rows = append(rows, Change{Field: "Profile", After: cmp.Or(s.Profile, "the authority’s default")})
	}
	return rows
}

// choosesProfile reports whether there is, or was, a profile to choose at any issuer.
func (f Facts) choosesProfile() bool {
	return f.Certificate.Profile != "" || slices.ContainsFunc(f.Offers, func(o Offer) bool { return len(o.Profiles) > 0 })
}

func (f Facts) issuerWords(id IssuerID) string {
	if id != "" && !f.offers(id) {
		return "one that the policy no longer allows"
	}
	name := f.OffersFor(id)[0].Name
	if id == "" {
		return "as the policy has it, " + name + " first"
	}
	return name + " first"
}

func (f Facts) effectText(s Settings, e SettingsEffect, now time.Time) string {
	with := f.orderWords(s)
	switch {
	case e.NoneOf:
		return "These are the settings in use. There is nothing to save."
	case e.Renew && f.Current == nil:
		return fmt.Sprintf("An order is under way. Once version 1 is there, we order version 2 %s.%s", with, f.forbidden(s))
	case e.Renew && f.underWay():
		return fmt.Sprintf("An order is under way. Once version %d is there, we order version %d %s.%s", f.Current.Number+1, f.Current.Number+2, with, f.forbidden(s))
	case e.Renew:
		return fmt.Sprintf("We order version %d at once %s. Version %d stays valid until its own end.%s%s", f.Current.Number+1, with, f.Current.Number, f.pauseNote(now), f.forbidden(s))
	case f.Current == nil:
		return fmt.Sprintf("The first version is ordered %s.%s", with, f.forbidden(s))
	}
	return fmt.Sprintf("Nothing is ordered now. Version %d is ordered when its renewal is due.", f.Current.Number+1)
}

// orderWords are the key, and what else s changes: "at Second CA for a and b with a P-256 key and the profile short".
func (f Facts) orderWords(s Settings) string {
	c, after := f.Certificate, f.after(s)
	var words []string
	if s.Prefers != c.Prefers {
		words = append(words, "at "+after.Offers[0].Name)
	}
	if !sameNames(s.Names, c.Names) {
		words = append(words, "for "+f.Domain.InWords(s.Names))
	}
	if s.Strategy == OwnCSR {
		words = append(words, fmt.Sprintf("with your own %s key", s.own.KeyType))
	} else {
		words = append(words, "with "+article(string(s.KeyType)+" key"))
	}
	if s.Profile != c.Profile && s.Profile != "" {
		words = append(words, "and the profile "+show(s.Profile))
	}
	return strings.Join(words, " ")
}

// forbidden says so when CAA records, as they were seen last, forbid what s asks for.
func (f Facts) forbidden(s Settings) string {
	if f.Domain.Check == nil {
		return ""
	}
	found := judgeCAA(f.after(s).Offers[0].Issuer, s.Names, *f.Domain.Check)
	if found.Code != CAAForbids {
		return ""
	}
	e := Explain(found)
	return fmt.Sprintf(" That order waits. %s %s", e.Why, e.Do)
}

func (f Facts) pauseNote(now time.Time) string {
	if _, paused := f.Certificate.Paused(f.Current, now); !paused {
		return ""
	}
	return " The pause does not hold it up."
}

// article is "an RSA-3072 key" or "a P-384 key".
func article(noun string) string {
	if noun[0] == 'R' { // said as a letter
		return "an " + noun
	}
	return "a " + noun
}
