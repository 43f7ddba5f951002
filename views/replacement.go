package views

import (
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"perennial/tenants"
)

// Ways to choose what a mass event replaces, as the query parameter and form field by.
const (
	ByKey       = "key"
	ByAuthority = "authority"
	ByList      = "list"
)

// ReplacementsPage is where the operator has many certificates replaced: the form, its dry run, and what was started.
type ReplacementsPage struct {
	Page
	By      string                // ByKey, ByAuthority or ByList
	Form    tenants.MassEventForm // exactly as typed
	Errors  map[string]string     // field → sentence: spki, issuer, serials, deadline, why, typed
	Error   string                // a refusal that belongs to no field
	Issuers []tenants.Issuer
	DryRun  *ReplacementDryRun // nil before one
	Typed   string             // field typed
	Runs    []ReplacementRun   // newest first
}

// ReplacementDryRun is what a dry run found.
type ReplacementDryRun struct {
	tenants.DryRun
	Event   tenants.MassEvent
	Took    time.Duration
	Tenants []ReplacementTenant // most certificates first
	Budget  []ReplacementLimit
}

// ReplacementTenant is one tenant of a dry run.
type ReplacementTenant struct {
	Tenant       tenants.Tenant
	Certificates int
	Issuers      []string
}

// ReplacementLimit is what is asked of one authority.
type ReplacementLimit struct {
	Issuer       string
	Certificates int
	Left         int // orders that its limit allows now; math.MaxInt for no limit
	tenants.EventBudget
}

func (p ReplacementsPage) canStart() bool { return p.May(tenants.ReplaceMany) }

func (p ReplacementsPage) lede() turn {
	switch {
	case !p.canStart():
		return turn{"", "Operators have many certificates replaced here, before a deadline. You see what they did."}
	case p.Error != "":
		return turn{"Not started:", p.Error}
	case len(p.Errors) > 0 && p.DryRun == nil:
		return turn{"Not counted:", plural(len(p.Errors), "field") + " of the form " + needs(len(p.Errors)) + " another answer."}
	case p.DryRun == nil:
		return turn{"", "Replace many certificates before a deadline. Begin with a dry run, which changes nothing."}
	case p.DryRun.Certificates == 0:
		return turn{"", "The dry run found no certificate, so there is nothing to replace."}
	}
	return turn{"Your turn:", "the dry run found " + plural(p.DryRun.Certificates, "certificate") + ". Nothing has changed yet."}
}

func needs(n int) string {
	if n == 1 {
		return "needs"
	}
	return "need"
}

// ways are the tabs of the form.
func (p ReplacementsPage) ways() []way {
	return []way{{ByKey, "One key", p.By == ByKey}, {ByAuthority, "An authority", p.By == ByAuthority}, {ByList, "A list of serials", p.By == ByList}}
}

type way struct {
	By, Word string
	Chosen   bool
}

func (w way) url() string { return with(ReplacementsPath, "by", w.By) }

// attrs ties a field to its sentence when it is wrong. The first wrong one takes the focus.
func (p ReplacementsPage) attrs(field string) templ.Attributes {
	a := invalid(p.Errors[field] != "", errorID(field))
	for _, f := range []string{"spki", "issuer", "serials", "deadline", "why", "typed"} {
		if p.Errors[f] == "" {
			continue
		}
		if f == field {
			a["data-focus"] = true
		}
		break
	}
	return a
}

// deadline is the field's value as a browser's own control wants it, or what was typed.
func (p ReplacementsPage) deadline() string {
	if p.Form.Deadline == "" && p.Errors["deadline"] == "" {
		return p.Now.UTC().Add(day1).Format("2006-01-02T15:04")
	}
	return p.Form.Deadline
}

func (p ReplacementsPage) footWords() string {
	if p.DryRun == nil {
		return "A dry run counts and changes nothing."
	}
	length := took(p.DryRun.Took)
	if p.DryRun.Took < 50*time.Millisecond {
		length = "less than 0.1 s"
	}
	return "Dry run of " + clock(p.DryRun.Event.Since) + " UTC, took " + length + "."
}

func (p ReplacementsPage) dryWord() string {
	if p.DryRun == nil {
		return "Run dry"
	}
	return "Run dry again"
}

// number is what has to be typed.
func (p ReplacementsPage) number() string { return strconv.Itoa(p.DryRun.Certificates) }

func (p ReplacementsPage) startWord() string { return "Replace " + number(p.DryRun.Certificates) }

func (d ReplacementDryRun) since() string { return d.Event.Since.UTC().Format(time.RFC3339Nano) }

// budget is what the orders cost, in one number and a fine line.
func (d ReplacementDryRun) budget() (headline, fine string) {
	left, limited := 0, 0
	var every time.Duration
	for _, b := range d.Budget {
		if b.Charged > 0 && !b.Limit.Unlimited() {
			left, limited, every = left+b.Left, limited+1, b.Limit.Every()
		}
	}
	switch {
	case d.Charged == 0:
		return "None", "the authority does not count replacements"
	case limited == 0:
		return plural(d.Charged, "order"), "no limit is known"
	case limited > 1:
		return number(d.Charged) + " of " + number(left), "orders left now at " + number(limited) + " authorities"
	}
	return number(d.Charged) + " of " + number(left), "orders left now, then 1 every " + length(every)
}

func (d ReplacementDryRun) finish(now time.Time) (headline, fine string) {
	headline = minute(d.Last) + " UTC"
	if !sameDay(now, d.Last) {
		headline = shortDay(d.Last) + ", " + headline
	}
	return headline, apart(d.Last, d.Event.Deadline)
}

// apart says how long an instant lies before the deadline, or after it.
func apart(t, deadline time.Time) string {
	if t.After(deadline) {
		return took(t.Sub(deadline)) + " after the deadline"
	}
	return took(deadline.Sub(t).Truncate(time.Minute)) + " before the deadline"
}

const shownTenants = 5

// rows are the tenants with the most, and one line for all others.
func (d ReplacementDryRun) rows() (shown []ReplacementTenant, more ReplacementTenant) {
	if len(d.Tenants) <= shownTenants+1 {
		return d.Tenants, more
	}
	for _, t := range d.Tenants[shownTenants:] {
		more.Certificates += t.Certificates
	}
	more.Tenant.Name = number(len(d.Tenants)-shownTenants) + " more"
	return d.Tenants[:shownTenants], more
}

func (t ReplacementTenant) issuers() string { return strings.Join(t.Issuers, ", ") }
