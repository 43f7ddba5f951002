package tenants

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Settings are what a person chooses about the next versions of a certificate.
type Settings struct {
	Names    []string // sorted
	Prefers  IssuerID // asked first; empty: as the policy has it
	KeyType  KeyType  // of keys that we make
	Strategy KeyStrategy
	CSR      string // the customer's own, PEM; only with OwnCSR
	own      CSR    // the same, read
	Profile  string // ACME profile; empty: what is usual at the issuer
}

// SettingsForm is settings as people type them. The names in brackets are those of a refusal's Fields.
type SettingsForm struct {
	Names    string // [names] a NameChoice; empty: as it is
	Prefers  string // [authority] id; empty: as the policy has it
	KeyType  string // [key_type]
	Strategy string // [strategy]
	CSR      string // [csr]
	Profile  string // [profile] empty: the usual one
}

// SettingsEffect is what other settings change, and what that causes.
type SettingsEffect struct {
	Rows   []Change // every setting now and after, changed or not
	Renew  bool     // a version with them is ordered at once
	What   string   // what differs then, as Verdict.Text says it; empty without Renew
	Text   string   // what they cause, in a sentence or two
	Token  string   // fingerprint of all that was shown: who saves proves to have seen this
	NoneOf bool     // nothing differs
	After  Settings // what would be saved
}

// SettingsForm is the settings in use as the fields of a form hold them: a key type that the policy no longer allows shows as the
// one that the next key would have.
func (f Facts) SettingsForm() SettingsForm {
	c := f.Certificate
	return SettingsForm{Names: string(c.NameChoice()), Prefers: string(c.Prefers), KeyType: string(f.Policy.KeyFor(c.KeyType)),
		Strategy: string(cmp.Or(c.Strategy, RotateKey)), CSR: c.CSR, Profile: c.Profile}
}

// SPKI is the SHA-256 of the public key in the customer's own CSR, lower-case hex; empty without one.
func (s Settings) SPKI() string { return s.own.SPKI }

// ParseSettings reads a form. The error is an *Error of kind Invalid that names all faults at once, each in Fields under its
// field's name.
func (f Facts) ParseSettings(form SettingsForm) (Settings, error) {
	wrong := faults{}
	s := Settings{Names: f.wantedNames(form.Names, wrong), Prefers: f.wantedIssuer(form.Prefers, wrong),
		KeyType: f.Certificate.KeyType, Strategy: KeyStrategy(form.Strategy)}
	s.Profile = f.wantedProfile(form.Profile, s.Prefers, wrong)
	switch {
	case !slices.Contains(strategies, s.Strategy):
		wrong["strategy"] = "It is not said where the key comes from. Choose one of the three ways."
	case !f.Policy.AllowsStrategy(s.Strategy):
		wrong["strategy"] = refusedStrategy[s.Strategy]
	case s.Strategy == OwnCSR:
		s.own, s.CSR = f.wantedCSR(form.CSR, s.Names, wrong), form.CSR
	default:
		s.KeyType = f.wantedKey(form.KeyType, wrong)
	}
	return s, wrong.err()
}

var strategies = []KeyStrategy{RotateKey, ReuseKey, OwnCSR}

var refusedStrategy = map[KeyStrategy]string{
	ReuseKey: "The policy allows no key to serve more than one version. Choose a new key each time, or ask an admin to allow reuse.",
	OwnCSR:   "The policy allows no CSRs of your own. Leave the key to us, or ask an admin to allow them.",
}

func (f Facts) wantedNames(typed string, wrong faults) []string {
	switch choice := NameChoice(typed); choice {
	case NameAlone, WithSibling:
		return choice.Of(f.Domain.Name)
	case "":
	default:
		wrong["names"] = "There is no such choice of names. Choose one of the two; other names are domains of their own."
	}
	return f.Certificate.Names
}

