package handlers

import (
	"errors"
	"net/http"

	"perennial/tenants"
	"perennial/views"
)

// certificateSettings is the form of what a certificate is ordered with.
func (s *Site) certificateSettings(v *visit) error {
	p, facts, err := s.settingsPage(v)
	if err != nil {
		return err
	}
	p.Typed = facts.SettingsForm()
	return s.render(v, views.Settings(p))
}

func (s *Site) settingsPage(v *visit) (p views.SettingsPage, f tenants.Facts, err error) {
	if p.DomainPage, err = s.domainPage(v); err != nil {
		return p, f, err
	}
	if f, err = s.scope(v).Facts(v.ctx(), p.Domain.ID); err != nil {
		return p, f, err
	}
	if p.Sibling, err = s.scope(v).SiblingDomain(v.ctx(), p.Domain.ID); err != nil {
		return p, f, err
	}
	p.Policy, p.Offers = f.Policy, f.Offers
	switch found := f.Domain.Finding; found.Code {
	case tenants.KeyNeeded, tenants.CAProfile:
		if tenants.Explain(found).Who == tenants.Customer {
			p.Lacking = found
		}
	}
	return p, f, nil
}

// changeSettings shows what other settings would change, or saves them once exactly that was shown.
func (s *Site) changeSettings(v *visit) error {
	p, facts, err := s.settingsPage(v)
	if err != nil {
		return err
	}
	p.Typed = typedSettings(v, facts.SettingsForm())
	var saved bool
	var effect tenants.SettingsEffect
	if v.FormValue("act") == "save" {
		effect, saved, err = s.scope(v).SaveSettings(v.ctx(), p.Domain.ID, p.Typed, v.FormValue("shown"))
	} else {
		effect, err = s.scope(v).PreviewSettings(v.ctx(), p.Domain.ID, p.Typed)
	}
	if refused, ok := errors.AsType[*tenants.Error](err); ok && refused.Kind == tenants.Invalid {
		p.Errors = refused.Fields
		return s.renderStatus(v, http.StatusUnprocessableEntity, views.Settings(p))
	}
	if err != nil {
		return err
	}
	if saved {
		s.leaveNote(v, "changed")
		return v.goTo(views.DomainURL(v.tenant.Slug, p.Domain.ID))
	}
	p.Effect = &effect
	return s.render(v, views.Settings(p))
}

// typedSettings are the settings in use with what was sent: what cannot be chosen just now is not in the form, and stays.
func typedSettings(v *visit, f tenants.SettingsForm) tenants.SettingsForm {
	f.Strategy, f.CSR = v.FormValue("strategy"), v.FormValue("csr")
	for name, field := range map[string]*string{"names": &f.Names, "authority": &f.Prefers, "key_type": &f.KeyType, "profile": &f.Profile} {
		if sent := v.Request().Form[name]; len(sent) > 0 {
			*field = sent[0]
		}
	}
	return f
}
