package tenants

import (
	"slices"
	"strings"
)

// NameChoice is which names a certificate is for. The record that proves a domain's name proves its sibling as well, so
// either choice needs no other record.
type NameChoice string

const (
	NameAlone   NameChoice = "alone" // the domain's name
	WithSibling NameChoice = "both"
)

// Sibling is the other name that is proved at the same place (RFC 8555, section 7.1.3): *.shop.example for shop.example, and
// the other way round.
func Sibling(name string) string {
	if base, wildcard := strings.CutPrefix(name, "*."); wildcard {
		return base
	}
	return "*." + name
}

// Of are the names of a certificate of the domain with that name, sorted as versions have theirs.
func (c NameChoice) Of(name string) []string {
	names := []string{name}
	if c == WithSibling {
		names = append(names, Sibling(name))
	}
	slices.Sort(names)
	return names
}

// NameChoice is what was chosen for the certificate.
func (c Certificate) NameChoice() NameChoice {
	if len(c.Names) > 1 {
		return WithSibling
	}
	return NameAlone
}

// InWords are the names of a certificate as a sentence has them, the domain's own first.
func (d Domain) InWords(names []string) string { return list(d.OwnFirst(names)) }

// OwnFirst are the names of a certificate with the domain's own in front.
func (d Domain) OwnFirst(names []string) []string {
	sorted := slices.Clone(names)
	if i := slices.Index(sorted, d.Name); i > 0 {
		sorted = slices.Insert(slices.Delete(sorted, i, i+1), 0, d.Name)
	}
	return sorted
}
