package handlers_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// issued prepares a domain with one version, walking its order through all states as the jobs would.
func (w *world) issued(t *testing.T, tenant tenants.Tenant, name string) (tenants.DomainID, tenants.VersionID) {
	t.Helper()
	id := w.register(t, tenant, name)
	if err := w.DB.System().SaveCheck(t.Context(), id, tenants.Check{At: w.Clock.Now()}, tenants.Finding{}, tenants.Waiting); err != nil {
		t.Fatal(err)
	}
	return id, w.renewed(t, id, name, tenants.FirstIssue)
}

// renewed gives a domain its next version.
func (w *world) renewed(t *testing.T, id tenants.DomainID, name string, why tenants.Reason) tenants.VersionID {
	t.Helper()
	system := w.DB.System()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := system.PlanOrder(t.Context(), id, why, "")
	check(err)
	facts, _, err := system.Begin(t.Context(), id, "test", time.Minute)
	check(err)
	order := *facts.Order
	for _, state := range []tenants.OrderState{tenants.Ordered, tenants.Ready, tenants.Finalized} {
		order.State = state
		order, err = system.SaveOrder(t.Context(), order)
		check(err)
	}
	key, err := system.OrderKey(t.Context(), order.ID)
	check(err)
	private, err := x509.ParsePKCS8PrivateKey(key.Reveal())
	check(err)
	version := w.sign(t, name, private.(crypto.Signer))
	plan := tenants.Verdict{At: version.NotAfter.Add(-30 * 24 * time.Hour),
		NoLater: version.NotAfter.Add(-7 * 24 * time.Hour), Reason: tenants.LastThird, Text: "The last third of its lifetime begins then."}
	made, err := system.Issue(t.Context(), order, version, plan)
	check(err)
	check(system.Rest(t.Context(), id, "test", plan.At, tenants.Finding{}, tenants.Active))
	return made
}

// sign makes a chain of two.
func (w *world) sign(t *testing.T, name string, key crypto.Signer) tenants.Version {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA R1"},
		NotBefore: w.Clock.Now().Add(-time.Hour), NotAfter: w.Clock.Now().AddDate(1, 0,
			0), IsCA: true, BasicConstraintsValid: true}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: ca.NotBefore, NotAfter: w.Clock.Now().AddDate(0, 0, 90)}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})...)
	return tenants.Version{Names: []string{name}, Serial: hex.EncodeToString(leaf.SerialNumber.Bytes()),
		Issuer: "Test CA R1", NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
		KeyType: tenants.P256, SPKI: "00", Fingerprint: "11", Chain: string(chain)}
}

// openAccount makes the key of the first account at the authority of the settings, and opens it.
func (w *world) openAccount(t *testing.T) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	made := store.NewKey{Type: tenants.P256, Key: tenants.NewSecret(key)}
	if err := w.DB.System().SaveAccount(t.Context(), tenants.AccountID(w.account(t)), made, "https://ca.example/acct/1"); err != nil {
		t.Fatal(err)
	}
}

// refused notes that the authority takes no order of that account for three days.
func (w *world) refused(t *testing.T) {
	t.Helper()
	i, err := w.DB.System().Issuer(t.Context(), storetest.Directory)
	if err == nil {
		charge := tenants.Charge{Limit: tenants.OrdersPerAccount, Key: "https://ca.example/acct/1"}
		err = w.DB.System().Correct(t.Context(), i.ID, charge, w.Clock.Now().Add(72*time.Hour))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// readProfiles keeps which profiles the authority of the settings offers.
func (w *world) readProfiles(t *testing.T) {
	t.Helper()
	sys := w.DB.System()
	issuer, err := sys.Issuer(t.Context(), storetest.Directory)
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.SaveMeta(t.Context(), issuer.ID, issuer.CAA, map[string]string{"classic": "90 days", "shortlived": "six days <b>only</b>"}); err != nil {
		t.Fatal(err)
	}
}
