package store_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// ownKey is a customer's key: its CSR for a name, and its fingerprint.
func ownKey(t *testing.T, name string) (csr, spki string) {
	t.Helper()
	return csrFor(t, must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), name)
}

func csrFor(t *testing.T, key *ecdsa.PrivateKey, name string) (csr, spki string) {
	t.Helper()
	der := must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key))
	public := must[[]byte](t)(x509.MarshalPKIXPublicKey(key.Public()))
	sum := sha256.Sum256(public)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), hex.EncodeToString(sum[:])
}

// choose saves settings as the page does: first shown, then saved.
func (s story) choose(in tenants.Tenant, id tenants.DomainID, form tenants.SettingsForm) tenants.SettingsEffect {
	s.Helper()
	e := must[tenants.SettingsEffect](s)(s.w.Scope(in).PreviewSettings(s.ctx, id, form))
	_, saved, err := s.w.Scope(in).SaveSettings(s.ctx, id, form, e.Token)
	check(s, err)
	if !saved {
		s.Fatalf("not saved: %+v", e)
	}
	return e
}

// next plans an order and takes it to a version with that key.
func (s story) next(id tenants.DomainID, spki string, kind tenants.KeyType) tenants.Version {
	s.Helper()
	must[tenants.Order](s)(s.sys.PlanOrder(s.ctx, id, tenants.OnRequest, ""))
	o := *s.begin(id).Order
	o.URL = "https://ca.example/order/" + string(o.ID)
	for _, state := range []tenants.OrderState{tenants.Ordered, tenants.Proving, tenants.Ready, tenants.Finalized} {
		o = s.save(o, state)
	}
	v := s.version(o, 90*24*time.Hour)
	v.SPKI, v.KeyType = spki, kind
	must[tenants.VersionID](s)(s.sys.Issue(s.ctx, o, v, tenants.Verdict{At: v.NotAfter.Add(-24 * time.Hour)}))
	return *s.begin(id).Current
}

// allow saves a policy under which everything may be chosen.
func (s story) allow(in tenants.Tenant) {
	s.Helper()
	check(s, s.w.Scope(in).SavePolicy(s.ctx, tenants.Policy{ReuseKey: true, OwnCSR: true}))
}

// A reused key is copied to the order, moves to the next version, and stays with its own version whatever becomes of the order.
func TestReuseKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		s.allow(w.Acme)
		id := s.register(w.Acme, "shop.example")
		first := s.issue(id, 90*24*time.Hour)
		keyOf := func(v tenants.VersionID) string {
			_, key, err := w.Scope(w.Acme).DownloadKey(s.ctx, v)
			check(t, err)
			return string(key.Reveal())
		}
		key := keyOf(first)
		if e := s.choose(w.Acme, id, tenants.SettingsForm{KeyType: "P-256", Strategy: "reuse"}); e.Renew {
			t.Errorf("renews at once although nothing differs: %+v", e)
		}
		must[tenants.Order](t)(s.sys.PlanOrder(s.ctx, id, tenants.OnRequest, ""))
		o := *s.begin(id).Order
		check(t, s.sys.FailOrder(s.ctx, o, tenants.Finding{Code: tenants.CARefuses}, tenants.Failing))
		if keyOf(first) != key {
			t.Error("a failed order took the version's key with it")
		}
		w.Clock.Advance(time.Hour)
		second := s.next(id, "aa", tenants.P256)
		if keyOf(second.ID) != key || keyOf(first) != key {
			t.Error("the key was not reused, or is lost to the version before")
		}
		if made := s.view(w.Acme, id).Versions[1].KeyCreated; !second.KeyCreated.Equal(made) {
			t.Errorf("the reused key was made %v, and is said to be from %v", made, second.KeyCreated)
		}
		s.choose(w.Acme, id, tenants.SettingsForm{KeyType: "P-256", Strategy: "rotate"})
		if third := s.next(id, "bb", tenants.P256); keyOf(third.ID) == key || !third.KeyCreated.After(second.KeyCreated) {
			t.Error("the key was not rotated")
		}
	})
}

