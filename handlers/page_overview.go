package handlers

import (
	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// overview is the operator's home: the worst thing first, then what happened in an hour, a day or 30 days.
func (s *Site) overview(v *visit) error {
	period := views.OverviewPeriods[1]
	for _, p := range views.OverviewPeriods {
		if p.Value == v.QueryParam("p") {
			period = p
		}
	}
	o, err := s.DB.Platform(v.actor).Overview(v.ctx(), period.Length)
	if err != nil {
		return err
	}
	p := views.OverviewPage{Page: s.page(v), Period: period.Value, Renewed: o.Renewed, Failed: o.Failed,
		FirstIssued: o.FirstIssued, FirstsFailed: o.FirstsFailed, Lead: o.Lead, Valid: o.Valid, Soon: o.Soon,
		NextExpiry: o.NextExpiry, NewFailing: o.NewFailing, Causes: rows(o.Causes, cause), Holders: o.Tenants,
		Running: rows(o.Running, runningState), Budgets: rows(o.Budgets, accountBudget), Planned: rows(o.Planned, dayLoad),
		Refused: rows(o.Refused, refused), Refusals: o.Refusals}
	underWay := 0
	for i, l := range o.Lanes {
		p.Lanes[i] = views.LaneLoad(l)
	}
	for _, r := range o.Running {
		underWay += r.Count
	}
	p.Outages = s.outages(v.ctx(), underWay, p.NextExpiry)
	return s.render(v, views.Overview(p))
}

func refused(r store.RefusedRevocation) views.RefusedRevocation {
	return views.RefusedRevocation{ID: r.ID, Name: r.Name, Number: r.Number, Issuer: r.Issuer, Slug: r.Tenant.Slug, TenantID: r.Tenant.ID,
		TenantName: r.Tenant.Name, Asked: r.Asked, Next: r.Next}
}

func runningState(r store.RunningState) views.RunningState { return views.RunningState(r) }

func cause(c store.Cause) views.Cause {
	shown := views.Cause{Code: c.Code, Count: c.Count, Soon: c.Soon, Lost: c.Lost, First: c.First, Holders: c.Holders}
	for _, t := range c.Tenants {
		shown.Names = append(shown.Names, t.Name)
	}
	return shown
}

func accountBudget(b store.AccountBudget) views.AccountBudget {
	return views.AccountBudget{ID: b.ID, Issuer: b.Issuer, Account: b.Account, Of: b.Of, Orders: budget(b.Orders), Reserve: b.Reserve, Domain: budget(b.Domain),
		Refused: b.Refused, RefusedAt: b.RefusedAt}
}

// cause lists the certificates that fail for one cause.
func (s *Site) cause(v *visit) error {
	code := tenants.Code(v.Param("code"))
	if code == views.NoCause {
		code = ""
	}
	list, err := s.DB.Platform(v.actor).Failing(v.ctx(), store.FailingFilter{Code: code, Cursor: v.QueryParam("cursor"), Limit: pageRows})
	if err != nil {
		return err
	}
	if list.Total == 0 && code != "" && !code.Known() {
		return tenants.Errorf(tenants.NotFound, "There is no such cause. Go back to the overview and choose again.")
	}
	return s.render(v, views.FailingCause(views.CausePage{Page: s.page(v), Code: code, Rows: rows(list.Rows, causeRow),
		Total: list.Total, Holders: list.Holders, Next: list.Next, Prev: list.Prev}))
}

func causeRow(r store.FailingRow) views.CauseRow {
	return views.CauseRow{TenantID: r.Tenant.ID, TenantName: r.Tenant.Name, Slug: r.Tenant.Slug,
		DomainRow: views.DomainRow{ID: r.ID, Name: r.Name, Status: r.Status, Finding: r.Finding, Since: r.Since, Issuer: r.Issuer,
			NotAfter: r.NotAfter, HasVersion: true}}
}
