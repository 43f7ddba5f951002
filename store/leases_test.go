package store_test

import (
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func TestClaimTakesEachOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		a, b := s.register(w.Acme, "a.example"), s.register(w.Northwind, "b.example")
		got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10))
		if !slices.Equal(got, []tenants.DomainID{a, b}) {
			t.Fatalf("claimed %v", got)
		}
		if got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); len(got) != 0 {
			t.Fatalf("claimed again: %v", got)
		}
		w.Clock.Advance(time.Hour)
		if got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); len(got) != 2 {
			t.Fatalf("lost after the claim ran out: %v", got)
		}
	})
}

func TestClaimOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		fresh := s.register(w.Acme, "fresh.example")
		late, soon := s.register(w.Acme, "late.example"), s.register(w.Acme, "soon.example")
		s.issue(late, 60*24*time.Hour)
		s.issue(soon, 30*24*time.Hour)
		check(t, w.Scope(w.Acme).RenewNow(s.ctx, late))
		check(t, w.Scope(w.Acme).RenewNow(s.ctx, soon))
		var got []tenants.DomainID
		for range 3 {
			got = append(got, must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 1))...)
		}
		if !slices.Equal(got, []tenants.DomainID{soon, late, fresh}) {
			t.Errorf("claimed %v, want %v", got, []tenants.DomainID{soon, late, fresh})
		}
	})
}

// Renewals and looks that are due again and again keep no new name waiting for ever.
func TestClaimOvertakesNobodyForLong(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		renewal, fresh, other := s.register(w.Acme, "renewal.example"), s.register(w.Acme, "fresh.example"), s.register(w.Acme, "other.example")
		s.issue(renewal, 30*24*time.Hour)
		w.Clock.Advance(time.Second)
		check(t, w.Scope(w.Acme).CheckNow(s.ctx, other)) // due later than fresh
		w.Clock.Advance(15 * time.Minute)
		check(t, w.Scope(w.Acme).RenewNow(s.ctx, renewal))
		var got []tenants.DomainID
		for range 3 {
			got = append(got, must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 1))...)
		}
		if want := []tenants.DomainID{fresh, other, renewal}; !slices.Equal(got, want) {
			t.Errorf("claimed %v, want %v", got, want)
		}
	})
}

// Two processes on one Postgres claim at the same time: no row goes to both, none is left out.
func TestClaimsNeverOverlap(t *testing.T) {
	w := storetest.NewPostgres(t)
	s := tell(t, w)
	for i := range 4 {
		var batch []string
		for j := range 50 {
			batch = append(batch, name(i*50+j))
		}
		must[store.Registered](t)(w.Scope(w.Acme).RegisterDomains(s.ctx, batch))
	}
	second := w.Open(t)
	var mu sync.Mutex
	times := map[tenants.DomainID]int{}
	var group sync.WaitGroup
	for _, sys := range []*store.System{s.sys, second.System(), s.sys, second.System()} {
		group.Go(func() {
			for range 40 {
				ids, err := sys.Claim(s.ctx, 7)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, id := range ids {
					times[id]++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
	rest := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 1000))
	if len(times)+len(rest) != 200 {
		t.Errorf("%d claimed, then %d, of 200", len(times), len(rest))
	}
}

func TestOneWorkerPerDomain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.begin(id)
		s.begin(id) // the same worker, for its next step
		_, ok, err := s.sys.Begin(s.ctx, id, "test/2", time.Minute)
		check(t, err)
		if ok {
			t.Fatal("two workers at once")
		}
		w.Clock.Advance(2 * time.Minute)
		_, ok, err = s.sys.Begin(s.ctx, id, "test/2", time.Minute)
		check(t, err)
		if !ok {
			t.Fatal("a dead worker's lease never ends")
		}
		check(t, s.sys.Rest(s.ctx, id, owner, w.Clock.Now(), tenants.Finding{Code: tenants.CASilent}, tenants.Failing))
		if d := s.view(w.Acme, id).Domain; d.Status != tenants.Waiting {
			t.Errorf("who lost the lease saved: %+v", d)
		}
	})
}

