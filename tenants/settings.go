package tenants

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Settings are what a person chooses about the next versions of a certificate.
type Settings struct {
	KeyType  KeyType // of keys that we make
	Strategy KeyStrategy
	CSR      string // the customer's own, PEM; only with OwnCSR
	own      CSR    // the same, read
}

// SettingsForm is settings as people type them. The names in brackets are those of a refusal's Fields.
type SettingsForm struct {
	KeyType  string // [key_type]
	Strategy string // [strategy]
	CSR      string // [csr]
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
	return SettingsForm{KeyType: string(f.Policy.KeyFor(c.KeyType)), Strategy: string(cmp.Or(c.Strategy, RotateKey)), CSR: c.CSR}
}

// SPKI is the SHA-256 of the public key in the customer's own CSR, lower-case hex; empty without one.
func (s Settings) SPKI() string { return s.own.SPKI }

// ParseSettings reads a form. The error is an *Error of kind Invalid that names all faults at once, each in Fields under its
// field's name.
func (f Facts) ParseSettings(form SettingsForm) (Settings, error) {
	wrong := faults{}
	s := Settings{KeyType: f.Certificate.KeyType, Strategy: KeyStrategy(form.Strategy)}
	switch {
	case !slices.Contains(strategies, s.Strategy):
		wrong["strategy"] = "It is not said where the key comes from. Choose one of the three ways."
	case !f.Policy.AllowsStrategy(s.Strategy):
		wrong["strategy"] = refusedStrategy[s.Strategy]
	case s.Strategy == OwnCSR:
		var err error
		if s.own, err = CheckCSR(form.CSR, f.Certificate.Names, f.Policy); err != nil {
			return s, err
		}
		s.CSR = form.CSR
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
		after := f
		after.Certificate.Strategy, after.Certificate.CSR, after.Exposed = s.Strategy, s.CSR, false
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
	s := Settings{KeyType: f.Policy.KeyFor(c.KeyType), Strategy: cmp.Or(c.Strategy, RotateKey), CSR: c.CSR}
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

var strategyWords = map[KeyStrategy]string{
	RotateKey: "us, a new one each time",
	ReuseKey:  "us, the same until the policy wants another",
	OwnCSR:    "you, in a CSR",
}

func (f Facts) settingRows(s Settings) []Change {
	kind, csr := string(s.KeyType), "none"
	if s.Strategy == OwnCSR {
		kind, csr = "none", "none"
		if s.own.SPKI != "" {
			kind, csr = string(s.own.KeyType), "for the key "+s.own.SPKI[:8]+"…"
		}
	}
	return []Change{{Field: "Key type", After: kind}, {Field: "Key comes from", After: strategyWords[s.Strategy]}, {Field: "Your CSR", After: csr}}
}

// differs is what a version with s would not share with what there is: the version that an open order will bring, or else
// the current one. Empty when there is neither, or no difference.
func (f Facts) differs(s Settings) string {
	was := f.inUse().key()
	if f.Order == nil || !f.Order.State.Open() {
		if f.Current == nil {
			return ""
		}
		was = keyOf{f.Current.OwnKey, f.Current.KeyType, f.Current.SPKI}
	}
	is := s.key()
	switch {
	case was.own != is.own:
		return "source of the key"
	case is.own && was.spki != is.spki:
		return "CSR"
	case was.kind != is.kind:
		return "key type"
	}
	return ""
}

// Changed is when and what changed once settings with that effect are saved at now (Certificate.Changed and Change). It lies
// behind the making of an open order, which has the settings before; and what was changed while that is open is not forgotten.
func (f Facts) Changed(e SettingsEffect, now time.Time) (at time.Time, what string) {
	open := f.Order != nil && f.Order.State.Open()
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

func (f Facts) effectText(s Settings, e SettingsEffect, now time.Time) string {
	with := fmt.Sprintf("with %s", article(string(s.KeyType)+" key"))
	if s.Strategy == OwnCSR {
		with = fmt.Sprintf("with your own %s key", s.own.KeyType)
	}
	switch {
	case e.NoneOf:
		return "These are the settings in use. There is nothing to save."
	case e.Renew && f.Current == nil:
		return fmt.Sprintf("An order is under way. Once version 1 is there, we order version 2 %s.", with)
	case e.Renew && f.Order != nil && f.Order.State.Open():
		return fmt.Sprintf("An order is under way. Once version %d is there, we order version %d %s.", f.Current.Number+1, f.Current.Number+2, with)
	case e.Renew:
		return fmt.Sprintf("We order version %d at once %s. Version %d stays valid until its own end.%s", f.Current.Number+1, with, f.Current.Number, f.pauseNote(now))
	case f.Current == nil:
		return fmt.Sprintf("The first version is ordered %s.", with)
	}
	return fmt.Sprintf("Nothing is ordered now. Version %d is ordered when its renewal is due.", f.Current.Number+1)
}

func (f Facts) pauseNote(now time.Time) string {
	if _, paused := f.Certificate.Paused(f.Current, now); !paused {
		return ""
	}
	return " The pause does not hold it up."
}

// article is "an RSA-3072 key" or "a P-384 key".
func article(noun string) string {
	if noun[0] == 'R' { // said as a letter
		return "an " + noun
	}
	return "a " + noun
}
