package handlers

import (
	"errors"
	"net/http"
	"strconv"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// domain is the page of one domain; the views choose from its state whether it is the customer's turn, ours, or
// nobody's.
func (s *Site) domain(v *visit) error {
	p, err := s.domainPage(v)
	if err != nil {
		return err
	}
	return s.render(v, views.Domain(p))
}

// certificate is the same domain seen from its current version, also while a renewal fails.
func (s *Site) certificate(v *visit) error {
	p, err := s.domainPage(v)
	if err != nil {
		return err
	}
	if p.Current == nil {
		return v.goTo(views.DomainURL(v.tenant.Slug, p.Domain.ID))
	}
	p.ShowVersion = true
	return s.render(v, views.Domain(p))
}

// versionRows is how many versions a page lists.
const versionRows = 20

func (s *Site) versions(v *visit) error {
	p, err := s.domainPage(v)
	if err != nil {
		return err
	}
	if p.Current == nil || p.Domain.Status == tenants.Released {
		return v.goTo(views.DomainURL(v.tenant.Slug, p.Domain.ID))
	}
	before, err := strconv.Atoi(v.QueryParam("before"))
	if err != nil || before < 1 || before > p.Current.Number {
		before = 0
	}
	list := views.VersionsPage{DomainPage: p, Newer: before > 0}
	if list.Versions, err = s.scope(v).Versions(v.ctx(), p.Domain.ID, before, versionRows); err != nil {
		return err
	}
	return s.render(v, views.Versions(list))
}

// domainView loads the domain of an id from outside. An id that nobody can have made is not found like any other.
func (s *Site) domainView(v *visit, typed string) (store.DomainView, error) {
	id, ok := tenants.ParseID[tenants.DomainID](typed)
	if !ok {
		return store.DomainView{}, noDomain()
	}
	return s.scope(v).Domain(v.ctx(), id)
}

func noDomain() error {
	return tenants.Errorf(tenants.NotFound, "There is no such domain here. Go back to the list and choose again.")
}

func (s *Site) domainPage(v *visit) (views.DomainPage, error) {
	d, err := s.domainView(v, v.Param("id"))
	if err != nil {
		return views.DomainPage{}, err
	}
	p := views.DomainPage{
		Page: s.page(v), Domain: d.Domain, Certificate: d.Certificate, Issuer: d.Issuer, Asks: d.Asks, Current: d.Current, Versions: d.Versions,
		Order: d.Order, Orders: d.Orders, Entries: d.Entries, Registered: d.Domain.Delegation.Base, Lifetime: s.Lifetime,
		Rehearsal: d.Rehearsal, Staging: d.Staging,
		Outages: s.outages(v.ctx(), waits(d), d.Certificate.Plan.NoLater),
	}
	if name, err := tenants.ParseName(d.Domain.Name, s.Rules); err == nil {
		p.Registered = name.Registered()
	}
	if d.Current != nil {
		p.Lifetime = d.Current.Lifetime()
	}
	return p, nil
}

// waits is 1 when the domain waits for the authority or our zone: an order is under way.
func waits(d store.DomainView) int {
	if d.Domain.Status == tenants.Renewing || d.Order != nil && d.Order.State.Open() {
		return 1
	}
	return 0
}

// act runs one change of a domain and goes back to its page with a note.
func (s *Site) act(v *visit, note string, change func(tenants.DomainID) error) error {
	id, ok := tenants.ParseID[tenants.DomainID](v.Param("id"))
	if !ok {
		return noDomain()
	}
	if err := change(id); err != nil {
		return err
	}
	s.leaveNote(v, note)
	return v.goTo(views.DomainURL(v.tenant.Slug, id))
}

func (s *Site) check(v *visit) error {
	return s.act(v, "checking", func(id tenants.DomainID) error { return s.scope(v).CheckNow(v.ctx(), id) })
}

func (s *Site) confirmRenew(v *visit) error {
	p, err := s.domainPage(v)
	if err != nil {
		return err
	}
	return s.render(v, views.ConfirmRenew(views.ConfirmPage{DomainPage: p}))
}

func (s *Site) renew(v *visit) error {
	return s.act(v, "renewing", func(id tenants.DomainID) error { return s.scope(v).RenewNow(v.ctx(), id) })
}

func (s *Site) confirmRelease(v *visit) error {
	return s.renderRelease(v, http.StatusOK, "", "")
}

func (s *Site) renderRelease(v *visit, status int, typed, problem string) error {
	p, err := s.domainPage(v)
	if err != nil {
		return err
	}
	return s.renderStatus(v, status, views.ConfirmRelease(views.ConfirmPage{DomainPage: p, Typed: typed, Error: problem}))
}

// release gives a domain up. Whoever does it types its name first.
func (s *Site) release(v *visit) error {
	id, ok := tenants.ParseID[tenants.DomainID](v.Param("id"))
	if !ok {
		return noDomain()
	}
	typed := v.FormValue("name")
	err := s.scope(v).Release(v.ctx(), id, typed)
	if refused, ok := errors.AsType[*tenants.Error](err); ok && refused.Kind == tenants.Invalid {
		return s.renderRelease(v, http.StatusUnprocessableEntity, typed, fieldText(refused, "name"))
	}
	if err != nil {
		return err
	}
	s.leaveNote(v, "released")
	return v.goTo(views.DomainsURL(v.tenant.Slug))
}

// fieldText is the sentence about one field, or the error's own.
func fieldText(e *tenants.Error, field string) string {
	if text := e.Fields[field]; text != "" {
		return text
	}
	return e.Text
}
