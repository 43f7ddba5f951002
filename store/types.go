package store

import (
	"log/slog"
	"time"

	"perennial/store/seal"
	"perennial/tenants"
)

// Config is what Open needs to know.
type Config struct {
	// DSN names the database: "sqlite:perennial.db" (a path) or "postgres://user:password@host/database".
	DSN string
	// Key yields the key that wraps every tenant's own key, usually seal.File(path). It is asked to create one
	// only while the database holds nothing sealed.
	Key seal.Source
	// Zone is the operator's delegation zone, in which new delegations get their labels. No trailing dot.
	Zone string
	// Directory is the ACME directory of the issuer that new certificates are ordered from.
	Directory string
	// Rules says which names may be registered.
	Rules tenants.NameRules
	// Now is the clock of every transaction; nil means time.Now.
	Now func() time.Time
	// Unqueued leaves the queue empty: whoever claims domains tends them, as simulations do.
	Unqueued bool
	// Log receives what has no caller to return to; nil means slog.Default().
	Log *slog.Logger
	// Fail is for tests: at each Moment an error of it makes the call that is at work fail.
	Fail func(Moment) error
}

// Moment is where a call of the store can fail.
type Moment string

const (
	Reading    Moment = "reading"    // outside of a transaction
	Committing Moment = "committing" // everything is written, and undone when this fails
	Committed  Moment = "committed"  // everything is kept, and the caller does not learn of it when this fails
)

// Overview is what the home page counts. Released domains are not counted anywhere.
type Overview struct {
	ByStatus    map[tenants.Status]int
	Weeks       []Week // ascending, only weeks in which a version ends
	Total       int
	WithoutHelp int // will not renew unless somebody acts: expired, failing, waiting
}

// Week counts the domains whose current version ends in the ISO week that starts at Start (a Monday, UTC).
type Week struct {
	Start    time.Time
	ByStatus map[tenants.Status]int
}

// DomainFilter selects and orders the domain list.
type DomainFilter struct {
	Status tenants.Status // empty: all but released
	Week   time.Time      // any instant of the week in which the current version ends; zero: all
	Query  string         // part of the name
	Sort   string         // "expires" (default) or "name"
	Cursor string         // Next or Prev of a page before
	Limit  int            // rows a page, 1 to 200; 0 means 50
}

// DomainPage is one page of the list.
type DomainPage struct {
	Rows       []DomainRow
	Next, Prev string   // cursors; empty at the ends
	Total      int      // of the filter, over all pages
	Overview   Overview // of all domains, whatever the filter: the counters are read for Total anyway
}

// DomainRow is all that a list shows of one domain.
type DomainRow struct {
	ID         tenants.DomainID
	Name       string
	Status     tenants.Status
	Finding    tenants.Finding
	Since      time.Time
	Issuer     string // as pages show it
	NotBefore  time.Time
	NotAfter   time.Time // zero before the first version
	RenewAt    time.Time // the planned instant
	Reserved   time.Time // an unproved claim ends then
	HasVersion bool
	OrderState tenants.OrderState // of the open order; empty when there is none

	PausedUntil time.Time // a person holds its renewal back until then, or did; zero otherwise
}

// DomainView is all that the page of one domain shows.
type DomainView struct {
	Domain      tenants.Domain
	Certificate tenants.Certificate
	Issuer      tenants.Issuer // of the current version, or of the first one to come
	Asks        tenants.Issuer // that the open order is placed with; without one, that the next will be
	Current     *tenants.Version
	Versions    []tenants.Version  // newest first, at most 20
	Order       *tenants.Order     // the open one, else the latest, else nil
	Orders      []tenants.Order    // newest first, at most 10, without challenges
	Entries     []tenants.Entry    // newest first, at most 8
	Releasing   time.Time          // when it was given up, while that is being done
	Rehearsal   *tenants.Rehearsal // the last dry run, nil for none
	Staging     tenants.Issuer     // where the next would go; zero for nowhere
}

// RegisterOptions are the choices that a registration may leave to the defaults.
type RegisterOptions struct {
	Profile string          // ACME profile; empty: the issuer's
	KeyType tenants.KeyType // empty: P-256
}

// Registered is what RegisterDomains made, in the order of the names.
type Registered struct{ IDs []tenants.DomainID }

// EntryFilter selects audit entries.
type EntryFilter struct {
	Who      string    // part of the actor's name
	What     string    // beginning of the action: "domain.", "certificate.issue"
	Target   string    // part of the subject, or the whole object id
	From, To time.Time // From ≤ at < To; zero: open
	Outcome  tenants.Outcome
	Cursor   string
	Limit    int // entries a page, 1 to 200; 0 means 50
}

