package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// tenants is the operator's list.
func (s *Site) tenants(v *visit) error {
	f := store.TenantFilter{Query: v.QueryParam("q"), Trouble: v.QueryParam("trouble") == "1",
		Cursor: v.QueryParam("cursor"), Limit: pageRows}
	list, err := s.DB.Platform(v.actor).Tenants(v.ctx(), f)
	if err != nil {
		return err
	}
	p := views.TenantsPage{Page: s.page(v), Query: f.Query, Trouble: f.Trouble, Total: list.All, WithTrouble: list.Trouble,
		Matches: list.Total, Next: list.Next, Prev: list.Prev}
	for _, r := range list.Rows {
		p.Rows = append(p.Rows, views.TenantRow{ID: r.Tenant.ID, Name: r.Tenant.Name, Slug: r.Tenant.Slug,
			Domains: r.Domains, Failing: r.Failing, NextExpiry: r.NextExpiry})
	}
	return s.render(v, views.Tenants(p))
}

func (s *Site) newTenant(v *visit) error {
	return s.renderTenant(v, http.StatusOK, views.TenantEditPage{})
}

func (s *Site) renderTenant(v *visit, status int, p views.TenantEditPage) error {
	p.Page, p.Provider = s.page(v), s.Auth.ProviderName()
	return s.renderStatus(v, status, views.TenantEdit(p))
}

// tenant is the form for one tenant, filled with what is stored.
func (s *Site) tenant(v *visit) error {
	p, err := s.storedTenant(v)
	if err != nil {
		return err
	}
	return s.renderTenant(v, http.StatusOK, p)
}

func (s *Site) storedTenant(v *visit) (views.TenantEditPage, error) {
	id, ok := tenants.ParseID[tenants.TenantID](v.Param("id"))
	if !ok {
		return views.TenantEditPage{}, tenants.Errorf(tenants.NotFound,
			"There is no such tenant. Go back to the list and choose again.")
	}
	t, err := s.DB.Platform(v.actor).Tenant(v.ctx(), id)
	if err != nil {
		return views.TenantEditPage{}, err
	}
	p := views.TenantEditPage{ID: t.Tenant.ID, Saved: t.Tenant.Name, Name: t.Tenant.Name, Slug: t.Tenant.Slug,
		ByStatus: t.Counts, NextExpiry: t.NextExpiry, LastSignIn: t.LastSignIn, People: t.People}
	for _, g := range t.Groups {
		p.Groups = append(p.Groups, views.GroupField{Claim: g.Claim, Role: g.Role, Saved: true, People: g.People})
	}
	return p, nil
}

// addTenant saves a new tenant, or only changes the form when another button than "Save" was pressed.
func (s *Site) addTenant(v *visit) error {
	p := views.TenantEditPage{}
	if typed(v, &p) {
		return s.renderTenant(v, http.StatusOK, p)
	}
	id, err := s.DB.Platform(v.actor).AddTenant(v.ctx(), input(p))
	if err != nil {
		return s.tenantRefused(v, p, err)
	}
	s.leaveNote(v, "tenantadded")
	return v.goTo(views.TenantURL(id))
}

func (s *Site) saveTenant(v *visit) error {
	p, err := s.storedTenant(v)
	if err != nil {
		return err
	}
	if typed(v, &p) {
		return s.renderTenant(v, http.StatusOK, p)
	}
	if err := s.DB.Platform(v.actor).SaveTenant(v.ctx(), p.ID, input(p)); err != nil {
		return s.tenantRefused(v, p, err)
	}
	s.leaveNote(v, "tenant")
	return v.goTo(views.TenantURL(p.ID))
}

func (s *Site) tenantRefused(v *visit, p views.TenantEditPage, err error) error {
	refused, ok := errors.AsType[*tenants.Error](err)
	if !ok || refused.Kind != tenants.Invalid && refused.Kind != tenants.Conflict {
		return err
	}
	if p.Errors = refused.Fields; len(p.Errors) == 0 {
		p.Error = refused.Text
	}
	return s.renderTenant(v, http.StatusUnprocessableEntity, p)
}

const maxGroups = 100

// typed puts what the form sent into the page. again says that the button only changes the form: one more row, or
// one fewer.
func typed(v *visit, p *views.TenantEditPage) (again bool) {
	known := p.Groups
	p.Name, p.Groups = v.FormValue("name"), nil
	if p.ID == "" {
		p.Slug = v.FormValue("slug")
	}
	act := v.FormValue("act")
	for i := 1; i <= maxGroups && v.Request().PostForm.Has("group"+strconv.Itoa(i)); i++ {
		if act != "remove"+strconv.Itoa(i) {
			p.Groups = append(p.Groups, groupField(v, i, known))
		}
	}
	if act == "more" {
		p.Groups = append(p.Groups, views.GroupField{Role: tenants.Viewer})
	}
	return act == "more" || strings.HasPrefix(act, "remove")
}

func groupField(v *visit, i int, known []views.GroupField) views.GroupField {
	f := views.GroupField{Claim: strings.TrimSpace(v.FormValue("group" + strconv.Itoa(i))),
		Role: tenants.Role(v.FormValue("role" + strconv.Itoa(i)))}
	for _, k := range known {
		if k.Claim == f.Claim {
			f.Saved, f.People = true, k.People
		}
	}
	return f
}

// input is what the store gets. Rows left empty are no groups, but they keep their number, so that the sentences
// that come back stand beside the right field.
func input(p views.TenantEditPage) store.TenantInput {
	in := store.TenantInput{Name: p.Name, Slug: p.Slug}
	rows := p.Groups
	for len(rows) > 0 && rows[len(rows)-1].Claim == "" {
		rows = rows[:len(rows)-1]
	}
	for _, g := range rows {
		in.Groups = append(in.Groups, store.GroupInput{Claim: g.Claim, Role: g.Role})
	}
	return in
}
