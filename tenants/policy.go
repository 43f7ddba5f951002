package tenants

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Policy is what a tenant's certificates may be and when they are renewed. The zero Policy is the default: renewal in
// the last third of the lifetime, every key type, a new key for each version, made by us.
type Policy struct {
	RenewDays  int       // renew this many days before the end; 0: by RenewPart
	RenewPart  float64   // renew when this part of the lifetime is left, between 0 and 1; 0: a third, half under ten days
	KeyTypes   []KeyType // allowed; empty: all that we know
	DefaultKey KeyType   // of certificates that ask for none or for one that is not allowed; empty: the first allowed
	ReuseKey   bool      // a key may serve more than one version
	MaxKeyDays int       // no key is used for longer, in days; 0: no limit, see KeyDays
	OwnCSR     bool      // customers may bring a CSR for a key that we never see

	Issuers       []IssuerID // to order from, the preferred one first; empty: the portal's own only
	FailoverAfter int        // hours for which an issuer may fail a certificate before the next one is asked; 0: for ever
}

// KeyStrategy is where the key of a certificate's next version comes from.
type KeyStrategy string

const (
	RotateKey KeyStrategy = "rotate" // a new key each time; so is the empty strategy
	ReuseKey  KeyStrategy = "reuse"  // the same key until the policy wants another
	OwnCSR    KeyStrategy = "csr"    // the customer's own CSR
)

// What counts of days may be. More is a typing error.
const (
	maxRenewDays = 365
	maxKeyDays   = 3650
	maxFailover  = 365 * 24 // hours
)

// AllowsKey reports whether new keys may be of type k.
func (p Policy) AllowsKey(k KeyType) bool { return slices.Contains(p.allowed(), k) }

// AllowsStrategy reports whether a certificate may get its keys that way.
func (p Policy) AllowsStrategy(s KeyStrategy) bool {
	switch s {
	case RotateKey, "":
		return true
	case ReuseKey:
		return p.ReuseKey
	case OwnCSR:
		return p.OwnCSR
	}
	return false
}

// KeyFor is the type of the next key for a certificate that asks for wanted. It is always one that the policy allows, so
// that a renewal for the policy's sake heals what it is for.
func (p Policy) KeyFor(wanted KeyType) KeyType {
	for _, k := range []KeyType{wanted, p.DefaultKey} {
		if p.AllowsKey(k) {
			return k
		}
	}
	return p.allowed()[0]
}

// KeyDays is for how many days a key may be used, zero for any time. A policy that allows reuse always has a number: one that was
// saved when it needed none has the highest that can be typed.
func (p Policy) KeyDays() int {
	if p.ReuseKey && p.MaxKeyDays <= 0 {
		return maxKeyDays
	}
	return p.MaxKeyDays
}

// MaxKeyAge is KeyDays as a duration.
func (p Policy) MaxKeyAge() time.Duration { return days(p.KeyDays()) }

func (p Policy) allowed() []KeyType {
	if len(p.KeyTypes) == 0 {
		return KeyTypes
	}
	return p.KeyTypes
}

// PolicyChanges are the fields in which two policies differ, in words. names are those of the issuers in them.
func PolicyChanges(before, after Policy, names map[IssuerID]string) (changes []Change) {
	was, is := before.fields(names), after.fields(names)
	for i, field := range is {
		if field.After != was[i].After {
			changes = append(changes, Change{Field: field.Field, Before: was[i].After, After: field.After})
		}
	}
	return changes
}

func (p Policy) fields(names map[IssuerID]string) []Change {
	limit := "no limit"
	if n := p.KeyDays(); n > 0 {
		limit = counted(n, "day")
	}
	return []Change{
		{Field: "Renewal", After: p.RenewalWords()},
		{Field: "Key types", After: wordsOf(p.allowed())},
		{Field: "Key type unless asked for", After: string(p.KeyFor(p.DefaultKey))},
		{Field: "Keys may be reused", After: yesNo(p.ReuseKey)},
		{Field: "Longest use of a key", After: limit},
		{Field: "Own CSR", After: yesNo(p.OwnCSR)},
		{Field: "Authorities", After: p.IssuerWords(names)},
		{Field: "Another authority", After: p.FailoverWords()},
	}
}