// An order with the customer's own CSR has no key, nor has its version.
func TestOwnCSR(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		s.allow(w.Acme)
		id := s.register(w.Acme, "shop.example")
		s.issue(id, 90*24*time.Hour)
		csr, spki := ownKey(t, "shop.example")
		e := s.choose(w.Acme, id, tenants.SettingsForm{Strategy: "csr", CSR: csr})
		if !e.Renew || !strings.Contains(e.Text, "version 2 at once with your own P-384 key") {
			t.Errorf("effect: %+v", e)
		}
		if entry := s.lastEntry(w.Acme); entry.Action != tenants.DidChangeCert || len(entry.Changes) != 3 {
			t.Errorf("entry: %+v", entry)
		}
		second := s.next(id, spki, tenants.P384)
		if o := s.view(w.Acme, id).Orders[0]; o.CSR != csr || !second.OwnKey {
			t.Errorf("order with CSR %q, own key %v", o.CSR, second.OwnKey)
		}
		_, _, err := w.Scope(w.Acme).DownloadKey(s.ctx, second.ID)
		wantKind(t, err, tenants.NotFound)
		if f := s.begin(id); !f.Certificate.Changed.IsZero() {
			t.Error("the change is not done with")
		}

		// Back to a key of ours, which must not be that of version 2; then the CSR's key does not come back.
		s.choose(w.Acme, id, tenants.SettingsForm{KeyType: "P-256", Strategy: "reuse"})
		if next, lacks := s.begin(id).NextKey(w.Clock.Now()); next.Make != tenants.P256 || !lacks.OK() {
			t.Errorf("next key: %+v, %v", next, lacks)
		}
		s.next(id, "cc", tenants.P256)
		_, err = w.Scope(w.Acme).PreviewSettings(s.ctx, id, tenants.SettingsForm{Strategy: "csr", CSR: csr})
		if wantKind(t, err, tenants.Invalid); !strings.Contains(err.Error(), "served version 2") {
			t.Errorf("a replaced key: %v", err)
		}
	})
}

// Programs write the CSR in words before it, in whatever encoding: Postgres takes no text that is not UTF-8.
func TestOwnCSRAfterForeignWords(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		s.allow(w.Acme)
		id := s.register(w.Acme, "shop.example")
		csr, spki := ownKey(t, "shop.example")
		s.choose(w.Acme, id, tenants.SettingsForm{Strategy: "csr", CSR: "Subject: O=M\xfcller\x00 GmbH\n" + csr})
		if got := s.begin(id).Certificate.OwnSPKI(); got != spki {
			t.Errorf("the key %s, want %s", got, spki)
		}
	})
}

// A key that somebody reported serves no certificate any more, in whichever tenant: it is not taken, and where it was taken
// before, it is not ordered with. Nothing says whose it was.
func TestReportedKeysServeNobody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		s.allow(w.Acme)
		s.allow(w.Northwind)
		key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
		form := func(name string) tenants.SettingsForm {
			csr, _ := csrFor(t, key, name)
			return tenants.SettingsForm{Strategy: "csr", CSR: csr}
		}
		leaky, shared := s.register(w.Acme, "leaky.example"), s.register(w.Acme, "shared.example")
		late, foreign := s.register(w.Acme, "late.example"), s.register(w.Northwind, "foreign.example")
		for _, id := range []tenants.DomainID{leaky, shared, late, foreign} {
			s.issue(id, 90*24*time.Hour)
		}
		s.choose(w.Acme, leaky, form("leaky.example"))
		s.choose(w.Acme, shared, form("shared.example"))
		_, spki := csrFor(t, key, "leaky.example")
		v := s.next(leaky, spki, tenants.P384)
		if _, lacks := s.begin(shared).NextKey(w.Clock.Now()); !lacks.OK() {
			t.Fatalf("before the report: %v", lacks)
		}
		check(t, w.Scope(w.Acme).Revoke(s.ctx, leaky, v.ID, tenants.RevocationRequest{Way: tenants.RevokeAfter, Reason: tenants.RevokeKeyCompromise, Wait: time.Hour}, "leaky.example"))
		if _, lacks := s.begin(shared).NextKey(w.Clock.Now()); lacks.Code != tenants.KeyNeeded {
			t.Errorf("the other certificate would be ordered with the key: %v", lacks)
		}
		for _, other := range []struct {
			in   tenants.Tenant
			id   tenants.DomainID
			name string
		}{{w.Acme, late, "late.example"}, {w.Northwind, foreign, "foreign.example"}} {
			_, err := w.Scope(other.in).PreviewSettings(s.ctx, other.id, form(other.name))
			wantKind(t, err, tenants.Invalid)
			if text := err.Error(); !strings.Contains(text, "was reported as compromised") || strings.Contains(text, "leaky") || strings.Contains(text, "Acme") {
				t.Errorf("%s is told: %q", other.name, text)
			}
		}
		key = must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
		s.choose(w.Northwind, foreign, form("foreign.example"))
		_, spki = csrFor(t, key, "foreign.example")
		s.next(foreign, spki, tenants.P384)
		must[tenants.SettingsEffect](t)(w.Scope(w.Acme).PreviewSettings(s.ctx, late, form("late.example")))
		s.started(s.form(spki))
		_, err := w.Scope(w.Acme).PreviewSettings(s.ctx, late, form("late.example"))
		wantKind(t, err, tenants.Invalid)
	})
}