// What is asked for while somebody works is not forgotten when they rest.
func TestAskedWhileWorking(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.begin(id)
		if !s.view(w.Acme, id).Domain.Next.IsZero() {
			t.Error("the page says when we look again while we look")
		}
		check(t, w.Scope(w.Acme).CheckNow(s.ctx, id))
		if got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); len(got) != 0 {
			t.Error("claimed from under the worker")
		}
		check(t, s.sys.Rest(s.ctx, id, owner, w.Clock.Now().Add(time.Hour), tenants.Finding{}, tenants.Waiting))
		if got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); len(got) != 1 {
			t.Error("forgotten")
		}
	})
}

func TestClearLeases(t *testing.T) {
	w := storetest.New(t)
	s := tell(t, w)
	id, claimed := s.register(w.Acme, "a.example"), s.register(w.Acme, "b.example")
	must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10))
	s.begin(id)
	check(t, s.sys.ClearLeases(s.ctx))
	if got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); !slices.Equal(got, []tenants.DomainID{id, claimed}) {
		t.Errorf("claimed after the restart: %v", got)
	}
}

// Entering and leaving the state of failing is one entry each, however often it is said.
func TestFailingIsSaidOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		why := tenants.Finding{Code: tenants.CARefuses, Raw: "no\x00pe\xff", Args: map[string]string{"ca": "Example CA"}}
		for range 3 {
			s.begin(id)
			check(t, s.sys.Rest(s.ctx, id, owner, w.Clock.Now(), why, tenants.Failing))
		}
		if d := s.view(w.Acme, id).Domain; d.Status != tenants.Failing || d.Finding.Code != tenants.CARefuses {
			t.Fatalf("domain: %+v", d)
		}
		s.begin(id)
		check(t, s.sys.Rest(s.ctx, id, owner, w.Clock.Now(), tenants.Finding{}, tenants.Waiting))
		for _, action := range []tenants.Action{tenants.DidFail, tenants.DidHeal} {
			if n := must[store.EntryPage](t)(w.Scope(w.Acme).Entries(s.ctx, store.EntryFilter{What: string(action)})).Total; n != 1 {
				t.Errorf("%d entries of %s", n, action)
			}
		}
	})
}

// What was learned on the way is kept with the rest, and by nobody who lost the lease. A look that a person asked for
// meanwhile is still to come.
func TestRestKeepsWhatWasSeen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.issue(id, 90*24*time.Hour)
		plan := s.begin(id).Certificate.Plan
		w.Clock.Advance(time.Second)
		seen := store.Seen{Check: &tenants.Check{At: w.Clock.Now(), Zone: "seen.example"},
			ARI: &tenants.RenewalInfo{Next: w.Clock.Now().Add(6 * time.Hour), ExplanationURL: "https://ca.example/why"}}
		w.Clock.Advance(time.Second)
		check(t, w.Scope(w.Acme).CheckNow(s.ctx, id))
		for _, who := range []string{"test/2", owner} {
			check(t, s.sys.RestSeen(s.ctx, id, who, w.Clock.Now().Add(time.Hour), tenants.Finding{}, tenants.Active, seen))
			v := s.view(w.Acme, id)
			if kept := v.Domain.Check.Zone == "seen.example"; kept != (who == owner) {
				t.Errorf("%s: the check is %+v", who, v.Domain.Check)
			}
			if kept := v.Certificate.ARI.ExplanationURL != ""; kept != (who == owner) {
				t.Errorf("%s: the authority said %+v", who, v.Certificate.ARI)
			}
			if !v.Certificate.Plan.At.Equal(plan.At) {
				t.Errorf("%s: planned for %v, want %v", who, v.Certificate.Plan.At, plan.At)
			}
		}
		if f := s.begin(id); !f.Asked || f.Domain.Check != nil {
			t.Error("the look that somebody asked for is forgotten")
		}
		later := tenants.Check{At: w.Clock.Now(), Zone: "later.example"}
		check(t, s.sys.SaveSeen(s.ctx, id, store.Seen{Check: &later}))
		if f := s.begin(id); f.Asked || f.Domain.Check.Zone != later.Zone || f.Certificate.ARI.ExplanationURL != seen.ARI.ExplanationURL {
			t.Errorf("saved on the way: check %+v, ARI %+v", f.Domain.Check, f.Certificate.ARI)
		}
	})
}

