package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

const (
	pageRows  = 50
	chartRows = 60 // with no more domains than this the chart may choose a finer unit than weeks
)

// domains is the home page of a tenant.
func (s *Site) domains(v *visit) error {
	filter, err := domainFilter(v)
	if err != nil {
		return err
	}
	list, err := s.scope(v).Domains(v.ctx(), filter)
	if err != nil {
		return err
	}
	counts := list.Overview
	all, err := s.everyDomain(v, filter, counts.Total, list)
	if err != nil {
		return err
	}
	return s.render(v, views.Domains(views.DomainsPage{
		Page: s.page(v), Total: counts.Total, WithoutHelp: counts.WithoutHelp, ByStatus: counts.ByStatus, Weeks: rows(counts.Weeks, weekOf),
		All: all, Rows: rows(list.Rows, domainRow), Matches: list.Total, Next: list.Next, Prev: list.Prev,
		Filter:     views.DomainsFilter{Status: filter.Status, Week: filter.Week, Query: filter.Query, Sort: filter.Sort},
		IssuerName: s.IssuerName, Outages: s.outages(v.ctx(), counts.ByStatus[tenants.Renewing], time.Time{}),
	}))
}

// everyDomain is the whole list when it is short; the page at hand is often that already.
func (s *Site) everyDomain(v *visit, f store.DomainFilter, total int, list store.DomainPage) ([]views.DomainRow, error) {
	switch {
	case total > chartRows:
		return nil, nil
	case len(list.Rows) == total:
		return rows(list.Rows, domainRow), nil
	}
	all, err := s.scope(v).Domains(v.ctx(), store.DomainFilter{Limit: chartRows})
	return rows(all.Rows, domainRow), err
}

func domainFilter(v *visit) (store.DomainFilter, error) {
	f := store.DomainFilter{Query: v.QueryParam("q"), Sort: v.QueryParam("sort"), Cursor: v.QueryParam("cursor"), Limit: pageRows}
	for _, status := range tenants.Statuses {
		if string(status) == v.QueryParam("status") {
			f.Status = status
		}
	}
	if week := v.QueryParam("week"); week != "" {
		day, err := time.Parse(time.DateOnly, week)
		if err != nil {
			return f, tenants.Errorf(tenants.Invalid,
				"The week in this address is no date such as 2026-11-23. Go back to your domains and choose a column.")
		}
		f.Week = day.AddDate(0, 0, -(int(day.Weekday())+6)%7) // its Monday
	}
	if f.Sort != "name" {
		f.Sort = "expires"
	}
	return f, nil
}

// rows turns the store's rows into the views', which have the same fields.
func rows[A, B any](from []A, one func(A) B) []B {
	all := make([]B, len(from))
	for i, r := range from {
		all[i] = one(r)
	}
	return all
}

func domainRow(r store.DomainRow) views.DomainRow { return views.DomainRow(r) }
func weekOf(w store.Week) views.Week              { return views.Week(w) }

// addForm is the empty form, or one filled from the address: links offer names that way, and "Add a name" keeps what
// was typed.
func (s *Site) addForm(v *visit) error {
	var fields []views.NameField
	for _, typed := range typedNames(v) {
		fields = append(fields, views.NameField{Typed: typed})
	}
	if len(fields) == 0 || v.QueryParam("more") != "" && len(fields) < views.MaxNames {
		fields = append(fields, views.NameField{})
	}
	return s.renderAdd(v, http.StatusOK, fields, "")
}

func (s *Site) renderAdd(v *visit, status int, fields []views.NameField, problem string) error {
	return s.renderStatus(v, status, views.AddDomains(views.AddDomainsPage{Page: s.page(v), Names: fields, Error: problem,
		IssuerName: s.IssuerName}))
}

// typedNames is what the fields name1 … name5 hold, without the empty ones.
func typedNames(v *visit) []string {
	var all []string
	for i := range views.MaxNames {
		if typed := v.FormValue("name" + strconv.Itoa(i+1)); typed != "" {
			all = append(all, typed)
		}
	}
	return all
}

// addDomains registers all names or none.
func (s *Site) addDomains(v *visit) error {
	typed := typedNames(v)
	if len(typed) == 0 {
		typed = []string{""} // the rules have the words for an empty field
	}
	made, err := s.scope(v).RegisterDomains(v.ctx(), typed)
	if refused, ok := errors.AsType[*tenants.Error](err); ok && (refused.Kind == tenants.Invalid || refused.Kind == tenants.Conflict) {
		return s.namesRefused(v, typed, refused)
	}
	if err != nil {
		return err
	}
	if len(made.IDs) == 1 {
		return v.goTo(views.DomainURL(v.tenant.Slug, made.IDs[0]))
	}
	s.leaveNote(v, "added")
	return v.goTo(views.DomainsURL(v.tenant.Slug))
}

// namesRefused shows the form again: what was typed stays, every wrong name has its sentence, right ones say so.
func (s *Site) namesRefused(v *visit, typed []string, refused *tenants.Error) error {
	fields, problem := make([]views.NameField, len(typed)), ""
	if len(refused.Fields) == 0 {
		problem = refused.Text
	}
	for i, name := range typed {
		f, err := s.nameField(v, name, refused.Fields["name"+strconv.Itoa(i+1)])
		if err != nil {
			return err
		}
		fields[i] = f
	}
	return s.renderAdd(v, http.StatusUnprocessableEntity, fields, problem)
}

// nameField says of one name what there is to say: what is wrong with it, where it is already, or that it is ready.
func (s *Site) nameField(v *visit, typed, problem string) (views.NameField, error) {
	f := views.NameField{Typed: typed, Error: problem}
	name, err := tenants.ParseName(typed, s.Rules)
	switch {
	case err != nil:
		return f, nil // the problem says it
	case problem == "":
		f.Ready = name.String()
		return f, nil
	}
	f.Exists, err = s.own(v, name)
	return f, err
}

// own finds the tenant's own domain of that name.
func (s *Site) own(v *visit, name tenants.Name) (tenants.DomainID, error) {
	list, err := s.scope(v).Domains(v.ctx(), store.DomainFilter{Query: name.String(), Sort: "name"})
	if err != nil {
		return "", err
	}
	for _, d := range list.Rows {
		if d.Name == name.String() {
			return d.ID, nil
		}
	}
	return "", nil
}
