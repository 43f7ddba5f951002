package e2e

import (
	"strings"
	"testing"
)

// operator creates a tenant, maps a group to it, and its first person comes in at once.
func operator(t *testing.T, w *world) {
	b := newTab(t)
	b.signIn(w.Portal, "operator@portal.example")
	b.arrives("/overview")
	b.sees("Platform overview")
	b.click("nav-tenants")
	b.arrives("/tenants")
	b.sees("Acme Retail", "Northwind")
	stranger := newTab(t)
	stranger.signIn(w.Portal, "stranger@elsewhere.example")
	stranger.appears("signin-error")

	b.click("add-tenant")
	b.arrives("/tenants/new")
	b.write("name", "Globex")
	b.write("slug", "globex")
	b.write("group1", "elsewhere")
	b.choose("role1", "admin")
	b.click("more-groups")
	b.sees("Remove group 2")
	b.write("group2", "globex-web")
	b.choose("role2", "viewer")
	b.click("save-tenant")
	b.sees("Globex")
	b.goTo(w.Portal + "/tenants")
	b.click("open-globex")
	b.arrives("/tenants/ten_")
	groups := value[string](b, `[...document.querySelectorAll('.map input, .map select')].map(e => e.value).join(' ')`)
	if groups != "elsewhere admin globex-web viewer" {
		t.Errorf("the tenant's groups are %q", groups)
	}
	b.goTo(w.Portal + "/t/acme/domains")
	b.sees("www.acme.example")
	b.goTo(w.Portal + "/audit")
	b.sees("Globex", "Acme Retail")
	b.quiet()

	stranger.signIn(w.Portal, "stranger@elsewhere.example")
	stranger.arrives("/t/globex/domains")
	stranger.sees("Which name needs a certificate?")
	stranger.quiet("status of 403")
}

// platformAuditor sees everything and can change nothing; there is no way to a key.
func platformAuditor(t *testing.T, w *world) {
	b := newTab(t)
	b.signIn(w.Portal, "audit@portal.example")
	b.arrives("/overview")
	b.click("nav-tenants")
	b.arrives("/tenants")
	b.sees("Acme Retail", "Northwind")
	b.lacks("add-tenant")
	b.click("open-acme")
	b.arrives("/tenants/ten_")
	b.lacks("save-tenant")
	b.goTo(w.Portal + "/t/acme/domains?q=www.acme.example")
	b.lacks("add-domain")
	b.goTo(w.Portal + value[string](b, `document.querySelector('table.domains tbody a').getAttribute('href')`))
	b.sees("Version 1")
	b.lacks("download-key", "renew-now", "release", "check-now")
	page := value[string](b, `document.documentElement.outerHTML`)
	if strings.Contains(page, "/key") {
		t.Error("the page holds a link to the key")
	}
	b.goTo(w.Portal + "/audit")
	b.sees("Audit log")
	b.quiet()
}

func (b *tab) lacks(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		if b.has(id) {
			b.t.Errorf("%s offers %s", b.path(), id)
		}
	}
}
