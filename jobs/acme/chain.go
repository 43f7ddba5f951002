package acme

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strconv"
	"time"

	"perennial/tenants"
)

// Bounds of a chain: generous against every real one, small against what would take long to check.
const (
	maxChainLength = 10
	maxRSABits     = 8192 // as crypto/tls
	maxLifetime    = 10 * 365 * 24 * time.Hour
	clockSkew      = 5 * time.Minute
)

// CSR makes the request for a certificate (RFC 2986) for exactly these names, without a common name, which may
// hold 64 characters only and is read by nobody.
func CSR(key crypto.Signer, names []string) ([]byte, error) {
	if len(names) == 0 || len(names) > maxNames {
		return nil, fmt.Errorf("make CSR: %d names, but 1 to %d are possible", len(names), maxNames)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		return nil, fmt.Errorf("make CSR: %w", err)
	}
	return der, nil
}

// CheckChain reads what the authority issued and refuses, with a CABroken *[Problem], whatever is not a
// certificate for this key and exactly these names, valid now, followed by those that sign each other up to an
// issuer. A certificate alone is refused: nothing would vouch for its signature, and clients could not use it.
//
// Of the Version it fills everything that the certificate tells; Chain holds the certificates alone, without
// whatever stood around them.
func CheckChain(chainPEM []byte, key crypto.PublicKey, names []string, now time.Time) (tenants.Version, error) {
	chain, err := parseChain(chainPEM)
	if err != nil {
		return tenants.Version{}, err
	}
	for _, check := range []error{
		checkLeafKey(chain[0], key),
		checkLeafNames(chain[0], names),
		checkLeafNumber(chain[0]),
		checkTimes(chain, now),
		checkSignatures(chain, now),
	} {
		if check != nil {
			return tenants.Version{}, check
		}
	}
	return versionOf(chain), nil
}

func parseChain(text []byte) ([]*x509.Certificate, error) {
	if len(text) > maxChain {
		return nil, brokenChain("The chain is larger than %d bytes.", maxChain)
	}
	// pem.Decode passes over damaged blocks in silence, hence the count.
	begun := bytes.Count(text, []byte("-----BEGIN "))
	if begun < 2 || begun > maxChainLength {
		return nil, brokenChain("The chain holds %d certificates, but 2 to %d are possible.", begun, maxChainLength)
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, brokenChain("The chain holds a %s.", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, brokenChain("Certificate %d of the chain cannot be read: %v", len(chain)+1, err)
		}
		if k, ok := cert.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSABits {
			return nil, brokenChain("Certificate %d of the chain has an RSA key of %d bits.", len(chain)+1, k.N.BitLen())
		}
		chain = append(chain, cert)
	}
	if len(chain) != begun {
		return nil, brokenChain("The chain holds a damaged certificate.")
	}
	return chain, nil
}

func brokenChain(format string, args ...any) error { return brokenf(format, args...).reached(true) }

func checkLeafKey(leaf *x509.Certificate, key crypto.PublicKey) error {
	public, ok := key.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf.PublicKey) {
		return brokenChain("The certificate is for another key than the one ordered for.")
	}
	return nil
}

func checkLeafNames(leaf *x509.Certificate, names []string) error {
	if len(leaf.IPAddresses)+len(leaf.EmailAddresses)+len(leaf.URIs) > 0 {
		return brokenChain("The certificate is for more than DNS names.")
	}
	if !sameNames(leaf.DNSNames, names) {
		return brokenChain("The certificate is for %q, but %q was ordered.", leaf.DNSNames, names)
	}
	if cn := leaf.Subject.CommonName; cn != "" && !slices.Contains(nameSet(names), cn) {
		return brokenChain("The certificate's common name %q was not ordered.", cn)
	}
	if leaf.IsCA {
		return brokenChain("The certificate may sign others.")
	}
	return nil
}

// checkLeafNumber bounds what is stored to find the certificate again (RFC 5280, section 4.1.2.2).
func checkLeafNumber(leaf *x509.Certificate) error {
	if n := leaf.SerialNumber; n.Sign() <= 0 || n.BitLen() > 160 || len(leaf.AuthorityKeyId) > 64 {
		return brokenChain("The certificate's serial number or its issuer's key identifier is not acceptable.")
	}
	return nil
}

func checkTimes(chain []*x509.Certificate, now time.Time) error {
	for i, cert := range chain {
		from, to := cert.NotBefore.Format(time.RFC3339), cert.NotAfter.Format(time.RFC3339)
		switch {
		case !cert.NotBefore.Before(cert.NotAfter):
			return brokenChain("Certificate %d of the chain ends (%s) before it begins (%s).", i+1, to, from)
		case cert.NotBefore.After(now.Add(clockSkew)):
			p := brokenf("Certificate %d of the chain is not valid before %s, while our clock says %s.", i+1, from, now.UTC().Format(time.RFC3339))
			p.RetryAfter = min(cert.NotBefore.Sub(now.Add(clockSkew)), MaxRetryAfter)
			return p.reached(true)
		case !cert.NotAfter.After(now):
			return brokenChain("Certificate %d of the chain has been expired since %s.", i+1, to)
		}
	}
	if life := chain[0].NotAfter.Sub(chain[0].NotBefore); life > maxLifetime {
		return brokenChain("The certificate is valid for %.0f days.", life.Hours()/24)
	}
	return nil
}

// checkSignatures checks that each certificate signed the one before it, and then lets the standard library
// judge the whole with the last one as root: path lengths, name constraints, key usages.
func checkSignatures(chain []*x509.Certificate, now time.Time) error {
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, CurrentTime: now,
	}
	for i, cert := range chain[1:] {
		if err := chain[i].CheckSignatureFrom(cert); err != nil {
			return brokenChain("Certificate %d of the chain was not signed by the next: %v", i+1, err)
		}
		options.Intermediates.AddCert(cert)
	}
	for _, cert := range chain { // within the tolerance that checkTimes allows
		if cert.NotBefore.After(options.CurrentTime) {
			options.CurrentTime = cert.NotBefore
		}
	}
	options.Roots.AddCert(chain[len(chain)-1])
	if _, err := chain[0].Verify(options); err != nil {
		return brokenChain("The chain does not hold: %v", err)
	}
	return nil
}

func versionOf(chain []*x509.Certificate) tenants.Version {
	leaf := chain[0]
	spki, print := sha256.Sum256(leaf.RawSubjectPublicKeyInfo), sha256.Sum256(leaf.Raw)
	var text bytes.Buffer
	for _, cert := range chain {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	issuer := leaf.Issuer.CommonName
	if issuer == "" {
		issuer = leaf.Issuer.String()
	}
	return tenants.Version{
		Names:       nameSet(leaf.DNSNames),
		Serial:      hex.EncodeToString(leaf.SerialNumber.Bytes()),
		Issuer:      clean(issuer, 200),
		NotBefore:   leaf.NotBefore.UTC(),
		NotAfter:    leaf.NotAfter.UTC(),
		KeyType:     keyTypeOf(leaf.PublicKey),
		SPKI:        hex.EncodeToString(spki[:]),
		Fingerprint: hex.EncodeToString(print[:]),
		ARICertID:   ariCertID(leaf),
		Chain:       text.String(),
	}
}

func keyTypeOf(public any) tenants.KeyType {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return tenants.KeyType(k.Curve.Params().Name)
	case *rsa.PublicKey:
		return tenants.KeyType("RSA-" + strconv.Itoa(k.N.BitLen()))
	}
	return ""
}
