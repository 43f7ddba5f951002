package tenants

import (
	"crypto/elliptic"
	"crypto/x509"
	"strings"
	"testing"
)

// A customer hears why the key of a CSR is used up as it is, also while the operator replaces the certificate for a reason
// that has nothing to do with its key.
func TestWhyAKeyIsUsedUp(t *testing.T) {
	names := []string{"shop.acme.example"}
	text := asCSR(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{DNSNames: names}))
	csr, err := CheckCSR(text, names, ownCSR)
	if err != nil {
		t.Fatal(err)
	}
	old, reported := "The policy allows no key for longer than 40 days, and the key of the present CSR is in use since 23 Nov 2026, ", "The key of the present CSR was reported"
	byAuthority := MassEvent{Issuer: "iss_1", Since: epoch, Deadline: epoch.Add(60 * day)}
	byKey := MassEvent{SPKI: []string{csr.SPKI}, Since: epoch, Deadline: epoch.Add(60 * day)}
	for _, c := range []struct {
		name  string
		days  int
		event MassEvent
		want  string // how the reason begins; empty: the key serves once more
	}{
		{"young", 90, MassEvent{}, ""},
		{"young, with others of its authority", 90, byAuthority, ""},
		{"old", 40, MassEvent{}, old},
		{"old, with others of its authority", 40, byAuthority, old},
		{"young, named by the operator", 90, byKey, reported},
		{"old, named by the operator", 40, byKey, reported},
	} {
		f := Facts{Domain: Domain{Name: names[0]}, Policy: Policy{OwnCSR: true, MaxKeyDays: c.days},
			Current:     &Version{SPKI: csr.SPKI, KeyType: P256, OwnKey: true, KeyCreated: epoch, NotBefore: epoch, NotAfter: epoch.Add(90 * day)},
			Certificate: Certificate{Names: names, Strategy: OwnCSR, CSR: text, Event: c.event}}
		lacks := f.Lacking(epoch.Add(50 * day))
		if lacks.OK() != (c.want == "") || !lacks.OK() && !strings.HasPrefix(Explain(lacks).Why, c.want) {
			t.Errorf("%s: %q, want %q", c.name, Explain(lacks).Why, c.want)
		}
	}
}
