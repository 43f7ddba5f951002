package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// replacements is the form of a mass event and the list of those that were started.
func (s *Site) replacements(v *visit) error {
	return s.renderReplacements(v, http.StatusOK, views.ReplacementsPage{By: v.QueryParam("by")})
}

func (s *Site) renderReplacements(v *visit, status int, p views.ReplacementsPage) (err error) {
	p.Page = s.page(v)
	if !slices.Contains([]string{views.ByAuthority, views.ByList}, p.By) {
		p.By = views.ByKey
	}
	platform := s.DB.Platform(v.actor)
	if p.Issuers, err = platform.EventIssuers(v.ctx()); err != nil {
		return err
	}
	runs, err := platform.Events(v.ctx())
	if err != nil {
		return err
	}
	for _, r := range runs {
		p.Runs = append(p.Runs, replacementRun(r))
	}
	return s.renderStatus(v, status, views.Replacements(p))
}

func replacementRun(r store.EventRun) views.ReplacementRun {
	return views.ReplacementRun{Event: r.MassEvent, Counts: r.EventCounts, Subject: r.Subject, Started: r.Started, StartedBy: r.StartedBy,
		Marked: r.Marked, Stopped: r.Stopped, StoppedBy: r.StoppedBy, Ended: r.Ended}
}

// replace runs dry, which changes nothing and so is answered at once, or starts for real what was run dry before.
func (s *Site) replace(v *visit) error {
	p := views.ReplacementsPage{By: v.FormValue("by"), Form: tenants.MassEventForm{Issuer: v.FormValue("issuer"), Profile: v.FormValue("profile"),
		Serials: v.FormValue("serials"), SPKI: v.FormValue("spki"), Deadline: v.FormValue("deadline"), Why: v.FormValue("why")}}
	if v.FormValue("act") == "start" {
		return s.startReplacement(v, p)
	}
	status := http.StatusOK
	if err := s.runDry(v, &p); err != nil {
		if err := refusedReplacement(&p, err); err != nil {
			return err
		}
		status = http.StatusUnprocessableEntity
	}
	return s.renderReplacements(v, status, p)
}

// runDry puts what a dry run finds on the page.
func (s *Site) runDry(v *visit, p *views.ReplacementsPage) error {
	begun := time.Now()
	f, err := s.DB.Platform(v.actor).DryRunEvent(v.ctx(), p.Form)
	if err != nil {
		return err
	}
	p.DryRun = &views.ReplacementDryRun{DryRun: f.DryRun, Event: f.Event, Took: time.Since(begun)}
	for _, t := range f.Tenants {
		p.DryRun.Tenants = append(p.DryRun.Tenants, views.ReplacementTenant(t))
	}
	for _, l := range f.Budget {
		p.DryRun.Budget = append(p.DryRun.Budget, views.ReplacementLimit(l))
	}
	return nil
}

// refusedReplacement puts a refusal on the page; what was typed stays. Any other error comes back.
func refusedReplacement(p *views.ReplacementsPage, err error) error {
	refused, ok := errors.AsType[*tenants.Error](err)
	if !ok || refused.Kind != tenants.Invalid && refused.Kind != tenants.Conflict {
		return err
	}
	if p.Errors = refused.Fields; len(p.Errors) == 0 {
		p.Error = refused.Text
	}
	for field, text := range p.Errors {
		if own := (map[string]string{views.ByKey: "spki", views.ByList: "serials"})[p.By]; field == "issuer" && own != "" {
			delete(p.Errors, field) // this tab has another field for it
			p.Errors[own] = text
		}
	}
	return nil
}

// startReplacement starts for real. When it is refused, the page shows how things stand now.
func (s *Site) startReplacement(v *visit, p views.ReplacementsPage) error {
	p.Typed = v.FormValue("typed")
	in := store.EventStart{MassEventForm: p.Form, Typed: p.Typed}
	in.Since, _ = time.Parse(time.RFC3339Nano, v.FormValue("since")) // of no dry run of ours: as old as can be
	in.Counted, _ = strconv.Atoi(v.FormValue("counted"))
	id, err := s.DB.Platform(v.actor).StartEvent(v.ctx(), in)
	if err == nil {
		s.leaveNote(v, "replacing")
		return v.goTo(views.ReplacementURL(id))
	}
	if err := refusedReplacement(&p, err); err != nil {
		return err
	}
	if err := s.runDry(v, &p); err != nil {
		if err := refusedReplacement(&p, err); err != nil {
			return err
		}
	}
	return s.renderReplacements(v, http.StatusUnprocessableEntity, p)
}

// replacementPage is one replacement as its page shows it.
func (s *Site) replacementPage(v *visit) (p views.ReplacementPage, err error) {
	id, ok := tenants.ParseID[tenants.EventID](v.Param("id"))
	if !ok {
		return p, tenants.Errorf(tenants.NotFound, "There is no such replacement. Go back to the list and choose again.")
	}
	e, err := s.DB.Platform(v.actor).Event(v.ctx(), id)
	if err != nil {
		return p, err
	}
	p = views.ReplacementPage{Page: s.page(v), Run: replacementRun(e.EventRun), Progress: views.ReplacementProgress(e.EventProgress),
		Keys: e.Keys, Finish: e.Finish}
	for _, t := range e.Tenants {
		p.Tenants = append(p.Tenants, views.ReplacementPart{Tenant: t.Tenant, Progress: views.ReplacementProgress(t.EventProgress)})
	}
	for _, t := range e.Trouble {
		p.Trouble = append(p.Trouble, views.ReplacementTrouble(t))
	}
	for _, l := range e.Budget {
		p.Budget = append(p.Budget, views.ReplacementLimit(l))
	}
	return p, nil
}

func (s *Site) replacement(v *visit) error {
	p, err := s.replacementPage(v)
	if err != nil {
		return err
	}
	return s.render(v, views.Replacement(p))
}

func (s *Site) confirmStop(v *visit) error {
	p, err := s.replacementPage(v)
	if err != nil {
		return err
	}
	return s.render(v, views.ConfirmStop(p))
}

func (s *Site) stopReplacement(v *visit) error {
	id, ok := tenants.ParseID[tenants.EventID](v.Param("id"))
	if !ok {
		return tenants.Errorf(tenants.NotFound, "There is no such replacement. Go back to the list and choose again.")
	}
	if err := s.DB.Platform(v.actor).StopEvent(v.ctx(), id); err != nil {
		return err
	}
	s.leaveNote(v, "stopped")
	return v.goTo(views.ReplacementURL(id))
}

// replacementEvents tells the page of a replacement that something changed, at most once a second: with hundreds of
// certificates under way it would otherwise be read without a pause.
func (s *Site) replacementEvents(v *visit) error {
	if _, err := s.replacementPage(v); err != nil {
		return err
	}
	return s.tell(v, s.DB.Changes(v.ctx(), "", ""), time.Second)
}
