package tenants

import "time"

// Tenant is one customer or product team.
type Tenant struct {
	ID      TenantID
	Slug    string // short name, never changes: a–z, 0–9, hyphen
	Name    string
	Created time.Time
}

// Group maps an OIDC group to a role in a tenant. It is read at each sign-in.
type Group struct {
	ID    GroupID
	Claim string // the group's name as the provider sends it
	Role  Role
}

// Status is the state of a domain as lists, counts and badges show it.
type Status string

const (
	Expired  Status = "expired"  // the last version is past its notAfter
	Failing  Status = "failing"  // will not fix itself, or keeps failing
	Waiting  Status = "waiting"  // for the customer's DNS record
	Renewing Status = "renewing" // an order is under way, the first one included
	Active   Status = "active"   // a valid version, the next renewal planned
	Released Status = "released" // given up; kept only as history
)

// Statuses lists what lists and tallies show, worst first.
var Statuses = []Status{Expired, Failing, Waiting, Renewing, Active}

// Domain is a tenant's claim on one DNS name.
type Domain struct {
	ID         DomainID
	Tenant     TenantID
	Name       string // canonical: lower-case A-labels, no trailing dot; may begin with "*."
	Delegation Delegation
	Status     Status
	Finding    Finding   // why it waits or fails; zero when nothing is wrong
	Check      *Check    // what DNS answered last; nil before the first look
	Proved     time.Time // when the delegation was first seen everywhere; zero before
	Reserved   time.Time // an unproved claim ends at this instant
	Since      time.Time // of the present status
	Next       time.Time // when the portal acts again; zero while it acts
	Created    time.Time
	CreatedBy  string
	Released   time.Time
}

// Delegation is the permanent CNAME from _acme-challenge.<Base> to Label.<zone>. A label is never given twice,
// and all live claims of one tenant on one base name (x and *.x) share it, since DNS allows one CNAME per name.
type Delegation struct {
	ID    DelegationID
	Base  string // the name without "*."
	Label string // 26 characters: 130 random bits
	Zone  string // the operator's delegation zone, no trailing dot
}

// Name is where the customer sets the record.
func (d Delegation) Name() string { return "_acme-challenge." + d.Base }

// Target is what the record must point to.
func (d Delegation) Target() string { return d.Label + "." + d.Zone }

// KeyType is the kind of a certificate's key.
type KeyType string

const (
	P256    KeyType = "P-256"
	P384    KeyType = "P-384"
	RSA2048 KeyType = "RSA-2048"
	RSA3072 KeyType = "RSA-3072"
	RSA4096 KeyType = "RSA-4096"
)

// KeyTypes lists all that the portal makes, quickest first.
var KeyTypes = []KeyType{P256, P384, RSA2048, RSA3072, RSA4096}

// Certificate is a lineage: what is asked for, from whom, and the plan for its next version.
type Certificate struct {
	ID        CertificateID
	Tenant    TenantID
	Domain    DomainID
	Names     []string
	Issuer    IssuerID // whom the current version came from; before the first, whom it will be asked of
	Profile   string   // ACME profile, empty for the CA's default
	KeyType   KeyType
	Current   VersionID // empty before the first
	Plan      Verdict   // zero before the first version
	ARI       RenewalInfo
	RenewNow  time.Time // a person asked at this instant; zero otherwise
	RenewedBy string    // who asked

	Prefers       IssuerID    // asked first as long as the policy allows it; empty: as the policy has it
	Strategy      KeyStrategy // where the next key comes from
	CSR           string      // the customer's own, PEM; empty when there is none
	Changed       time.Time   // when a person changed what the next version is ordered with; zero otherwise
	Change        string      // what was changed, in words
	Compromised   time.Time   // when the current version's key was reported; zero otherwise
	CompromisedBy string      // who reported it
	KeyRefused    time.Time   // when an authority refused the current version's key for another one; zero otherwise
	Revoked       time.Time   // when we learnt that the current version is revoked; zero otherwise
	PausedUntil   time.Time   // a person paused renewals until then; zero otherwise
	PausedBy      string      // who paused them
	PausedWhy     string      // why, in their words
	Event         MassEvent   // that replaces the current version, told by its SPKI alone; without a deadline there is none
}

// Succeeded is the lineage once v, which o brought, has taken the place of before (nil: none). What made a renewal
// necessary ends with it, but for what v does not heal: settings that changed after it was ordered, and a key that was
// reported, or is to go in a mass event, and is still in use.
func (c Certificate) Succeeded(o Order, before *Version, v Version) Certificate {
	c.Current, c.Plan, c.ARI = v.ID, Verdict{}, RenewalInfo{}
	c.RenewNow, c.RenewedBy, c.Revoked, c.KeyRefused = time.Time{}, "", time.Time{}, time.Time{}
	if !c.Changed.After(o.Created) {
		c.Changed, c.Change = time.Time{}, ""
	}
	if before == nil || before.SPKI != v.SPKI {
		c.Compromised, c.CompromisedBy = time.Time{}, ""
	}
	if !has(c.Event.SPKI, v.SPKI) {
		c.Event = MassEvent{}
	}
	return c
}

// RenewalInfo is what the CA said about when to renew (RFC 9773, section 4.2).
type RenewalInfo struct {
	Start, End     time.Time // the suggested window; zero when the CA has no ARI or was not asked yet
	ExplanationURL string
	Fetched        time.Time
	Next           time.Time // not asked again before
}

// Version is one issued X.509 certificate of a lineage.
type Version struct {
	ID          VersionID
	Tenant      TenantID
	Certificate CertificateID
	Order       OrderID
	IssuerID    IssuerID
	Account     AccountID // that it was ordered with
	Number      int       // 1 for the first of the lineage
	Names       []string
	Profile     string // ACME profile that it was ordered with; empty: none was named
	Serial      string // lower-case hex
	Issuer      string // the signing CA's common name
	NotBefore   time.Time
	NotAfter    time.Time
	KeyType     KeyType
	SPKI        string // SHA-256 of the subject public key info, hex
	Fingerprint string // SHA-256 of the certificate, hex
	ARICertID   string // RFC 9773, section 4.1
	Chain       string // PEM, leaf first
	Reason      Reason // why this version was ordered
	Issued      time.Time
	Replaced    time.Time // when the next version took its place
	KeyCreated  time.Time // when its key was made, or first ordered for in a CSR
	OwnKey      bool      // the key is the customer's own and never reached us
	Revocation  Revocation
}

// Lifetime is how long the version is valid.
func (v Version) Lifetime() time.Duration { return v.NotAfter.Sub(v.NotBefore) }

// Issuer is an ACME CA as the portal uses it.
type Issuer struct {
	ID        IssuerID
	Name      string            // as pages show it: "Let’s Encrypt"
	Directory string            // RFC 8555, section 7.1.1; its URL is the identity of the issuer
	Profile   string            // asked for unless the certificate names another
	Profiles  map[string]string // that it offers: name → what it says of it; nil while its directory was not read
	AccountID AccountID         // which account of ours there is used: the tenant's where the issuer was read for one, else the first
	Account   string            // its URL, empty before registration
	CAA       []string          // identities that a CAA record may name (from the directory's meta)
	Limits    Limits
	FreeARI   bool // a renewal that names what it replaces (RFC 9773, section 5) spends none of Limits
}
