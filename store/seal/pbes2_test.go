package seal_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"perennial/store/seal"
	"perennial/tenants"
)

// Another tool opens what leaves, whatever the length of the key, and only with the passphrase. The same key never leaves
// twice in the same form.
func TestEncryptKey(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(t, err)
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	for name, key := range map[string]any{"P-256": p256, "P-384": p384, "RSA-2048": rsa2048} {
		t.Run(name, func(t *testing.T) {
			der, err := x509.MarshalPKCS8PrivateKey(key)
			check(t, err)
			out, err := seal.EncryptKey(tenants.NewSecret(der), tenants.NewSecret([]byte("correct horse battery")))
			check(t, err)
			again, err := seal.EncryptKey(tenants.NewSecret(der), tenants.NewSecret([]byte("correct horse battery")))
			check(t, err)
			if bytes.Equal(out.Reveal(), again.Reveal()) {
				t.Error("the salt is no salt")
			}
			file := filepath.Join(t.TempDir(), "key.pem")
			check(t, os.WriteFile(file, out.Reveal(), 0o600))
			text, err := exec.Command("openssl", "pkcs8", "-in", file, "-passin", "pass:correct horse battery").Output()
			check(t, err)
			if block, _ := pem.Decode(text); block == nil || !bytes.Equal(block.Bytes, der) {
				t.Error("openssl reads another key")
			}
			if exec.Command("openssl", "pkcs8", "-in", file, "-passin", "pass:wrong").Run() == nil {
				t.Error("openssl reads it with another passphrase")
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