// wantedIssuer refuses whoever the policy does not allow, but not who was chosen before that.
func (f Facts) wantedIssuer(typed string, wrong faults) IssuerID {
	id := IssuerID(typed)
	if id != "" && id != f.Certificate.Prefers && !f.offers(id) {
		wrong["authority"] = "The policy allows no certificates from this authority. Choose another one, or ask an admin to allow it."
	}
	return id
}

func (f Facts) wantedProfile(typed string, prefers IssuerID, wrong faults) string {
	issuer := f.OffersFor(prefers)[0].Issuer
	if _, offered := issuer.Profiles[typed]; typed == "" || offered || issuer.Profiles == nil && typed == f.Certificate.Profile {
		return typed
	}
	if len(issuer.Profiles) == 0 {
		wrong["profile"] = fmt.Sprintf("%s offers no profiles. Leave the choice to it.", issuer.Name)
	} else {
		wrong["profile"] = fmt.Sprintf("%s does not offer the profile %s. Choose among %s.", issuer.Name, show(typed), list(issuer.ProfileNames()))
	}
	return typed
}

func (f Facts) wantedCSR(typed string, names []string, wrong faults) CSR {
	own, err := CheckCSR(typed, names, f.Policy)
	if e, ok := err.(*Error); ok {
		maps.Copy(wrong, e.Fields)
	}
	return own
}

func (f Facts) wantedKey(typed string, wrong faults) KeyType {
	k := KeyType(typed)
	switch {
	case !slices.Contains(KeyTypes, k):
		wrong["key_type"] = fmt.Sprintf("No such key type: %s. Choose among %s.", show(typed), wordsOf(f.Policy.allowed()))
	case !f.Policy.AllowsKey(k):
		wrong["key_type"] = fmt.Sprintf("The policy allows no %s keys. Choose among %s.", k, wordsOf(f.Policy.allowed()))
	}
	return k
}

// SettingsEffect judges settings before they are used. served is the newest version of the lineage that has the key of the
// CSR, nil for none: a key that was replaced, or that we made, does not come back; the error is then one of ParseSettings. exposed:
// somebody reported that key, no matter who.
func (f Facts) SettingsEffect(s Settings, served *Version, exposed bool, now time.Time) (SettingsEffect, error) {
	e := SettingsEffect{After: s}
	if s.Strategy == OwnCSR {
		if err := f.refuseKey(s, served, exposed, now); err != nil {
			return e, err
		}
	}
	was, is := f.settingRows(f.inUse()), f.settingRows(s)
	e.NoneOf = true
	for i := range is {
		e.Rows = append(e.Rows, Change{Field: is[i].Field, Before: was[i].After, After: is[i].After})
		e.NoneOf = e.NoneOf && is[i].After == was[i].After
	}
	e.What = f.differs(s)
	e.Renew = e.What != ""
	e.Text = f.effectText(s, e, now)
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q", []string{fmt.Sprint(e.Rows), e.Text, s.CSR})))
	e.Token = hex.EncodeToString(sum[:16])
	return e, nil
}

// refuseKey keeps keys out that would not serve the next version.
func (f Facts) refuseKey(s Settings, served *Version, exposed bool, now time.Time) error {
	text := f.foreignKey(served)
	if text == "" && exposed {
		text = "The key of this CSR was reported as compromised, so no certificate may be for it. Make a new key, and paste the CSR for it."
	}
	if text == "" {
		after := f.after(s)
		after.Exposed = false
		after.Order = nil
		if lacks := after.Lacking(later(f.Certificate.Plan.At, now)); !lacks.OK() {
			text = Explain(lacks).Why + " Make a new key, and paste the CSR for it."
		}
	}
	if text == "" {
		return nil
	}
	return badCSR(text)
}

// inUse is the settings in use. A CSR that the rules refuse by now has no key to show.
func (f Facts) inUse() Settings {
	c := f.Certificate
	s := Settings{Names: c.Names, Prefers: c.Prefers, KeyType: f.Policy.KeyFor(c.KeyType), Strategy: cmp.Or(c.Strategy, RotateKey), CSR: c.CSR, Profile: c.Profile}
	if s.Strategy == OwnCSR {
		s.own = c.own()
	}
	return s
}