// A turn in which nothing changed ends like any other: the lease is given back, and what was seen is kept, by its owner
// alone. Where something did change meanwhile, it ends in full.
func TestQuietRest(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.issue(id, 90*24*time.Hour)
		s.begin(id)
		next := w.Clock.Now().Add(6 * time.Hour).Truncate(time.Second)
		rest := func(who, zone string) store.DomainView {
			seen := store.Seen{Check: &tenants.Check{At: w.Clock.Now(), Zone: zone}, ARI: &tenants.RenewalInfo{Next: next}}
			check(t, s.sys.RestSeen(s.ctx, id, who, next, tenants.Finding{}, tenants.Active, seen))
			return s.view(w.Acme, id)
		}
		if v := rest("test/2", "stolen.example"); v.Domain.Check.Zone == "stolen.example" || !v.Certificate.ARI.Next.IsZero() || !v.Domain.Next.IsZero() {
			t.Errorf("who lost the lease saved: %+v", v.Domain)
		}
		if v := rest(owner, "seen.example"); v.Domain.Check.Zone != "seen.example" || !v.Certificate.ARI.Next.Equal(next) || !v.Domain.Next.Equal(next) {
			t.Errorf("at rest: %+v, ARI %+v", v.Domain, v.Certificate.ARI)
		}
		if v := rest(owner, "late.example"); v.Domain.Check.Zone != "seen.example" {
			t.Error("who has rested already saved once more")
		}
		s.begin(id)
		check(t, s.sys.Rest(s.ctx, id, owner, next, tenants.Finding{Code: tenants.CARefuses}, tenants.Failing))
		s.begin(id)
		if v := rest(owner, "healed.example"); v.Domain.Status != tenants.Active || !v.Domain.Finding.OK() || v.Domain.Check.Zone != "healed.example" ||
			s.lastEntry(w.Acme).Action != tenants.DidHeal {
			t.Errorf("after a failure: %+v; the log ends with %s", v.Domain, s.lastEntry(w.Acme).Action)
		}
		s.begin(id)
		check(t, w.Scope(w.Acme).CheckNow(s.ctx, id))
		rest(owner, "asked.example")
		if got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 1)); !slices.Equal(got, []tenants.DomainID{id}) {
			t.Error("somebody who asked for the domain has to wait")
		}
		storetest.Consistent(t, w.DSN, w.Clock.Now())
	})
}

