package views

import (
	"github.com/a-h/templ"

	"perennial/tenants"
)

// SettingsPage is the form of what a certificate is ordered with, and what it would change.
type SettingsPage struct {
	DomainPage
	Policy  tenants.Policy
	Typed   tenants.SettingsForm    // as stored, or exactly as typed
	Effect  *tenants.SettingsEffect // of what was typed; nil before that was asked
	Errors  map[string]string       // field → sentence: key_type, strategy, csr
	Lacking tenants.Finding         // what the next version lacks of the customer
}

// SettingsURL is what a certificate is ordered with: GET the form, POST (fields key_type, strategy, csr; act = show | save,
// shown) shows what would change, or saves what was shown.
func SettingsURL(slug string, id tenants.DomainID) string { return DomainURL(slug, id) + "/settings" }

func (p SettingsPage) lede() string {
	if p.Current == nil {
		return "What the first version is ordered with. Nothing is saved before you have seen what changes."
	}
	return "What version " + number(p.Current.Number+1) + " and those after it are ordered with. Nothing is saved before you have seen what changes."
}

// lacks is why the customer has to act here.
func (p SettingsPage) lacks() string {
	if p.Lacking.OK() {
		return ""
	}
	e := tenants.Explain(p.Lacking)
	return "Your turn: " + lowerFirst(e.Happened) + ". " + e.Why
}

func (p SettingsPage) keyTypes() (all []option) {
	for _, k := range tenants.KeyTypes {
		o := option{ID: "type-" + string(k), Name: "key_type", Value: string(k), Word: keyWords(k), Chosen: p.Typed.KeyType == string(k), Off: !p.Policy.AllowsKey(k)}
		switch {
		case o.Off:
			o.Fine = "the policy does not allow it"
		case k == p.Policy.KeyFor(p.Policy.DefaultKey):
			o.Fine = "the default"
		}
		all = append(all, o)
	}
	return all
}

func (p SettingsPage) sources() []option {
	all := []option{
		{Value: string(tenants.RotateKey), Word: "A new key each time", Fine: "we make it and keep it sealed"},
		{Value: string(tenants.ReuseKey), Word: "The same key", Fine: p.reuseFine()},
		{Value: string(tenants.OwnCSR), Word: "Your own CSR", Fine: "the key is yours and never reaches us"},
	}
	for i := range all {
		o := &all[i]
		o.ID, o.Name, o.Chosen = "from-"+o.Value, "strategy", p.Typed.Strategy == o.Value
		if o.Off = !p.Policy.AllowsStrategy(tenants.KeyStrategy(o.Value)); o.Off {
			o.Fine = "the policy does not allow it"
		}
	}
	return all
}

func (p SettingsPage) reuseFine() string {
	if n := p.Policy.MaxKeyDays; n > 0 {
		return "for " + plural(n, "day") + " at most, as the policy says"
	}
	return "until the policy wants another"
}

// mayOwn shows the text area also when the policy has changed since something was pasted: what was typed is kept.
func (p SettingsPage) mayOwn() bool { return p.Policy.OwnCSR || p.Typed.CSR != "" }

func (p SettingsPage) csrHelp() string {
	return "For exactly " + listWords(p.Certificate.Names) + ", in PEM. Paste the CSR only, never the key."
}

func listWords(words []string) string {
	s := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			s += " and "
		default:
			s += ", "
		}
		s += w
	}
	return s
}

func (p SettingsPage) csrAttrs() templ.Attributes {
	if p.Errors["csr"] == "" {
		return templ.Attributes{"aria-describedby": "csr-help"}
	}
	return invalid(true, "csr-error")
}

func (p SettingsPage) groupAttrs(field string) templ.Attributes {
	if p.Errors[field] == "" {
		return nil
	}
	return templ.Attributes{"aria-describedby": errorID(field)}
}

func (p SettingsPage) faults() (links []link) {
	for _, f := range []struct{ name, id, word string }{
		{"key_type", "type-" + string(tenants.KeyTypes[0]), "key type"}, {"strategy", "from-rotate", "where the key comes from"}, {"csr", "csr", "your CSR"},
	} {
		if p.Errors[f.name] != "" {
			links = append(links, link{id: "to-" + f.id, url: "#" + f.id, word: f.word})
		}
	}
	return links
}

func (p SettingsPage) savable() bool { return p.Effect != nil && !p.Effect.NoneOf }

func (p SettingsPage) saveWord() string {
	if p.Effect.Renew && !p.ordering() && p.Current != nil {
		return "Save and order version " + number(p.Current.Number+1)
	}
	return "Save"
}

func (p SettingsPage) footWords() string {
	switch {
	case len(p.Errors) > 0:
		return "Nothing changed yet. What you typed is kept."
	case p.savable():
		return "Nothing changed yet. Saving is written to the audit log with your name."
	}
	return "Nothing changed yet."
}

// mayChange reports whether "Change certificate" makes sense and is allowed.
func (p DomainPage) mayChange() bool {
	return p.Domain.Status != tenants.Released && p.May(tenants.ChangeCertificate)
}

// keyFacts are the key of the current version, and where the next comes from.
func (p DomainPage) keyFacts() []fact {
	kept := "sealed, for " + p.Tenant.Name + " only"
	if p.Current.OwnKey {
		kept = "by you; it never reached us"
	}
	return []fact{{"Type", keyWords(p.Current.KeyType)}, {"Kept", kept}, {"Renewal", p.sourceWords()}}
}

// sourceWords is where the next key comes from, in a few words.
func (p DomainPage) sourceWords() string {
	switch p.Certificate.Strategy {
	case tenants.ReuseKey:
		return "the same key again"
	case tenants.OwnCSR:
		return "with your own CSR"
	}
	return "new key each time"
}

// nextKeyWords ends the sentence about the next order.
func (p DomainPage) nextKeyWords() string {
	switch c := p.Certificate; {
	case c.Strategy == tenants.ReuseKey && c.KeyRefused.IsZero():
		return "with the same key while the policy allows it"
	case c.Strategy == tenants.OwnCSR:
		return "with your own CSR"
	}
	return "with a new key"
}

// lacksKey reports whether only the customer can bring the next key, and did not.
func (p DomainPage) lacksKey() bool {
	return p.Domain.Finding.Code == tenants.KeyNeeded || p.Domain.Finding.Code == tenants.CARefusesCSR
}
