package acme_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// authority is a root and an intermediate that sign whatever a test wants.
type authority struct {
	rootKey, key *ecdsa.PrivateKey
	root, inter  *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	a := &authority{rootKey: newKey(t), key: newKey(t)}
	root := caTemplate(1, "Root")
	a.root = sign(t, root, root, a.rootKey.Public(), a.rootKey)
	a.inter = sign(t, caTemplate(2, "Intermediate"), a.root, a.key.Public(), a.rootKey)
	return a
}

func caTemplate(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(0xabcdef), DNSNames: []string{"a.test", "*.a.test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 90),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

func sign(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func chainOf(certs ...*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, cert := range certs {
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return out.Bytes()
}

var ordered = []string{"a.test", "*.a.test"}

func TestCheckChain(t *testing.T) {
	a, key := newAuthority(t), newKey(t)
	leaf := sign(t, leafTemplate(), a.inter, key.Public(), a.key)
	for _, text := range [][]byte{
		chainOf(leaf, a.inter), chainOf(leaf, a.inter, a.root),
		append([]byte("subject=somebody\r\n\r\n"), bytes.ReplaceAll(chainOf(leaf, a.inter), []byte("\n"), []byte("\r\n"))...),
	} {
		v := must[tenants.Version](t)(acme.CheckChain(text, key.Public(), []string{"*.A.test", "a.test"}, now))
		if v.Serial != "abcdef" || v.Issuer != "Intermediate" || v.KeyType != tenants.P256 || v.Lifetime() != 90*24*time.Hour+time.Hour {
			t.Errorf("%+v", v)
		}
		if len(v.SPKI) != 64 || len(v.Fingerprint) != 64 || len(v.Names) != 2 || v.NotAfter.Location() != time.UTC {
			t.Errorf("%+v", v)
		}
		if !strings.HasPrefix(v.Chain, "-----BEGIN") || strings.Contains(v.Chain, "somebody") || strings.Contains(v.Chain, "\r") {
			t.Error("what stood around the certificates was kept")
		}
		id := base64.RawURLEncoding.EncodeToString(leaf.AuthorityKeyId) + "." + base64.RawURLEncoding.EncodeToString([]byte{0, 0xab, 0xcd, 0xef})
		if v.ARICertID != id {
			t.Errorf("ARI id %s, want %s", v.ARICertID, id)
		}
	}
}

// The example of RFC 9773, section 4.1.
func TestARIExample(t *testing.T) {
	a, key := newAuthority(t), newKey(t)
	template := leafTemplate()
	template.SerialNumber = big.NewInt(0x8765432100 >> 8)
	template.SerialNumber.SetBytes([]byte{0x87, 0x65, 0x43, 0x21})
	issuer := *a.inter
	issuer.SubjectKeyId = []byte{0x69, 0x88, 0x5B, 0x6B, 0x87, 0x46, 0x40, 0x41, 0xE1, 0xB3, 0x7B, 0x84, 0x7B, 0xA0, 0xAE, 0x2C, 0xDE, 0x01, 0xC8, 0xD4}
	leaf := sign(t, template, &issuer, key.Public(), a.key)
	v := must[tenants.Version](t)(acme.CheckChain(chainOf(leaf, a.inter), key.Public(), ordered, now))
	if v.ARICertID != "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE" {
		t.Error(v.ARICertID)
	}
}

func TestCheckChainRefuses(t *testing.T) {
	a, other, key := newAuthority(t), newAuthority(t), newKey(t)
	signed := func(change func(*x509.Certificate)) *x509.Certificate {
		template := leafTemplate()
		change(template)
		return sign(t, template, a.inter, key.Public(), a.key)
	}
	same := func(*x509.Certificate) {}
	leaf := signed(same)
	names := func(n ...string) func(*x509.Certificate) { return func(c *x509.Certificate) { c.DNSNames = n } }
	expired := sign(t, func() *x509.Certificate {
		c := caTemplate(3, "Intermediate")
		c.NotAfter = now.Add(-time.Second)
		return c
	}(), a.root, a.key.Public(), a.rootKey)
	constrained := sign(t, func() *x509.Certificate {
		c := caTemplate(3, "Intermediate")
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"other.test"}, true
		return c
	}(), a.root, a.key.Public(), a.rootKey)
	noSigner := sign(t, func() *x509.Certificate {
		c := leafTemplate()
		c.Subject = pkix.Name{CommonName: "Intermediate"}
		return c
	}(), a.root, a.key.Public(), a.rootKey)
	block := func(kind string) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("x")}) }

	for name, chain := range map[string][]byte{
		"nothing":                  nil,
		"garbage":                  []byte("\x00\xffgarbage"),
		"HTML":                     []byte("<html>502 Bad Gateway</html>"),
		"blocks of garbage":        append(block("CERTIFICATE"), block("CERTIFICATE")...),
		"a private key":            append(chainOf(leaf), block("EC PRIVATE KEY")...),
		"huge":                     bytes.Repeat(chainOf(leaf), 1000),
		"eleven certificates":      bytes.Repeat(chainOf(leaf), 11),
		"the certificate alone":    chainOf(leaf),
		"a damaged intermediate":   bytes.Replace(chainOf(leaf, a.inter, a.root), []byte("-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nMI"), []byte("-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n!!"), 1),
		"the wrong order":          chainOf(a.inter, leaf),
		"root before intermediate": chainOf(leaf, a.root, a.inter),
		"a missing intermediate":   chainOf(leaf, a.root),
		"the leaf twice":           chainOf(leaf, leaf, a.inter),
		"another's intermediate":   chainOf(leaf, other.inter),
		"another's root":           chainOf(leaf, a.inter, other.root),
		"an expired intermediate":  chainOf(leaf, expired),
		"a constrained one":        chainOf(leaf, constrained),
		"one that may not sign":    chainOf(leaf, noSigner),
		"another key":              chainOf(sign(t, leafTemplate(), a.inter, newKey(t).Public(), a.key), a.inter),
		"a missing name":           chainOf(signed(names("a.test")), a.inter),
		"an extra name":            chainOf(signed(names("a.test", "*.a.test", "evil.test")), a.inter),
		"another name":             chainOf(signed(names("a.test", "*.b.test")), a.inter),
		"no names":                 chainOf(signed(names()), a.inter),
		"an address":               chainOf(signed(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4bcast} }), a.inter),
		"a mailbox":                chainOf(signed(func(c *x509.Certificate) { c.EmailAddresses = []string{"x@a.test"} }), a.inter),
		"a URI":                    chainOf(signed(func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "x", Host: "y"}} }), a.inter),
		"a common name":            chainOf(signed(func(c *x509.Certificate) { c.Subject.CommonName = "evil.test" }), a.inter),
		"expired": chainOf(signed(func(c *x509.Certificate) {
			c.NotAfter = now
		}), a.inter),
		"not yet valid": chainOf(signed(func(c *x509.Certificate) { c.NotBefore = now.Add(5*time.Minute + time.Second) }), a.inter),
		"for ever":      chainOf(signed(func(c *x509.Certificate) { c.NotAfter = now.AddDate(40, 0, 0) }), a.inter),
		"ends before it begins": chainOf(signed(func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.Add(2*time.Minute), now.Add(time.Minute)
		}), a.inter),
		"a CA":           chainOf(signed(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }), a.inter),
		"not for server": chainOf(signed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), a.inter),
		"a demand unknown to us": chainOf(signed(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}), a.inter),
		"a huge number":  chainOf(signed(func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 160) }), a.inter),
		"a huge RSA key": chainOf(leaf, hugeRSA(t, a)),
	} {
		t.Run(name, func(t *testing.T) {
			v, err := acme.CheckChain(chain, key.Public(), ordered, now)
			problem(t, err, tenants.CABroken)
			if v.Chain != "" {
				t.Error("something was returned")
			}
		})
	}
}