// What was shown is what is saved: another effect by then is shown anew.
func TestSettingsAreShownBeforeTheyAreSaved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		form := tenants.SettingsForm{KeyType: "P-384", Strategy: "rotate"}
		shown := must[tenants.SettingsEffect](t)(w.Scope(w.Acme).PreviewSettings(s.ctx, id, form))
		s.issue(id, 90*24*time.Hour)
		e, saved, err := w.Scope(w.Acme).SaveSettings(s.ctx, id, form, shown.Token)
		check(t, err)
		if saved || !e.Renew || s.begin(id).Certificate.KeyType != tenants.P256 {
			t.Errorf("saved %v, effect %+v", saved, e)
		}
		s.choose(w.Acme, id, form)
		if f := s.begin(id); f.Certificate.KeyType != tenants.P384 || f.Certificate.Change != "key type" || f.Certificate.Changed.IsZero() {
			t.Errorf("certificate: %+v", f.Certificate)
		}
		if _, saved, err = w.Scope(w.Acme).SaveSettings(s.ctx, id, form, e.Token); saved || err != nil {
			t.Errorf("saved twice: %v, %v", saved, err)
		}
		for _, form := range []tenants.SettingsForm{{}, {Strategy: "csr"}, {Strategy: "reuse", KeyType: "P-256"}, {Strategy: "rotate", KeyType: "DSA"}} {
			_, err := w.Scope(w.Acme).PreviewSettings(s.ctx, id, form)
			wantKind(t, err, tenants.Invalid)
		}
		s.release(w.Acme, id)
		_, err = w.Scope(w.Acme).PreviewSettings(s.ctx, id, form)
		wantKind(t, err, tenants.Conflict)
	})
}

// A change that is made while an order is open is ordered after it, and is not forgotten when that order ends.
func TestSettingsWhileAnOrderIsOpen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		o := s.finalize(id)
		if e := s.choose(w.Acme, id, tenants.SettingsForm{KeyType: "RSA-2048", Strategy: "rotate"}); !strings.Contains(e.Text, "we order version 2 with an RSA-2048 key") {
			t.Errorf("effect: %q", e.Text)
		}
		must[tenants.VersionID](t)(s.sys.Issue(s.ctx, o, s.version(o, 90*24*time.Hour), tenants.Verdict{At: w.Clock.Now().Add(time.Hour)}))
		f := s.begin(id)
		if due := tenants.Due(f.RenewalFacts(), w.Clock.Now()); due.Reason != tenants.SettingsChanged {
			t.Errorf("due: %+v", due)
		}
		if v := s.next(id, "dd", tenants.RSA2048); v.Number != 2 || !s.begin(id).Certificate.Changed.IsZero() {
			t.Errorf("version: %+v", v)
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		scope := w.Scope(w.Acme)
		on := func(d time.Duration) tenants.PauseForm {
			at := w.Clock.Now().UTC().Add(d)
			return tenants.PauseForm{Date: at.Format(time.DateOnly), Time: at.Format("15:04"), Why: "the  shop\nfreezes"}
		}
		id := s.register(w.Acme, "shop.example")
		wantKind(t, scope.Pause(s.ctx, id, on(time.Hour)), tenants.Conflict)
		s.issue(id, 90*24*time.Hour)
		err := scope.Pause(s.ctx, id, on(76*24*time.Hour))
		if wantKind(t, err, tenants.Invalid); !strings.Contains(err.Error(), "15 days before the certificate expires") {
			t.Errorf("past the line: %v", err)
		}
		wantKind(t, scope.Pause(s.ctx, id, on(-time.Hour)), tenants.Invalid)
		wantKind(t, scope.Pause(s.ctx, id, tenants.PauseForm{}), tenants.Invalid)
		check(t, scope.Pause(s.ctx, id, on(70*24*time.Hour)))
		if e := s.lastEntry(w.Acme); e.Action != tenants.DidPause || !strings.Contains(e.Text, "the shop freezes") {
			t.Errorf("entry: %+v", e)
		}
		f := s.begin(id)
		end, paused := f.Certificate.Paused(f.Current, w.Clock.Now())
		if row := must[store.DomainPage](t)(scope.Domains(s.ctx, store.DomainFilter{})).Rows[0]; !paused || !row.PausedUntil.Equal(end) {
			t.Errorf("paused %v until %v, in the list %v", paused, end, row.PausedUntil)
		}
		_, err = s.sys.PlanOrder(s.ctx, id, tenants.LastThird, "")
		wantKind(t, err, tenants.Conflict) // as when it was decided a moment before the pause
		check(t, scope.Resume(s.ctx, id))
		check(t, scope.Resume(s.ctx, id))
		if r := must[store.Renewals](t)(scope.Renewals(s.ctx, 90)); !r.Next[0].PausedUntil.IsZero() {
			t.Error("the schedule still shows the pause")
		}
		must[tenants.Order](t)(s.sys.PlanOrder(s.ctx, id, tenants.LastThird, ""))
		wantKind(t, scope.Pause(s.ctx, id, on(time.Hour)), tenants.Conflict)
	})
}

