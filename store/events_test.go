package store_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

const (
	lostKey  = "aa00000000000000000000000000000000000000000000000000000000000000"
	otherKey = "bb00000000000000000000000000000000000000000000000000000000000000"
)

// versionOf issues a version with a serial number and a key of one's choice.
func (s story) versionOf(id tenants.DomainID, serial, spki string) {
	s.Helper()
	o := s.finalize(id)
	v := s.version(o, 90*24*time.Hour)
	v.Serial, v.SPKI, v.ARICertID = serial, spki, "aki."+serial
	must[tenants.VersionID](s)(s.sys.Issue(s.ctx, o, v, lastThird(v)))
	check(s, s.sys.Rest(s.ctx, id, owner, s.begin(id).Certificate.Plan.At, tenants.Finding{}, tenants.Active))
	s.w.Clock.Advance(time.Second)
}

func lastThird(v tenants.Version) tenants.Verdict {
	third, sixth := v.NotAfter.Add(-v.Lifetime()/3), v.NotAfter.Add(-v.Lifetime()/6)
	return tenants.Verdict{At: third, Start: third, End: sixth, NoLater: sixth, Reason: tenants.LastThird, Text: "In the last third."}
}

func (s story) certified(in tenants.Tenant, name, serial, spki string) tenants.DomainID {
	s.Helper()
	id := s.register(in, name)
	s.versionOf(id, serial, spki)
	return id
}

// form chooses by keys, to be replaced within a day.
func (s story) form(keys ...string) tenants.MassEventForm {
	return tenants.MassEventForm{SPKI: strings.Join(keys, " "), Why: "the key was in a public repository",
		Deadline: s.w.Clock.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)}
}

func (s story) dryRun(form tenants.MassEventForm) store.EventForecast {
	s.Helper()
	return must[store.EventForecast](s)(s.w.Platform().DryRunEvent(s.ctx, form))
}

// started runs dry, then starts for real and marks what matches.
func (s story) started(form tenants.MassEventForm) tenants.EventID {
	s.Helper()
	f := s.dryRun(form)
	id := must[tenants.EventID](s)(s.w.Platform().StartEvent(s.ctx, store.EventStart{MassEventForm: form, Since: f.Event.Since,
		Counted: f.Certificates, Typed: fmt.Sprint(f.Certificates)}))
	check(s, s.sys.PushEvents(s.ctx))
	return id
}

func (s story) event(id tenants.EventID) store.EventView {
	s.Helper()
	return must[store.EventView](s)(s.w.Platform().Event(s.ctx, id))
}

// replanned does what the jobs do for a domain that is due: its plan follows from the facts.
func (s story) replanned(id tenants.DomainID) tenants.Verdict {
	s.Helper()
	f := s.begin(id)
	due := tenants.Due(f.RenewalFacts(), s.w.Clock.Now())
	plan := must[tenants.Verdict](s)(s.sys.SavePlan(s.ctx, f.Certificate.ID, f.Certificate.ARI, due))
	check(s, s.sys.Rest(s.ctx, id, owner, plan.At, tenants.Finding{}, tenants.Active))
	return plan
}

func (s story) due(id tenants.DomainID) bool {
	s.Helper()
	return !s.view(s.w.Acme, id).Domain.Next.After(s.w.Clock.Now())
}

