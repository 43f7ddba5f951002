package views

import (
	"time"

	"github.com/a-h/templ"

	"perennial/tenants"
)

// gallery is every page in every state that has a look of its own.
func gallery() map[string]templ.Component {
	degraded, filtered := domainsPage(manyRows()), domainsPage(manyRows())
	degraded.Outages = []Outage{outageCA(), {What: "provider", Name: "login.acme.example", Since: noon.Add(-8 * time.Minute)}}
	filtered.Filter, filtered.Rows, filtered.Matches = DomainsFilter{Status: tenants.Failing, Query: "acme"}, manyRows()[1:3], 2
	filtered.Note = "We are asking DNS now. The page shows the answer in a moment."
	none := filtered
	none.Rows, none.Matches, none.Note = nil, 0, ""
	one := domainsPage(manyRows()[4:5])
	empty, viewer := domainsPage(nil), domainsPage(nil)
	viewer.Page = acmePage(tenants.Viewer)
	first := certified()
	first.Versions = first.Versions[:1]
	tail, past := certified(), certified()
	tail.Versions, past.Versions = tail.Versions[2:], nil
	asCertificate := failingCAA()
	asCertificate.ShowVersion = true
	slow := issuingDomain()
	slow.Order.Finding = tenants.Finding{Code: tenants.CASilent, Args: map[string]string{"ca": "Let’s Encrypt"}}
	slow.Domain.Next = noon.Add(40 * time.Second)
	gone := certified()
	gone.Domain.Status = tenants.Released
	readOnly := certified()
	readOnly.Page = acmePage(tenants.Viewer)
	tenantErrors := tenantPage(tenants.Operator)
	tenantErrors.Errors = map[string]string{"name": "Two tenants cannot share a name. Add a place or a product.", "group2": "This group is mapped twice. Keep one of the two."}
	newTenant := TenantEditPage{Page: operatorPage(tenants.Operator), Provider: "login.portal.example"}
	quiet := auditPage(false)
	quiet.Entries, quiet.Total, quiet.Next = nil, 0, ""
	badDates := quiet
	badDates.Errors = map[string]string{"from": "This is no date. Write it as 2026-11-16."}
	return map[string]templ.Component{
		"signin":                SignIn(SignInPage{}),
		"signin-silent":         SignIn(SignInPage{Provider: "login.acme.example", Unreachable: true, Email: "ops@acme.example"}),
		"signin-failed":         SignIn(SignInPage{Error: "That sign-in took longer than 10 minutes. Begin again.", RequestID: "req_7qf2m0"}),
		"signin-out":            SignIn(SignInPage{SignedOut: true}),
		"domains":               Domains(domainsPage(manyRows())),
		"domains-minutes":       Domains(domainsPage(minuteRows())),
		"domains-filtered":      Domains(filtered),
		"domains-none":          Domains(none),
		"domains-one":           Domains(one),
		"domains-10000":         Domains(hugePage()),
		"degraded":              Domains(degraded),
		"empty":                 Domains(empty),
		"empty-viewer":          Domains(viewer),
		"add":                   AddDomains(AddDomainsPage{Page: acmePage(tenants.Editor), Names: []NameField{{}}, IssuerName: "Let’s Encrypt"}),
		"add-errors":            AddDomains(addErrors()),
		"add-refused":           AddDomains(AddDomainsPage{Page: acmePage(tenants.Editor), Names: []NameField{{Typed: "shop.acme.example"}}, Error: "Too many names wait for their record. Finish some of them first."}),
		"waiting":               Domain(newDomain("shop.acme.example", tenants.DelegationDiffers, asked("k3x9t2mq7w4z8r5v6n1b0c2d3f.dcv.oldhost.example.", tenants.Differs)...)),
		"waiting-first":         Domain(newDomain("shop.acme.example", "")),
		"waiting-missing":       Domain(newDomain("*.shop.acme.example", tenants.DelegationMissing, asked("NXDOMAIN", tenants.Missing)...)),
		"waiting-silent":        Domain(newDomain("shop.acme.example", tenants.DNSSilent, asked("no answer", tenants.Silent)...)),
		"issuing":               Domain(issuingDomain()),
		"issuing-slow":          Domain(slow),
		"certificate":           Domain(certified()),
		"certificate-first":     Domain(first),
		"certificate-minutes":   Domain(shortLived()),
		"certificate-renewing":  Domain(renewing()),
		"certificate-detour":    Domain(detoured(false)),
		"certificate-detoured":  Domain(detoured(true)),
		"certificate-failing":   Domain(asCertificate),
		"certificate-viewer":    Domain(readOnly),
		"longest":               Domain(longest()),
		"released":              Domain(gone),
		"failure":               Domain(failingCAA()),
		"failure-removed":       Domain(failingRemoved()),
		"failure-differs":       Domain(failingDiffers()),
		"failure-ca":            Domain(failingCA()),
		"failure-wildcard":      Domain(failingWildcard()),
		"failure-profile":       Domain(failingProfile()),
		"failure-never":         Domain(neverIssued()),
		"expired":               Domain(expired()),
		"expired-well":          Domain(expiredWell()),
		"rehearsal-running":     Domain(rehearsing()),
		"rehearsal-passed":      Domain(rehearsalPassed()),
		"rehearsal-failed":      Domain(rehearsalFailed()),
		"confirm-rehearsal":     ConfirmRehearsal(confirm(rehearsalPassed(), "", "")),
		"confirm-no-rehearsal":  ConfirmRehearsal(confirm(rehearsing(), "", "")),
		"renewals":              Renewals(renewalsPage(30)),
		"renewals-90":           Renewals(renewalsPage(90)),
		"renewals-minutes":      Renewals(minuteRenewals()),
		"renewals-none":         Renewals(RenewalsPage{Page: acmePage(tenants.Viewer), Days: 30}),
		"renewals-hours":        Renewals(spreadPage(tenants.Viewer)),
		"renewals-spread":       Renewals(spreadPage(tenants.Admin)),
		"renewals-effect":       Renewals(spreadEffect()),
		"renewals-uneasy":       Renewals(spreadUneasy()),
		"renewals-errors":       Renewals(wrongSpread()),
		"audit":                 Audit(auditPage(false)),
		"audit-platform":        Audit(auditPage(true)),
		"audit-none":            Audit(badDates),
		"entry":                 Entry(EntryPage{acmePage(tenants.Admin), auditPage(false).Entries[4]}),
		"policy":                Policy(policyPage(tenants.Admin)),
		"policy-errors":         Policy(policyErrors()),
		"policy-refused":        Policy(policyRefused()),
		"policy-authorities":    Policy(policyPreferring(tenants.Admin)),
		"policy-gone":           Policy(policyGone()),
		"policy-words":          Policy(policyPreferring(tenants.Viewer)),
		"policy-viewer":         Policy(policyPage(tenants.Viewer)),
		"overview":              Overview(overviewPage()),
		"overview-quiet":        Overview(quietOverview()),
		"overview-empty":        Overview(emptyOverview()),
		"overview-refused":      Overview(refusingOverview()),
		"overview-put-off":      Overview(putOffOverview()),
		"overview-outage":       Overview(brokenOverview()),
		"cause":                 FailingCause(causePage()),
		"cause-none":            FailingCause(CausePage{Page: operatorPage(tenants.Operator), Code: tenants.CAStuck}),
		"cause-unknown":         FailingCause(CausePage{Page: operatorPage(tenants.Operator), Rows: causePage().Rows[:1], Total: 1, Holders: 1}),
		"issuers":               Issuers(issuersPage()),
		"issuers-none":          Issuers(IssuersPage{Page: operatorPage(tenants.PlatformAuditor)}),
		"issuer":                IssuerDetail(issuerPage(tenants.Operator)),
		"issuer-errors":         IssuerDetail(issuerErrors()),
		"issuer-auditor":        IssuerDetail(issuerPage(tenants.PlatformAuditor)),
		"issuer-retired":        IssuerDetail(IssuerPage{Page: operatorPage(tenants.Operator), Issuer: otherIssuer()}),
		"issuers-moved":         Issuers(issuersMoved()),
		"issuer-changing":       IssuerDetail(keyChanging()),
		"issuer-put-off":        IssuerDetail(putOff(tenants.Operator)),
		"account-change":        ChangeAccountKey(accountKeyPage()),
		"account-refused":       ChangeAccountKey(accountKeyRefused()),
		"account-export":        ExportAccountKey(accountKeyPage()),
		"account-export-errors": ExportAccountKey(exportErrors()),
		"issuer-new":            AddIssuer(IssuerFormPage{Page: operatorPage(tenants.Operator)}),
		"issuer-new-errors":     AddIssuer(issuerFormErrors()),
		"issuer-retire":         RetireIssuer(RetirePage{Page: operatorPage(tenants.Operator), Issuer: otherIssuer(), Typed: "First", Error: "That is not the name. Type Second."}),
		"tenants":               Tenants(tenantsPage()),
		"tenant-edit":           TenantEdit(tenantPage(tenants.Operator)),
		"tenant-errors":         TenantEdit(tenantErrors),
		"tenant-new":            TenantEdit(newTenant),
		"tenant-auditor":        TenantEdit(tenantPage(tenants.PlatformAuditor)),
		"error-404":             Error(failed(404, acmePage(tenants.Viewer), "")),
		"error-403":             Error(failed(403, acmePage(tenants.Viewer), "The role viewer may not renew a certificate. Ask an admin of Acme Retail.")),
		"error-500":             Error(ErrorPage{Page: Page{Now: noon, RequestID: "req_7qf2m0"}, Status: 500}),
		"error-503":             Error(failed(503, operatorPage(tenants.Operator), "")),
		"confirm-key":           ConfirmKey(confirm(certified(), "", "")),
		"confirm-renew":         ConfirmRenew(confirm(certified(), "", "")),
		"confirm-revoke":        ConfirmRevoke(revokeConfirm(certified(), certified().Versions[0])),
		"confirm-revoke-older":  ConfirmRevoke(revokeConfirm(certified(), certified().Versions[1])),
		"confirm-revoke-wrong":  ConfirmRevoke(wrongRevocation()),
		"certificate-leaked":    Domain(leaked(tenants.Revocation{})),
		"certificate-revoking":  Domain(replaced(tenants.Revocation{At: noon.Add(23 * hour)})),
		"certificate-untold":    Domain(replaced(tenants.Revocation{At: noon.Add(-hour), Tries: 7, Next: noon.Add(4 * time.Minute), Finding: caFinding(tenants.CASilent)})),
		"certificate-refused":   Domain(replaced(tenants.Revocation{At: noon.Add(-hour), Tries: 2, Next: noon.Add(hour), Finding: caFinding(tenants.RevocationRefused)})),
		"certificate-revoked":   Domain(leaked(tenants.Revocation{At: noon.Add(-hour), Done: noon.Add(-hour / 2)})),
		"failure-leaked":        Domain(failingLeaked()),
		"failure-leaked-own":    Domain(leakedOwnKey()),
		"settings":              Settings(changing()),
		"settings-choosing":     Settings(choosing()),
		"settings-effect":       Settings(changed()),
		"settings-errors":       Settings(wrongCSR()),
		"pause":                 Pause(pausing()),
		"pause-errors":          Pause(wrongPause()),
		"certificate-paused":    Domain(paused()),
		"versions":              Versions(VersionsPage{DomainPage: certified()}),
		"versions-oldest":       Versions(VersionsPage{DomainPage: tail, Newer: true}),
		"versions-none":         Versions(VersionsPage{DomainPage: past, Newer: true}),
		"certificate-own":       Domain(withOwnKey()),
		"confirm-release":       ConfirmRelease(confirm(certified(), "checkout.acme", "That is not the name. Type checkout.acme.example.")),
	}
}
