package views

import (
	"cmp"
	"slices"
	"time"

	"perennial/tenants"
)

// CausePage lists the certificates behind one cause.
type CausePage struct {
	Page
	Code       tenants.Code // empty: nothing was found, yet they expired
	Rows       []CauseRow   // first expiry first
	Total      int
	Holders    int // tenants who have one
	Next, Prev string
}

// CauseRow is one certificate that fails to renew, or has expired.
type CauseRow struct {
	DomainRow
	TenantID         tenants.TenantID
	TenantName, Slug string
}

func (p CausePage) explained() tenants.Explanation { return p.Code.Standing() }

func (p CausePage) lede() string {
	if p.Total == 0 {
		return "No certificate fails for this cause now."
	}
	s := plural(p.Total, "certificate") + " of " + plural(p.Holders, "tenant") + "."
	if i := slices.IndexFunc(p.Rows, func(r CauseRow) bool { return r.NotAfter.After(p.Now) }); i >= 0 && p.Prev == "" {
		s += " The nearest expiry is " + relative(p.Now, p.Rows[i].NotAfter) + "."
	}
	return s
}

func (p CausePage) heals() string {
	if p.explained().Heals {
		return "heals"
	}
	return "stays until somebody acts"
}

// orNone is a code as pages print it.
func orNone(c tenants.Code) tenants.Code { return cmp.Or(c, NoCause) }

func (p CausePage) query(cursor string) string { return with(CauseURL(p.Code), "cursor", cursor) }

func (c Cause) explained() tenants.Explanation { return c.Code.Standing() }

// nearest is the first expiry in a sentence.
func (c Cause) nearest(now time.Time) string {
	if !c.First.After(now) {
		return "the first expired " + relative(now, c.First)
	}
	return "nearest expiry " + relative(now, c.First)
}

// tenant and others are whose the certificates are, on two lines of a table.
func (c Cause) tenant() string {
	if len(c.Names) == 0 {
		return ""
	}
	return c.Names[0]
}

func (c Cause) others() string {
	switch {
	case c.Holders < 2 || len(c.Names) < 2:
		return ""
	case c.Holders == 2:
		return "and " + c.Names[1]
	}
	return "and " + number(c.Holders-1) + " more"
}

func (c Cause) holders() string {
	if c.others() == "" {
		return c.tenant()
	}
	return c.tenant() + " " + c.others()
}

func (c Cause) id() string { return "cause-" + string(orNone(c.Code)) }

// fix is the last cell of a cause: what has to happen.
func (c Cause) fix() string {
	if c.explained().Heals {
		return "Retries alone"
	}
	return "Needs a person"
}

// acts says who acts, to the operator.
func acts(w tenants.Who) string {
	switch w {
	case tenants.Customer:
		return "tenant"
	case tenants.OperatorDo:
		return "we do"
	case tenants.DNSHost:
		return "DNS host"
	case tenants.CADo:
		return "authority"
	}
	return "nobody"
}
