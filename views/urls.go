package views

import (
	"net/url"
	"strconv"
	"time"

	"perennial/tenants"
)

// The portal's addresses. %s in the comments is the tenant's slug.
const (
	SignInPath   = "/signin"   // GET page, POST goes to the provider (fields email, return_to)
	SignOutPath  = "/signout"  // POST
	ThemePath    = "/theme"    // POST (fields theme = light | dark | system, back)
	TenantsPath  = "/tenants"  // GET list, POST adds one
	IssuersPath  = "/issuers"  // GET list, POST adds one (fields directory, name, eab_key_id, eab_key)
	OverviewPath = "/overview" // GET (p = 1h | 24h | 30d): the operator's home
)

// ReplacementsPath is where many certificates are replaced: GET form (by = key | authority | list) and what was started, POST
// runs dry (by, spki, issuer, profile, serials, deadline, why), or with since, counted and typed starts for real.
const ReplacementsPath = "/replacement"

// ReplacementURL is one replacement: GET. Below it: /stop GET confirms and POST acts, /events its stream.
func ReplacementURL(id tenants.EventID) string { return ReplacementsPath + "/" + string(id) }

// tenantBase is the path of a tenant's pages: /t/%s. Operator pages have no base.
func tenantBase(slug string) string {
	if slug == "" {
		return ""
	}
	return "/t/" + slug
}

// Base is where the page's tenant lives.
func (p Page) Base() string { return tenantBase(p.Tenant.Slug) }

// DomainsURL is a tenant's home page: GET list, POST adds names (fields name1 … name5).
func DomainsURL(slug string) string { return tenantBase(slug) + "/domains" }

// DomainsCSVURL is the list as CSV, with the same query parameters: GET.
func DomainsCSVURL(slug string) string { return tenantBase(slug) + "/domains.csv" }

// AddDomainsURL is the form: GET (name1 … name5 pre-fill it, more=1 adds a field).
func AddDomainsURL(slug string) string { return tenantBase(slug) + "/domains/new" }

// DomainURL is one domain: GET. Below it: /certificate GET, /check POST, /renew GET confirms and POST acts,
// /release GET confirms and POST acts (field name).
func DomainURL(slug string, id tenants.DomainID) string {
	return tenantBase(slug) + "/domains/" + string(id)
}

// VersionURL is one version of a domain's certificate. Below it: /fullchain.pem, /cert.pem, /cert.der,
// /chain.pem GET; /key GET confirms, POST downloads; /revoke GET confirms (how pre-selects), POST acts (fields how, wait,
// reason, name); /revoke/now POST.
func VersionURL(slug string, d tenants.DomainID, v tenants.VersionID) string {
	return DomainURL(slug, d) + "/versions/" + string(v)
}

// VersionsURL is all versions of a domain's certificate, newest first: GET. before is the number that they are below, 0 for the
// newest.
func VersionsURL(slug string, id tenants.DomainID, before int) string {
	u := DomainURL(slug, id) + "/versions"
	if before == 0 {
		return u
	}
	return with(u, "before", strconv.Itoa(before))
}

// EventsURL is the event stream of a domain, or of the whole tenant: GET, text/event-stream.
func EventsURL(slug string, id tenants.DomainID) string {
	u := tenantBase(slug) + "/events"
	if id == "" {
		return u
	}
	return u + "?domain=" + string(id)
}

// RenewalsURL is the renewal schedule: GET (days = 30 | 90).
func RenewalsURL(slug string, days int) string {
	u := tenantBase(slug) + "/renewals"
	if days == 0 {
		return u
	}
	return u + "?days=" + strconv.Itoa(days)
}

// HoursURL is the renewal schedule with the effect of other renewal hours: GET (days, perDay, from, to, day, zone, first1,
// last1 …) shows it, POST uses the hours (the same fields, and shown).
func HoursURL(slug string) string { return tenantBase(slug) + "/renewals/hours" }

// AuditURL is the audit log of a tenant, or of everything for an empty slug: GET (who, what, target, from, to,
// result, cursor). AuditURL + ".csv" and + ".jsonl" export the same filter.
func AuditURL(slug string) string { return tenantBase(slug) + "/audit" }

// PolicyURL is what certificates may be: GET shows it, POST saves (fields key_types, default_key, renewal = third | days |
// part, renew_days, renew_part, max_key_days, reuse_key, own_csr).
func PolicyURL(slug string) string { return tenantBase(slug) + "/settings/policy" }

// EntryURL is the permanent address of one entry: GET.
func EntryURL(slug string, number int64) string {
	return AuditURL(slug) + "/" + strconv.FormatInt(number, 10)
}

// TenantURL is the operator's page of a tenant: GET form, POST saves. TenantURL("new") is the empty form.
// The buttons of the form send act = save | more | remove1 … ; more and remove only show the form again.
func TenantURL(id tenants.TenantID) string { return TenantsPath + "/" + string(id) }

// IssuerURL is an authority: GET. Below it: /limits POST (fields count1, per1 … and limit1 …), /accounts POST (field accounts),
// /retire GET confirms and POST acts (field name). IssuerURL("new") is the form for another one, IssuerURL("order") POST moves
// one (fields issuer, once for each in their order, and up or down, which one).
func IssuerURL(id tenants.IssuerID) string { return IssuersPath + "/" + string(id) }

// AccountURL has no page of its own. Below it: /key GET confirms and POST gives the account another key, /export GET asks and
// POST answers with the key (fields passphrase, again).
func AccountURL(issuer tenants.IssuerID, id tenants.AccountID) string {
	return IssuerURL(issuer) + "/accounts/" + string(id)
}

// CauseURL lists the certificates that fail for a cause, over all tenants: GET (cursor). The address of no cause at all
// ends in "none".
func CauseURL(code tenants.Code) string {
	return OverviewPath + "/causes/" + url.PathEscape(string(orNone(code)))
}

// NoCause stands in addresses for the empty code.
const NoCause tenants.Code = "none"

// with returns the path with those parameters that are not empty, in the order given.
func with(path string, pairs ...string) string {
	sep := "?"
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		path += sep + pairs[i] + "=" + url.QueryEscape(pairs[i+1])
		sep = "&"
	}
	return path
}

// isoDay is a day as query parameters carry it; empty for the zero time.
func isoDay(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}
