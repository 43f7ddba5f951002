package views

import (
	"slices"
	"strings"

	"github.com/a-h/templ"

	"perennial/tenants"
)

func (p PolicyPage) canChange() bool { return p.May(tenants.ChangePolicy) }

func (p PolicyPage) wrong() bool { return len(p.Errors) > 0 || p.Error != "" }

// policyFields are the fields that can be wrong: name of the field, id of where a link leads, word in the panel's head.
var policyFields = []struct{ name, id, word string }{
	{"key_types", "key-" + string(tenants.KeyTypes[0]), "keys"}, {"default_key", "default-key", "default key"},
	{"renewal", "renewal-third", "renewal"}, {"renew_days", "renew-days", "days before the end"}, {"renew_part", "renew-part", "part of the lifetime"}, {"max_key_days", "max-key-days", "longest use of a key"},
	{"issuer1", "issuer1", "preferred authority"}, {"issuer2", "issuer2", "second authority"}, {"issuer3", "issuer3", "third authority"}, {"failover_hours", "failover-hours", "moving on"},
}

// faults link to the wrong fields, in the order of the page.
func (p PolicyPage) faults() (links []link) {
	for _, f := range policyFields {
		if p.Errors[f.name] != "" {
			links = append(links, link{id: "to-" + f.id, url: "#" + f.id, word: f.word})
		}
	}
	return links
}

// attrs ties a field to its sentence when it is wrong.
func (p PolicyPage) attrs(field string) templ.Attributes {
	return invalid(p.Errors[field] != "", errorID(field))
}

func (p PolicyPage) groupAttrs(field string) templ.Attributes {
	return described(p.Errors[field] != "", errorID(field))
}

func errorID(field string) string { return strings.ReplaceAll(field, "_", "-") + "-error" }

// keyTick is one key type of the form.
type keyTick struct {
	ID, Value, Word string
	Ticked, Default bool
}

func (p PolicyPage) keys() (ticks []keyTick) {
	for _, k := range tenants.KeyTypes {
		v := string(k)
		ticks = append(ticks, keyTick{ID: "key-" + v, Value: v, Word: keyWords(k), Ticked: slices.Contains(p.Typed.KeyTypes, v), Default: p.Typed.DefaultKey == v})
	}
	return ticks
}

func (p PolicyPage) byThird() bool { return p.Renewal == ByThird }
func (p PolicyPage) byDays() bool  { return p.Renewal == ByDays }
func (p PolicyPage) byPart() bool  { return p.Renewal == ByPart }

func (p PolicyPage) saveWords() string {
	switch {
	case p.wrong():
		return "Nothing changed yet. What you typed is kept."
	case p.Note != "":
		return "Nothing changed since. A saved policy is used at once."
	}
	return "Nothing changed yet. A saved policy is used at once."
}

// changesURL is who changed the policy and what.
func (p PolicyPage) changesURL() string {
	return with(AuditURL(p.Tenant.Slug), "what", string(tenants.DidChangePolicy))
}

// words is the saved policy for people who only read it.
func (p PolicyPage) words() []policyLine {
	limit := "no limit"
	if n := p.Saved.KeyDays(); n > 0 {
		limit = plural(n, "day")
	}
	lines := []policyLine{
		{"Keys", p.keysFine(), p.keysAllowed()},
		{"Default key", "unless another is asked for", keyWords(p.Saved.KeyFor(p.Saved.DefaultKey))},
		{"Renewal", renewalFine, p.Saved.RenewalWords()},
		{"Longest use of a key", "then a new one", limit},
		{"Keys may be reused", "where a certificate asks for it", yesNo(p.Saved.ReuseKey)},
		{"Own CSR", "where a certificate asks for it", yesNo(p.Saved.OwnCSR)},
	}
	if p.manyIssuers() {
		lines = append(lines, policyLine{"Authorities", "in the order of preference", p.Saved.IssuerWords(p.issuerNames())},
			policyLine{"Move on to the next", "when one fails a certificate", p.Saved.FailoverWords()})
	}
	return lines
}

// policyLine is one row: its name, its fine line, what is set.
type policyLine struct{ Name, Fine, Value string }

// renewalFine: a window that the authority names goes before the policy (RFC 9773).
const renewalFine = "unless the authority names a window"

func (p PolicyPage) keysFine() string {
	if p.Saved.ReuseKey {
		return "may serve more than one version"
	}
	return "new key at each renewal"
}

func (p PolicyPage) keysAllowed() string {
	var words []string
	for _, k := range tenants.KeyTypes {
		if p.Saved.AllowsKey(k) {
			words = append(words, keyWords(k))
		}
	}
	return strings.Join(words, ", ")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
