package store_test

import (
	"strings"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func TestNextDue(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		if next := must[time.Time](t)(s.sys.NextDue(s.ctx)); !next.IsZero() {
			t.Errorf("nobody is there, yet somebody is due at %v", next)
		}
		soon, later := s.register(w.Acme, "soon.example"), s.register(w.Northwind, "later.example")
		for id, wait := range map[tenants.DomainID]time.Duration{soon: time.Hour, later: 2 * time.Hour} {
			s.begin(id)
			check(t, s.sys.Rest(s.ctx, id, owner, w.Clock.Now().Add(wait), tenants.Finding{}, tenants.Waiting))
		}
		want := must[store.DomainView](t)(w.Scope(w.Acme).Domain(s.ctx, soon)).Domain.Next
		if next := must[time.Time](t)(s.sys.NextDue(s.ctx)); !next.Equal(want) {
			t.Errorf("next due at %v, want %v", next, want)
		}
	})
}

// One question tells all that there may be to do.
func TestPending(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(nil)
		pending := func() store.Work { return must[store.Work](t)(s.sys.Pending(s.ctx)) }
		if work := pending(); work != (store.Work{}) || !work.Nothing() {
			t.Errorf("nobody is there: %+v", work)
		}
		id := s.register(w.Acme, "shop.example")
		if work := pending(); !work.Due || work.Nothing() {
			t.Errorf("a new name: %+v", work)
		}
		s.plan(id)
		if work := pending(); !work.Nothing() || work.Next.IsZero() {
			t.Errorf("somebody is at work: %+v", work)
		}
		check(t, s.sys.AwaitBudget(s.ctx, id, owner, i.AccountID, tenants.Finding{Code: tenants.BudgetSpent}))
		if work := pending(); !work.Queued || work.Silenced || work.Due {
			t.Errorf("no budget: %+v", work)
		}
		s.begin(id)
		check(t, s.sys.AwaitAnswer(s.ctx, id, owner, i.ID, tenants.Finding{Code: tenants.CASilent}, tenants.Renewing))
		if work := pending(); !work.Silenced || work.Queued {
			t.Errorf("no answer: %+v", work)
		}
	})
}

// The question is asked every second, however many domains there are.
func TestPendingUsesIndexes(t *testing.T) {
	w := storetest.New(t)
	s := tell(t, w)
	for part, index := range map[string]string{
		"select min(next_action_at) from agenda where next_action_at > 0": "agenda_due",
		"select 1 from agenda where awaiting_answer <> ''":                "agenda_silent",
		"select 1 from agenda where awaiting_budget <> ''":                "agenda_waiting",
		"select 1 from events where ended_at = 0":                         "events_running",
	} {
		var id, parent, unused int
		var detail string
		check(t, s.raw().QueryRow("explain query plan "+part).Scan(&id, &parent, &unused, &detail))
		if !strings.Contains(detail, "COVERING INDEX "+index) {
			t.Errorf("%s: %s", part, detail)
		}
	}
}
