package views

import (
	"slices"
	"time"

	"github.com/a-h/templ"

	"perennial/tenants"
)

// empty reports whether this is the first run.
func (p DomainsPage) empty() bool { return p.Total == 0 }

// underWay reports whether something on the page is likely to change while somebody looks.
func (p DomainsPage) underWay() bool {
	if p.ByStatus[tenants.Renewing]+p.ByStatus[tenants.Waiting] > 0 {
		return true
	}
	return slices.ContainsFunc(p.Rows, func(r DomainRow) bool {
		return r.HasVersion && r.RenewAt.Sub(p.Now) < soon
	})
}

// soon is how near a planned renewal must be for a page to watch it.
const soon = 10 * time.Minute

func (p DomainsPage) shell() shell {
	s := shell{Title: "Domains", Current: "domains"}
	if p.underWay() {
		s.Live = EventsURL(p.Tenant.Slug, "")
		s.Say = p.expiryWords()
	}
	return s
}

// tallyCell is one number of the strip, a link that filters the list by it, or undoes that.
type tallyCell struct {
	mood
	Status  tenants.Status
	N       int
	URL     string
	Current bool
}

func (p DomainsPage) tally() []tallyCell {
	var cells []tallyCell
	for _, s := range tenants.Statuses {
		c := tallyCell{mood: moodOf(s, true), Status: s, N: p.ByStatus[s], Current: p.Filter.Status == s}
		f := p.Filter
		f.Status = s
		if c.Current {
			f.Status = ""
		}
		c.URL = f.url(p.Tenant.Slug, "")
		cells = append(cells, c)
	}
	return cells
}

// url is the list narrowed to the filter.
func (f DomainsFilter) url(slug, cursor string) string { return f.over(DomainsURL(slug), cursor) }

func (f DomainsFilter) over(path, cursor string) string {
	sort := f.Sort
	if sort == "expires" {
		sort = ""
	}
	return with(path, "status", string(f.Status), "week", isoDay(f.Week), "q", f.Query, "sort", sort, "cursor", cursor)
}

// narrowed reports whether the list shows less than everything.
func (f DomainsFilter) narrowed() bool { return f.Status != "" || !f.Week.IsZero() || f.Query != "" }

// filterWords says what the list is narrowed to.
func (p DomainsPage) filterWords() string {
	s := plural(p.Matches, "domain")
	if p.Filter.Status != "" {
		s += ", " + lowerFirst(moodOf(p.Filter.Status, true).Word)
	}
	if !p.Filter.Week.IsZero() {
		s += ", expiring in the week of " + day(p.Filter.Week)
	}
	if p.Filter.Query != "" {
		s += ", with “" + p.Filter.Query + "” in the name"
	}
	return s
}

// expiryWords is the sentence beside the chart.
func (p DomainsPage) expiryWords() string {
	n := 0
	for _, w := range p.Weeks {
		for _, c := range w.ByStatus {
			n += c
		}
	}
	s := plural(n, "certificate") + ". "
	if p.WithoutHelp == 0 {
		return s + "All renew without help."
	}
	return s + number(p.WithoutHelp) + " will not renew without help."
}

func (p DomainsPage) countWords() string {
	if len(p.Rows) == 0 {
		return "No domain matches."
	}
	if p.Filter.narrowed() {
		return number(len(p.Rows)) + " of " + plural(p.Matches, "matching domain") + "."
	}
	if len(p.Rows) < p.Total {
		return number(len(p.Rows)) + " of " + plural(p.Total, "domain") + "."
	}
	return plural(p.Total, "domain") + "."
}

// fine is the second line of a name: its readable form and the authority.
func (r DomainRow) fine() string {
	u := readable(r.Name)
	if u == "" {
		return r.Issuer
	}
	if r.Issuer == "" {
		return u
	}
	return u + ", " + r.Issuer
}

// expires says the date; under a day also the minute, since the date alone says too little.
func (r DomainRow) expires(now time.Time) (strong, faint string) {
	if abs(r.NotAfter.Sub(now)) < 36*time.Hour && r.NotAfter.Sub(r.NotBefore) < 10*day1 {
		return shortDay(r.NotAfter) + ", " + minute(r.NotAfter), ""
	}
	return shortDay(r.NotAfter), year(r.NotAfter)
}

func sortAttr(current, column string) templ.Attributes {
	if current == column || current == "" && column == "expires" {
		return templ.Attributes{"aria-sort": "ascending"}
	}
	return nil
}

func (p DomainsPage) sortURL(column string) string {
	f := p.Filter
	f.Sort = column
	return f.url(p.Tenant.Slug, "")
}