// EntryPage is one page of the audit log, newest first.
type EntryPage struct {
	Entries    []tenants.Entry
	Next, Prev string
	Total      int
	Tenants    map[tenants.TenantID]tenants.Tenant // on platform pages only
}

// Renewals is what the renewals page shows.
type Renewals struct {
	Days   []DayLoad // one for every day, today (UTC) first
	Next   []PlannedRenewal
	Budget []BudgetLine
	Total  int // planned within Days
}

// DayLoad counts the renewals planned for one day.
type DayLoad struct {
	Day    time.Time // midnight UTC
	Free   int       // in the authority's own window: costs no budget
	Costly int       // counts against the budget
	Failed int       // failed before and is tried again
}

// PlannedRenewal is one line of the next renewals.
type PlannedRenewal struct {
	ID         tenants.DomainID
	Name       string
	Issuer     string
	Start, End time.Time
	At         time.Time
	NoLater    time.Time
	NotBefore  time.Time
	NotAfter   time.Time
	Status     tenants.Status
	Free       bool

	PausedUntil time.Time // a person holds it back until then, or did; zero otherwise
}

// BudgetLine is one limit of an issuer: the fullest bucket that concerns the tenant, or only its rule where nobody
// counts. A line without Count is an exemption, or shut where no limit is known.
type BudgetLine struct {
	Issuer    string
	Limit     tenants.LimitName
	Key       string // empty while no bucket of the limit was touched
	Left      int
	Count     int
	Per       time.Duration
	RefillsAt time.Time    // when the next token is back; zero when full
	Corrected time.Time    // when the CA's own answer set it; zero: ours, counted
	Shut      bool         // there is none left because the CA said so; see Platform.AskAgain
	Counted   bool         // the ledger counts it; otherwise Left means nothing
	Rule      tenants.Rule // what the CA publishes of it; without Source nothing is known
}

// TenantFilter selects tenants on the operator's page.
type TenantFilter struct {
	Query   string // part of the name, the short name, or a domain of it
	Trouble bool   // only those with failing or expired domains
	Cursor  string
	Limit   int // rows a page, 1 to 200; 0 means 50
}

// TenantPage is one page of tenants, soonest expiry first.
type TenantPage struct {
	Rows    []TenantRow
	Next    string
	Prev    string
	Total   int // of the filter
	All     int // tenants there are
	Trouble int // of All, those with failing or expired domains
}

// TenantRow is all that the list shows of one tenant.
type TenantRow struct {
	Tenant     tenants.Tenant
	Domains    int
	Failing    int // failing or expired
	NextExpiry time.Time
}

// TenantView is all that the page of one tenant shows its operator.
type TenantView struct {
	Tenant     tenants.Tenant
	Groups     []GroupView
	Counts     map[tenants.Status]int
	NextExpiry time.Time
	LastSignIn time.Time
	People     int // who could sign in when last seen
}

// GroupView is a mapped group and how many people had it at their last sign-in.
type GroupView struct {
	tenants.Group
	People int
}

// TenantInput is what the forms for tenants send.
type TenantInput struct {
	Name   string
	Slug   string // never changes; ignored when a tenant is saved
	Groups []GroupInput
}

// GroupInput maps one group of the provider to a role.
type GroupInput struct {
	Claim string
	Role  tenants.Role
}

// Login is one sign-in under way, between leaving for the provider and coming back.
type Login struct {
	StateHash  [32]byte // SHA-256 of the state parameter
	CookieHash [32]byte // SHA-256 of the browser's login cookie
	Nonce      string
	Verifier   tenants.Secret // PKCE
	ReturnTo   string         // a local path
}

// Identity is what the provider said of a person who signed in.
type Identity struct {
	Issuer, Subject string
	Email, Name     string
	Groups          []string
	OIDCSession     string               // sid claim; empty when the provider has none
	IDToken         tenants.Secret       // hint for signing out at the provider
	Platform        tenants.PlatformRole // from the configured groups
	Address         string
	RequestID       string
}

// Membership is a role in a tenant.
type Membership struct {
	Tenant tenants.Tenant
	Role   tenants.Role
}

// Session is a signed-in person. Memberships are read anew each time, so that a removed group loses access at once.
type Session struct {
	ID          tenants.SessionID
	Actor       tenants.Actor // without Tenant, Role, Address and RequestID, which belong to the request
	Memberships []Membership  // by tenant name
	Platform    tenants.PlatformRole
	Email       string
	Name        string
	Started     time.Time
	Expires     time.Time // whatever happens
	IDToken     tenants.Secret
}

// Health is what is known of something we depend on.
type Health struct {
	What    string // "ca:" with the issuer's id, "dns", "provider"
	Name    string // of the issuer
	OK      bool
	Since   time.Time // of the present state
	NextTry time.Time // zero when nothing is planned
	Text    string
}
