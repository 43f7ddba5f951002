package tenants

import (
	"cmp"
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
