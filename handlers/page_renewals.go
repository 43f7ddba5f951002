package handlers

import (
	"net/http"
	"time"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// renewals is the schedule of the next 30 or 90 days, what the authority's limits leave, and the renewal hours.
func (s *Site) renewals(v *visit) error { return s.renderRenewals(v, http.StatusOK, nil) }

// renderRenewals shows the hours in use in the form, or the form as it was typed.
func (s *Site) renderRenewals(v *visit, status int, typed *views.Spread) error {
	r, err := s.scope(v).Renewals(v.ctx(), period(v))
	if err != nil {
		return err
	}
	counts, err := s.scope(v).Overview(v.ctx())
	if err != nil {
		return err
	}
	hours, err := s.scope(v).Hours(v.ctx())
	if err != nil {
		return err
	}
	if typed == nil {
		typed = &views.Spread{HoursForm: hours.Form()}
	}
	return s.renderStatus(v, status, views.Renewals(views.RenewalsPage{
		Page: s.page(v), Days: period(v), Load: rows(r.Days, dayLoad), Total: r.Total, Next: rows(r.Next,
			planned), Budget: rows(r.Budget, budget), Hours: hours, Spread: *typed,
		IssuerName: s.issuerOf(r.Budget), Outages: s.outages(v.ctx(), counts.ByStatus[tenants.Renewing], firstLine(r.Next)),
	}))
}

// period is how many days the schedule shows.
func period(v *visit) int {
	if v.FormValue("days") == "90" {
		return 90
	}
	return 30
}

// firstLine is the first safety line of the next renewals.
func firstLine(next []store.PlannedRenewal) (first time.Time) {
	for _, r := range next {
		if first.IsZero() || r.NoLater.Before(first) {
			first = r.NoLater
		}
	}
	return first
}

func (s *Site) issuerOf(lines []store.BudgetLine) string {
	if len(lines) > 0 && lines[0].Issuer != "" {
		return lines[0].Issuer
	}
	return s.IssuerName
}

func dayLoad(d store.DayLoad) views.DayLoad               { return views.DayLoad(d) }
func planned(r store.PlannedRenewal) views.PlannedRenewal { return views.PlannedRenewal(r) }
func budget(b store.BudgetLine) views.BudgetLine          { return views.BudgetLine(b) }
