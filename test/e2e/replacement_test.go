package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// replacing has one certificate replaced by number, as an operator: dry run, a wrong number, start, and the page tells by
// itself that it is done. Another one that cannot be renewed stays, with who must act.
func replacing(t *testing.T, w *world) {
	b := newTab(t)
	b.signIn(w.Portal, "operator@portal.example")
	b.arrives("/overview")
	b.click("nav-replacement")
	b.sees("Nothing was ever replaced this way.")
	b.runDry(w, b.serial(w, "www.acme.example"), 15*time.Second)
	b.sees("the dry run found 1 certificate. Nothing has changed yet.", "Acme Retail")
	b.write("typed", "7")
	b.click("start")
	b.sees("1 would be replaced. Type this number")
	if focused := value[string](b, `document.activeElement.id`); focused != "typed" {
		t.Errorf("after a wrong number the focus is on %q", focused)
	}
	b.write("typed", "1")
	b.click("start")
	b.arrives("/replacement/evt_")
	b.sees("One serial number, 1 certificate")
	value[bool](b, `(window.untouched = true)`)
	eventually(t, 90*time.Second, "the page says by itself that it is done", func() error {
		text, err := b.text()
		if err == nil && (!strings.Contains(text, "1 of 1 certificate is replaced") || b.has("stop")) {
			err = fmt.Errorf("it says %s", text)
		}
		return err
	})
	if !value[bool](b, `window.untouched === true`) {
		t.Error("the page was loaded anew")
	}
	b.click("evidence")
	b.arrives("/audit")
	b.sees("started to replace 1 certificate of 1 tenant by", "replaced 1 of 1 certificate")
	b.quiet("status of 422")

	b.runDry(w, b.serial(w, "pay.acme.example"), 24*time.Hour)
	b.write("typed", "1")
	b.click("start")
	b.arrives("/replacement/evt_")
	b.sees("1 certificate needs a person", "CAA record forbids it", "the tenant", "Running")
	b.quiet()

	admin := newTab(t)
	admin.signIn(w.Portal, "ops@acme.example")
	admin.goTo(w.Portal + "/t/acme/audit?what=event")
	admin.sees("began to replace 1 certificate by", "as the operator asked: seen in public.")
	admin.quiet()
}

// runDry fills the form for one serial number.
func (b *tab) runDry(w *world, serial string, within time.Duration) {
	b.t.Helper()
	b.goTo(w.Portal + "/replacement?by=list")
	b.write("serials", serial)
	b.choose("deadline", time.Now().Add(within).UTC().Format("2006-01-02T15:04:05"))
	b.write("why", "seen in public")
	b.click("run-dry")
}

// serial is the number of a name's current version.
func (b *tab) serial(w *world, name string) string {
	b.t.Helper()
	b.goTo(w.Portal + b.domain(name) + "/certificate")
	b.appears("serial")
	return b.element("serial")
}

func badReplacement(b *tab) {
	b.write("spki", "0011")
	b.click("run-dry")
	b.appears("spki-error")
}

func dryRun(b *tab) {
	b.choose("issuer", value[string](b, `document.getElementById('issuer').options[1].value`))
	b.click("run-dry")
	b.appears("start")
}

func wrongNumber(b *tab) {
	dryRun(b)
	b.write("typed", "7")
	b.click("start")
	b.appears("typed-error")
}

// openRun opens the first run of that state.
func openRun(state string) func(*tab) {
	return func(b *tab) {
		b.t.Helper()
		id := value[string](b, fmt.Sprintf(`[...document.querySelectorAll('#runs tbody tr')].find((r) => r.innerText.includes(%q))?.querySelector('a').id ?? ''`, state))
		if id == "" {
			b.t.Fatal(errors.New("no run is " + state))
		}
		b.click(id)
		b.arrives("/replacement/evt_")
	}
}