func TestDryRunOfAMassEvent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		a := s.certified(w.Acme, "a.acme.example", "0a01", lostKey)
		s.certified(w.Acme, "b.acme.example", "0a02", lostKey)
		s.certified(w.Acme, "c.acme.example", "0a03", otherKey)
		s.certified(w.Northwind, "d.northwind.example", "0a04", lostKey)
		gone := s.certified(w.Acme, "gone.acme.example", "0a05", lostKey)
		s.release(w.Acme, gone)
		s.register(w.Acme, "never.acme.example")
		issuer := s.view(w.Acme, a).Issuer
		short := must[tenants.DomainID](t)(w.Scope(w.Acme).RegisterDomain(s.ctx, "short.acme.example", store.RegisterOptions{Profile: "short"}))
		s.versionOf(short, "0a06", otherKey)

		f := s.dryRun(s.form(lostKey))
		if f.Certificates != 3 || f.DryRun.Tenants != 2 || f.Charged != 3 || len(f.Budget) != 1 || f.Budget[0].Charged != 3 || f.Budget[0].Issuer != issuer.Name {
			t.Errorf("by key: %+v", f)
		}
		if len(f.Tenants) != 2 || f.Tenants[0].Tenant.ID != w.Acme.ID || f.Tenants[0].Certificates != 2 || !slices.Equal(f.Tenants[0].Issuers, []string{issuer.Name}) {
			t.Errorf("tenants: %+v", f.Tenants)
		}
		soon := s.form().Deadline
		for _, c := range []struct {
			form tenants.MassEventForm
			want int
		}{
			{s.form(otherKey), 2}, {s.form(lostKey, otherKey), 5}, {tenants.MassEventForm{Serials: "0A:04, 0a05", Deadline: soon}, 1},
			{tenants.MassEventForm{Issuer: string(issuer.ID), Deadline: soon}, 5},
			{tenants.MassEventForm{Profile: "short", Deadline: soon}, 1}, {tenants.MassEventForm{Profile: "none", Deadline: soon}, 0},
		} {
			if f := s.dryRun(c.form); f.Certificates != c.want {
				t.Errorf("%+v finds %d", c.form, f.Certificates)
			}
		}
		_, err := w.Platform().DryRunEvent(s.ctx, tenants.MassEventForm{Issuer: "iss_01hhn1rgr00000000000000000", Deadline: soon})
		if fieldsOf(err)["issuer"] == "" {
			t.Errorf("an unknown authority: %v", err)
		}
		if all := must[[]store.EventRun](t)(w.Platform().Events(s.ctx)); len(all) != 0 || s.due(a) {
			t.Errorf("a dry run left something: %+v", all)
		}
	})
}

func TestMassEvent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		a := s.certified(w.Acme, "a.acme.example", "0a01", lostKey)
		b := s.certified(w.Acme, "b.acme.example", "0a02", lostKey)
		c := s.certified(w.Acme, "c.acme.example", "0a03", otherKey)
		s.certified(w.Northwind, "d.northwind.example", "0a04", lostKey)
		_, err := w.Scope(w.Acme).SaveHours(s.ctx, tenants.Hours{Days: []time.Weekday{time.Sunday}, From: 60, To: 120})
		check(t, err)
		id := s.started(s.form(lostKey))
		late := s.certified(w.Acme, "late.acme.example", "0a06", lostKey)
		check(t, s.sys.PushEvents(s.ctx))

		v := s.event(id)
		if v.All != 3 || v.ToGo() != 3 || v.Subject != "One key" || v.StartedBy != storetest.Operator().Name || v.Marked.IsZero() || !v.Ended.IsZero() || len(v.Tenants) != 2 {
			t.Errorf("begun: %+v", v)
		}
		e := s.lastEntryOf(w.Northwind, tenants.DidStartEvent)
		if e.Actor.Kind != tenants.SystemActor || e.Object != string(id) || !strings.HasPrefix(e.Text, "began to replace 1 certificate by ") || !strings.HasSuffix(e.Text, ", as the operator asked: the key was in a public repository.") {
			t.Errorf("what a tenant is told: %+v", e)
		}
		if !s.due(a) || !s.due(b) || s.due(c) || s.due(late) {
			t.Error("not those are due that the event replaces")
		}
		if f := s.begin(late); !f.Certificate.Event.Deadline.IsZero() {
			t.Errorf("what was registered later is replaced: %+v", f.Certificate.Event)
		}
		plan := s.replanned(a)
		if plan.Reason != tenants.InMassEvent || plan.At.After(v.Deadline) || !strings.Contains(plan.Text, "also outside the renewal hours") {
			t.Errorf("plan: %+v", plan)
		}

		s.versionOf(a, "0a11", "cc")
		if f := s.begin(a); !f.Certificate.Event.Deadline.IsZero() {
			t.Errorf("a replacement is replaced: %+v", f.Certificate.Event)
		}
		s.versionOf(b, "0a12", lostKey) // a new version with the key that must go
		if f := s.begin(b); f.Certificate.Event.ID != id || !f.RenewalFacts().NewKey(w.Clock.Now()) {
			t.Errorf("the lost key is still in use: %+v", f.Certificate.Event)
		}
		if v := s.event(id); v.Replaced != 1 || v.Open() != 2 {
			t.Errorf("one replaced: %+v", v.EventProgress)
		}
		check(t, s.sys.Rest(s.ctx, b, owner, w.Clock.Now(), tenants.Finding{Code: tenants.CAAForbids}, tenants.Failing))
		v = s.event(id)
		if v.Failing != 1 || len(v.Trouble) != 1 || v.Trouble[0].Name != "b.acme.example" || v.Trouble[0].Finding.Code != tenants.CAAForbids || v.Tenants[0].Tenant.ID != w.Acme.ID {
			t.Errorf("in trouble: %+v", v)
		}
		s.release(w.Northwind, s.only(w.Northwind))
		s.versionOf(b, "0a13", "dd")
		check(t, s.sys.PushEvents(s.ctx))
		if v := s.event(id); v.Ended.IsZero() || v.Replaced != 2 || v.EventProgress.Left != 1 || !v.Finish.IsZero() {
			t.Errorf("over: %+v", v)
		}
		if e := must[store.EntryPage](t)(w.Platform().Entries(s.ctx, store.EntryFilter{What: string(tenants.DidEndEvent)})); len(e.Entries) != 1 || !strings.HasPrefix(e.Entries[0].Text, "replaced 2 of 3 certificates, the last on ") {
			t.Errorf("the end in the log: %+v", e.Entries)
		}
	})
}

