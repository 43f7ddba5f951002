package handlers

import (
	"time"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// renewals is the schedule of the next 30 or 90 days and what the authority's limits leave.
func (s *Site) renewals(v *visit) error {
	days := 30
	if v.QueryParam("days") == "90" {
		days = 90
	}
	r, err := s.scope(v).Renewals(v.ctx(), days)
	if err != nil {
		return err
	}
	counts, err := s.scope(v).Overview(v.ctx())
	if err != nil {
		return err
	}
	return s.render(v, views.Renewals(views.RenewalsPage{
		Page: s.page(v), Days: days, Load: rows(r.Days, dayLoad), Total: r.Total, Next: rows(r.Next,
			planned), Budget: rows(r.Budget, budget),
		IssuerName: s.issuerOf(r.Budget), Outages: s.outages(v.ctx(), counts.ByStatus[tenants.Renewing], firstLine(r.Next)),
	}))
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
