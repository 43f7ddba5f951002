package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
)

// place is a page, and what a person does there before it is looked at.
type place struct {
	name, path string
	then       func(*tab)
}

// everyPage goes through all pages with everybody who sees them differently. On none of them the browser complains,
// axe finds anything in light or dark on a wide or a narrow screen, or the page is wider than a small phone.
func everyPage(t *testing.T, w *world) {
	axe := axeSource(t)
	for _, who := range []struct {
		email  string
		places func(*tab) []place
	}{
		{"nobody", strangersPlaces}, {"ops@acme.example", adminsPlaces}, {"operator@portal.example", operatorsPlaces}, {"audit@portal.example", auditorsPlaces},
	} {
		t.Run(who.email, func(t *testing.T) {
			t.Parallel()
			b := newTab(t)
			b.goTo(w.Portal + "/signin")
			if who.email != "nobody" {
				b.signIn(w.Portal, who.email)
			}
			b.quiet()
			for _, p := range who.places(b) {
				t.Run(p.name, func(t *testing.T) {
					b := b.in(t)
					b.visit(w.Portal, p)
					b.quiet("status of 404", "status of 422", "status of 400", `value "never" does not conform`)
					b.accessible(axe, func() { b.visit(w.Portal, p) })
				})
			}
		})
	}
}

func (b *tab) visit(portal string, p place) {
	b.t.Helper()
	b.device(1440, "light")
	b.goTo(portal + p.path)
	if p.then != nil {
		p.then(b)
	}
}

func strangersPlaces(*tab) []place {
	return []place{{name: "sign-in", path: "/signin"}, {name: "sent to the sign-in", path: "/t/acme/domains"}}
}

func adminsPlaces(b *tab) []place {
	www, removed := b.domain("www.acme.example"), b.domain("mail.acme.example")
	return slices.Concat([]place{
		{"home", "/t/acme/domains", nil},
		{"failing ones", "/t/acme/domains?status=failing", nil},
		{"nothing found", "/t/acme/domains?q=no-such-name", clicking("tenant-menu")},
		{"add", "/t/acme/domains/new", clicking("user-menu")},
		{"add two", "/t/acme/domains/new?name1=a.acme.example&more=1", nil},
		{"add a bad name", "/t/acme/domains/new", badName},
		{"no record", b.domain("outlet.acme.example"), nil},
		{"another record", b.domain("tickets.acme-group.example"), nil},
		{"record removed", removed, nil},
		{"record removed, certificate", removed + "/certificate", nil},
		{"CAA forbids", b.domain("pay.acme.example"), nil},
		{"wildcard", b.domain("*.dev.acme.example"), nil},
		{"minutes", b.domain("grafana.acme.example"), nil},
		{"renewals", "/t/acme/renewals", clicking("by-day-open")},
		{"renewals of 90 days", "/t/acme/renewals?days=90", nil},
		{"audit", "/t/acme/audit", openEntry},
		{"audit of nothing", "/t/acme/audit?result=denied&who=nobody", nil},
		{"audit with a bad date", "/t/acme/audit?from=never&who=nobody", nil},
		{"audit entry", "/t/acme/audit/1", nil},
		{"policy", "/t/acme/settings/policy", nil},
		{"policy without its days", "/t/acme/settings/policy", badPolicy},
		{"not found", "/t/acme/nothing", nil},
	}, certificatePlaces(www))
}

func certificatePlaces(page string) []place {
	return []place{
		{"certificate", page, nil},
		{"key dialog", page, clicking("download-key")},
		{"renew dialog", page, clicking("renew-now")},
		{"revoke dialog", page, clicking("revoke")},
		{"release dialog", page, clicking("release")},
		{"confirm key", page, func(b *tab) { b.goTo(b.link("download-key")) }},
		{"confirm renew", page + "/renew", nil},
		{"confirm revoke", page, func(b *tab) { b.goTo(b.link("revoke")) }},
		{"revoke another name", page, wrongNameToRevoke},
		{"versions", page + "/versions", nil}, {"no version that old", page + "/versions?before=1", nil},
		{"change certificate", page + "/settings", nil},
		{"what changes", page + "/settings", showEffect},
		{"pause", page + "/pause", nil},
		{"confirm release", page + "/release", nil},
		{"dry run dialog", page, clicking("start-dry-run")},
		{"confirm dry run", page + "/dry-run", nil},
		{"release of another name", page + "/release", wrongName},
	}
}

