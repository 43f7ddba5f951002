package tenants

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// CSR is a certificate signing request (PKCS#10, RFC 2986) that [CheckCSR] found good.
type CSR struct {
	DER     []byte
	Names   []string // sorted, lower case
	KeyType KeyType
	SPKI    string // SHA-256 of the public key, lower-case hex, as in [Version]: compare it with keys that must not be used
}

const (
	maxCSR     = 64 << 10 // bytes of PEM: a hundred of the longest names take half of it
	leastRSA   = 2048     // bits (CA/Browser Forum Baseline Requirements, section 6.1.5)
	mostRSA    = 4096     // authorities take no more, and checking a signature takes long
	anotherRSA = "Make a new one, as with openssl req -new -newkey rsa:3072."
)

// What is wrong with text that holds no CSR, or none that can be read.
const (
	wantCSR    = "Paste the file that begins with -----BEGIN CERTIFICATE REQUEST-----."
	damagedCSR = "The CSR is damaged. Copy the file again, from its first line to its last."
	oddCurve   = "The key is on a curve that authorities do not take. Make a new key on P-256 or P-384."
)

// CheckCSR reads a customer's own CSR in PEM for a certificate of names. The error is an *Error of kind Invalid with one
// entry in Fields, "csr", whose sentences say all that is wrong and what to do.
func CheckCSR(text string, names []string, p Policy) (CSR, error) {
	if !p.AllowsStrategy(OwnCSR) {
		return CSR{}, badCSR("The policy allows no CSRs of your own. Leave the key to us, or ask whoever runs this portal to allow them.")
	}
	der, wrong := csrBlock(text)
	if wrong != "" {
		return CSR{}, badCSR(wrong)
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return CSR{}, badCSR(unparsed(err))
	}
	asked := csrNames(req)
	faults := []string{wrongKey(req, p), mustStaple(req), foreignNames(asked, names), missingNames(asked, names)}
	if faults = slices.DeleteFunc(faults, isBlank); len(faults) > 0 {
		return CSR{}, badCSR(strings.Join(faults, " "))
	}
	spki := sha256.Sum256(req.RawSubjectPublicKeyInfo)
	return CSR{DER: req.Raw, Names: asked, KeyType: keyTypeOf(req.PublicKey), SPKI: hex.EncodeToString(spki[:])}, nil
}

func isBlank(s string) bool { return s == "" }

func badCSR(text string) error { return faults{"csr": text}.err() }

// unparsed tells a curve that x509 does not know from damage; it has no error value for it.
func unparsed(err error) string {
	if strings.Contains(err.Error(), "elliptic curve") {
		return oddCurve
	}
	return damagedCSR
}

// csrBlock is the one PEM block of a CSR, or what was pasted instead of it.
func csrBlock(text string) (der []byte, wrong string) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, "There is no CSR here. " + wantCSR
	case len(text) > maxCSR:
		return nil, "This is much longer than a CSR. Paste the CSR only."
	case strings.Contains(text, "PRIVATE KEY-----"):
		return nil, "This holds a private key, which nobody else may see. Make a new key, and paste only the CSR for it."
	case strings.Contains(text, "BEGIN CERTIFICATE-----"):
		return nil, "This holds a certificate, not a CSR. " + wantCSR
	case strings.Count(text, "-----BEGIN ") > 1:
		return nil, "There is more than one block here. Paste one CSR only."
	}
	block, _ := pem.Decode([]byte(text))
	switch {
	case block == nil && strings.Contains(text, "-----BEGIN "):
		return nil, damagedCSR
	case block == nil:
		return nil, "This is not a CSR in PEM. " + wantCSR
	case block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST":
		return nil, fmt.Sprintf("This is a %s, not a CSR. %s", show(block.Type), wantCSR)
	}
	return block.Bytes, ""
}

// wrongKey asks for the key's size before the signature, since the signature of a key of any size takes any time.
func wrongKey(req *x509.CertificateRequest, p Policy) string {
	if wrong := isKnownKey(req.PublicKey); wrong != "" {
		return wrong
	}
	if !slices.Contains(signedBy, req.SignatureAlgorithm) {
		return "The CSR is signed in a way that authorities do not take any more, such as with SHA-1. Make it again with SHA-256, as openssl req does with -sha256."
	}
	if req.CheckSignature() != nil {
		return "The signature of the CSR does not fit its key, so it was changed or damaged. Make the CSR again."
	}
	return p.isAllowedKey(req.PublicKey)
}

