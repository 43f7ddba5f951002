package handlers

import (
	"errors"
	"maps"
	"net/http"
	"strconv"

	"perennial/tenants"
	"perennial/views"
)

// hoursEffect is the schedule with what other renewal hours would change. Without a form it is the schedule alone.
func (s *Site) hoursEffect(v *visit) error {
	if !v.QueryParams().Has("from") {
		return s.renewals(v)
	}
	form := typedHours(v)
	h, err := tenants.ParseHours(form)
	if err != nil {
		return s.hoursRefused(v, form, err)
	}
	p, err := s.scope(v).PreviewHours(v.ctx(), h)
	if err != nil {
		return err
	}
	return s.renderRenewals(v, http.StatusOK, &views.Spread{HoursForm: form, Effect: p.Text(), Uneasy: p.Outside+p.Late > 0, Shown: h.String()})
}

// useHours takes renewal hours into use whose effect was shown. When they were changed after that, or never shown, it
// leads to theirs.
func (s *Site) useHours(v *visit) error {
	form := typedHours(v)
	h, err := tenants.ParseHours(form)
	if err != nil {
		return s.hoursRefused(v, form, err)
	}
	if v.FormValue("shown") != h.String() {
		typed := maps.Clone(v.Request().PostForm)
		typed.Del("shown")
		return v.goTo(views.HoursURL(v.tenant.Slug) + "?" + typed.Encode() + "#spread")
	}
	p, err := s.scope(v).SaveHours(v.ctx(), h)
	if err != nil {
		return s.hoursRefused(v, form, err)
	}
	s.leaveNote(v, hoursNote(p.Moved))
	return v.goTo(views.RenewalsURL(v.tenant.Slug, period(v)))
}

// hoursRefused shows the form again: what was typed stays, every wrong field has its sentence.
func (s *Site) hoursRefused(v *visit, form tenants.HoursForm, err error) error {
	refused, ok := errors.AsType[*tenants.Error](err)
	if !ok || refused.Kind != tenants.Invalid {
		return err
	}
	return s.renderRenewals(v, http.StatusUnprocessableEntity, &views.Spread{HoursForm: form, Errors: refused.Fields})
}

// maxFreezeRows is more than the rules allow, so that they can say so.
const maxFreezeRows = 60

// typedHours is what the form sent. Freezes whose dates were emptied go away.
func typedHours(v *visit) tenants.HoursForm {
	form := tenants.HoursForm{PerDay: v.FormValue("perDay"), From: v.FormValue("from"), To: v.FormValue("to"), Zone: v.FormValue("zone")}
	form.Days = v.Request().Form["day"]
	for i := range maxFreezeRows {
		n := strconv.Itoa(i + 1)
		f := tenants.Freeze{First: v.FormValue("first" + n), Last: v.FormValue("last" + n), Why: v.FormValue("why" + n)}
		if f.First != "" || f.Last != "" {
			form.Freezes = append(form.Freezes, f)
		}
	}
	return form
}