// What was decided under a lease is not saved once the lease was lost: it rests on what is not true any more.
func TestDecisionsNeedTheLease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.issue(id, 90*24*time.Hour)
		f := s.begin(id)
		old := tenants.RenewalInfo{Start: w.Clock.Now(), End: w.Clock.Now().Add(time.Hour)}
		look := tenants.Check{At: w.Clock.Now(), Zone: "old.example"}
		acts := map[string]func(*store.System) error{
			"SaveSeen": func(sys *store.System) error { return sys.SaveSeen(s.ctx, id, store.Seen{Check: &look, ARI: &old}) },
			"SaveCheck": func(sys *store.System) error {
				return sys.SaveCheck(s.ctx, id, look, tenants.Finding{Code: tenants.CASilent}, tenants.Failing)
			},
			"SavePlan": func(sys *store.System) error {
				_, err := sys.SavePlan(s.ctx, f.Certificate.ID, old, tenants.Verdict{At: w.Clock.Now(), Reason: tenants.OnRequest})
				return err
			},
			"PlanOrder": func(sys *store.System) error {
				_, err := sys.PlanOrder(s.ctx, id, tenants.OnRequest, "")
				return err
			},
		}
		w.Clock.Advance(2 * time.Minute)
		before, ok, err := s.sys.Begin(s.ctx, id, "test/2", time.Minute)
		check(t, err)
		if !ok {
			t.Fatal("a dead worker's lease never ends")
		}
		for name, act := range acts {
			if err := act(s.sys.Under(owner)); tenants.KindOf(err) != tenants.Conflict {
				t.Errorf("%s by who lost the lease: %v", name, err)
			}
		}
		after, _, err := s.sys.Begin(s.ctx, id, "test/2", time.Minute)
		check(t, err)
		if !reflect.DeepEqual(before, after) {
			t.Errorf("who lost the lease saved: %+v, before %+v", after, before)
		}
		check(t, acts["PlanOrder"](s.sys.Under("test/2")))
		f, _, err = s.sys.Begin(s.ctx, id, "test/2", time.Minute)
		check(t, err)
		o := *f.Order
		if err := s.sys.Under(owner).EndOrder(s.ctx, o.ID, "It is another's."); tenants.KindOf(err) != tenants.Conflict {
			t.Errorf("EndOrder by who lost the lease: %v", err)
		}
		check(t, s.sys.Under("test/2").EndOrder(s.ctx, o.ID, "It is ours."))
	})
}

// A process whose clock was wrong for a while wrote instants that are far off. Nothing waits for them once the clock is
// right: no domain, whether it rests or is held, and no bucket. A domain with nothing wrong does not wait for a clock either
// that was wrong by a day, which may be the last of its certificate; whom an authority put off for days does.
func TestNothingWaitsForAWrongClock(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		well, held, put := s.register(w.Acme, "well.example"), s.register(w.Acme, "held.example"), s.register(w.Acme, "put.example")
		issuer := must[tenants.Issuer](t)(s.sys.Issuer(s.ctx, storetest.Directory))
		issuer.Limits = tenants.Limits{tenants.CertificatesPerDomain: {Count: 2, Per: time.Hour}}
		issuer = must[tenants.Issuer](t)(s.sys.SaveIssuer(s.ctx, issuer))
		charge := tenants.Charge{Limit: tenants.CertificatesPerDomain, Key: "well.example"}
		limited := tenants.Finding{Code: tenants.CARateLimited}
		for _, days := range []time.Duration{1, 100} {
			wrong := days * 24 * time.Hour
			w.Clock.Advance(wrong)
			for _, id := range []tenants.DomainID{held, well, put} {
				s.begin(id)
			}
			check(t, s.sys.Book(s.ctx, issuer.ID, []tenants.Charge{charge}))
			check(t, s.sys.Rest(s.ctx, well, owner, w.Clock.Now().Add(time.Hour), tenants.Finding{}, tenants.Waiting))
			check(t, s.sys.Rest(s.ctx, put, owner, w.Clock.Now().Add(time.Hour), limited, tenants.Waiting))
			w.Clock.Advance(-wrong)
			check(t, s.sys.Sweep(s.ctx))
			if due := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); !slices.Contains(due, well) || !slices.Contains(due, held) || slices.Contains(due, put) != (days > 8) {
				t.Errorf("due after a clock that was %d days ahead are %v", days, due)
			}
			if _, ok, err := s.sys.Begin(s.ctx, held, "test/2", time.Minute); err != nil || !ok {
				t.Errorf("it is held by who began when the clock was wrong: %v", err)
			}
			if _, at, err := s.sys.BudgetLeft(s.ctx, issuer.ID, charge); err != nil || at.Sub(w.Clock.Now()) > time.Hour {
				t.Errorf("a token at %v (%v), want one within the hour", at, err)
			}
			w.Clock.Advance(time.Hour)
		}
	})
}