// Names and profile are saved with the rest, ordered with, and known of the version that comes of it.
func TestNamesAndProfile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.issue(id, 90*24*time.Hour)
		issuer := s.begin(id).Issuer
		if issuer.Profiles != nil {
			t.Errorf("profiles that nobody read: %v", issuer.Profiles)
		}
		offered := map[string]string{"short": `six days <b>"&`, "classic": ""}
		check(t, s.sys.SaveMeta(s.ctx, issuer.ID, nil, offered))
		if got := s.begin(id).Issuer; !maps.Equal(got.Profiles, offered) || got.CAA == nil {
			t.Errorf("kept as %v, CAA %v", got.Profiles, got.CAA)
		}
		e := s.choose(w.Acme, id, tenants.SettingsForm{Names: "both", KeyType: "P-256", Strategy: "rotate", Profile: "short"})
		both := []string{"*.shop.example", "shop.example"}
		if c := s.begin(id).Certificate; e.What != "names and profile" || c.Change != e.What || !slices.Equal(c.Names, both) || c.Profile != "short" {
			t.Errorf("effect %+v, certificate %+v", e, c)
		}
		if entry := s.lastEntry(w.Acme); len(entry.Changes) != 2 || entry.Changes[0].After != "shop.example and *.shop.example" || entry.Changes[1].After != "short" {
			t.Errorf("entry: %+v", entry)
		}
		if v := s.next(id, "ee", tenants.P256); !slices.Equal(v.Names, both) || v.Profile != "short" {
			t.Errorf("version: %+v", v)
		}
		form := s.begin(id).SettingsForm()
		if e := must[tenants.SettingsEffect](t)(w.Scope(w.Acme).PreviewSettings(s.ctx, id, form)); !e.NoneOf || e.Renew {
			t.Errorf("the settings in use: %+v", e)
		}
		check(t, s.sys.SaveMeta(s.ctx, issuer.ID, []string{"ca.example"}, nil))
		if got := s.begin(id).Issuer; got.Profiles == nil || len(got.Profiles) != 0 {
			t.Errorf("none offered: %v", got.Profiles)
		}
		storetest.Consistent(t, w.DSN, w.Clock.Now())
	})
}

// An order of which nothing was sent ends when the settings change, and the next one has them. A new name keeps its place in
// the queue for it.
func TestSettingsReplaceAnUnplacedOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		o := s.plan(id)
		check(t, s.sys.AwaitBudget(s.ctx, id, owner, o.Account, tenants.Finding{Code: tenants.BudgetSpent}))
		s.choose(w.Acme, id, tenants.SettingsForm{Names: "both", KeyType: "P-256", Strategy: "rotate"})
		f := s.begin(id)
		if f.Order != nil || !f.Certificate.Changed.IsZero() {
			t.Errorf("order %+v, changed %v", f.Order, f.Certificate.Changed)
		}
		storetest.Consistent(t, w.DSN, w.Clock.Now())
		must[tenants.Order](t)(s.sys.PlanOrder(s.ctx, id, tenants.FirstIssue, ""))
		if next := s.begin(id).Order; next == nil || len(next.Names) != 2 || next.ID == o.ID {
			t.Errorf("order: %+v", next)
		}
	})
}

// Who has a name has its wildcard, whatever is on the certificate; a domain of the tenant's own for it is no secret from the
// tenant alone.
func TestSiblingDomain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "*.shop.example")
		sibling := func() tenants.DomainID {
			return must[tenants.DomainID](t)(w.Scope(w.Acme).SiblingDomain(s.ctx, id))
		}
		if got := sibling(); got != "" {
			t.Errorf("nobody has it, and it is %s", got)
		}
		_, err := w.Scope(w.Northwind).RegisterDomain(s.ctx, "shop.example", store.RegisterOptions{})
		if wantKind(t, err, tenants.Invalid); !strings.Contains(err.Error(), "Another tenant holds this name. Choose another name, or ask the portal's operator.") {
			t.Errorf("another tenant: %v", err)
		}
		own := s.register(w.Acme, "shop.example")
		if got := sibling(); got != own {
			t.Errorf("got %s, want %s", got, own)
		}
		s.release(w.Acme, own)
		if got := sibling(); got != "" {
			t.Errorf("given up, and still %s", got)
		}
	})
}