// signedBy are the signatures of a CSR that public authorities take. That of a key on another curve is never looked at.
var signedBy = []x509.SignatureAlgorithm{
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
}

func isKnownKey(public any) string {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return isSoundRSA(k)
	case *ecdsa.PublicKey:
		if keyTypeOf(k) == "" {
			return oddCurve
		}
		return ""
	}
	return "Authorities do not take keys of this kind. Make a new key: ECDSA on P-256 or P-384, or RSA."
}

func isSoundRSA(k *rsa.PublicKey) string {
	switch bits := k.N.BitLen(); {
	case bits < leastRSA:
		return fmt.Sprintf("The RSA key has %s bits, and authorities want %s at least. %s", grouped(bits), grouped(leastRSA), anotherRSA)
	case bits > mostRSA:
		return fmt.Sprintf("The RSA key has %s bits, and authorities take %s at most. %s", grouped(bits), grouped(mostRSA), anotherRSA)
	case k.E != 65537: // what authorities demand; others are slow or weak
		return fmt.Sprintf("The RSA key has the exponent %d, and authorities want 65537. %s", k.E, anotherRSA)
	case keyTypeOf(k) == "":
		return fmt.Sprintf("The RSA key has %s bits, and we know keys of 2,048, 3,072 and 4,096. %s", grouped(bits), anotherRSA)
	}
	return ""
}

// tlsFeature is the extension of RFC 7633, by which servers must staple an OCSP answer.
var tlsFeature = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}

// mustStaple refuses what authorities do since they gave OCSP up: with an answer that looks like a failed proof.
func mustStaple(req *x509.CertificateRequest) string {
	if !slices.ContainsFunc(req.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(tlsFeature) }) {
		return ""
	}
	return "The CSR asks for OCSP must-staple, which authorities do not issue any more. Leave the TLS feature extension out and make the CSR again."
}

func (p Policy) isAllowedKey(public any) string {
	k := keyTypeOf(public)
	if p.AllowsKey(k) {
		return ""
	}
	return fmt.Sprintf("The policy allows no %s keys. Make a new key of type %s.", k, oneOf(p.allowed()))
}

// keyTypeOf is empty for a key that is none of KeyTypes.
func keyTypeOf(public any) KeyType {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return P256
		case elliptic.P384():
			return P384
		}
	case *rsa.PublicKey:
		if t := KeyType(fmt.Sprintf("RSA-%d", k.N.BitLen())); slices.Contains(KeyTypes, t) {
			return t
		}
	}
	return ""
}

// csrNames is all that a CSR asks a certificate for, in canonical form: an authority reads a common name as one more name
// (RFC 8555, section 7.4), and addresses stand for themselves, foreign to any certificate of ours.
func csrNames(req *x509.CertificateRequest) []string {
	names := slices.Concat(req.DNSNames, req.EmailAddresses)
	if cn := req.Subject.CommonName; cn != "" {
		names = append(names, cn)
	}
	for _, ip := range req.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range req.URIs {
		names = append(names, u.String())
	}
	return sameForm(names)
}

// sameForm is names as they compare: lower case, without a trailing dot, sorted, each once.
func sameForm(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.TrimSuffix(strings.ToLower(n), ".")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func foreignNames(asked, names []string) string {
	foreign := lacking(asked, names)
	if len(foreign) == 0 {
		return ""
	}
	if len(names) == 1 && slices.Equal(foreign, lacking([]string{Sibling(names[0])}, nil)) { // the one that it could be for
		return fmt.Sprintf("The CSR asks for %s, which this certificate is not for yet. Choose both names first, or leave that one out and make the CSR again.", foreign[0])
	}
	return fmt.Sprintf("The CSR asks for %s, which this certificate is not for. Leave that out and make the CSR again.", list(foreign))
}

func missingNames(asked, names []string) string {
	missing := lacking(names, asked)
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("The CSR does not ask for %s. Make it again with every name of the certificate as a subject alternative name.", list(missing))
}

// lacking is those of a that b does not have, fit to be shown.
func lacking(a, b []string) []string {
	a, b = sameForm(a), sameForm(b)
	a = slices.DeleteFunc(a, func(n string) bool { return has(b, n) })
	for i, n := range a {
		a[i] = show(n)
	}
	return a
}

func oneOf(types []KeyType) string { return strings.Replace(wordsOf(types), " and ", " or ", 1) }
