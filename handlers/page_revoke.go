package handlers

import (
	"cmp"
	"errors"
	"net/http"

	"perennial/tenants"
	"perennial/views"
)

// confirmRevoke asks how and why a version is to be revoked. One that is revoked or has ended leads back to its certificate.
func (s *Site) confirmRevoke(v *visit) error {
	form := tenants.NewRevocationForm()
	form.Way = cmp.Or(v.QueryParam("how"), form.Way)
	return s.renderRevoke(v, http.StatusOK, form, nil)
}

func (s *Site) renderRevoke(v *visit, status int, form tenants.RevocationForm, wrong map[string]string) error {
	p, err := s.domainPage(v)
	if err != nil {
		return err
	}
	version, err := s.version(v)
	if err != nil {
		return err
	}
	if !version.Revocation.Done.IsZero() || !version.NotAfter.After(v.now) {
		return v.goTo(certificateURL(v, p.Domain.ID))
	}
	return s.renderStatus(v, status, views.ConfirmRevoke(views.ConfirmPage{DomainPage: p, Version: version, Revoke: form, Errors: wrong}))
}

func certificateURL(v *visit, id tenants.DomainID) string {
	return views.DomainURL(v.tenant.Slug, id) + "/certificate"
}

// revoke asks for a version to be revoked. Whoever does it types the domain's name first.
func (s *Site) revoke(v *visit) error {
	form := tenants.RevocationForm{Way: v.FormValue("how"), Reason: v.FormValue("reason"), Wait: v.FormValue("wait"), Name: v.FormValue("name")}
	request, err := form.Request()
	if err == nil {
		err = s.revocation(v, "revoke-"+form.Way, func(id tenants.DomainID, version tenants.VersionID) error {
			return s.scope(v).Revoke(v.ctx(), id, version, request, form.Name)
		})
	}
	if refused, ok := errors.AsType[*tenants.Error](err); ok && refused.Kind == tenants.Invalid {
		return s.renderRevoke(v, http.StatusUnprocessableEntity, form, refused.Fields)
	}
	return err
}

// revokeNow hears that the successor of a version is in place.
func (s *Site) revokeNow(v *visit) error {
	return s.revocation(v, "revoke-inplace", func(id tenants.DomainID, version tenants.VersionID) error {
		return s.scope(v).RevokeNow(v.ctx(), id, version)
	})
}

// revocation runs one change of a version and goes to its certificate with a note.
func (s *Site) revocation(v *visit, note string, change func(tenants.DomainID, tenants.VersionID) error) error {
	id, ok := tenants.ParseID[tenants.DomainID](v.Param("id"))
	if !ok {
		return noDomain()
	}
	version, ok := tenants.ParseID[tenants.VersionID](v.Param("version"))
	if !ok {
		return noVersion()
	}
	if err := change(id, version); err != nil {
		return err
	}
	s.leaveNote(v, note)
	return v.goTo(certificateURL(v, id))
}