func operatorsPlaces(*tab) []place {
	return []place{{"overview", "/overview", nil}, {"overview of 30 days", "/overview?p=30d", nil},
		{"a cause", "/overview/causes/dns.caa.forbidden", nil}, {"a cause of nobody", "/overview/causes/ca.stuck", nil},
		{"authorities", "/issuers", nil}, {"authority", "/issuers", openIssuer}, {"add authority", "/issuers/new", nil},
		{"add a bad authority", "/issuers/new", badIssuer}, {"bad limits", "/issuers", badLimits}, {"bad number of accounts", "/issuers", badAccounts},
		{"change of an account's key", "/issuers", openKey("change-key-1")}, {"export of an account's key", "/issuers", openKey("export-key-1")},
		{"export with two passphrases", "/issuers", badPassphrase},
		{"tenants", "/tenants", nil}, {"tenants in trouble", "/tenants?trouble=1", nil}, {"add tenant", "/tenants/new", nil},
		{"add a bad tenant", "/tenants/new", badTenant}, {"tenant", "/tenants", openAcme}, {"audit", "/audit?who=operator", openEntry},
		{"audit entry", "/audit/1", nil}, {"a tenant's home", "/t/northwind/domains", nil}, {"a tenant's policy", "/t/northwind/settings/policy", nil},
		{"replacement", "/replacement", nil}, {"replacement of nothing", "/replacement", badReplacement}, {"replacement of a list", "/replacement?by=list", nil},
		{"dry run", "/replacement?by=authority", dryRun}, {"wrong number", "/replacement?by=authority", wrongNumber},
		{"replacement running", "/replacement", openRun("Running")}, {"replacement done", "/replacement", openRun("Done")},
		{"stop a replacement", "/replacement", func(b *tab) { openRun("Running")(b); b.goTo(b.link("stop")) }}}
}

func auditorsPlaces(*tab) []place {
	return []place{{"overview", "/overview", nil}, {"tenants", "/tenants", nil}, {"tenant", "/tenants", openAcme}, {"replacements", "/replacement", nil}}
}

// domain is the path of a domain of Acme.
func (b *tab) domain(name string) string {
	b.t.Helper()
	b.goTo(value[string](b, `location.origin`) + "/t/acme/domains?q=" + name)
	return value[string](b, fmt.Sprintf(`[...document.querySelectorAll('table.domains tbody a')].find(a => a.textContent === %q).getAttribute('href')`, name))
}

func clicking(id string) func(*tab) { return func(b *tab) { b.t.Helper(); b.click(id) } }

func openAcme(b *tab) {
	b.click("open-acme")
	b.arrives("/tenants/ten_")
}

func openIssuer(b *tab) {
	b.click(value[string](b, `document.querySelector('table.budget tbody a').id`))
	b.arrives("/issuers/iss_")
}

func badIssuer(b *tab) {
	b.write("directory", "http://ca.example/directory")
	b.click("save-issuer")
	b.appears("directory-error")
}

func badLimits(b *tab) {
	openIssuer(b)
	b.write("count1", "0")
	b.click("save-limits")
	b.appears("count1-error")
}

func badAccounts(b *tab) {
	openIssuer(b)
	b.write("accounts", "none")
	b.click("save-accounts")
	b.appears("accounts-error")
}

func openKey(id string) func(*tab) {
	return func(b *tab) {
		b.t.Helper()
		openIssuer(b)
		b.goTo(b.link(id))
	}
}

func badPassphrase(b *tab) {
	openKey("export-key-1")(b)
	b.write("passphrase", "long enough for this")
	b.write("again", "but not the same")
	b.click("confirm-export")
	b.appears("again-error")
}

func badPolicy(b *tab) {
	b.click("renewal-days")
	b.click("save-policy")
	b.sees("The number of days is missing")
}

func badName(b *tab) {
	b.write("name1", "-wrong-.acme.example")
	b.click("submit-names")
	b.sees("Check again")
}

func wrongName(b *tab) {
	b.write("release-name", "another.example")
	b.click("confirm-release")
	b.appears("release-error")
}

func wrongNameToRevoke(b *tab) {
	b.goTo(b.link("revoke"))
	b.write("revoke-name", "another.example")
	b.click("confirm-revoke")
	b.appears("revoke-name-error")
}

func badTenant(b *tab) {
	b.write("name", "Wrong")
	b.write("slug", "Not A Slug")
	b.click("save-tenant")
	b.appears("slug-error")
}

// appears waits for an element.
func (b *tab) appears(id string) {
	b.t.Helper()
	eventually(b.t, patience, id+" appears", func() error {
		there, err := ask[bool](b, fmt.Sprintf(`document.getElementById(%q) !== null`, id))
		if err == nil && !there {
			err = errors.New("not yet")
		}
		return err
	})
}