// hugeRSA is a certificate whose key would take long to check signatures with.
func hugeRSA(t *testing.T, a *authority) *x509.Certificate {
	n := new(big.Int).Lsh(big.NewInt(1), 16384)
	n.SetBit(n, 0, 1)
	return sign(t, caTemplate(4, "Intermediate"), a.root, &rsa.PublicKey{N: n, E: 65537}, a.rootKey)
}

func TestCheckChainToleratesClocks(t *testing.T) {
	a, key := newAuthority(t), newKey(t)
	template := leafTemplate()
	template.NotBefore = now.Add(4 * time.Minute)
	template.Subject.CommonName = "a.test"
	leaf := sign(t, template, a.inter, key.Public(), a.key)
	must[tenants.Version](t)(acme.CheckChain(chainOf(leaf, a.inter), key.Public(), ordered, now))
}

func TestKeyTypes(t *testing.T) {
	a := newAuthority(t)
	rsaKey := func(bits int) crypto.Signer { return must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, bits)) }
	keys := map[tenants.KeyType]crypto.Signer{
		tenants.P256:    newKey(t),
		tenants.P384:    must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		tenants.RSA2048: rsaKey(2048), tenants.RSA3072: rsaKey(3072), tenants.RSA4096: rsaKey(4096),
	}
	for _, want := range tenants.KeyTypes {
		key := keys[want]
		leaf := sign(t, leafTemplate(), a.inter, key.Public(), a.key)
		v := must[tenants.Version](t)(acme.CheckChain(chainOf(leaf, a.inter), key.Public(), ordered, now))
		if v.KeyType != want {
			t.Errorf("%s, want %s", v.KeyType, want)
		}
		csr := must[*x509.CertificateRequest](t)(x509.ParseCertificateRequest(must[[]byte](t)(acme.CSR(key, ordered))))
		if csr.CheckSignature() != nil || strings.Join(csr.DNSNames, " ") != "a.test *.a.test" || csr.Subject.CommonName != "" {
			t.Errorf("%+v", csr)
		}
	}
}

func TestCSRRefuses(t *testing.T) {
	for _, names := range [][]string{nil, make([]string, 101), {"bücher.test"}} {
		if _, err := acme.CSR(newKey(t), names); err == nil {
			t.Errorf("%d names: no error", len(names))
		}
	}
}

// unusableKeys are kinds that ACME accounts cannot have.
func unusableKeys(t *testing.T) []crypto.Signer {
	_, ed := ed25519Key(t)
	return []crypto.Signer{ed, must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)), nil}
}

func ed25519Key(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func FuzzCheckChain(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n"))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, chain []byte) {
		if _, err := acme.CheckChain(chain, key.Public(), ordered, now); err == nil {
			t.Error("accepted")
		}
	})
}
