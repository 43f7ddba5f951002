package e2e

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBrowser is what a newcomer does, in Chromium, in the world of make run.
func TestBrowser(t *testing.T) {
	t.Parallel()
	newTab(t) // before the world, which nobody needs without a browser
	w := startWorld(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"newcomer", newcomer}, {"other tenant", otherTenant}, {"without script", withoutScript},
		{"dry run", rehearsal}, {"revocation", revocation}, {"own CSR", ownCSR},
		{"operator", operator}, {"platform auditor", platformAuditor}, {"replacement", replacing}, {"accessibility", everyPage},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, w) })
	}
}

// newcomer goes from the sign-in to a certificate and its pages.
func newcomer(t *testing.T, w *world) {
	b := newTab(t)
	b.signIn(w.Portal, "ops@acme.example")
	b.arrives("/t/acme/domains")
	b.click("add-domain")
	b.arrives("/t/acme/domains/new")
	b.write("name1", "https://Shop.Acme.example/")
	b.click("submit-names")
	b.arrives("/t/acme/domains/dom_")
	b.sees("shop.acme.example", "Your turn:", "CNAME")
	if n := value[int](b, `document.querySelectorAll('#record-name, #record-target').length`); n != 2 {
		t.Errorf("the page shows %d parts of a record, want name and target of one", n)
	}
	name, target := b.element("record-name"), b.element("record-target")
	if name != "_acme-challenge.shop.acme.example" || !strings.HasSuffix(target, "."+w.DelegationZone) {
		t.Errorf("the record is %s CNAME %s", name, target)
	}
	b.copies("copy-name")
	b.copies("copy-target")

	// From here on nobody touches this window: a reload would lose the mark.
	value[bool](b, `(window.untouched = true)`)
	dns := newTab(t)
	dns.addRecord(w.CustomerDNS, "acme.example", name, target)
	seen := b.watch("Nothing for you to do. It renews by itself", "Your turn:", "Our turn:", "Now: Order placed", "Now: Challenge record written",
		"Now: Authority validates", "Now: Certificate issued")
	t.Logf("states seen on the way: %s", strings.Join(seen, " → "))
	if !value[bool](b, `window.untouched === true`) {
		t.Error("the page was reloaded on the way")
	}
	b.certificatePage(t)
	b.lists(t)
	b.quiet()
	dns.quiet()
}

// copies presses a copy button and hears that it worked.
func (b *tab) copies(id string) {
	b.t.Helper()
	b.click(id)
	eventually(b.t, patience, id+" says that it copied", func() error {
		label, line := b.element(id), b.element("announce")
		if label != "Copied" || line != "Copied" {
			return fmt.Errorf("the button says %q, the announcement %q", label, line)
		}
		return nil
	})
}

// addRecord plays the customer's DNS administrator.
func (b *tab) addRecord(page, apex, name, target string) {
	b.t.Helper()
	b.goTo(page + "/?zone=" + apex)
	b.choose("zone", apex)
	b.choose("type", "CNAME")
	b.write("name", strings.TrimSuffix(name, "."+apex))
	b.write("value", target)
	b.click("add")
	b.sees(name, target)
}

// watch reads a page again and again until it says the last word, and returns the states that it went through. They
// must come in their order; quick ones may pass between two looks.
func (b *tab) watch(last string, states ...string) (seen []string) {
	b.t.Helper()
	at := 0
	eventually(b.t, patience, "the page says "+last, func() error {
		text, err := ask[string](b, `document.body.textContent`)
		if err != nil {
			return err
		}
		text = strings.Join(strings.Fields(text), " ")
		for i, state := range states {
			if !strings.Contains(text, state) || slices.Contains(seen, state) {
				continue
			}
			if i < at {
				b.t.Errorf("the page says %q after %q", state, states[at])
			}
			at, seen = i, append(seen, state)
		}
		if !strings.Contains(text, last) {
			return errors.New(text)
		}
		return nil
	})
	return seen
}

// certificatePage looks at the page of the certificate and downloads everything. Each download is an audit entry.
func (b *tab) certificatePage(t *testing.T) {
	t.Helper()
	b.sees("shop.acme.example", "Version 1", "Valid until", "Planned renewal", "Why then", "No later than", "Versions", "Names", "Key", "P-256",
		"Chain", "Next step", "SHA-256")
	if why := b.element("why"); !strings.HasSuffix(why, ".") {
		t.Errorf("the plan's reason is no sentence: %q", why)
	}
	dir := t.TempDir()
	b.downloadsTo(dir)
	b.click("download-cert")
	leaf := pemFile(t, dir, "shop.acme.example.cert.pem", "CERTIFICATE")
	b.click("download-fullchain")
	chain := pemFile(t, dir, "shop.acme.example.fullchain.pem", "CERTIFICATE", "CERTIFICATE")
	b.click("download-key")
	b.sees("Download the private key?")
	b.click("confirm-key")
	key := pemFile(t, dir, "shop.acme.example.key.pem", "PRIVATE KEY")
	matches(t, leaf[0], chain, key[0])
	b.click("nav-audit")
	b.arrives("/t/acme/audit")
	b.write("target", "shop.acme.example")
	b.click("show")
	b.arrives("/t/acme/audit?")
	text, err := b.text()
	must(t, err)
	if n := strings.Count(text, "downloaded"); n != 3 {
		t.Errorf("the audit log has %d downloads, want 3:\n%s", n, text)
	}
}

