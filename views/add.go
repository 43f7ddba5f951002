package views

import (
	"strings"

	"github.com/a-h/templ"
)

// wrong counts the fields that need a change.
func (p AddDomainsPage) wrong() int {
	n := 0
	for _, f := range p.Names {
		if f.Error != "" {
			n++
		}
	}
	return n
}

// typed counts the fields that hold something.
func (p AddDomainsPage) typed() int {
	n := 0
	for _, f := range p.Names {
		if f.Typed != "" {
			n++
		}
	}
	return n
}

func (p AddDomainsPage) heading() string {
	if len(p.Names) > 1 {
		return "Add domains"
	}
	return "Add domain"
}

func (p AddDomainsPage) turn() turn {
	bad, all := p.wrong(), p.typed()
	switch {
	case p.Error != "":
		return turn{"Your turn:", "nothing was added."}
	case bad == 0:
		return turn{"", "Type the name, we ask for one DNS record. After that it renews by itself."}
	case all <= 1:
		return turn{"Your turn:", "the name needs a change. Nothing was reserved and nothing was ordered."}
	case bad == 1:
		return turn{"Your turn:", "one of " + small(all) + " names needs a change. Nothing was reserved and nothing was ordered."}
	default:
		return turn{"Your turn:", small(bad) + " of " + small(all) + " names need a change. Nothing was reserved and nothing was ordered."}
	}
}

func (p AddDomainsPage) summary() string {
	if p.wrong() == 1 {
		return "1 name needs a change"
	}
	return number(p.wrong()) + " names need a change"
}

// nameRow is one field with everything about it.
type nameRow struct {
	NameField
	ID    string // of the field, and its name
	Error string
	Help  string // id of the sentence below it
	Label string
	First string // the first sentence, for the summary
	Long  bool   // too long to stand beside its sentence
	Own   string // address of the tenant's own domain of that name
	Use   string // address of the form with the offered name in place
	Ready string
}

func (p AddDomainsPage) rows() []nameRow {
	var rows []nameRow
	for i, f := range p.Names {
		r := nameRow{NameField: f, ID: "name" + number(i+1), Label: "Name " + number(i+1), Error: f.Error, First: firstSentence(f.Error), Long: len(f.Typed) > 44}
		if len(p.Names) == 1 {
			r.Label = "Name"
		}
		r.Help = r.ID + "-help"
		if f.Exists != "" {
			r.Own = DomainURL(p.Tenant.Slug, f.Exists)
		}
		if f.Offer != "" {
			r.Use = p.with(i, f.Offer)
		}
		if f.Error == "" && f.Ready != "" && p.wrong() > 0 {
			r.Ready = "Ready"
			if f.Ready != f.Typed {
				r.Ready += " as " + f.Ready
			}
			r.Ready += "."
		}
		rows = append(rows, r)
	}
	return rows
}

// with is the form's address with one name replaced and the others kept.
func (p AddDomainsPage) with(i int, name string) string {
	var pairs []string
	for j, f := range p.Names {
		typed := f.Typed
		if j == i {
			typed = name
		}
		pairs = append(pairs, "name"+number(j+1), typed)
	}
	return with(AddDomainsURL(p.Tenant.Slug), pairs...)
}

func firstSentence(s string) string {
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}

// attrs ties a field to its sentence and marks it when it is wrong.
func (r nameRow) attrs() templ.Attributes {
	a := templ.Attributes{}
	if r.Error != "" || r.Ready != "" {
		a["aria-describedby"] = r.Help
	}
	if r.Error != "" {
		a["aria-invalid"] = "true"
	}
	return a
}

func (p AddDomainsPage) footWords() string {
	switch {
	case p.wrong() == 0:
		return "An empty field is left out."
	case p.typed() > p.wrong():
		return "The right ones wait for the others. Clear a field to leave it out."
	default:
		return "What you typed is kept."
	}
}

func (p AddDomainsPage) submitWord() string {
	switch {
	case p.wrong() > 0:
		return "Check again"
	case len(p.Names) > 1:
		return "Add domains"
	default:
		return "Add domain"
	}
}

func (p AddDomainsPage) followsWords() string {
	return "The name is reserved for " + p.Tenant.Name + " for 7 days. You add one CNAME; " + orElse(p.IssuerName, "the authority") + " is asked as soon as we see it."
}
