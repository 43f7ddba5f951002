package views

import (
	"github.com/a-h/templ"

	"perennial/tenants"
)

// SettingsPage is the form of what a certificate is ordered with, and what it would change.
type SettingsPage struct {
	DomainPage
	Policy  tenants.Policy
	Offers  []tenants.Offer         // whom the policy lets be asked
	Sibling tenants.DomainID        // the tenant's own domain for the other name; empty: none
	Typed   tenants.SettingsForm    // as stored, or exactly as typed
	Effect  *tenants.SettingsEffect // of what was typed; nil before that was asked
	Errors  map[string]string       // field → sentence: names, authority, key_type, strategy, csr, profile
	Lacking tenants.Finding         // what the next version lacks of the customer
}

// SettingsURL is what a certificate is ordered with: GET the form, POST (fields names, authority, key_type, strategy, csr,
// profile; act = show | save, shown) shows what would change, or saves what was shown.
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

func (p SettingsPage) names() []option {
	own, sibling := p.Domain.Name, tenants.Sibling(p.Domain.Name)
	fine := "and every name one level below it; the same record proves both"
	if len(sibling) < len(own) {
		fine = "the name itself as well; the same record proves both"
	}
	all := []option{
		{Value: string(tenants.NameAlone), Word: "Only " + own},
		{Value: string(tenants.WithSibling), Word: own + " and " + sibling, Fine: fine},
	}
	for i := range all {
		o := &all[i]
		o.ID, o.Name, o.Chosen = "names-"+o.Value, "names", p.Typed.Names == o.Value
	}
	return all
}

// authorities are none where there is nothing to choose.
func (p SettingsPage) authorities() (all []option) {
	if len(p.Offers) < 2 && p.Typed.Prefers == "" {
		return nil
	}
	ordered := p.offersFor("")
	all = append(all, option{Word: "As the policy has it", Fine: "now " + ordered[0].Name + " first"})
	for _, o := range ordered {
		all = append(all, option{Value: string(o.ID), Word: o.Name + " first", Fine: "the others only when it fails"})
	}
	gone := p.Typed.Prefers != "" && p.offersFor(tenants.IssuerID(p.Typed.Prefers))[0].ID != tenants.IssuerID(p.Typed.Prefers)
	if gone {
		all = append(all, option{Value: p.Typed.Prefers, Word: "Another one", Fine: "the policy does not allow it", Off: true})
	}
	return numbered(all, "authority", p.Typed.Prefers)
}

func (p SettingsPage) offersFor(id tenants.IssuerID) []tenants.Offer {
	return tenants.Facts{Policy: p.Policy, Offers: p.Offers}.OffersFor(id)
}

// profiles are those of the authority that is asked first; none where it offers none.
func (p SettingsPage) profiles() (all []option) {
	if len(p.Offers) == 0 {
		return nil
	}
	issuer := p.offersFor(tenants.IssuerID(p.Typed.Prefers))[0].Issuer
	_, offered := issuer.Profiles[p.Typed.Profile]
	gone := p.Typed.Profile != "" && !offered
	if len(issuer.Profiles) == 0 && !gone {
		return nil
	}
	usual := option{Word: "The authority’s default"}
	if issuer.Profile != "" {
		usual.Fine = "this portal asks for " + issuer.Profile
	}
	all = append(all, usual)
	for _, name := range issuer.ProfileNames() {
		all = append(all, option{Value: name, Word: name, Fine: issuer.Profiles[name]})
	}
	if gone {
		all = append(all, option{Value: p.Typed.Profile, Word: p.Typed.Profile, Fine: issuer.Name + " does not offer it", Off: true})
	}
	return numbered(all, "profile", p.Typed.Profile)
}

// numbered completes the options of a field whose values are not ours to make ids of.
func numbered(all []option, field, chosen string) []option {
	for i := range all {
		all[i].ID, all[i].Name, all[i].Chosen = field+"-"+number(i), field, all[i].Value == chosen
	}
	return all
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
		{Value: string(tenants.ReuseKey), Word: "The same key", Fine: "for " + plural(p.Policy.KeyDays(), "day") + " at most, as the policy says"},
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

// mayOwn shows the text area also when the policy has changed since something was pasted: what was typed is kept.
func (p SettingsPage) mayOwn() bool { return p.Policy.OwnCSR || p.Typed.CSR != "" }

func (p SettingsPage) csrHelp() string {
	names := p.Certificate.Names
	if c := tenants.NameChoice(p.Typed.Names); c == tenants.NameAlone || c == tenants.WithSibling {
		names = c.Of(p.Domain.Name)
	}
	return "For exactly " + p.Domain.InWords(names) + ", in PEM. Paste the CSR only, never the key."
}

func (p SettingsPage) csrAttrs() templ.Attributes {
	if p.Errors["csr"] == "" {
		return templ.Attributes{"aria-describedby": "csr-help"}
	}
	return invalid(true, "csr-error")
}

// oneOf is a field of which one option is chosen.
type oneOf struct {
	Field, Legend, Fine string
	Options             []option
	Error               string // empty: none
}

func (p SettingsPage) choose(field, legend, fine string, options []option) oneOf {
	return oneOf{field, legend, fine, options, p.Errors[field]}
}

func (p SettingsPage) faults() (links []link) {
	for _, f := range []struct{ name, id, word string }{
		{"names", "names-alone", "names"}, {"authority", "authority-0", "authority"},
		{"key_type", "type-" + string(tenants.KeyTypes[0]), "key type"}, {"strategy", "from-rotate", "where the key comes from"}, {"csr", "csr", "your CSR"},
		{"profile", "profile-0", "profile"},
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

// changeHelps reports whether another choice of what is ordered with would do.
func (p DomainPage) changeHelps() bool {
	return p.lacksKey() || p.Domain.Finding.Code == tenants.CAProfile || p.wayOut() != ""
}

// wayOut is what the customer may do instead of what the failure asks for, empty for nothing.
func (p DomainPage) wayOut() string {
	if p.Domain.Finding.Code != tenants.CAAForbids || p.Certificate.NameChoice() != tenants.WithSibling {
		return ""
	}
	return "Or leave " + tenants.Sibling(p.Domain.Name) + " out of the certificate, if the record forbids only one of its two names."
}

// lacksKey reports whether only the customer can bring the next key, and did not.
func (p DomainPage) lacksKey() bool {
	return p.Domain.Finding.Code == tenants.KeyNeeded || p.Domain.Finding.Code == tenants.CARefusesCSR
}
