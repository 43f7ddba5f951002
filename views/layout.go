package views

import (
	"github.com/a-h/templ"

	"perennial/tenants"
)

// link is one line of a navigation.
type link struct{ id, url, word string }

// nav lists the pages that exist for this person here, and no others.
func (p Page) nav() []link {
	var links []link
	add := func(ok bool, id, url, word string) {
		if ok {
			links = append(links, link{id, url, word})
		}
	}
	slug := p.Tenant.Slug
	add(slug != "", "domains", DomainsURL(slug), "Domains")
	add(slug != "", "renewals", RenewalsURL(slug, 0), "Renewal schedule")
	add(slug == "" && p.Actor.May(tenants.ReadTenants), "overview", OverviewPath, "Overview")
	add(slug == "" && p.Actor.May(tenants.ReadTenants), "tenants", TenantsPath, "Tenants")
	add(slug == "" && p.Actor.May(tenants.ReadTenants), "issuers", IssuersPath, "CA accounts")
	add(slug == "" && p.Actor.May(tenants.ReadTenants), "replacement", ReplacementsPath, "Replacement")
	add((slug != "" || p.Actor.Platform != "") && p.Actor.May(tenants.ReadAudit), "audit", AuditURL(slug), "Audit log")
	return links
}

// settings lists the pages of the tenant's settings.
func (p Page) settings() []link {
	if p.Tenant.Slug == "" {
		return nil
	}
	return []link{{"policy", PolicyURL(p.Tenant.Slug), "Policy"}}
}

// home is where the brand leads.
func (p Page) home() string {
	switch {
	case p.Tenant.Slug != "":
		return DomainsURL(p.Tenant.Slug)
	case p.Actor.May(tenants.ReadTenants):
		return OverviewPath
	default:
		return "/"
	}
}

// menuName is what the closed tenant menu shows; empty when there is nothing to choose from.
func (p Page) menuName() string {
	switch {
	case p.Tenant.Name != "":
		return p.Tenant.Name
	case p.Actor.May(tenants.ReadTenants):
		return "All tenants"
	case len(p.Tenants) > 0:
		return "Choose a tenant"
	default:
		return ""
	}
}

// standing is what the person is here.
func (p Page) standing() string {
	switch {
	case p.Actor.Role != "":
		return roleWord(p.Actor.Role)
	case p.Actor.Platform != "":
		return "Platform " + string(p.Actor.Platform)
	default:
		return ""
	}
}

// title is the document's: the subject, then whose it is.
func (p Page) title(subject string) string {
	if p.Tenant.Name == "" {
		return subject
	}
	return subject + ", " + p.Tenant.Name
}

// themes are the choices of the user menu.
var themes = []struct{ value, word string }{{"system", "System"}, {"light", "Light"}, {"dark", "Dark"}}

func pressed(theme, value string) string {
	if theme == value || theme == "" && value == "system" {
		return "true"
	}
	return "false"
}

// themed forces a theme only if one was chosen; otherwise the style sheet follows the system.
func themed(theme string) templ.Attributes {
	if theme != "light" && theme != "dark" {
		return nil
	}
	return templ.Attributes{"data-theme": theme}
}

func scheme(theme string) string {
	if theme == "light" || theme == "dark" {
		return theme
	}
	return "light dark"
}

func live(s shell) templ.Attributes {
	if s.Live == "" {
		return nil
	}
	return templ.Attributes{"data-live": s.Live, "data-say": s.Say}
}

func currentPage(yes bool) templ.Attributes {
	if !yes {
		return nil
	}
	return templ.Attributes{"aria-current": "page"}
}

// May reports whether the person may do something here; what they may not is not shown.
func (p Page) May(what tenants.Permission) bool { return p.Actor.May(what) }

// anchor is how the word at now stands on its line.
func (a axis) anchor() string {
	switch {
	case a.NowEnd:
		return "end"
	case a.NowStart:
		return "start"
	}
	return "middle"
}

func currentTrue(yes bool) templ.Attributes {
	if !yes {
		return nil
	}
	return templ.Attributes{"aria-current": "true"}
}