// pemFile waits for a downloaded file and returns the blocks in it.
func pemFile(t *testing.T, dir, name string, types ...string) (blocks []*pem.Block) {
	t.Helper()
	eventually(t, patience, name+" is downloaded", func() error {
		rest, err := os.ReadFile(filepath.Join(dir, name))
		blocks = nil
		var got []string
		for block, more := pem.Decode(rest); block != nil; block, more = pem.Decode(more) {
			blocks, got = append(blocks, block), append(got, block.Type)
		}
		if err == nil && !slices.Equal(got, types) {
			err = fmt.Errorf("it holds %v, want %v", got, types)
		}
		return err
	})
	return blocks
}

// matches checks that the files belong together.
func matches(t *testing.T, leaf *pem.Block, chain []*pem.Block, key *pem.Block) {
	t.Helper()
	cert, err := x509.ParseCertificate(leaf.Bytes)
	must(t, err)
	if err := cert.VerifyHostname("shop.acme.example"); err != nil {
		t.Error(err)
	}
	if !slices.Equal(chain[0].Bytes, leaf.Bytes) {
		t.Error("the chain begins with another certificate")
	}
	private, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	must(t, err)
	signer, ok := private.(*ecdsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(cert.PublicKey) {
		t.Errorf("the key (%T) is not that of the certificate", private)
	}
}

// lists looks at the home page, the renewals and the filters of the audit log.
func (b *tab) lists(t *testing.T) {
	t.Helper()
	b.click("nav-domains")
	b.arrives("/t/acme/domains")
	b.sees("Expires", "shop.acme.example", "www.acme.example", "Renewal failing", "Waiting for DNS", "Active")
	if n := value[int](b, `document.querySelectorAll('#list svg.lane').length`); n < 10 {
		t.Errorf("the list has %d lanes", n)
	}
	failing := value[string](b, `document.querySelector('#tally-failing b').textContent.trim()`)
	b.click("tally-failing")
	b.arrives("/t/acme/domains?status=failing")
	if rows := value[int](b, `document.querySelectorAll('table.domains tbody tr').length`); fmt.Sprint(rows) != failing || rows == 0 {
		t.Errorf("the tally counts %s failing domains, the list has %d", failing, rows)
	}
	b.click("show-all")
	b.lands("/t/acme/domains")
	week := value[string](b, `new URL(document.querySelector('figure svg.chart a[href*="week="]').getAttribute('href'), location).href`)
	b.goTo(week)
	b.sees("Show all")
	b.click("nav-renewals")
	b.arrives("/t/acme/renewals")
	b.sees("Planned renewals by day", "Budget at the authority", "of 300", "Next renewals")
	b.click("nav-audit")
	b.arrives("/t/acme/audit")
	b.sees("Audit log", "ops@acme.example")
	b.choose("what", value[string](b, `[...document.querySelectorAll('#what option')].find(o => o.value.startsWith('certificate')).value`))
	b.write("who", "ops@acme.example")
	b.click("show")
	b.arrives("/t/acme/audit?who=ops%40acme.example")
	b.sees("downloaded")
}

// otherTenant signs in as Northwind, which sees nothing of Acme.
func otherTenant(t *testing.T, w *world) {
	acme := newTab(t)
	acme.signIn(w.Portal, "ops@acme.example")
	acme.goTo(w.Portal + "/t/acme/domains?q=www.acme.example")
	domain := value[string](acme, `document.querySelector('table.domains tbody a').getAttribute('href')`)

	b := newTab(t)
	b.signIn(w.Portal, "it@northwind.example")
	b.arrives("/t/northwind/domains")
	b.sees("northwind.example")
	for _, path := range []string{"/t/northwind/domains", "/t/northwind/renewals", "/t/northwind/audit"} {
		b.goTo(w.Portal + path)
		if html := value[string](b, `document.documentElement.outerHTML`); strings.Contains(html, "acme.example") || strings.Contains(html, "Acme") {
			t.Errorf("%s shows something of Acme", path)
		}
	}
	b.quiet()
	for _, path := range []string{"/t/acme/domains", domain, strings.Replace(domain, "/t/acme/", "/t/northwind/", 1)} {
		b.goTo(w.Portal + path)
		text, err := b.text()
		must(t, err)
		if strings.Contains(text, "www.acme.example") || !strings.Contains(text, "There is no") && !strings.Contains(text, "not here") {
			t.Errorf("%s says: %s", path, text)
		}
	}
	b.quiet("status of 404")
}

// withoutScript is the main path with JavaScript turned off; the visitor reloads by hand.
func withoutScript(t *testing.T, w *world) {
	b := newTab(t)
	b.withoutScript()
	b.signIn(w.Portal, "web@acme.example")
	b.click("add-domain")
	b.arrives("/t/acme/domains/new")
	b.write("name1", "plain.acme.example")
	b.click("submit-names")
	b.arrives("/t/acme/domains/dom_")
	name, target := b.element("record-name"), b.element("record-target")
	dns := newTab(t)
	dns.withoutScript()
	dns.addRecord(w.CustomerDNS, "acme.example", name, target)
	b.click("check-now")
	b.appears("note")
	page := w.Portal + value[string](b, `location.pathname`)
	eventually(t, patience, "a reload shows the certificate", func() error {
		b.goTo(page)
		text, err := b.text()
		if err == nil && !strings.Contains(text, "Version 1") {
			err = errors.New(text)
		}
		return err
	})
	b.click("release")
	b.arrives("/t/acme/domains/dom_")
	b.sees("Type the name to confirm")
	b.click("keep-domain")
	b.sees("Nothing for you to do.")
	b.quiet()
}
