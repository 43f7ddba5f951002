package views

import (
	"time"

	"perennial/tenants"
)

// Page is what every signed-in page needs. It is embedded in each page's struct.
type Page struct {
	Now       time.Time      // the one clock of the page
	Theme     string         // "light" or "dark" forces one; empty follows the system
	Actor     tenants.Actor  // who looks; Name is the e-mail address. Decides which links and buttons exist
	Tenant    tenants.Tenant // whose page it is; zero on operator pages
	Tenants   []Membership   // the person's own tenants, for the tenant menu
	Path      string         // path and query of this page, for the theme form and the sign-in's way back
	Note      string         // one sentence about what was just done, after a redirect; empty for none
	NoteBad   bool           // the note says that something was refused
	CanTheme  bool           // POST /theme exists: show the theme choice in the user menu
	RequestID string         // shown on error pages
}

// Membership is one line of the tenant menu.
type Membership struct {
	Slug string
	Name string
	Role tenants.Role
}

// SignInPage is the page before there is a session.
type SignInPage struct {
	Theme       string
	ReturnTo    string // local path to go on to, sent back as field return_to
	Email       string // typed before, kept after a failure
	Provider    string // host of the OpenID Provider, named in the note when it is silent
	Unreachable bool   // the provider did not answer a moment ago
	Error       string // one or two sentences about the sign-in that just failed; empty for none
	SignedOut   bool   // the person has just signed out
	RequestID   string // shown beside Error
}

// DomainsPage is the home page of a tenant: tally, expiry chart, list. With Total 0 it is the first run.
type DomainsPage struct {
	Page
	Total       int                    // domains of the tenant, whatever the filter
	WithoutHelp int                    // certificates that will not renew without help
	ByStatus    map[tenants.Status]int // the tally
	Weeks       []Week                 // weeks in which something expires, any order, empty weeks may be absent
	All         []DomainRow            // every domain when there are at most 60, whatever the filter: the chart then chooses a finer unit than weeks if lifetimes are short. May be nil
	Filter      DomainsFilter          // as asked for
	Rows        []DomainRow            // one page, sorted
	Matches     int                    // domains that match the filter
	Next, Prev  string                 // cursors; empty at the ends
	IssuerName  string                 // for the first run: "Let’s Encrypt"
	Outages     []Outage               // what the portal cannot reach just now
}

// DomainsFilter is what the list is narrowed to. Its zero value shows everything, soonest expiry first.
type DomainsFilter struct {
	Status tenants.Status // query parameter status
	Week   time.Time      // Monday 00:00 UTC; query parameter week=2026-11-23
	Query  string         // query parameter q
	Sort   string         // query parameter sort: "expires" (or empty) or "name"
}

// Week counts the certificates that expire in one week.
type Week struct {
	Start    time.Time // Monday 00:00 UTC
	ByStatus map[tenants.Status]int
}

// DomainRow is one line of the list. Its fields are those of the store's row of that name, so one converts to the
// other; the same holds for Week, DayLoad, PlannedRenewal and BudgetLine.
type DomainRow struct {
	ID         tenants.DomainID
	Name       string // canonical; the page adds the Unicode form of an internationalised name
	Status     tenants.Status
	Finding    tenants.Finding // why it waits or fails
	Since      time.Time       // of the status
	Issuer     string          // the authority's name
	NotBefore  time.Time
	NotAfter   time.Time // zero before the first version
	RenewAt    time.Time // the planned instant; zero when nothing is planned
	Reserved   time.Time // an unproved claim ends then
	HasVersion bool
	OrderState tenants.OrderState // of the open order; empty when none is open

	PausedUntil time.Time // a person holds the renewal back until then, or did; zero otherwise
}

// Outage is one thing that the portal depends on and cannot reach.
type Outage struct {
	What    string    // "ca", "dns" (the zone we write) or "provider" (sign-in)
	Name    string    // "Let’s Encrypt", "dcv.portal.example", "login.acme.example"
	Since   time.Time // of the first failed try
	NextTry time.Time // zero when it is tried at the next need
	Waits   int       // domains of this tenant that wait for it
	Needed  time.Time // the first safety line that needs it; zero when none is known
}

