package views

import (
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"perennial/tenants"
)

// everywhere reports whether the log is the platform's and not one tenant's.
func (p AuditPage) everywhere() bool { return p.Tenant.Slug == "" }

// dayOf is one day of the log.
type dayOf struct {
	Day     string
	Entries []AuditEntry
}

// byDay groups the entries, which come newest first, by their day in UTC.
func (p AuditPage) byDay() []dayOf {
	var days []dayOf
	for _, e := range p.Entries {
		name := longDay(e.At)
		if len(days) == 0 || days[len(days)-1].Day != name {
			days = append(days, dayOf{Day: name})
		}
		last := &days[len(days)-1]
		last.Entries = append(last.Entries, e)
	}
	return days
}

// query is the filter as address.
func (p AuditPage) query(path, cursor string) string {
	f := p.Filter
	return with(path, "who", f.Who, "what", f.What, "target", f.Target, "from", f.From, "to", f.To, "result", f.Result, "cursor", cursor)
}

func (p AuditPage) self() string { return AuditURL(p.Tenant.Slug) }

func (p AuditPage) filtered() bool { return p.Filter != (AuditFilter{}) }

// choice is one option of a select.
type choice struct{ Value, Word string }

var whats = []choice{
	{"", "Everything"}, {"domain", "Domains"}, {"certificate", "Certificates"}, {"order", "Orders"}, {"renewal", "Renewal plans"},
	{string(tenants.DidChangeHours), "Renewal hours"}, {string(tenants.DidChangePolicy), "Policy"}, {"key", "Private keys"}, {"session", "Sign-in"},
	{"tenant", "Tenants"}, {"access", "Refused access"}, {"audit", "Exports"}, {"issuer", "Authority accounts"}, {"event", "Replacements"},
}

var outcomes = []choice{{"", "Any"}, {string(tenants.Done), "Done"}, {string(tenants.Refused), "Denied"}, {string(tenants.Broke), "Failed"}}

// entryURL is the permanent address, in the log the entry belongs to.
func (e AuditEntry) url() string { return EntryURL(e.TenantSlug, e.Number) }

func (e AuditEntry) rowID() string {
	return "entry-" + orElse(e.TenantSlug, "platform") + "-" + strconv.FormatInt(e.Number, 10)
}

// facts are what stands beside the sentence.
func (e AuditEntry) facts() []fact {
	var list []fact
	add := func(label, value string) {
		if value != "" {
			list = append(list, fact{label, value})
		}
	}
	add("Tenant", e.TenantName)
	add("As", e.standing())
	add("From", e.Actor.Address)
	add("Request", e.Actor.RequestID)
	add("Act", string(e.Action))
	add("Object", e.Object)
	return list
}

func (e AuditEntry) standing() string {
	if e.Actor.Kind != tenants.Person {
		return ""
	}
	if e.Actor.Role != "" {
		return roleWord(e.Actor.Role)
	}
	if e.Actor.Platform != "" {
		return "platform " + string(e.Actor.Platform)
	}
	return ""
}

// diffLine is one field before and after.
type diffLine struct {
	tenants.Change
	Same bool
}

func (e AuditEntry) diff() []diffLine {
	var lines []diffLine
	for _, c := range e.Changes {
		lines = append(lines, diffLine{Change: c, Same: c.Before == c.After})
	}
	return lines
}

func (p AuditPage) footWords() string {
	s := "Newest first. An export holds exactly what is filtered here, and is logged itself."
	if p.everywhere() {
		s = "Numbers count within each tenant. " + s
	}
	return s
}

func (p AuditPage) emptyWords() string {
	if p.filtered() {
		return "No events match. Widen the dates or clear a field."
	}
	return "Nothing has happened yet. The first sign-in will stand here."
}

// actorsHere lists the kinds of actor on the page, for the key below it.
func (p AuditPage) actorsHere() []mood {
	var list []mood
	seen := map[string]bool{}
	for _, e := range p.Entries {
		m := actorLook(e.Actor.Kind)
		if !seen[m.Icon] {
			seen[m.Icon] = true
			m.Word = strings.ToLower(m.Word[:1]) + m.Word[1:]
			if m.Icon == "system" {
				m.Word = "Perennial"
			}
			list = append(list, m)
		}
	}
	return list
}

func (p AuditPage) fieldAttrs(name string) templ.Attributes {
	return invalid(p.Errors[name] != "", name+"-error")
}