// own is the customer's CSR, read by rules that allow any key; zero without one, or with one that is damaged.
func (c Certificate) own() CSR {
	own, err := CheckCSR(c.CSR, c.Names, Policy{OwnCSR: true})
	if err != nil {
		return CSR{}
	}
	return own
}

// OwnSPKI is the SHA-256 of the public key in the customer's own CSR, lower-case hex; empty when the next key does not come
// from one.
func (c Certificate) OwnSPKI() string {
	if c.Strategy != OwnCSR {
		return ""
	}
	return c.own().SPKI
}

// differs is what a version with s would not share with what there is: the version that an order under way will bring, or
// else the current one. Empty when there is neither, or no difference.
func (f Facts) differs(s Settings) string {
	was, exists := f.newest()
	if !exists {
		return ""
	}
	after := f.after(s)
	preferred, is := after.Offers[0].Issuer, s.key()
	var what []string
	if len(f.Certificate.Names) > 0 && !sameNames(was.names, s.Names) {
		what = append(what, "names")
	}
	if chosen := s.Prefers != "" || f.Certificate.Prefers != ""; chosen && was.issuer != preferred.ID {
		what = append(what, "authority")
	}
	switch {
	case was.key.own != is.own:
		what = append(what, "source of the key")
	case is.own && was.key.spki != is.spki:
		what = append(what, "CSR")
	case was.key.kind != is.kind:
		what = append(what, "key type")
	}
	if was.profile != after.ProfileAt(preferred) {
		what = append(what, "profile")
	}
	return list(what)
}

// traits are what two versions may differ in.
type traits struct {
	names   []string
	issuer  IssuerID
	key     keyOf
	profile string
}

// newest is what the newest version will be like, or is; false when there is none.
func (f Facts) newest() (traits, bool) {
	switch {
	case f.underWay():
		return traits{f.Order.Names, f.Order.Issuer, f.inUse().key(), f.Order.Profile}, true
	case f.Current != nil:
		return traits{f.Current.Names, f.Current.IssuerID, keyOf{f.Current.OwnKey, f.Current.KeyType, f.Current.SPKI}, f.Current.Profile}, true
	}
	return traits{}, false
}

// underWay reports whether there is an open order that the authority may know of. Any other is planned anew when the settings
// change.
func (f Facts) underWay() bool {
	return f.Order != nil && f.Order.State.Open() && !f.Order.Unplaced()
}

// after is the facts once s is in use.
func (f Facts) after(s Settings) Facts {
	c := &f.Certificate
	c.Names, c.Prefers, c.Strategy, c.CSR, c.Profile, c.KeyType = s.Names, s.Prefers, s.Strategy, s.CSR, s.Profile, s.KeyType
	f.Offers = f.OffersFor(s.Prefers)
	return f
}

// Changed is when and what changed once settings with that effect are saved at now (Certificate.Changed and Change). It lies
// behind the making of an order under way, which has the settings before; and what was changed while that is open is not forgotten.
func (f Facts) Changed(e SettingsEffect, now time.Time) (at time.Time, what string) {
	open := f.underWay()
	switch {
	case e.Renew && open:
		return later(now, f.Order.Created.Add(time.Microsecond)), e.What
	case e.Renew:
		return now, e.What
	case open:
		return f.Certificate.Changed, f.Certificate.Change
	}
	return time.Time{}, ""
}

// keyOf is what two versions may differ in.
type keyOf struct {
	own  bool
	kind KeyType
	spki string // only looked at when own
}

func (s Settings) key() keyOf {
	if s.Strategy == OwnCSR {
		return keyOf{true, s.own.KeyType, s.own.SPKI}
	}
	return keyOf{false, s.KeyType, ""}
}