// AddDomainsPage is the form for up to five names, empty or after a refused try.
type AddDomainsPage struct {
	Page
	Names      []NameField // one to MaxNames, in the order of the fields name1 … name5
	Error      string      // a refusal that belongs to no field; empty for none
	IssuerName string
}

// MaxNames is how many names the form takes at once.
const MaxNames = 5

// NameField is one field of the form and the answer to what was typed there.
type NameField struct {
	Typed  string           // exactly as typed: what was typed is never lost
	Error  string           // one or two sentences; empty when there is none
	Offer  string           // a name to use instead, offered as a link; empty for none
	Ready  string           // canonical name, when this one is right and only waits for the others
	Exists tenants.DomainID // the tenant has this name already: the page links to it
}

// DomainPage is everything about one domain. The components DomainWaiting, DomainIssuing, Certificate and
// Failure all take it; Domain chooses between them.
type DomainPage struct {
	Page
	Domain      tenants.Domain
	Certificate tenants.Certificate
	Issuer      tenants.Issuer     // of the current version, or of the first one to come
	Asks        tenants.Issuer     // that the open order is placed with; without one, that the next will be
	Current     *tenants.Version   // nil before the first
	Versions    []tenants.Version  // newest first
	Order       *tenants.Order     // the open one, or the latest; nil before the first
	Orders      []tenants.Order    // the latest ten, newest first: the attempts
	Entries     []tenants.Entry    // the latest about it, newest first
	Registered  string             // public suffix + 1 of the name: what a DNS page usually adds by itself
	Lifetime    time.Duration      // how long the authority's certificates live; zero when not known
	Rehearsal   *tenants.Rehearsal // the last dry run; nil for none
	Staging     tenants.Issuer     // where the next would go; zero for nowhere
	Outages     []Outage
	ShowVersion bool // the certificate page was asked for although something fails
}

// VersionsPage is all versions of a certificate, a page at a time: those of the page stand in Versions.
type VersionsPage struct {
	DomainPage
	Newer bool // there are newer ones than those of the page
}

// RenewalsPage is the renewal schedule.
type RenewalsPage struct {
	Page
	Days       int              // 30 or 90
	Load       []DayLoad        // days with something planned, any order
	Total      int              // renewals planned in the period
	Next       []PlannedRenewal // the next ten, soonest first
	Budget     []BudgetLine     // of the tenant's issuer
	IssuerName string           // whose limits they are
	Outages    []Outage
	Hours      tenants.Hours // in use
	Spread     Spread
}

// Spread is the form of the renewal hours.
type Spread struct {
	tenants.HoursForm                   // as stored, or as typed: what was typed is never lost
	Errors            map[string]string // field → sentence: "days", "from", "to", "zone", "perDay", "freeze1" …
	Effect            string            // what these hours would change; empty before that was asked
	Uneasy            bool              // not every renewal fits into them
	Shown             string            // the hours that Effect is about, in words; sent back when they are used
}

// DayLoad counts one day's planned renewals.
type DayLoad struct {
	Day    time.Time // 00:00 UTC
	Free   int       // in the authority's own window, cost no budget
	Costly int       // count against the budget
	Failed int       // failed, will be tried again that day
}

// PlannedRenewal is one of the next renewals.
type PlannedRenewal struct {
	ID         tenants.DomainID
	Name       string
	Issuer     string
	Start, End time.Time // window
	At         time.Time // the chosen instant
	NoLater    time.Time // the safety line
	NotBefore  time.Time
	NotAfter   time.Time
	Status     tenants.Status
	Free       bool // costs no budget

	PausedUntil time.Time // a person holds it back until then, or did; zero otherwise
}

// BudgetLine is one limit of the authority and what is left of it, or only its rule where nobody counts. A line without
// Count is an exemption, or shut where no limit is known.
type BudgetLine struct {
	Issuer    string
	Limit     tenants.LimitName
	Key       string // the account, the registered domain, the set of names, the name; may be empty
	Left      int
	Count     int
	Per       time.Duration
	RefillsAt time.Time    // of the next token; zero when full
	Corrected time.Time    // of the authority's answer that corrected it; zero: our own count
	Shut      bool         // none is left because the authority said so
	Counted   bool         // we count; otherwise Left means nothing
	Rule      tenants.Rule // what the authority publishes of it; without Source nothing is known
}

