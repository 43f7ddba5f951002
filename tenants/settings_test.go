package tenants

import (
	"crypto/elliptic"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"
)

// settled are the facts of a shop with one version, at the first of two authorities.
func settled(name string) Facts {
	first, second := offer("a"), offer("b")
	first.Name, second.Name = "First CA", "Second CA"
	first.Profiles = map[string]string{"classic": "90 days", "short": "6 days"}
	second.Profiles = map[string]string{}
	return Facts{
		Domain:      Domain{Name: name},
		Certificate: Certificate{Names: []string{name}, KeyType: P256},
		Offers:      []Offer{first, second},
		Policy:      Policy{OwnCSR: true, Issuers: []IssuerID{first.ID, second.ID}, FailoverAfter: 6},
		Current:     &Version{Number: 1, Names: []string{name}, IssuerID: first.ID, KeyType: P256, NotBefore: epoch, NotAfter: epoch.Add(90 * day)},
	}
}

// effect reads a form and judges it.
func (f Facts) effect(t *testing.T, form SettingsForm) SettingsEffect {
	t.Helper()
	s, err := f.ParseSettings(form)
	if err != nil {
		t.Fatalf("%+v: %v", form, err)
	}
	e, err := f.SettingsEffect(s, nil, false, epoch.Add(day))
	if err != nil {
		t.Fatalf("%+v: %v", form, err)
	}
	return e
}

func TestSibling(t *testing.T) {
	for name, want := range map[string]string{"shop.acme.example": "*.shop.acme.example", "*.acme.example": "acme.example"} {
		if got := Sibling(name); got != want || Sibling(got) != name {
			t.Errorf("%s: %s, and back %s", name, got, Sibling(got))
		}
		both := WithSibling.Of(name)
		if !slices.IsSorted(both) || len(both) != 2 || !slices.Contains(both, want) || !slices.Equal(NameAlone.Of(name), []string{name}) {
			t.Errorf("%s: %q", name, both)
		}
		if got := (Domain{Name: name}).InWords(both); got != name+" and "+want {
			t.Errorf("in words: %s", got)
		}
		if (Certificate{Names: both}).NameChoice() != WithSibling || (Certificate{Names: both[:1]}).NameChoice() != NameAlone {
			t.Error("the choice is not read from the names")
		}
	}
}

// Every setting has its effect, its row and its word in the reason of the renewal.
func TestSettingsEffect(t *testing.T) {
	const name = "shop.acme.example"
	usual := settled(name).SettingsForm()
	with := func(change func(*SettingsForm)) SettingsForm {
		form := usual
		change(&form)
		return form
	}
	for _, c := range []struct {
		title string
		form  SettingsForm
		what  string
		text  string
		row   string // that differs: field, before, after
	}{
		{"nothing", usual, "", "These are the settings in use.", ""},
		{"names", with(func(f *SettingsForm) { f.Names = "both" }), "names",
			"We order version 2 at once for shop.acme.example and *.shop.acme.example with a P-256 key. Version 1 stays", "Names: shop.acme.example, shop.acme.example and *.shop.acme.example"},
		{"authority", with(func(f *SettingsForm) { f.Prefers = "iss_b" }), "authority",
			"We order version 2 at once at Second CA with a P-256 key.", "Authority: as the policy has it, First CA first, Second CA first"},
		{"the authority that the policy prefers", with(func(f *SettingsForm) { f.Prefers = "iss_a" }), "",
			"Nothing is ordered now.", "Authority: as the policy has it, First CA first, First CA first"},
		{"profile", with(func(f *SettingsForm) { f.Profile = "short" }), "profile",
			"We order version 2 at once with a P-256 key and the profile short.", "Profile: the authority’s default, short"},
		{"names, key and profile", with(func(f *SettingsForm) { f.Names, f.KeyType, f.Profile = "both", "P-384", "short" }), "names, key type and profile",
			"for shop.acme.example and *.shop.acme.example with a P-384 key and the profile short.", "Names: shop.acme.example, shop.acme.example and *.shop.acme.example"},
		{"names as they are", with(func(f *SettingsForm) { f.Names = "" }), "", "There is nothing to save.", ""},
	} {
		e := settled(name).effect(t, c.form)
		if e.What != c.what || e.Renew != (c.what != "") || !strings.Contains(e.Text, c.text) || e.NoneOf != (c.row == "") {
			t.Errorf("%s: %+v", c.title, e)
		}
		row := func(r Change) bool { return r.Before != r.After }
		if i := slices.IndexFunc(e.Rows, row); i >= 0 && e.Rows[i].Field+": "+e.Rows[i].Before+", "+e.Rows[i].After != c.row {
			t.Errorf("%s: row %+v", c.title, e.Rows[i])
		}
	}
}

