package tenants

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
)

var ownCSR = Policy{OwnCSR: true}

func made[K crypto.Signer](key K, err error) func(*testing.T) crypto.Signer {
	return func(t *testing.T) crypto.Signer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
}

func ecKey(t *testing.T, c elliptic.Curve) crypto.Signer {
	return made(ecdsa.GenerateKey(c, rand.Reader))(t)
}

func request(t testing.TB, key crypto.Signer, req x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &req, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func asCSR(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestCheckCSR(t *testing.T) {
	names := []string{"*.shop.acme.example", "shop.acme.example"}
	keys := map[KeyType]crypto.Signer{P256: ecKey(t, elliptic.P256()), P384: ecKey(t, elliptic.P384())}
	for kind, bits := range map[KeyType]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096} {
		keys[kind] = made(rsa.GenerateKey(rand.Reader, bits))(t)
	}
	for _, kind := range KeyTypes {
		der := request(t, keys[kind], x509.CertificateRequest{DNSNames: names})
		csr, err := CheckCSR("Here it is:\r\n"+asCSR(der)+"\n", names, ownCSR)
		public, _ := x509.MarshalPKIXPublicKey(keys[kind].Public())
		spki := sha256.Sum256(public)
		if err != nil || csr.KeyType != kind || !slices.Equal(csr.Names, names) || !slices.Equal(csr.DER, der) || csr.SPKI != hex.EncodeToString(spki[:]) {
			t.Errorf("%s: %+v, %v", kind, csr, err)
		}
	}
	for name, req := range map[string]x509.CertificateRequest{
		"common name only":    {Subject: pkix.Name{CommonName: "Shop.Acme.Example"}},
		"common name as well": {Subject: pkix.Name{CommonName: "shop.acme.example"}, DNSNames: []string{"shop.acme.example"}},
		"upper case, twice":   {DNSNames: []string{"SHOP.acme.example", "shop.acme.example"}},
	} {
		if _, err := CheckCSR(asCSR(request(t, keys[P256], req)), []string{"shop.acme.example"}, ownCSR); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := strings.ReplaceAll(asCSR(request(t, keys[P256], x509.CertificateRequest{DNSNames: names})), "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
	if _, err := CheckCSR(old, names, ownCSR); err != nil {
		t.Errorf("as old programs write it: %v", err)
	}
}

// On a curve that x509 does not read.
const secp256k1 = `-----BEGIN CERTIFICATE REQUEST-----
MIHTMHsCAQAwHDEaMBgGA1UEAwwRc2hvcC5hY21lLmV4YW1wbGUwVjAQBgcqhkjO
PQIBBgUrgQQACgNCAATdzlNnHnm0oHFKk1SZTkyPzUudmIbEsaQW+uZwEaCSaDs7
w9cadhCCZrkqN+uOwIdouKkGCGa3mHCg1STNhO7boAAwCgYIKoZIzj0EAwIDSAAw
RQIhAOGyckOlwYlOXqiHivtNEhnN9xRTiFZMBYVOXvNItGZFAiAn2p+8sb5dsRRc
sqdbjBBPDiffBI3Ey4psXDIBjAnA2Q==
-----END CERTIFICATE REQUEST-----`

// Signed with ecdsa-with-SHA1, as old programs do and x509 does not.
const sha1CSR = `-----BEGIN CERTIFICATE REQUEST-----
MIIBGDCBvwIBADAcMRowGAYDVQQDDBFzaG9wLmFjbWUuZXhhbXBsZTBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABFWwTI0zhNs3lv64DcjNdu2VQGiWzEFXFK+rQ9rv
8i0fQVwuuQyqNnYpFw0VbmyGesaN+YO3XFtspPoZokbIp/agQTA/BgkqhkiG9w0B
CQ4xMjAwMC4GA1UdEQQnMCWCEXNob3AuYWNtZS5leGFtcGxlghB3d3cuYWNtZS5l
eGFtcGxlMAkGByqGSM49BAEDSQAwRgIhAOyrkoitH2Jlwl5POvMO5+L0efc1dHGA
2KKmKZb+6cRUAiEA5eV5ngieG34PwHq21SHVJ2DHN5XRG/uc63iaQRfkvi0=
-----END CERTIFICATE REQUEST-----`

func TestCheckCSRRefuses(t *testing.T) {
	names := []string{"shop.acme.example", "www.acme.example"}
	key := ecKey(t, elliptic.P256())
	good := request(t, key, x509.CertificateRequest{DNSNames: names})
	forged := slices.Clone(good)
	forged[len(forged)-1] ^= 1
	renamed := []byte(strings.Replace(string(good), "www", "xyz", 1))
	of := func(key crypto.Signer) string {
		return asCSR(request(t, key, x509.CertificateRequest{DNSNames: names}))
	}
	foreign := x509.CertificateRequest{Subject: pkix.Name{CommonName: "Acme Shop"}, DNSNames: append([]string{"evil.example"}, names...),
		IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}, EmailAddresses: []string{"a@acme.example"}, URIs: []*url.URL{{Scheme: "spiffe", Host: "x"}}}
	rsaKey := made(rsa.GenerateKey(rand.Reader, 2048))(t)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	for _, c := range []struct{ name, text, want string }{
		{"empty", " \n", "There is no CSR here."},
		{"words", "please", "This is not a CSR in PEM."},
		{"endless", strings.Repeat("x", maxCSR+1), "This is much longer than a CSR."},
		{"certificate", strings.ReplaceAll(asCSR(good), " REQUEST", ""), "This holds a certificate, not a CSR."},
		{"private key", asCSR(good) + "-----BEGIN EC PRIVATE KEY-----\n", "This holds a private key, which nobody else may see. Make a new key"},
		{"public key", strings.ReplaceAll(asCSR(good), "CERTIFICATE REQUEST", "PUBLIC KEY"), "This is a PUBLIC KEY, not a CSR."},
		{"two", asCSR(good) + asCSR(good), "There is more than one block here."},
		{"cut", asCSR(good)[:100], "The CSR is damaged."},
		{"no PKCS#10", asCSR(good[1:]), "The CSR is damaged."},
		{"forged", asCSR(forged), "The signature of the CSR does not fit its key"},
		{"renamed", asCSR(renamed), "Make the CSR again. The CSR asks for xyz.acme.example, which"},
		{"P-224", of(ecKey(t, elliptic.P224())), "on a curve that authorities do not take. Make a new key on P-256 or P-384."},
		{"P-521", of(ecKey(t, elliptic.P521())), "on a curve that authorities do not take."},
		{"secp256k1", secp256k1, "on a curve that authorities do not take."},
		{"Ed25519", of(edKey), "Authorities do not take keys of this kind."},
		{"RSA-1024", of(made(rsa.GenerateKey(rand.Reader, 1024))(t)), "The RSA key has 1,024 bits, and authorities want 2,048 at least. Make a new one, as with openssl"},
		{"RSA-PSS", asCSR(request(t, rsaKey, x509.CertificateRequest{DNSNames: names, SignatureAlgorithm: x509.SHA256WithRSAPSS})), "is signed in a way that authorities do not take any more"},
		{"SHA-1", sha1CSR, "is signed in a way that authorities do not take any more, such as with SHA-1. Make it again with SHA-256, as openssl req does with -sha256."},
		{"must-staple", asCSR(request(t, key, x509.CertificateRequest{DNSNames: names, ExtraExtensions: []pkix.Extension{{Id: tlsFeature, Value: []byte{0x30, 3, 2, 1, 5}}}})),
			"The CSR asks for OCSP must-staple, which authorities do not issue any more. Leave the TLS feature extension out"},
		{"foreign", asCSR(request(t, key, foreign)), "The CSR asks for 10.0.0.1, a@acme.example, acme shop, evil.example and spiffe://x, which this certificate is not for. Leave that out"},
		{"missing", asCSR(request(t, key, x509.CertificateRequest{DNSNames: names[:1]})), "The CSR does not ask for www.acme.example. Make it again"},
		{"no names", asCSR(request(t, key, x509.CertificateRequest{})), "The CSR does not ask for shop.acme.example and www.acme.example."},
		{"foreign and missing", asCSR(request(t, key, x509.CertificateRequest{DNSNames: []string{"*.acme.example"}})),
			"make the CSR again. The CSR does not ask for shop.acme.example and www.acme.example."},
	} {
		_, err := CheckCSR(c.text, names, ownCSR)
		wantFaults(t, err, map[string]string{"csr": c.want})
	}
	for want, p := range map[string]Policy{
		"The policy allows no CSRs of your own.":                                               {},
		"The policy allows no P-256 keys. Make a new key of type P-384 or RSA-3072.":           {OwnCSR: true, KeyTypes: []KeyType{P384, RSA3072}},
		"The policy allows no P-256 keys. Make a new key of type P-384, RSA-2048 or RSA-4096.": {OwnCSR: true, KeyTypes: []KeyType{P384, RSA2048, RSA4096}},
		"The policy allows no P-256 keys. Make a new key of type RSA-4096.":                    {OwnCSR: true, KeyTypes: []KeyType{RSA4096}},
	} {
		_, err := CheckCSR(asCSR(good), names, p)
		wantFaults(t, err, map[string]string{"csr": want})
	}
}

func TestRSAKeysOfACSR(t *testing.T) {
	bits := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n-1) }
	for _, c := range []struct {
		key  rsa.PublicKey
		want string
	}{
		{rsa.PublicKey{N: bits(2048), E: 65537}, ""},
		{rsa.PublicKey{N: bits(2047), E: 65537}, "has 2,047 bits, and authorities want 2,048 at least."},
		{rsa.PublicKey{N: bits(2560), E: 65537}, "has 2,560 bits, and we know keys of 2,048, 3,072 and 4,096."},
		{rsa.PublicKey{N: bits(8192), E: 65537}, "has 8,192 bits, and authorities take 4,096 at most."},
		{rsa.PublicKey{N: bits(2048), E: 3}, "has the exponent 3, and authorities want 65537."},
	} {
		if got := isKnownKey(&c.key); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%d bits: %q, want %q", c.key.N.BitLen(), got, c.want)
		}
	}
}

func FuzzCheckCSR(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	names := []string{"shop.acme.example"}
	good := request(f, key, x509.CertificateRequest{DNSNames: names})
	f.Add(good, true)
	f.Add([]byte(asCSR(good)), false)
	f.Add([]byte(secp256k1), false)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----"), false)
	f.Fuzz(func(t *testing.T, data []byte, der bool) {
		text := string(data)
		if der {
			text = asCSR(data)
		}
		csr, err := CheckCSR(text, names, ownCSR)
		if err == nil {
			if !slices.Equal(csr.Names, names) || !ownCSR.AllowsKey(csr.KeyType) || len(csr.SPKI) != 64 {
				t.Fatalf("%+v", csr)
			}
			return
		}
		refused, ok := err.(*Error)
		if !ok || refused.Kind != Invalid || refused.Text == "" || refused.Fields["csr"] != refused.Text {
			t.Fatal(err)
		}
	})
}