// AuditPage is the audit log of a tenant, or of everything for platform roles (Page.Tenant is zero then).
type AuditPage struct {
	Page
	Filter  AuditFilter
	Errors  map[string]string // field → sentence, for "from" and "to"
	Entries []AuditEntry      // newest first
	Next    string            // cursor of the older ones; empty at the end
	Newer   bool              // this is not the first page: offer the way back to the newest
	Total   int               // entries that match the filter
}

// AuditFilter is the filter as typed.
type AuditFilter struct {
	Who    string // part of an actor's name
	What   string // beginning of an action: "domain", "certificate" …; empty for everything
	Target string // part of the object's name
	From   string // 2026-11-16
	To     string // 2026-11-23, that day included
	Result string // "done", "denied", "failed"; empty for any
}

// AuditEntry is an entry and where it belongs.
type AuditEntry struct {
	tenants.Entry
	TenantSlug string // of Entry.Tenant; empty for acts on the platform
	TenantName string
}

// EntryPage is the permanent page of one entry.
type EntryPage struct {
	Page
	Entry AuditEntry
}

// TenantsPage is the operator's list of tenants.
type TenantsPage struct {
	Page
	Query       string // query parameter q
	Trouble     bool   // query parameter trouble=1: only those with failing or expired domains
	Rows        []TenantRow
	Total       int // tenants, whatever the filter
	WithTrouble int // of them with failing or expired domains
	Matches     int
	Next, Prev  string
}

// TenantRow is one tenant in that list.
type TenantRow struct {
	ID         tenants.TenantID
	Name       string
	Slug       string
	Domains    int
	Failing    int       // failing or expired
	NextExpiry time.Time // zero: no certificate yet
}

// TenantEditPage is the form for a new tenant (ID empty) or an existing one.
type TenantEditPage struct {
	Page
	ID         tenants.TenantID  // empty: a new tenant
	Saved      string            // the name as stored; empty for a new tenant
	Name       string            // field name, as typed
	Slug       string            // field slug; never changes once stored
	Groups     []GroupField      // fields group1, role1 …; the page adds one empty row when there is none
	Errors     map[string]string // field → sentence: "name", "slug", "group1" …
	Error      string            // a refusal that belongs to no field
	ByStatus   map[tenants.Status]int
	NextExpiry time.Time
	LastSignIn time.Time // of anybody; zero for never
	People     int       // who could sign in when last seen
	Provider   string    // host of the OpenID Provider
}

// GroupField is one row of "who may sign in".
type GroupField struct {
	Claim  string
	Role   tenants.Role
	Saved  bool // it is stored, so People means something
	People int  // who came with this group
}

// PolicyPage is a tenant's policy: the form, or words for people who may not change it.
type PolicyPage struct {
	Page
	Saved   tenants.Policy
	Typed   tenants.PolicyForm // what the fields hold, exactly as typed
	Renewal string             // field renewal: ByThird, ByDays or ByPart
	Issuers []IssuerChoice     // to choose among, in the order of preference
	Errors  map[string]string  // field → sentence: renewal, renew_days, renew_part, key_types, default_key, max_key_days, issuer1 …, failover_hours
	Error   string             // a refusal that belongs to no field
}

// IssuerChoice is an authority that a policy may list.
type IssuerChoice struct {
	ID      tenants.IssuerID
	Name    string
	Default bool // certificates come from it when the policy lists none
	Retired bool // only a policy from before lists it
}

// How a policy says when to renew.
const (
	ByThird = "third"
	ByDays  = "days"
	ByPart  = "part"
)

// ErrorPage says what went wrong and what to do next.
type ErrorPage struct {
	Page          // Actor.Name empty: nobody is signed in, no navigation
	Status int    // HTTP
	Text   string // one or two sentences; empty takes the words for the status
	Action string // label of the next step; empty takes the one for the status
	URL    string // of the next step
	Retry  bool   // trying the same address again may work
}

// ConfirmPage is a confirmation as a page of its own, for browsers without script. The same forms are dialogs
// on the domain's page.
type ConfirmPage struct {
	DomainPage
	Version tenants.Version        // for the key: which one
	Typed   string                 // field name, as typed, after a refusal
	Error   string                 // why it was refused
	Revoke  tenants.RevocationForm // for revoking Version: as typed
	Errors  map[string]string      // its fields → sentence: how, wait, reason, name
}
