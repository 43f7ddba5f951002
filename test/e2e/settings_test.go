package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"testing"
)

// ownCSR changes a certificate to a key that never reaches the portal: the page refuses what is no CSR, shows what changes,
// and the next version is for that key.
func ownCSR(t *testing.T, w *world) {
	b := newTab(t)
	b.signIn(w.Portal, "ops@acme.example")
	b.goTo(w.Portal + "/t/acme/settings/policy")
	b.click("own-csr")
	b.click("save-policy")
	b.sees("The policy is used now.")

	page, name := b.domain("preview.acme.example"), "preview.acme.example"
	b.goTo(w.Portal + page)
	b.click("change-certificate")
	b.arrives(page + "/settings")
	b.click("from-csr")
	b.write("csr", "hello")
	b.click("show-effect")
	b.sees("This is not a CSR in PEM.", "What you typed is kept.")

	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	must(t, err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	spki := sha256.Sum256(public)
	b.write("csr", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})))
	b.click("show-effect")
	b.sees("What changes", "us, a new one each time", "you, in a CSR", "with your own P-384 key")
	b.click("save-settings")
	b.lands(page)
	eventually(t, patience, "the version is for the customer's key", func() error {
		b.goTo(w.Portal + page)
		if !b.has("own-key") || b.element("spki") != hex.EncodeToString(spki[:]) {
			return errors.New("not yet")
		}
		return nil
	})
	if b.has("download-key") {
		t.Error("the page offers a key that the portal never had")
	}
	b.quiet("status of 422")
}

func showEffect(b *tab) {
	b.click("type-P-384")
	b.click("show-effect")
	b.sees("What changes")
}