func openEntry(b *tab) {
	b.click(value[string](b, `(() => { const s = document.querySelector('ol.events summary'); s.id ||= 'first-event'; return s.id })()`))
}

// link is where a link leads.
func (b *tab) link(id string) string {
	b.t.Helper()
	return value[string](b, fmt.Sprintf(`document.getElementById(%q).href`, id))
}

func axeSource(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		missing(t, "axe-core is not installed (sh test/setup)")
	}
	return string(source)
}

// accessible loads the page once more with the content security policy switched off, which axe would be stopped by,
// and looks at it in every shape.
func (b *tab) accessible(axe string, load func()) {
	b.t.Helper()
	b.bypassCSP(true)
	load()
	value[bool](b, "(() => {"+axe+"\n;return true})()")
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1440, 390} {
			b.device(width, scheme)
			for _, v := range b.violations() {
				b.t.Errorf("%s, %d px, %s: %s", b.path(), width, scheme, v)
			}
		}
	}
	b.device(320, "light")
	if wide := value[string](b, widest); wide != "" {
		b.t.Errorf("%s scrolls sideways at 320 px: %s", b.path(), wide)
	}
	b.bypassCSP(false)
	b.mu.Lock()
	*b.complaints = nil // about axe
	b.mu.Unlock()
}

// widest names the elements that make a page wider than the window; empty when it fits. A box may stay inside while
// what it holds does not.
const widest = `(() => {
	const page = document.documentElement
	if (page.scrollWidth <= page.clientWidth) return ''
	const end = (e) => {
		const box = e.getBoundingClientRect()
		return Math.max(box.right, getComputedStyle(e).overflowX === 'visible' ? box.left + e.scrollWidth : 0)
	}
	const clipped = (e) => e.closest('nav, .scroll')
	const wide = [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !clipped(e) && end(e) > page.clientWidth + 0.5)
	const inner = wide.filter((e) => !wide.some((other) => other !== e && e.contains(other)))
	return page.scrollWidth + ' px: ' + inner.slice(0, 8).map((e) => Math.round(end(e)) + ' ' + e.outerHTML.slice(0, 160)).join(' | ')
})()`

func (b *tab) violations() (all []string) {
	b.t.Helper()
	text := value[string](b, `(async () => {
		await Promise.all(document.getAnimations().filter((a) => a.effect.getComputedTiming().iterations !== Infinity).map((a) => a.finished.catch(() => {})))
		const found = await axe.run(document, { resultTypes: ['violations'], preload: false })
		return JSON.stringify(found.violations.map((v) => ({ id: v.id, help: v.help,
			nodes: v.nodes.map((n) => n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? '')) })))
	})()`)
	var found []struct {
		ID, Help string
		Nodes    []string
	}
	must(b.t, json.Unmarshal([]byte(text), &found))
	for _, v := range found {
		all = append(all, fmt.Sprintf("%s (%s): %s", v.ID, v.Help, strings.Join(v.Nodes, "\n        ")))
	}
	return all
}

// TestInstruments makes sure that what looks for faults finds them: a browser that hears nothing and an axe that sees
// nothing would pass every page.
func TestInstruments(t *testing.T) {
	t.Parallel()
	axe := axeSource(t)
	p := newParts(t, setup{})
	p.start()
	b := newTab(t)
	b.goTo(p.url() + "/signin")
	b.quiet()
	value[string](b, `(() => { const p = document.createElement('p'); p.setAttribute('style', 'color: red'); document.body.append(p); setTimeout(() => { throw new Error('on purpose') }); return '' })()`)
	eventually(t, patience, "the browser complains about an inline style and an exception", func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		heard := strings.Join(*b.complaints, "\n")
		if !strings.Contains(heard, "Content Security Policy") || !strings.Contains(heard, "exception") {
			return fmt.Errorf("it said %q", heard)
		}
		return nil
	})
	b.bypassCSP(true)
	b.goTo(p.url() + "/signin")
	value[bool](b, "(() => {"+axe+"\n;return true})()")
	value[string](b, `(() => { document.body.append(document.createElement('input')); document.body.style.width = '2000px'; return '' })()`)
	if len(b.violations()) == 0 {
		t.Error("axe does not see an input without a label")
	}
	if value[string](b, widest) == "" {
		t.Error("a page that is too wide is not noticed")
	}
}

func (b *tab) bypassCSP(yes bool) {
	b.t.Helper()
	b.do("switch the content security policy", call(page.SetBypassCSP, page.SetBypassCSPParams{Enabled: yes}))
}

func (b *tab) withoutScript() {
	b.t.Helper()
	b.do("turn JavaScript off", call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}
