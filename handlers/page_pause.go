package handlers

import (
	"errors"
	"net/http"

	"perennial/tenants"
	"perennial/views"
)

// confirmPause asks until when and why renewals are held back; where there is nothing to hold back it says so.
func (s *Site) confirmPause(v *visit) error {
	return s.renderPause(v, http.StatusOK, tenants.PauseForm{Time: "00:00"}, nil)
}

func (s *Site) renderPause(v *visit, status int, form tenants.PauseForm, faults map[string]string) error {
	p, err := s.domainPage(v)
	if err != nil {
		return err
	}
	facts, err := s.scope(v).Facts(v.ctx(), p.Domain.ID)
	if err != nil {
		return err
	}
	if err := facts.MayPause(v.now); err != nil {
		return err
	}
	return s.renderStatus(v, status, views.Pause(views.PausePage{ConfirmPage: views.ConfirmPage{DomainPage: p}, Form: form, Errors: faults}))
}

func (s *Site) pause(v *visit) error {
	form := tenants.PauseForm{Date: v.FormValue("until_date"), Time: v.FormValue("until_time"), Why: v.FormValue("why")}
	err := s.act(v, "paused", func(id tenants.DomainID) error { return s.scope(v).Pause(v.ctx(), id, form) })
	if refused, ok := errors.AsType[*tenants.Error](err); ok && refused.Kind == tenants.Invalid {
		return s.renderPause(v, http.StatusUnprocessableEntity, form, refused.Fields)
	}
	return err
}

func (s *Site) resume(v *visit) error {
	return s.act(v, "resumed", func(id tenants.DomainID) error { return s.scope(v).Resume(v.ctx(), id) })
}
