// Package views draws pages. A component takes one flat struct made of the nouns of package tenants, and words,
// dates and geometry are computed here from those and from Page.Now: a template cannot query, and what it shows
// depends on nothing but its input.
//
// # Rules of the house
//
// The content security policy forbids inline style, inline script and event attributes, so nothing here writes
// any: pictures are SVG with presentation attributes only, all x in percent and no viewBox. Everything works
// without script; static/perennial.js only adds copying, live fragments and native dialogs. Every interactive
// element has a stable id. Each page has exactly one h1.
//
// # Addresses
//
// The paths that pages link to and forms post to are written once, in urls.go; the route table in package
// handlers answers exactly those.
//
// # Live pages
//
// A page with something under way carries data-live with the address of its event stream. The stream only ever
// says "changed"; the script then reads the page again and takes over what differs inside the element marked
// data-fragment.
//
// # Components
//
//	SignIn(SignInPage)
//	Domains(DomainsPage)
//	AddDomains(AddDomainsPage)
//	Domain(DomainPage)          chooses between DomainWaiting, DomainIssuing, Certificate and Failure
//	Renewals(RenewalsPage)
//	Audit(AuditPage) · Entry(EntryPage)
//	Tenants(TenantsPage) · TenantEdit(TenantEditPage)
//	ConfirmKey(ConfirmPage) · ConfirmRelease(ConfirmPage) · ConfirmRenew(ConfirmPage)
//	Error(ErrorPage)
package views
