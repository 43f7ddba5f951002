package views

import (
	"strconv"

	"perennial/tenants"
)

func (p TenantsPage) lede() string {
	s := plural(p.Total, "tenant") + "."
	switch p.WithTrouble {
	case 0:
		return s + " None has failing renewals."
	case 1:
		return s + " 1 has failing renewals."
	default:
		return s + " " + number(p.WithTrouble) + " have failing renewals."
	}
}

func (p TenantsPage) trouble() string {
	if p.Trouble {
		return "1"
	}
	return ""
}

func (p TenantsPage) query(cursor string) string {
	return with(TenantsPath, "q", p.Query, "trouble", p.trouble(), "cursor", cursor)
}

func (p TenantsPage) countWords() string {
	return number(len(p.Rows)) + " of " + plural(p.Matches, "tenant") + ", soonest expiry first."
}

func (p TenantEditPage) fresh() bool { return p.ID == "" }

func (p TenantEditPage) heading() string {
	if p.fresh() {
		return "Add tenant"
	}
	return p.Saved
}

func (p TenantEditPage) action() string {
	if p.fresh() {
		return TenantsPath
	}
	return TenantURL(p.ID)
}

func (p TenantEditPage) lede() string {
	if p.fresh() {
		return "A tenant is one customer or one product team. Groups of your provider say who may come in."
	}
	n, bad := 0, p.ByStatus[tenants.Failing]+p.ByStatus[tenants.Expired]
	for _, c := range p.ByStatus {
		n += c
	}
	s := plural(n, "domain") + ", " + number(bad) + " failing"
	if !p.NextExpiry.IsZero() {
		s += ", next expiry " + relative(p.Now, p.NextExpiry)
	}
	s += ". "
	switch p.People {
	case 0:
		return s + "Nobody has signed in so far."
	case 1:
		return s + "1 person can sign in."
	default:
		return s + number(p.People) + " people can sign in."
	}
}

// groupRow is one field row: a group and its role.
type groupRow struct {
	GroupField
	N     string // "1", "2" …
	Error string
	Fine  string
}

// rows are the groups, at least one; a new tenant begins with an empty one.
func (p TenantEditPage) rows() []groupRow {
	groups := p.Groups
	if len(groups) == 0 {
		groups = []GroupField{{Role: tenants.Admin}}
	}
	var rows []groupRow
	for i, g := range groups {
		n := strconv.Itoa(i + 1)
		rows = append(rows, groupRow{GroupField: g, N: n, Error: p.Errors["group"+n], Fine: g.people()})
	}
	return rows
}

func (g GroupField) people() string {
	switch {
	case !g.Saved:
		return "not saved yet"
	case g.People == 0:
		return "nobody yet"
	case g.People == 1:
		return "1 person"
	default:
		return number(g.People) + " people"
	}
}

func (p TenantEditPage) canChange() bool { return p.May(tenants.ManageTenants) }

func (p TenantEditPage) submitWord() string {
	if p.fresh() {
		return "Add tenant"
	}
	return "Save tenant"
}

func (p TenantEditPage) wrong() int { return len(p.Errors) }

func (p TenantEditPage) barWords() string {
	switch {
	case p.Error != "":
		return "Not saved: " + p.Error
	case p.wrong() == 1:
		return "Not saved: 1 field needs a change."
	default:
		return "Not saved: " + number(p.wrong()) + " fields need a change."
	}
}

// countLink is a count of the rail; it leads to the tenant's list.
type countLink struct {
	Word, Value, URL, ID string
}

func (p TenantEditPage) counts() []countLink {
	var list []countLink
	for i := len(tenants.Statuses) - 1; i >= 0; i-- {
		s := tenants.Statuses[i]
		c := countLink{Word: moodOf(s, true).Word, Value: plural(p.ByStatus[s], "domain"), ID: "count-" + string(s)}
		if p.ByStatus[s] > 0 && p.May(tenants.ReadDomains) {
			c.URL = DomainsFilter{Status: s}.url(p.Slug, "")
		}
		list = append(list, c)
	}
	return list
}

func (p TenantEditPage) lastSignIn() string {
	if p.LastSignIn.IsZero() {
		return "never"
	}
	return relative(p.Now, p.LastSignIn)
}

func (p TenantEditPage) providerWords() string {
	return "People come from " + orElse(p.Provider, "your provider") + ". Groups are read at each sign-in; a group without a role here gives no access."
}

// roleHelp is what each role may do, in a few words.
var roleHelp = []fact{
	{"Viewer", "reads domains, downloads certificates"},
	{"Auditor", "also reads and exports the audit log"},
	{"Editor", "adds, renews and gives up domains"},
	{"Approver", "as an editor"},
	{"Admin", "everything, private keys included"},
}
