package tenants

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// IssuerWords are the names of the issuers to order from: "Let's Encrypt, then Second".
func (p Policy) IssuerWords(names map[IssuerID]string) string {
	var all []string
	for _, id := range p.Issuers {
		all = append(all, cmp.Or(names[id], string(id)))
	}
	return cmp.Or(strings.Join(all, ", then "), "the portal's own")
}

// FailoverWords is when the next issuer is asked: "after 6 hours".
func (p Policy) FailoverWords() string {
	if p.FailoverAfter <= 0 {
		return "never"
	}
	return "after " + counted(p.FailoverAfter, "hour")
}

// patience is for how long an issuer may fail.
func (p Policy) patience() time.Duration {
	return time.Duration(min(p.FailoverAfter, maxFailover)) * time.Hour
}

// OffersFor are the offers in the order in which a certificate that prefers id has them asked: that one first, as long as
// the policy allows it, and then as the policy has them.
func (f Facts) OffersFor(id IssuerID) []Offer {
	rank := func(o Offer) int {
		if o.ID == id {
			return -1
		}
		return slices.Index(f.Policy.Issuers, o.ID)
	}
	return slices.SortedStableFunc(slices.Values(f.Offers), func(a, b Offer) int { return cmp.Compare(rank(a), rank(b)) })
}

func (f Facts) offers(id IssuerID) bool {
	return slices.ContainsFunc(f.Offers, func(o Offer) bool { return o.ID == id })
}

// ProfileAt is the ACME profile that an order at one of the issuers names, empty for none. An issuer that is only asked because the
// preferred one fails, and does not offer what was chosen for that one, is asked for what is usual there.
func (f Facts) ProfileAt(i Issuer) string {
	chosen := f.Certificate.Profile
	_, offered := i.Profiles[chosen]
	preferred := len(f.Offers) > 0 && f.Offers[0].ID == i.ID
	if chosen != "" && (offered || preferred || i.Profiles == nil) {
		return chosen
	}
	return i.Profile
}

// ProfileNames are the profiles that the issuer offers, sorted.
func (i Issuer) ProfileNames() []string { return slices.Sorted(maps.Keys(i.Profiles)) }

// IssuerField is the name of the field of a policy's n-th issuer, from 0.
func IssuerField(n int) string { return "issuer" + strconv.Itoa(n+1) }

// preference reads which issuers are preferred, and when the next one is asked. A form that looks as if it moved on to
// another issuer and would not is refused.
func (f PolicyForm) preference(p *Policy, wrong faults) {
	before := len(wrong)
	p.Issuers = f.issuers(wrong)
	p.FailoverAfter = wholeNumber(f.FailoverHours, "failover_hours", quantity{maxFailover, "hours", 6}, wrong)
	switch {
	case len(wrong) > before:
	case p.FailoverAfter > 0 && len(p.Issuers) < 2:
		wrong["failover_hours"] = "There is no next authority to move on to. Choose one, or leave the hours empty."
	case p.FailoverAfter == 0 && len(p.Issuers) > 1:
		wrong["failover_hours"] = "Without hours the next authority is never asked. Type a number, such as 6, or choose no next one."
	}
}

// issuers reads the fields of issuers. Only the last may be empty: what comes after a gap is not as preferred as it looks.
func (f PolicyForm) issuers(wrong faults) (ids []IssuerID) {
	for n, typed := range f.Issuers {
		switch id := IssuerID(typed); {
		case typed == "":
		case n > len(ids):
			wrong[IssuerField(len(ids))] = "An authority is missing before the next one. Choose it, or leave those after it empty."
			return nil
		case slices.Contains(ids, id):
			wrong[IssuerField(n)] = "This authority stands there twice. Choose another one."
			return nil
		default:
			ids = append(ids, id)
		}
	}
	return ids
}
