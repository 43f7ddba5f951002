package store_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// account makes the key of the first account, and opens it.
func (s story) account() (tenants.AccountID, *ecdsa.PrivateKey) {
	s.Helper()
	key := must[*ecdsa.PrivateKey](s)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := must[[]byte](s)(x509.MarshalPKCS8PrivateKey(key))
	id := s.issuer(nil).AccountID
	check(s, s.sys.SaveAccount(s.ctx, id, store.NewKey{Type: tenants.P256, Key: tenants.NewSecret(der)}, "https://ca.example/acct/1"))
	return id, key
}

func TestChangeOfAccountKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, p := tell(t, w), w.Platform()
		wantKind(t, p.ChangeAccountKey(s.ctx, s.issuer(nil).AccountID), tenants.Conflict) // it was not opened
		id, _ := s.account()
		first, _, err := s.sys.AccountKey(s.ctx, id)
		check(t, err)
		check(t, p.ChangeAccountKey(s.ctx, id))
		wantKind(t, p.ChangeAccountKey(s.ctx, id), tenants.Conflict)
		next, ok, err := s.sys.NextAccountKey(s.ctx, id)
		if err != nil || !ok || bytes.Equal(next.Reveal(), first.Reveal()) {
			t.Fatalf("the next key: %v, %v", ok, err)
		}
		check(t, s.sys.AccountKeyRefused(s.ctx, id, "no"))
		if key, _, err := s.sys.AccountKey(s.ctx, id); err != nil || !bytes.Equal(key.Reveal(), first.Reveal()) {
			t.Errorf("the old key did not stay: %v", err)
		}
		check(t, p.ChangeAccountKey(s.ctx, id))
		next, _, err = s.sys.NextAccountKey(s.ctx, id)
		check(t, err)
		for range 2 { // twice is once
			check(t, s.sys.AccountKeyChanged(s.ctx, id))
		}
		key, _, err := s.sys.AccountKey(s.ctx, id)
		if err != nil || !bytes.Equal(key.Reveal(), next.Reveal()) {
			t.Errorf("the new key did not take its place: %v", err)
		}
		if _, ok, err := s.sys.NextAccountKey(s.ctx, id); ok || err != nil {
			t.Errorf("a change is under way still: %v", err)
		}
	})
}

// What leaves is an encrypted key that openssl reads with the passphrase, and with no other; each time is an audit entry.
func TestExportAccountKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, p := tell(t, w), w.Platform()
		id, key := s.account()
		_, err := p.ExportAccountKey(s.ctx, id, tenants.NewSecret([]byte("short")))
		if f := fieldsOf(err); f["passphrase"] == "" {
			t.Errorf("a short passphrase: %v", err)
		}
		pem := must[tenants.Secret](t)(p.ExportAccountKey(s.ctx, id, tenants.NewSecret([]byte("correct horse battery"))))
		file := filepath.Join(t.TempDir(), "key.pem")
		check(t, os.WriteFile(file, pem.Reveal(), 0o600))
		der, err := exec.Command("openssl", "pkey", "-in", file, "-passin", "pass:correct horse battery", "-outform", "DER").Output()
		check(t, err)
		read := must[*ecdsa.PrivateKey](t)(x509.ParseECPrivateKey(der))
		if !read.Equal(key) {
			t.Error("openssl reads another key")
		}
		if exec.Command("openssl", "pkey", "-in", file, "-passin", "pass:wrong").Run() == nil {
			t.Error("openssl reads it with another passphrase")
		}
		e := must[store.EntryPage](t)(p.Entries(s.ctx, store.EntryFilter{What: string(tenants.DidExportKey)}))
		if e.Total != 1 || e.Entries[0].Actor.Name != storetest.Operator().Name {
			t.Errorf("entries: %+v", e)
		}
		auditor := storetest.Operator()
		auditor.Platform = tenants.PlatformAuditor
		_, err = w.DB.Platform(auditor).ExportAccountKey(s.ctx, id, tenants.NewSecret([]byte("correct horse battery")))
		wantKind(t, err, tenants.Denied)
		wantKind(t, w.DB.Platform(auditor).ChangeAccountKey(s.ctx, id), tenants.Denied)
	})
}