func (s story) lastEntryOf(in tenants.Tenant, what tenants.Action) tenants.Entry {
	s.Helper()
	p := must[store.EntryPage](s)(s.w.Scope(in).Entries(s.ctx, store.EntryFilter{What: string(what), Limit: 1}))
	if len(p.Entries) == 0 {
		s.Fatalf("no entry %s", what)
	}
	return p.Entries[0]
}

func (s story) only(in tenants.Tenant) tenants.DomainID {
	s.Helper()
	p := must[store.DomainPage](s)(s.w.Scope(in).Domains(s.ctx, store.DomainFilter{}))
	if len(p.Rows) != 1 {
		s.Fatalf("%d domains", len(p.Rows))
	}
	return p.Rows[0].ID
}

func TestMassEventIsNotStartedByMistake(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		a := s.certified(w.Acme, "a.acme.example", "0a01", lostKey)
		s.certified(w.Acme, "b.acme.example", "0a02", lostKey)
		form := s.form(lostKey)
		f := s.dryRun(form)
		in := store.EventStart{MassEventForm: form, Since: f.Event.Since, Counted: 2, Typed: "2"}
		start := func(change func(*store.EventStart)) error {
			other := in
			change(&other)
			_, err := w.Platform().StartEvent(s.ctx, other)
			return err
		}
		for _, typed := range []string{"", "3", "two"} {
			if err := start(func(in *store.EventStart) { in.Typed = typed }); fieldsOf(err)["typed"] == "" {
				t.Errorf("typed %q: %v", typed, err)
			}
		}
		wantKind(t, start(func(in *store.EventStart) { in.Counted = 0 }), tenants.Conflict)
		wantKind(t, start(func(in *store.EventStart) { in.Since = w.Clock.Now().Add(time.Second) }), tenants.Conflict)
		wantKind(t, start(func(in *store.EventStart) { in.Since = in.Since.Add(-2 * time.Hour) }), tenants.Conflict)
		wantKind(t, start(func(in *store.EventStart) { in.Deadline = "" }), tenants.Invalid)
		auditor := storetest.Operator()
		auditor.Platform = tenants.PlatformAuditor
		_, err := w.DB.Platform(auditor).StartEvent(s.ctx, in)
		wantKind(t, err, tenants.Denied)
		_, err = w.DB.Platform(auditor).DryRunEvent(s.ctx, form)
		wantKind(t, err, tenants.Denied)

		s.versionOf(a, "0a03", lostKey) // issued between dry run and start, so it does not match
		err = start(func(*store.EventStart) {})
		wantKind(t, err, tenants.Conflict)
		if !strings.Contains(err.Error(), "found 2 certificates, and now there are 1") {
			t.Errorf("the count changed: %v", err)
		}
		in.Counted, in.Typed = 1, " 1 "
		first, err := w.Platform().StartEvent(s.ctx, in)
		check(t, err)
		again, err := w.Platform().StartEvent(s.ctx, in)
		check(t, err)
		if all := must[[]store.EventRun](t)(w.DB.Platform(auditor).Events(s.ctx)); len(all) != 1 || first != again {
			t.Errorf("a double click starts %d events", len(all))
		}
		wantKind(t, w.DB.Platform(auditor).StopEvent(s.ctx, first), tenants.Denied)
		_, err = w.Platform().Event(s.ctx, "evt_none")
		wantKind(t, err, tenants.NotFound)
	})
}