// RenewalWords is when the policy renews: "30 days before the end".
func (p Policy) RenewalWords() string {
	switch {
	case p.RenewDays > 0:
		return counted(p.RenewDays, "day") + " before the end"
	case isPart(p.RenewPart):
		return fmt.Sprintf("in the last %.4g%% of the lifetime", 100*p.RenewPart)
	}
	return "in the last third of the lifetime"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func days(n int) time.Duration { return time.Duration(min(max(n, 0), maxKeyDays)) * 24 * time.Hour }

// PolicyForm is a policy as people type it. The names in brackets are those of a refusal's Fields.
type PolicyForm struct {
	RenewDays  string   // [renew_days] days before the end
	RenewPart  string   // [renew_part] "1/3", "0.25" or "25%"
	KeyTypes   []string // [key_types]
	DefaultKey string   // [default_key]
	ReuseKey   bool
	MaxKeyDays string // [max_key_days]
	OwnCSR     bool

	Issuers       []string // [issuer1], [issuer2] …: ids, the preferred one first; empty: the portal's own, or no further one
	FailoverHours string   // [failover_hours]
}

// ParsePolicy reads a form; a field left empty means the default. The error is an *Error of kind Invalid that names all
// faults at once, each in Fields under its field's name.
func ParsePolicy(f PolicyForm) (Policy, error) {
	wrong := faults{}
	p := Policy{
		RenewDays:  wholeNumber(f.RenewDays, "renew_days", wholeDays(maxRenewDays), wrong),
		RenewPart:  f.renewPart(wrong),
		KeyTypes:   f.keyTypes(wrong),
		DefaultKey: f.defaultKey(wrong),
		ReuseKey:   f.ReuseKey,
		MaxKeyDays: wholeNumber(f.MaxKeyDays, "max_key_days", wholeDays(maxKeyDays), wrong),
		OwnCSR:     f.OwnCSR,
	}
	f.preference(&p, wrong)
	if p.ReuseKey && strings.TrimSpace(f.MaxKeyDays) == "" {
		wrong["max_key_days"] = "Keys may be reused, and the longest use of one is missing. Type a number of days, such as 365."
	}
	if p.RenewDays > 0 && p.RenewPart > 0 {
		wrong["renew_part"] = "Renewal goes by days or by a part of the lifetime. Leave one of the two empty."
	}
	if err := wrong.err(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// Form is the policy as the fields of a form hold it. ParsePolicy makes a policy of it that is judged the same.
func (p Policy) Form() PolicyForm {
	f := PolicyForm{RenewDays: typedNumber(p.RenewDays), DefaultKey: string(p.DefaultKey), ReuseKey: p.ReuseKey, MaxKeyDays: typedNumber(p.KeyDays()), OwnCSR: p.OwnCSR,
		FailoverHours: typedNumber(p.FailoverAfter)}
	if isPart(p.RenewPart) {
		f.RenewPart = typedPart(p.RenewPart)
	}
	for _, k := range p.allowed() {
		f.KeyTypes = append(f.KeyTypes, string(k))
	}
	for _, id := range p.Issuers {
		f.Issuers = append(f.Issuers, string(id))
	}
	return f
}

func typedNumber(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// typedPart is the shortest way to type exactly this part: "25%", "1/3" or "0.3141".
func typedPart(p float64) string {
	if whole := math.Round(100 * p); whole/100 == p {
		return fmt.Sprintf("%.0f%%", whole)
	}
	for under := 3.0; under <= 12; under++ {
		if over := math.Round(p * under); over/under == p {
			return fmt.Sprintf("%.0f/%.0f", over, under)
		}
	}
	return strconv.FormatFloat(p, 'f', -1, 64)
}

// quantity is what a whole number may be, from 1.
type quantity struct {
	most    int
	unit    string // in the plural
	example int
}

func wholeDays(most int) quantity { return quantity{most, "days", 30} }

// wholeNumber reads such a number; empty is 0.
func wholeNumber(typed, field string, q quantity, wrong faults) int {
	typed = strings.TrimSpace(typed)
	n, err := strconv.Atoi(typed)
	if typed != "" && (err != nil || n < 1 || n > q.most) {
		wrong[field] = fmt.Sprintf("%s is not a number of whole %s from 1 to %s. Type one, such as %d.", show(typed), q.unit, grouped(q.most), q.example)
		return 0
	}
	return n
}

func (f PolicyForm) renewPart(wrong faults) float64 {
	typed := strings.TrimSpace(f.RenewPart)
	if typed == "" {
		return 0
	}
	part, err := parsePart(typed)
	if err != nil || !isPart(part) {
		wrong["renew_part"] = fmt.Sprintf("%s is not a part between 0 and 1. Type one, such as 1/3 or 25%%.", show(typed))
		return 0
	}
	return part
}

// isPart reports whether p lies between 0 and 1, which no NaN does.
func isPart(p float64) bool { return p > 0 && p < 1 }

// parsePart reads "1/3", "25%" and "0.25".
func parsePart(typed string) (float64, error) {
	over, under, ratio := strings.Cut(strings.Replace(typed, "%", "/100", 1), "/")
	n, err := strconv.ParseFloat(strings.TrimSpace(over), 64)
	if err != nil || !ratio {
		return n, err
	}
	of, err := strconv.ParseFloat(strings.TrimSpace(under), 64)
	return n / of, err
}

func (f PolicyForm) keyTypes(wrong faults) []KeyType {
	var types, unknown []string
	for _, typed := range f.KeyTypes {
		if slices.Contains(KeyTypes, KeyType(typed)) {
			types = append(types, typed)
		} else {
			unknown = append(unknown, show(typed))
		}
	}
	if len(unknown) > 0 {
		wrong["key_types"] = fmt.Sprintf("No such key type: %s. Choose among %s.", list(unknown), wordsOf(KeyTypes))
	}
	return inOrder(types)
}

// inOrder is the chosen types as KeyTypes has them, each once; nil when that is all of them, so that types of a later version are
// allowed as well.
func inOrder(types []string) []KeyType {
	chosen := slices.DeleteFunc(slices.Clone(KeyTypes), func(k KeyType) bool { return !slices.Contains(types, string(k)) })
	if len(chosen) == 0 || len(chosen) == len(KeyTypes) {
		return nil
	}
	return chosen
}

func (f PolicyForm) defaultKey(wrong faults) KeyType {
	k := KeyType(f.DefaultKey)
	switch {
	case k == "":
	case !slices.Contains(KeyTypes, k):
		wrong["default_key"] = fmt.Sprintf("No such key type: %s. Choose among %s.", show(f.DefaultKey), wordsOf(KeyTypes))
	case len(f.KeyTypes) > 0 && !slices.Contains(f.KeyTypes, f.DefaultKey):
		wrong["default_key"] = fmt.Sprintf("%s is not among the allowed key types. Allow it, or choose another as the default.", k)
	}
	return k
}

func wordsOf(types []KeyType) string {
	words := make([]string, len(types))
	for i, k := range types {
		words[i] = string(k)
	}
	return list(words)
}

// faults gathers what is wrong with a form: field name → sentence.
type faults map[string]string

// err is nothing, or all faults as one *Error.
func (f faults) err() error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		for _, text := range f {
			return &Error{Kind: Invalid, Text: text, Fields: f}
		}
	}
	return &Error{Kind: Invalid, Text: fmt.Sprintf("%d fields need another answer. Nothing was changed yet.", len(f)), Fields: f}
}

// list is words as a sentence has them, "a, b and c", no more than six of them: "a, b, c, d, e, f and 20 more".
func list(words []string) string {
	const most = 6
	if more := len(words) - most; more > 0 {
		return fmt.Sprintf("%s and %s more", strings.Join(words[:most], ", "), grouped(more))
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// grouped is a count for people: 3,120.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
