package handlers

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// tenantPolicy shows what the tenant's certificates may be; whoever may change it gets the form.
func (s *Site) tenantPolicy(v *visit) error {
	saved, err := s.scope(v).Policy(v.ctx())
	if err != nil {
		return err
	}
	return s.renderPolicy(v, http.StatusOK, views.PolicyPage{Saved: saved, Typed: saved.Form(), Renewal: renewalOf(saved)})
}

func (s *Site) renderPolicy(v *visit, status int, p views.PolicyPage) error {
	choices, err := s.scope(v).PolicyIssuers(v.ctx())
	if err != nil {
		return err
	}
	p.Issuers = rows(choices, func(c store.IssuerChoice) views.IssuerChoice { return views.IssuerChoice(c) })
	p.Page = s.page(v)
	return s.renderStatus(v, status, views.Policy(p))
}

func renewalOf(p tenants.Policy) string {
	switch {
	case p.RenewDays > 0:
		return views.ByDays
	case p.RenewPart > 0:
		return views.ByPart
	}
	return views.ByThird
}

// savePolicy saves the whole policy or nothing of it.
func (s *Site) savePolicy(v *visit) error {
	saved, err := s.scope(v).Policy(v.ctx())
	if err != nil {
		return err
	}
	p := views.PolicyPage{Saved: saved, Typed: typedPolicy(v), Renewal: v.FormValue("renewal")}
	if len(p.Typed.Issuers) == 0 { // the form was without these fields
		p.Typed.Issuers, p.Typed.FailoverHours = saved.Form().Issuers, saved.Form().FailoverHours
	}
	policy, err := parsePolicy(p)
	if err == nil {
		err = s.scope(v).SavePolicy(v.ctx(), policy)
	}
	if err != nil {
		return s.policyRefused(v, p, err)
	}
	s.leaveNote(v, "policy")
	return v.goTo(views.PolicyURL(v.tenant.Slug))
}

// typedPolicy is what the form sent.
func typedPolicy(v *visit) tenants.PolicyForm {
	f := tenants.PolicyForm{RenewDays: v.FormValue("renew_days"), RenewPart: v.FormValue("renew_part"), DefaultKey: v.FormValue("default_key"),
		KeyTypes: v.Request().PostForm["key_types"], MaxKeyDays: v.FormValue("max_key_days"), ReuseKey: v.FormValue("reuse_key") != "", OwnCSR: v.FormValue("own_csr") != "",
		FailoverHours: v.FormValue("failover_hours")}
	for n := 0; v.Request().PostForm.Has(tenants.IssuerField(n)) && n < views.MostIssuers; n++ {
		f.Issuers = append(f.Issuers, v.FormValue(tenants.IssuerField(n)))
	}
	return f
}

// parsePolicy is stricter than tenants.ParsePolicy, to which an empty field means the default: whoever chose days says
// how many, and no tick at all does not mean every key type. The field of a way not chosen is not looked at.
func parsePolicy(p views.PolicyPage) (tenants.Policy, error) {
	form, missing := p.Typed, map[string]string{}
	if p.Renewal != views.ByDays {
		form.RenewDays = ""
	} else if strings.TrimSpace(form.RenewDays) == "" {
		missing["renew_days"] = "The number of days is missing. Type one, such as 30, or choose another way."
	}
	if p.Renewal != views.ByPart {
		form.RenewPart = ""
	} else if strings.TrimSpace(form.RenewPart) == "" {
		missing["renew_part"] = "The part is missing. Type one, such as 1/3 or 25%, or choose another way."
	}
	if !slices.Contains([]string{views.ByThird, views.ByDays, views.ByPart}, p.Renewal) {
		missing["renewal"] = "It is not said when to renew. Choose one of the three ways."
	}
	if len(form.KeyTypes) == 0 {
		missing["key_types"] = "No key type is allowed, so nothing could renew. Tick at least one."
	}
	policy, err := tenants.ParsePolicy(form)
	if len(missing) == 0 {
		return policy, err
	}
	if refused, ok := errors.AsType[*tenants.Error](err); ok {
		maps.Copy(missing, refused.Fields)
	}
	return tenants.Policy{}, &tenants.Error{Kind: tenants.Invalid, Text: "Some fields need another answer. Nothing was changed yet.", Fields: missing}
}

// policyRefused shows the form again with a sentence at every wrong field; what was typed stays.
func (s *Site) policyRefused(v *visit, p views.PolicyPage, err error) error {
	refused, ok := errors.AsType[*tenants.Error](err)
	if !ok || refused.Kind != tenants.Invalid && refused.Kind != tenants.Conflict {
		return err
	}
	if p.Errors = refused.Fields; len(p.Errors) == 0 {
		p.Error = refused.Text
	}
	return s.renderPolicy(v, http.StatusUnprocessableEntity, p)
}
