package e2e

import (
	"strings"
	"testing"
)

// rehearsal rehearses a renewal of a certificate that is well, and of one that a CAA record forbids. Nothing is kept.
func rehearsal(t *testing.T, w *world) {
	axe := axeSource(t)
	b := newTab(t)
	b.signIn(w.Portal, "ops@acme.example")
	well, barred := b.domain("www.acme.example"), b.domain("pay.acme.example")
	b.goTo(w.Portal + well)
	b.appears("serial")
	serial := b.element("serial")
	b.click("start-dry-run")
	b.sees("Start a dry run of www.acme.example?", "a renewal that becomes due goes first")
	b.click("confirm-dry-run")
	b.appears("dry-run-result")
	if said := b.element("dry-run-result"); !strings.HasPrefix(said, "Dry run of ") || !strings.Contains(said, " passed in ") || !strings.HasSuffix(said, "Nothing was kept.") {
		t.Errorf("the page says %q", said)
	}
	b.sees("Certificate signed and checked", "asked for a dry run of www.acme.example at Example CA staging.", "1 version")
	if now := b.element("serial"); now != serial {
		t.Errorf("the serial was %s and is %s", serial, now)
	}
	b.quiet()
	b.accessible(axe, func() { b.goTo(w.Portal + well) })

	b.goTo(w.Portal + barred + "/dry-run")
	b.click("confirm-dry-run")
	b.appears("dry-run-result")
	b.sees("failed after", "Who must act", "Whoever runs your DNS", "dns.caa.forbidden")
	b.quiet()
	b.accessible(axe, func() { b.goTo(w.Portal + barred) })
}
