package handlers

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"

	"perennial/static"
	"perennial/tenants"
)

// door says who may come in before the permission is asked.
type door int

const (
	anybody  door = iota // with or without a session
	person               // signed in
	member               // of the tenant in the path, or with a platform role
	platform             // operators and platform auditors
)

// route is one line of the route table.
type route struct {
	method string
	path   string
	door   door
	needs  tenants.Permission // empty: the door is enough
	handle func(*Site, *visit) error
	kind   kind
}

// kind says what is different about a route's answers.
type kind int

const (
	page   kind = iota
	stream      // event streams and exports: no time-out, no compression; 401 instead of the sign-in page
	plain       // for machines: 401 instead of the sign-in page
)

// routes is everything the portal answers, and to whom. GET answers HEAD too. A test walks it with every role.
var routes = []route{
	{"GET", "/", person, "", (*Site).home, page},
	{"GET", "/signin", anybody, "", (*Site).signInPage, page},
	{"POST", "/signin", anybody, "", (*Site).signIn, page},
	{"GET", "/signin/callback", anybody, "", (*Site).callback, page},
	{"POST", "/signout", anybody, "", (*Site).signOut, page},
	{"POST", "/backchannel-logout", anybody, "", (*Site).backChannel, plain},
	{"POST", "/theme", anybody, "", (*Site).theme, page},
	{"GET", "/healthz", anybody, "", (*Site).healthz, plain},
	{"GET", "/readyz", anybody, "", (*Site).readyz, plain},
	{"GET", static.Prefix + "*", anybody, "", (*Site).static, plain},

	{"GET", "/t/:slug", member, tenants.ReadDomains, (*Site).tenantHome, page},
	{"GET", "/t/:slug/domains", member, tenants.ReadDomains, (*Site).domains, page},
	{"POST", "/t/:slug/domains", member, tenants.AddDomain, (*Site).addDomains, page},
	{"GET", "/t/:slug/domains/new", member, tenants.AddDomain, (*Site).addForm, page},
	{"GET", "/t/:slug/domains.csv", member, tenants.ReadDomains, (*Site).domainsCSV, stream},
	{"GET", "/t/:slug/domains/:id", member, tenants.ReadDomains, (*Site).domain, page},
	{"GET", "/t/:slug/domains/:id/certificate", member, tenants.ReadDomains, (*Site).certificate, page},
	{"POST", "/t/:slug/domains/:id/check", member, tenants.CheckDomain, (*Site).check, page},
	{"GET", "/t/:slug/domains/:id/renew", member, tenants.RenewCertificate, (*Site).confirmRenew, page},
	{"POST", "/t/:slug/domains/:id/renew", member, tenants.RenewCertificate, (*Site).renew, page},
	{"GET", "/t/:slug/domains/:id/settings", member, tenants.ChangeCertificate, (*Site).certificateSettings, page},
	{"POST", "/t/:slug/domains/:id/settings", member, tenants.ChangeCertificate, (*Site).changeSettings, page},
	{"GET", "/t/:slug/domains/:id/pause", member, tenants.PauseRenewals, (*Site).confirmPause, page},
	{"POST", "/t/:slug/domains/:id/pause", member, tenants.PauseRenewals, (*Site).pause, page},
	{"POST", "/t/:slug/domains/:id/resume", member, tenants.PauseRenewals, (*Site).resume, page},
	{"GET", "/t/:slug/domains/:id/dry-run", member, tenants.RenewCertificate, (*Site).confirmRehearsal, page},
	{"POST", "/t/:slug/domains/:id/dry-run", member, tenants.RenewCertificate, (*Site).rehearse, page},
	{"GET", "/t/:slug/domains/:id/release", member, tenants.ReleaseDomain, (*Site).confirmRelease, page},
	{"POST", "/t/:slug/domains/:id/release", member, tenants.ReleaseDomain, (*Site).release, page},
	{"GET", "/t/:slug/domains/:id/versions", member, tenants.ReadDomains, (*Site).versions, page},
	{"GET", "/t/:slug/domains/:id/versions/:version/fullchain.pem", member, tenants.DownloadCertificate, (*Site).fullChain, page},
	{"GET", "/t/:slug/domains/:id/versions/:version/cert.pem", member, tenants.DownloadCertificate, (*Site).leafPEM, page},
	{"GET", "/t/:slug/domains/:id/versions/:version/cert.der", member, tenants.DownloadCertificate, (*Site).leafDER, page},
	{"GET", "/t/:slug/domains/:id/versions/:version/chain.pem", member, tenants.DownloadCertificate, (*Site).chain, page},
	{"GET", "/t/:slug/domains/:id/versions/:version/key", member, tenants.DownloadKey, (*Site).confirmKey, page},
	{"POST", "/t/:slug/domains/:id/versions/:version/key", member, tenants.DownloadKey, (*Site).key, page},
	{"GET", "/t/:slug/domains/:id/versions/:version/revoke", member, tenants.RevokeCertificate, (*Site).confirmRevoke, page},
	{"POST", "/t/:slug/domains/:id/versions/:version/revoke", member, tenants.RevokeCertificate, (*Site).revoke, page},
	{"POST", "/t/:slug/domains/:id/versions/:version/revoke/now", member, tenants.RevokeCertificate, (*Site).revokeNow, page},
	{"GET", "/t/:slug/renewals", member, tenants.ReadDomains, (*Site).renewals, page},
	{"GET", "/t/:slug/renewals/hours", member, tenants.ChangeHours, (*Site).hoursEffect, page},
	{"POST", "/t/:slug/renewals/hours", member, tenants.ChangeHours, (*Site).useHours, page},
	{"GET", "/t/:slug/audit", member, tenants.ReadAudit, (*Site).audit, page},
	{"GET", "/t/:slug/audit.csv", member, tenants.ReadAudit, (*Site).auditCSV, stream},
	{"GET", "/t/:slug/audit.jsonl", member, tenants.ReadAudit, (*Site).auditJSON, stream},
	{"GET", "/t/:slug/audit/:number", member, tenants.ReadAudit, (*Site).entry, page},
	{"GET", "/t/:slug/settings/policy", member, tenants.ReadDomains, (*Site).tenantPolicy, page},
	{"POST", "/t/:slug/settings/policy", member, tenants.ChangePolicy, (*Site).savePolicy, page},
	{"GET", "/t/:slug/events", member, tenants.ReadDomains, (*Site).events, stream},

	{"GET", "/overview", platform, tenants.ReadTenants, (*Site).overview, page},
	{"GET", "/overview/causes/:code", platform, tenants.ReadTenants, (*Site).cause, page},
	{"GET", "/tenants", platform, tenants.ReadTenants, (*Site).tenants, page},
	{"POST", "/tenants", platform, tenants.ManageTenants, (*Site).addTenant, page},
	{"GET", "/tenants/new", platform, tenants.ManageTenants, (*Site).newTenant, page},
	{"GET", "/tenants/:id", platform, tenants.ReadTenants, (*Site).tenant, page},
	{"POST", "/tenants/:id", platform, tenants.ManageTenants, (*Site).saveTenant, page},
	{"GET", "/issuers", platform, tenants.ReadTenants, (*Site).issuers, page},
	{"POST", "/issuers", platform, tenants.ManageIssuers, (*Site).addIssuer, page},
	{"GET", "/issuers/new", platform, tenants.ManageIssuers, (*Site).newIssuer, page},
	{"POST", "/issuers/order", platform, tenants.ManageIssuers, (*Site).orderIssuers, page},
	{"GET", "/issuers/:id", platform, tenants.ReadTenants, (*Site).issuer, page},
	{"POST", "/issuers/:id/limits", platform, tenants.ManageIssuers, (*Site).saveLimits, page},
	{"POST", "/issuers/:id/again", platform, tenants.ManageIssuers, (*Site).askAgain, page},
	{"POST", "/issuers/:id/accounts", platform, tenants.ManageIssuers, (*Site).saveAccounts, page},
	{"GET", "/issuers/:id/accounts/:account/key", platform, tenants.ManageIssuers, (*Site).confirmKeyChange, page},
	{"POST", "/issuers/:id/accounts/:account/key", platform, tenants.ManageIssuers, (*Site).changeAccountKey, page},
	{"GET", "/issuers/:id/accounts/:account/export", platform, tenants.ManageIssuers, (*Site).confirmKeyExport, page},
	{"POST", "/issuers/:id/accounts/:account/export", platform, tenants.ManageIssuers, (*Site).exportAccountKey, page},
	{"GET", "/issuers/:id/retire", platform, tenants.ManageIssuers, (*Site).confirmRetire, page},
	{"POST", "/issuers/:id/retire", platform, tenants.ManageIssuers, (*Site).retireIssuer, page},
	{"GET", "/replacement", platform, tenants.ReadTenants, (*Site).replacements, page},
	{"POST", "/replacement", platform, tenants.ReplaceMany, (*Site).replace, page},
	{"GET", "/replacement/:id", platform, tenants.ReadTenants, (*Site).replacement, page},
	{"GET", "/replacement/:id/stop", platform, tenants.ReplaceMany, (*Site).confirmStop, page},
	{"POST", "/replacement/:id/stop", platform, tenants.ReplaceMany, (*Site).stopReplacement, page},
	{"GET", "/replacement/:id/events", platform, tenants.ReadTenants, (*Site).replacementEvents, stream},
	{"GET", "/audit", platform, tenants.ReadAudit, (*Site).audit, page},
	{"GET", "/audit.csv", platform, tenants.ReadAudit, (*Site).auditCSV, stream},
	{"GET", "/audit.jsonl", platform, tenants.ReadAudit, (*Site).auditJSON, stream},
	{"GET", "/audit/:number", platform, tenants.ReadAudit, (*Site).entry, page},
}

// maxTime ends work that nobody waits for any more.
const maxTime = 20 * time.Second

// mount hands a line of the table to the router.
func (s *Site) mount(r route) {
	handle := func(c echo.Context) error {
		v := &visit{Context: c, route: r, now: s.Now()}
		c.Set(visitKey, v)
		if r.kind != stream {
			ctx, cancel := context.WithTimeout(v.ctx(), maxTime)
			defer cancel()
			c.SetRequest(c.Request().WithContext(ctx))
		}
		if err := s.admit(v); err != nil {
			return err
		}
		return r.handle(s, v)
	}
	s.echo.Add(r.method, r.path, handle)
	if r.method == http.MethodGet {
		s.echo.Add(http.MethodHead, r.path, handle)
	}
}

func network(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
