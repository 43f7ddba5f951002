package e2e

import "testing"

// revocation is what somebody does whose key got out: replace the version, revoke it as soon as there is another, and see
// that both happened.
func revocation(t *testing.T, w *world) {
	b := newTab(t)
	b.signIn(w.Portal, "ops@acme.example")
	page := b.domain("www.acme.example") + "/certificate"
	b.goTo(w.Portal + page)
	b.sees("Nothing for you to do.") // the world has issued it by now
	b.goTo(w.Portal + page)
	before := b.element("serial")
	b.click("revoke")
	b.sees("Revoke version 1?")
	if at := b.path(); at != page {
		t.Errorf("the question is no dialog but %s", at)
	}
	b.choose("revoke-wait", "0s")
	b.write("revoke-name", "www.acme.example")
	b.click("confirm-revoke")
	b.arrives(page)
	b.sees("Perennial placed an order for www.acme.example.", "revoked version 1 of www.acme.example: the key may be known to others.",
		"Nothing for you to do.", "Revoked")
	if after := b.element("serial"); after == before {
		t.Errorf("the page still shows serial %s", after)
	}
	b.quiet()
}
