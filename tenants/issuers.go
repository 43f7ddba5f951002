package tenants

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Day is a date without a time of day.
type Day struct{ time.Time }

// Fact is something that somebody else says of themselves, in our own words. Facts age: a page that shows one shows
// when it was read.
type Fact struct {
	Source  string // URL
	Edition Day    // of the source, when it names one: its last change
	Read    Day
	Says    string
}

// KeyKind is what a limit counts by: each of them has a bucket of its own.
type KeyKind string

const (
	PerAccount          KeyKind = "account"
	PerRegisteredDomain KeyKind = "registered domain" // public suffix + 1
	PerSet              KeyKind = "set of names"
	PerName             KeyKind = "name and account"
	PerAddress          KeyKind = "IP address"
	PerProviderAccount  KeyKind = "provider account" // of the DNS provider, whatever credentials are used
)

var keyKinds = []KeyKind{PerAccount, PerRegisteredDomain, PerSet, PerName, PerAddress, PerProviderAccount}

// Rule is one limit as its owner publishes it.
type Rule struct {
	Name   LimitName
	Allows Limit
	Key    KeyKind
	Fact
}

// Exemption says which limits do not count a kind of renewal. The zero Exemption exempts from nothing.
type Exemption struct {
	All  bool        // from every limit
	From []LimitName // from these, when not from all
	Fact
}

// Exempts reports whether the limit does not count.
func (e Exemption) Exempts(name LimitName) bool { return e.All || slices.Contains(e.From, name) }

// Binding says whether accounts need an external account binding (RFC 8555, section 7.3.4).
type Binding struct {
	Required bool
	Fact
}

// Profile is what is public about an authority. Facts with an empty Source are not known.
type Profile struct {
	Name        string   // as pages show it
	Directories []string // RFC 8555, section 7.1.1; all on one host
	Staging     string   // a directory for dry runs, empty when none is known
	About       Fact     // for the directories
	EAB         Binding
	Replacing   Exemption // renewals that name what they replace (RFC 9773, section 5)
	SameSet     Exemption // renewals of the exact same set of names that do not
	Rules       []Rule
	Notes       []Fact // what is worth knowing of limits that nobody can count
}

// ProfileOf is the profile of a directory, found by its host. Of an unknown one the host is the name, and nothing is
// limited until the CA says so.
func ProfileOf(directory string) Profile {
	host := hostname(directory)
	for _, p := range published.Issuers {
		if hostname(p.Directories[0]) == host {
			return p
		}
	}
	return Profile{Name: host, Directories: []string{directory}}
}

// hostname is the host of a URL, or what was given when there is none in it.
func hostname(directory string) string {
	if u, err := url.Parse(directory); err == nil && u.Host != "" {
		return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	}
	return directory
}

// Rule is the published limit of that name; its Allows is unlimited when there is none.
func (p Profile) Rule(name LimitName) Rule {
	if i := slices.IndexFunc(p.Rules, func(r Rule) bool { return r.Name == name }); i >= 0 {
		return p.Rules[i]
	}
	return Rule{Name: name}
}

// Counted are the published limits that the ledger counts.
func (p Profile) Counted() Limits {
	limits := Limits{}
	for _, r := range p.Rules {
		if r.Name.Counted() {
			limits[r.Name] = r.Allows
		}
	}
	return limits
}

// NewIssuer is an issuer with what is known of its directory filled in: its name, its limits.
func NewIssuer(directory string) Issuer {
	p := ProfileOf(directory)
	return Issuer{Name: p.Name, Directory: directory, Limits: p.Counted(), FreeARI: p.Replacing.All}
}

// Counts reports whether the authority counts an order against a limit: not one that names what it replaces, and not
// one of the exact same names as current, the version that it follows, where the authority says so. current is nil for a
// first order.
func (i Issuer) Counts(name LimitName, o Order, current *Version) bool {
	p := ProfileOf(i.Directory)
	if o.Replaces != "" && (i.FreeARI || p.Replacing.Exempts(name)) {
		return false
	}
	return current == nil || !sameNames(o.Names, current.Names) || !p.SameSet.Exempts(name)
}

// sameNames reports whether two lists hold the same names, in whatever order.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}

// With is a copy of the limits with one replaced: a granted increase, or one that is known only to the operator.
func (l Limits) With(name LimitName, limit Limit) Limits {
	changed := Limits{}
	maps.Copy(changed, l)
	changed[name] = limit
	return changed
}

// DNSProfile is what is public about the limits of a DNS provider.
type DNSProfile struct {
	Provider string // as the setting dns-provider names it
	Rules    []Rule
	Notes    []Fact
}

// Writes is how many TXT values can be written or removed there: each takes two requests, one to read what is there and
// one to change it. It is unlimited when nothing is known.
func (p DNSProfile) Writes() Limit {
	i := slices.IndexFunc(p.Rules, func(r Rule) bool { return r.Name == DNSRequests })
	if i < 0 {
		return Limit{}
	}
	allows := p.Rules[i].Allows
	return Limit{Count: max(1, allows.Count/2), Per: allows.Per}
}

// DNSProfileOf is the profile of a DNS provider, without rules when nothing is known of it.
func DNSProfileOf(provider string) DNSProfile {
	for _, p := range published.DNS {
		if p.Provider == provider {
			return p
		}
	}
	return DNSProfile{Provider: provider}
}
