package views

import (
	"slices"
	"strconv"
	"time"

	"perennial/tenants"
)

// Issuer is an authority as the operator sees it.
type Issuer struct {
	ID        tenants.IssuerID
	Name      string
	Directory string // URL, RFC 8555, section 7.1.1
	Default   bool   // of the settings: everybody's whose policy names none
	Retired   time.Time
	EABKeyID  string // of the external account binding; empty for none
	Created   time.Time
	Asked     bool      // it was asked at least once, so Answers and Since mean something
	Answers   bool      // it did, the last time
	Since     time.Time // of the present answer or silence
	Accounts  []IssuerAccount
	Limits    []IssuerLimit
	Domains   int // whose current certificate came from it, or whose first will
}

// IssuerLimit is a limit with its fullest bucket over all tenants, and who says so.
type IssuerLimit struct {
	BudgetLine
	Ours       bool // the operator's own value counts
	Configured bool // that of the settings counts
	By         string
	At         time.Time // when the operator's own value was set
}

// IssuersPage lists the authorities, in the order of preference.
type IssuersPage struct {
	Page
	Rows  []Issuer
	Error string // why another order was refused
}

// IssuerFormPage is the form for another authority. It has no field that would hold the HMAC key: that is never sent back.
type IssuerFormPage struct {
	Page
	Directory, Name, EABKeyID string            // as typed
	Errors                    map[string]string // field → sentence: directory, name, eab_key_id, eab_key
	Error                     string            // a refusal that belongs to no field
}

// IssuerPage is one authority.
type IssuerPage struct {
	Page
	Issuer
	Typed    []LimitField      // as typed, after a refusal; nil: as saved
	Accounts string            // field accounts, as typed; empty: as saved
	Errors   map[string]string // field → sentence: count1, per1, limit1 …, accounts
}

// LimitField is one row of the form of own limits.
type LimitField struct{ Count, Per string }

// RetirePage asks before an authority gets no more orders.
type RetirePage struct {
	Page
	Issuer
	Typed, Error string
}

// orders: with one authority there is no order to change.
func (p IssuersPage) orders() bool { return p.May(tenants.ManageIssuers) && len(p.Rows) > 1 }

func (p IssuersPage) lede() string {
	silent := 0
	for _, r := range p.Rows {
		if r.Asked && !r.Answers && r.Retired.IsZero() {
			silent++
		}
	}
	s := plural(len(p.Rows), "authority")
	if len(p.Rows) != 1 {
		s = number(len(p.Rows)) + " authorities"
	}
	switch silent {
	case 0:
		return s + ". None is silent."
	case 1:
		return s + ". 1 cannot be asked."
	}
	return s + ". " + number(silent) + " cannot be asked."
}

// state is how the authority does.
func (i Issuer) state() mood {
	switch {
	case !i.Retired.IsZero():
		return mood{"s-quiet", "box", "Retired"}
	case !i.Asked:
		return mood{"s-quiet", "clock", "Not asked yet"}
	case !i.Answers:
		return mood{"s-unknown", "unknown", "Cannot be asked"}
	}
	return mood{"s-active", "check", "Answers"}
}

func (i Issuer) since(now time.Time) string {
	switch {
	case !i.Retired.IsZero():
		return "since " + date(now, i.Retired)
	case i.Asked && !i.Since.IsZero():
		return "since " + date(now, i.Since)
	}
	return ""
}

// use says when certificates come from it.
func (i Issuer) use() string {
	switch {
	case !i.Retired.IsZero():
		return "gets no new orders"
	case i.Default:
		return "unless a policy names another"
	}
	return "where a policy names it"
}

// inUse counts the accounts over which new orders are spread.
func (i Issuer) inUse() (n int) {
	for _, a := range i.Accounts {
		if a.InUse {
			n++
		}
	}
	return n
}

// left is what all accounts in use may order together.
func (i Issuer) left() BudgetLine {
	sum := BudgetLine{Counted: true, Shut: i.inUse() > 0}
	for _, a := range i.Accounts {
		if a.InUse {
			sum.Left, sum.Count, sum.Shut = sum.Left+a.Orders.Left, sum.Count+a.Orders.Count, sum.Shut && a.Orders.Shut
		}
	}
	return sum
}

// shut reports whether the authority puts us off anywhere.
func (i Issuer) shut() bool {
	return slices.ContainsFunc(i.Limits, func(l IssuerLimit) bool { return l.Shut })
}

func (i Issuer) lede() string {
	s := plural(i.Domains, "domain") + " "
	if i.Domains == 1 {
		s += "has"
	} else {
		s += "have"
	}
	s += " a certificate of it, or will. "
	switch {
	case !i.Retired.IsZero():
		return s + "It gets no new orders; those that were sent end there."
	case i.Default:
		return s + "Certificates come from it unless a policy names another."
	}
	return s + "Certificates come from it where a policy names it."
}

// own are the limits that the operator can set: those that we count, also where the authority is not known to have one.
func (p IssuerPage) own() (own []IssuerLimit) {
	for _, name := range tenants.IssuerLimits {
		if !name.Counted() {
			continue
		}
		l := IssuerLimit{BudgetLine: BudgetLine{Limit: name}}
		if i := slices.IndexFunc(p.Limits, func(l IssuerLimit) bool { return l.Limit == name }); i >= 0 {
			l = p.Limits[i]
		}
		l.Key = "" // the row is about all buckets of the limit
		own = append(own, l)
	}
	return own
}

// counts is the value that counts now.
func (l IssuerLimit) counts() string {
	if l.Count == 0 {
		return "no limit is known"
	}
	return number(l.Count) + " in " + length(l.Per) + " counts now"
}

// typed is a row of the form: as typed, else the operator's own value, else empty.
func (p IssuerPage) typed(n int, l IssuerLimit) LimitField {
	switch {
	case n < len(p.Typed):
		return p.Typed[n]
	case l.Ours:
		return LimitField{strconv.Itoa(l.Count), short(l.Per)}
	}
	return LimitField{}
}

// short is a period as the form takes it: 7d, 3h, 90s.
func short(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		sign   string
	}{{day1, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d%unit.length == 0 {
			return strconv.Itoa(int(d/unit.length)) + unit.sign
		}
	}
	return strconv.Itoa(int(d/time.Second)) + "s"
}

func (p IssuerPage) accountsTyped() string {
	if p.Accounts != "" || p.Errors["accounts"] != "" {
		return p.Accounts
	}
	return strconv.Itoa(p.inUse())
}

// says tells where the value of a limit comes from, and since when.
func (l IssuerLimit) says(now time.Time) (icon, who, how string) {
	switch {
	case l.Shut:
		return "ca", "Corrected by the authority", "its answer " + moment(now, l.Corrected)
	case l.Ours:
		return "person", "Set by " + l.By, date(now, l.At)
	case l.Configured:
		return "system", "Settings of the portal", ""
	}
	return "ca", "Published by the authority", ""
}

// barWords stands in the head of a form that was refused.
func barWords(errors map[string]string) string {
	if len(errors) == 1 {
		return "Not saved: 1 field needs a change."
	}
	return "Not saved: " + number(len(errors)) + " fields need a change."
}

func (p IssuerFormPage) barWords() string {
	if p.Error != "" {
		return "Not saved: " + p.Error
	}
	return barWords(p.Errors)
}

// keyWords says that the key has to be pasted once more: it is not kept over a refusal.
func (p IssuerFormPage) keyWords() string {
	if p.EABKeyID != "" && (len(p.Errors) > 0 || p.Error != "") {
		return "Paste the HMAC key once more: we never send it back."
	}
	return "We ask the directory for its terms and limits now."
}
