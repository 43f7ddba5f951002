package tenants

import "slices"

// Role is what a member may do inside one tenant.
type Role string

const (
	Viewer   Role = "viewer"   // reads domains and certificates
	Auditor  Role = "auditor"  // a viewer who also reads and exports the audit log
	Editor   Role = "editor"   // adds, renews, releases, downloads certificates
	Approver Role = "approver" // an editor who also answers approvals
	Admin    Role = "admin"    // everything in the tenant, private keys included
)

// Roles lists the roles of a tenant from the weakest to the strongest.
var Roles = []Role{Viewer, Auditor, Editor, Approver, Admin}

// PlatformRole is what a person may do across tenants. Empty is nothing.
type PlatformRole string

const (
	Operator        PlatformRole = "operator" // creates tenants, maps groups, sees everything but keys
	PlatformAuditor PlatformRole = "auditor"  // sees everything but keys, changes nothing
)

// ActorKind says what sort of being acted; pages draw each with its own icon.
type ActorKind string

const (
	Person      ActorKind = "person"
	TokenActor  ActorKind = "token"
	SystemActor ActorKind = "system"
	AgentActor  ActorKind = "agent"
	CAActor     ActorKind = "ca"
)

// Actor is who acts, in which tenant, from where. It is a value and a required argument of everything that
// reads or changes a tenant's rows; audit entries are made from it.
type Actor struct {
	Kind      ActorKind
	Name      string // e-mail address of a person, name of a machine
	Issuer    string // OIDC issuer of a person
	Subject   string // OIDC subject of a person
	Tenant    TenantID
	Role      Role         // in Tenant; empty when not a member
	Platform  PlatformRole // across tenants
	Address   string       // remote IP address
	RequestID string
}

// System is the portal itself, acting in one tenant.
func System(tenant TenantID) Actor {
	return Actor{Kind: SystemActor, Name: "Perennial", Tenant: tenant}
}

// Permission is one thing an actor may or may not do.
type Permission string

const (
	ReadDomains         Permission = "read domains"
	AddDomain           Permission = "add a domain"
	CheckDomain         Permission = "ask for a DNS check"
	RenewCertificate    Permission = "renew a certificate"
	RevokeCertificate   Permission = "revoke a certificate"
	ChangeCertificate   Permission = "change what a certificate is ordered with"
	PauseRenewals       Permission = "pause renewals"
	ReleaseDomain       Permission = "give up a domain"
	DownloadCertificate Permission = "download a certificate"
	DownloadKey         Permission = "download a private key"
	ChangeHours         Permission = "change the renewal hours"
	ChangePolicy        Permission = "change the policy"
	ReadAudit           Permission = "read the audit log"
	ReadTenants         Permission = "see all tenants"
	ManageTenants       Permission = "change tenants"
	ManageIssuers       Permission = "change authorities"
	ReplaceMany         Permission = "replace certificates of all tenants"
)

var roleMay = map[Role][]Permission{
	Viewer:   {ReadDomains, DownloadCertificate},
	Auditor:  {ReadDomains, DownloadCertificate, ReadAudit},
	Editor:   {ReadDomains, DownloadCertificate, AddDomain, CheckDomain, RenewCertificate, RevokeCertificate, ChangeCertificate, PauseRenewals, ReleaseDomain},
	Approver: {ReadDomains, DownloadCertificate, AddDomain, CheckDomain, RenewCertificate, RevokeCertificate, ChangeCertificate, PauseRenewals, ReleaseDomain},
	Admin: {ReadDomains, DownloadCertificate, AddDomain, CheckDomain, RenewCertificate, RevokeCertificate, ChangeCertificate, PauseRenewals, ReleaseDomain,
		ChangeHours, ChangePolicy, ReadAudit, DownloadKey},
}

var platformMay = map[PlatformRole][]Permission{
	Operator:        {ReadDomains, DownloadCertificate, CheckDomain, ReadAudit, ReadTenants, ManageTenants, ManageIssuers, ReplaceMany},
	PlatformAuditor: {ReadDomains, DownloadCertificate, ReadAudit, ReadTenants},
}

// May reports whether the actor's roles carry the permission. The portal itself may do everything except hand
// out private keys, which only ever leave at a person's request.
func (a Actor) May(p Permission) bool {
	if a.Kind == SystemActor {
		return p != DownloadKey
	}
	return slices.Contains(roleMay[a.Role], p) || slices.Contains(platformMay[a.Platform], p)
}

// RoleName is the word pages use for what the actor is, for sentences such as "The role Auditor may not …".
func (a Actor) RoleName() string {
	if a.Role != "" {
		return string(a.Role)
	}
	if a.Platform != "" {
		return "platform " + string(a.Platform)
	}
	return "none"
}
