package handlers

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// log is the audit log as one visit may read it: its tenant's, or everything on platform pages.
type log interface {
	Entries(context.Context, store.EntryFilter) (store.EntryPage, error)
	Entry(context.Context, int64) (tenants.Entry, error)
	ExportEntries(context.Context, store.EntryFilter, func(tenants.Entry) error) error
}

func (s *Site) log(v *visit) log {
	if v.tenant.ID == "" {
		return s.DB.Platform(v.actor)
	}
	return s.scope(v)
}

// audit is the log with its filter. A date that cannot be read keeps the page and says so.
func (s *Site) audit(v *visit) error {
	typed := auditFilter(v)
	filter, wrong := typed.read()
	status := http.StatusOK
	if len(wrong) > 0 {
		status = http.StatusUnprocessableEntity
	}
	found, err := s.log(v).Entries(v.ctx(), filter)
	if err != nil {
		return err
	}
	p := views.AuditPage{Page: s.page(v), Filter: views.AuditFilter(typed), Errors: wrong, Next: found.Next,
		Newer: filter.Cursor != "", Total: found.Total}
	for _, e := range found.Entries {
		p.Entries = append(p.Entries, s.auditEntry(v, e, found.Tenants))
	}
	return s.renderStatus(v, status, views.Audit(p))
}

type typedFilter views.AuditFilter

func auditFilter(v *visit) typedFilter {
	q := v.Request().URL.Query()
	return typedFilter{Who: q.Get("who"), What: q.Get("what"), Target: q.Get("target"), From: q.Get("from"), To: q.Get("to"),
		Result: q.Get("result")}
}

// read turns the typed filter into the store's and says what is wrong with its dates.
func (f typedFilter) read() (store.EntryFilter, map[string]string) {
	wrong := map[string]string{}
	out := store.EntryFilter{Who: f.Who, What: f.What, Target: f.Target, Limit: pageRows}
	out.From = day(f.From, "from", wrong)
	if to := day(f.To, "to", wrong); !to.IsZero() {
		out.To = to.AddDate(0, 0, 1) // that day included
	}
	if !out.From.IsZero() && !out.To.IsZero() && !out.From.Before(out.To) {
		wrong["to"] = "This day is before the first one. Choose a later day."
	}
	for _, o := range []tenants.Outcome{tenants.Done, tenants.Refused, tenants.Broke} {
		if string(o) == f.Result {
			out.Outcome = o
		}
	}
	return out, wrong
}

func day(typed, field string, wrong map[string]string) time.Time {
	if typed == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, typed)
	if err != nil || t.Year() < 1970 || t.Year() > 9998 {
		wrong[field] = "This is no date. Type one as in 2026-11-23."
		return time.Time{}
	}
	return t
}

func (s *Site) auditEntry(v *visit, e tenants.Entry, known map[tenants.TenantID]tenants.Tenant) views.AuditEntry {
	t := known[e.Tenant]
	if e.Tenant == v.tenant.ID {
		t = v.tenant
	}
	return views.AuditEntry{Entry: e, TenantSlug: t.Slug, TenantName: t.Name}
}

// entry is the permanent page of one entry.
func (s *Site) entry(v *visit) error {
	number, err := strconv.ParseInt(v.Param("number"), 10, 64)
	if err != nil {
		return tenants.Errorf(tenants.NotFound, "There is no such entry. Go back to the audit log and choose again.")
	}
	e, err := s.log(v).Entry(v.ctx(), number)
	if err != nil {
		return err
	}
	return s.render(v, views.Entry(views.EntryPage{Page: s.page(v), Entry: s.auditEntry(v, e, nil)}))
}