func TestMassEventStops(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		var ids []tenants.DomainID
		for i := range 4 {
			ids = append(ids, s.certified(w.Acme, name(i), fmt.Sprintf("0a0%d", i), lostKey))
		}
		id := s.started(s.form(lostKey))
		s.versionOf(ids[0], "0a10", "cc") // replaced
		placed := s.renewal(ids[1])       // ordered
		placed.Placing, placed.URL = w.Clock.Now(), "https://ca.example/order/1"
		placed = s.save(placed, tenants.Ordered)
		check(t, s.sys.Rest(s.ctx, ids[1], owner, w.Clock.Now(), tenants.Finding{}, tenants.Renewing))
		s.renewal(ids[2]) // waits for budget
		check(t, s.sys.AwaitBudget(s.ctx, ids[2], owner, s.view(w.Acme, ids[2]).Issuer.AccountID, tenants.Finding{Code: tenants.BudgetSpent}))
		s.replanned(ids[3]) // planned

		check(t, w.Platform().StopEvent(s.ctx, id))
		wantKind(t, w.Platform().StopEvent(s.ctx, id), tenants.Conflict)
		check(t, s.sys.PushEvents(s.ctx))
		if v := s.event(id); v.Replaced != 1 || v.Ordered != 1 || v.EventProgress.Left != 2 || v.StoppedBy == "" || !v.Ended.IsZero() {
			t.Errorf("stopped: %+v", v)
		}
		for _, back := range ids[2:] {
			if v := s.view(w.Acme, back); v.Order != nil && v.Order.State.Open() || !s.due(back) {
				t.Errorf("%s is still to be ordered: %+v", v.Domain.Name, v.Order)
			}
			if plan := s.replanned(back); plan.Reason != tenants.LastThird || plan.At.Before(w.Clock.Now().Add(30*24*time.Hour)) {
				t.Errorf("back to %+v", plan)
			}
		}
		s.begin(ids[1])
		for _, state := range []tenants.OrderState{tenants.Proving, tenants.Ready, tenants.Finalized} {
			placed = s.save(placed, state)
		}
		v := s.version(placed, 90*24*time.Hour)
		v.Serial, v.SPKI = "0a11", "dd"
		must[tenants.VersionID](t)(s.sys.Issue(s.ctx, placed, v, lastThird(v)))
		check(t, s.sys.PushEvents(s.ctx))
		if v := s.event(id); v.Replaced != 2 || v.Ended.IsZero() {
			t.Errorf("what was ordered: %+v", v)
		}
	})
}

// renewal plans the order of a renewal.
func (s story) renewal(id tenants.DomainID) tenants.Order {
	s.Helper()
	s.begin(id)
	s.prove(id)
	must[tenants.Order](s)(s.sys.PlanOrder(s.ctx, id, tenants.InMassEvent, ""))
	return *s.begin(id).Order
}