// A choice that was made is undone like any other, and a certificate that has it already is not ordered again.
func TestSettingsBackAgain(t *testing.T) {
	f := settled("*.acme.example")
	f.Certificate.Names, f.Certificate.Profile, f.Certificate.Prefers = WithSibling.Of("*.acme.example"), "short", "iss_b"
	f.Offers = f.OffersFor("iss_b")
	if f.Offers[0].ID != "iss_b" || f.OffersFor("")[0].ID != "iss_a" || f.OffersFor("iss_gone")[0].ID != "iss_a" {
		t.Errorf("offers: %+v", f.Offers)
	}
	f.Current.Names, f.Current.IssuerID = f.Certificate.Names, "iss_b"
	if e := f.effect(t, SettingsForm{Names: "both", Prefers: "iss_b", KeyType: "P-256", Strategy: "rotate"}); e.What != "" {
		t.Errorf("a profile that Second CA never had is dropped: %+v", e)
	}
	if e := f.effect(t, SettingsForm{Names: "alone", Prefers: "", KeyType: "P-256", Strategy: "rotate"}); e.What != "names and authority" ||
		!strings.Contains(e.Text, "at First CA for *.acme.example with") {
		t.Errorf("%+v", e)
	}
}

// An order of which nothing was sent is planned anew; one that the authority may know of comes first.
func TestSettingsWithAnOpenOrder(t *testing.T) {
	f := settled("shop.acme.example")
	form := SettingsForm{Names: "both", KeyType: "P-256", Strategy: "rotate"}
	f.Order = &Order{State: Planned, Created: epoch, Names: f.Certificate.Names}
	if e := f.effect(t, form); !strings.Contains(e.Text, "We order version 2 at once") {
		t.Errorf("unplaced: %q", e.Text)
	}
	f.Order.Placing = epoch
	e := f.effect(t, form)
	if at, what := f.Changed(e, epoch); !at.After(f.Order.Created) || what != "names" || !strings.Contains(e.Text, "Once version 2 is there, we order version 3 for shop") {
		t.Errorf("placed: %q, changed %s at %v", e.Text, what, at)
	}
	f.Order.Names = WithSibling.Of("shop.acme.example")
	if e := f.effect(t, form); e.Renew {
		t.Errorf("the order brings just that: %+v", e)
	}
}

