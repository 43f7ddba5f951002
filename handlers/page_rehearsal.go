package handlers

import (
	"perennial/tenants"
	"perennial/views"
)

// confirmRehearsal says what a dry run does and what it does not, before it begins.
func (s *Site) confirmRehearsal(v *visit) error {
	p, err := s.domainPage(v)
	if err != nil {
		return err
	}
	return s.render(v, views.ConfirmRehearsal(views.ConfirmPage{DomainPage: p}))
}

func (s *Site) rehearse(v *visit) error {
	return s.act(v, "rehearsing", func(id tenants.DomainID) error { return s.scope(v).Rehearse(v.ctx(), id) })
}