// An order that waits for budget when the event begins goes out with the event's urgency.
func TestMassEventHurriesOpenOrders(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		a, b := s.certified(w.Acme, "a.acme.example", "0a01", otherKey), s.certified(w.Acme, "b.acme.example", "0a02", lostKey)
		account := s.view(w.Acme, a).Issuer.AccountID
		for _, id := range []tenants.DomainID{a, b} {
			s.begin(id)
			s.prove(id)
			must[tenants.Order](t)(s.sys.PlanOrder(s.ctx, id, tenants.LastThird, ""))
			s.begin(id)
			check(t, s.sys.AwaitBudget(s.ctx, id, owner, account, tenants.Finding{Code: tenants.BudgetSpent}))
		}
		id := s.started(s.form(lostKey))
		if n := must[int](t)(s.sys.Admit(s.ctx, account, 1, 1)); n != 1 { // the token is for emergencies alone
			t.Errorf("%d let out", n)
		}
		check(t, w.Platform().StopEvent(s.ctx, id))
		check(t, s.sys.PushEvents(s.ctx))
		if v := s.view(w.Acme, b); v.Order == nil || !v.Order.State.Open() {
			t.Error("stopping ended an order that had its own reason")
		}
	})
}

// Of two events the one with the earlier deadline counts, and when that is stopped, the other.
func TestMassEventsOverlap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		a := s.certified(w.Acme, "a.acme.example", "0a01", lostKey)
		form := s.form(lostKey)
		slow := s.started(form)
		w.Clock.Advance(time.Minute)
		form.Deadline = w.Clock.Now().Add(2 * time.Hour).UTC().Format(time.RFC3339)
		quick := s.started(form)
		w.Clock.Advance(time.Minute)
		form.Deadline = w.Clock.Now().Add(100 * time.Hour).UTC().Format(time.RFC3339)
		slowest := s.started(form)
		if e := s.begin(a).Certificate.Event; e.ID != quick {
			t.Errorf("counts: %+v", e)
		}
		check(t, w.Platform().StopEvent(s.ctx, quick))
		check(t, s.sys.Rest(s.ctx, a, owner, w.Clock.Now().Add(time.Hour), tenants.Finding{}, tenants.Active))
		check(t, s.sys.PushEvents(s.ctx))
		if e := s.begin(a).Certificate.Event; e.ID != slow {
			t.Errorf("after the first is stopped: %+v", e)
		}
		s.versionOf(a, "0a02", "cc")
		check(t, s.sys.PushEvents(s.ctx))
		for _, id := range []tenants.EventID{slow, slowest} {
			if v := s.event(id); v.Replaced != 1 || v.Ended.IsZero() {
				t.Errorf("one version serves both: %+v", v)
			}
		}
	})
}

// A process that dies while it marks leaves the rest to the next, and several may mark at the same time.
func TestMassEventIsMarkedAcrossCrashes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		const all = 3400 // more than one call marks
		must[[]tenants.Tenant](t)(storetest.Fill{Tenants: 2, Domains: all / 2, Certificates: true}.Into(s.ctx, w.DB, w.DSN, storetest.Directory))
		issuer := must[tenants.Issuer](t)(s.sys.Issuer(s.ctx, storetest.Directory))
		form := s.form()
		form.Issuer = string(issuer.ID)
		id := s.started(form)
		v := s.event(id)
		if v.All == 0 || v.All >= v.Certificates || !v.Marked.IsZero() {
			t.Fatalf("the first call marks %d of %d", v.All, v.Certificates)
		}
		second := w.Open(t)
		var wait sync.WaitGroup
		for _, db := range []*store.DB{w.DB, second} {
			wait.Go(func() {
				for range 3 {
					if err := db.System().PushEvents(s.ctx); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		if v := s.event(id); v.All != v.Certificates || v.Marked.IsZero() {
			t.Errorf("%d of %d are marked", v.All, v.Certificates)
		}
		p := must[store.EntryPage](t)(w.Platform().Entries(s.ctx, store.EntryFilter{What: string(tenants.DidStartEvent)}))
		if p.Total != 3 { // the platform's, and one a tenant
			t.Errorf("%d entries say that it began", p.Total)
		}
	})
}