func TestSettingsRefused(t *testing.T) {
	const name = "shop.acme.example"
	csr := func(names ...string) string {
		return asCSR(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{DNSNames: names}))
	}
	for _, c := range []struct {
		form SettingsForm
		want map[string]string
	}{
		{SettingsForm{Names: "three", KeyType: "P-256", Strategy: "rotate"}, map[string]string{"names": "no such choice of names."}},
		{SettingsForm{Prefers: "iss_c", KeyType: "P-256", Strategy: "rotate"}, map[string]string{"authority": "The policy allows no certificates from this authority."}},
		{SettingsForm{Profile: "<b>long", KeyType: "P-256", Strategy: "rotate"}, map[string]string{"profile": "First CA does not offer the profile <b>long. Choose among classic and short."}},
		{SettingsForm{Prefers: "iss_b", Profile: "short", KeyType: "P-256", Strategy: "rotate"}, map[string]string{"profile": "Second CA offers no profiles."}},
		{SettingsForm{Names: "both", Strategy: "csr", CSR: csr(name)}, map[string]string{"csr": "The CSR does not ask for *.shop.acme.example."}},
		{SettingsForm{Strategy: "csr", CSR: csr(name, "*."+name)},
			map[string]string{"csr": "The CSR asks for *.shop.acme.example, which this certificate is not for yet. Choose both names first"}},
		{SettingsForm{Names: "both", Strategy: "csr", CSR: csr(name, "*."+name, "evil.example"), Profile: "x"},
			map[string]string{"csr": "The CSR asks for evil.example, which this certificate is not for.", "profile": "First CA does not offer"}},
		{SettingsForm{Names: "none", Strategy: "?"}, map[string]string{"names": "Choose one of the two", "strategy": "It is not said"}},
	} {
		_, err := settled(name).ParseSettings(c.form)
		wantFaults(t, err, c.want)
	}
	f := settled(name)
	s, err := f.ParseSettings(SettingsForm{Names: "both", Strategy: "csr", CSR: csr(name, "*."+name)})
	if err != nil || s.SPKI() == "" {
		t.Errorf("a CSR for both names: %v", err)
	}
}

// What is known of CAA is said before the change is saved.
func TestSettingsSayWhatCAAForbids(t *testing.T) {
	f := settled("shop.acme.example")
	f.Domain.Check = &Check{At: epoch, CAA: []AskedCAA{{Name: "acme.example", Records: []CAA{{Tag: "issue", Value: "a.example"}, {Tag: "issuewild", Value: ";"}}}}}
	form := f.SettingsForm()
	form.Names = "both"
	if e := f.effect(t, form); !strings.Contains(e.Text, `That order waits. A CAA record at acme.example allows no authority at all. Add the record acme.example. CAA 0 issuewild "a.example"`) {
		t.Errorf("%q", e.Text)
	}
	form.Names, form.KeyType = "alone", "P-384"
	if e := f.effect(t, form); strings.Contains(e.Text, "CAA") {
		t.Errorf("%q", e.Text)
	}
}

// The preferred authority is held to the profile that was chosen; another one is asked for its own.
func TestProfileAt(t *testing.T) {
	f := settled("shop.acme.example")
	a, b := f.Offers[0].Issuer, f.Offers[1].Issuer
	a.Profile, b.Profile = "classic", "usual"
	for _, c := range []struct {
		chosen string
		issuer Issuer
		want   string
	}{
		{"", a, "classic"}, {"short", a, "short"}, {"ended", a, "ended"}, {"", b, "usual"}, {"short", b, "usual"}, {"short", Issuer{ID: "iss_unread"}, "short"},
	} {
		f.Certificate.Profile = c.chosen
		if got := f.ProfileAt(c.issuer); got != c.want {
			t.Errorf("%q at %s: %q, want %q", c.chosen, c.issuer.ID, got, c.want)
		}
	}
}

func TestFindingOfAProfile(t *testing.T) {
	f := Finding{Code: CAProfile}.With("ca", "First CA")
	order := Order{Profile: "short"}
	if e := Explain(f.WithProfile(order, Certificate{Profile: "short"})); e.Who != Customer || e.Happened != "First CA no longer offers the profile short" {
		t.Errorf("chosen: %+v", e)
	}
	if e := Explain(f.WithProfile(order, Certificate{})); e.Who != OperatorDo || e.Happened != "First CA does not offer the profile short" {
		t.Errorf("of the settings: %+v", e)
	}
	if got := (Finding{Code: CASilent}).WithProfile(order, Certificate{}); len(got.Args) > 0 {
		t.Errorf("another finding: %v", got)
	}
}

// The reason names all that changed.
func TestDueNamesWhatChanged(t *testing.T) {
	now := epoch.Add(5 * day)
	f := factsFor(90*day, 1)
	f.Changed, f.Change = now.Add(-time.Second), "names and profile"
	if v := Due(f, now); v.Reason != SettingsChanged || !strings.HasPrefix(v.Text, "The names and profile of this certificate changed on ") {
		t.Errorf("%+v", v)
	}
}
