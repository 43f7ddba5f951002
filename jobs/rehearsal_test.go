package jobs_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"perennial/jobs/acme"
	"perennial/store"
	"perennial/tenants"
)

const stagingDirectory = "https://staging.test/dir"

func (w *world) stage() tenants.Issuer {
	if w.staging == nil {
		return tenants.Issuer{}
	}
	return tenants.Issuer{Name: "Test CA staging", Directory: stagingDirectory, Limits: tenants.Limits{tenants.OrdersPerAccount: {Count: 20, Per: 10000 * time.Hour}}}
}

// onStage is a world whose authority has a staging directory, with one active domain.
func onStage(t *testing.T, test func(w *world, id tenants.DomainID)) {
	inWorld(t, func(w *world) {
		w.staging = newFakeCA(w.dns)
		w.start()
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		w.settled(id, 1)
		w.ca.count, w.dns.count = nil, nil
		test(w, id)
	})
}

// rehearse asks for a dry run and waits for its end, and until nothing of it is left anywhere.
func (w *world) rehearse(id tenants.DomainID) tenants.Rehearsal {
	w.t.Helper()
	w.must(w.scope.Rehearse(w.ctx, id))
	return w.rehearsed(id)
}

func (w *world) rehearsed(id tenants.DomainID) tenants.Rehearsal {
	w.t.Helper()
	w.until(time.Second, time.Hour, func() bool {
		r := w.view(id).Rehearsal
		return r != nil && !r.Tidied.IsZero()
	})
	if left := w.dns.left(); len(left) > 0 {
		w.t.Errorf("left in DNS: %v", left)
	}
	r := *w.view(id).Rehearsal
	if r.Order != nil {
		if _, err := w.db.System().OrderKey(w.ctx, r.Order.ID); tenants.KindOf(err) != tenants.Conflict {
			w.t.Errorf("the key of a dry run that is over: %v", err)
		}
		w.deactivated(*r.Order)
	}
	if took := r.Ended.Sub(r.Asked); took > tenants.RehearsalTime+2*time.Minute {
		w.t.Errorf("the dry run took %v", took)
	}
	return r
}

func (w *world) deactivated(o tenants.Order) {
	w.t.Helper()
	for _, c := range o.Challenges {
		if (w.staging.down == nil || !w.staging.down()) && !slices.Contains(w.staging.gone, c.Authz) {
			w.t.Errorf("authorization %s lives on", c.Authz)
		}
	}
}

// kept is what a dry run must not change.
func kept(v store.DomainView) any {
	v.Domain.Check, v.Domain.Next = nil, time.Time{}
	return []any{v.Domain, v.Certificate, v.Current, v.Versions, v.Orders}
}

func (w *world) unchanged(id tenants.DomainID, before store.DomainView) {
	w.t.Helper()
	if diff := cmp.Diff(kept(before), kept(w.view(id)), cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("the dry run changed the domain:\n%s", diff)
	}
	if n := len(w.ca.orders); n != 1 {
		w.t.Errorf("%d orders at the authority itself", n)
	}
}

// A CAA record that names our account for real orders keeps dry runs out at the end, and says nothing against real orders.
func TestRehearsalWithAPinnedAccount(t *testing.T) {
	onStage(t, func(w *world, id tenants.DomainID) {
		before := w.view(id)
		w.staging.url = "https://staging.test/acct/7"
		w.staging.forbids = &acme.Problem{Code: tenants.CAAForbids, Status: 403, Type: "urn:ietf:params:acme:error:caa", Detail: "CAA prevents issuance", Reached: true}
		w.dns.caa = map[string][]tenants.CAA{shop: {{Tag: "issue", Value: "ca.test; accounturi=https://ca.test/acct/1"}}}
		for range 2 { // before and after the account is known there
			r := w.rehearse(id)
			if e := tenants.Explain(r.Finding); r.Finding.Code != tenants.RehearsalAccount || e.Who != tenants.Nobody || r.Finding.Raw == "" {
				t.Errorf("pinned: %+v, %+v", r.Finding, e)
			}
		}
		w.unchanged(id, before)
		w.dns.caa[shop] = append(w.dns.caa[shop], tenants.CAA{Tag: "issue", Value: "ca.test; accounturi=https://staging.test/acct/7"})
		if r := w.rehearse(id); r.Finding.Code != tenants.CAAForbids {
			t.Errorf("a record that names both accounts: %+v", r.Finding)
		}
	})
}

func TestRehearsalPasses(t *testing.T) {
	onStage(t, func(w *world, id tenants.DomainID) {
		before := w.view(id)
		if before.Staging.Name != "Test CA staging" {
			t.Fatalf("dry runs go to %q", before.Staging.Name)
		}
		for n := 1; n <= 2; n++ { // the second has to prove the name again
			r := w.rehearse(id)
			if !r.Passed() || r.Order.State != tenants.Issued || r.Issuer.Name != "Test CA staging" || r.By != "ops@acme" {
				t.Fatalf("%+v of order %+v", r, r.Order)
			}
			for _, state := range []tenants.OrderState{tenants.Planned, tenants.Ordered, tenants.Proving, tenants.Ready, tenants.Finalized, tenants.Issued} {
				if r.Order.Reached[state].IsZero() {
					t.Errorf("nothing says when the dry run was %s", state)
				}
			}
			if len(w.staging.orders) != n || w.staging.orders[n-1].status != acme.Valid || r.Order.Challenges[0].Seen.IsZero() {
				t.Errorf("the staging directory has %d orders", len(w.staging.orders))
			}
			w.unchanged(id, before)
		}
	})
}

// Whatever call fails, in whichever way, the dry run comes to its end, and nothing of it is left.
func TestRehearsalSurvivesEveryFault(t *testing.T) {
	for _, call := range []string{"meta", "register", "newOrder", "authorization", "present", "answer", "finalize", "certificate", "remove", "deactivate"} {
		for _, how := range []mode{errBefore, errAfter, killBefore, killAfter} {
			t.Run(call+"/"+string(how), func(t *testing.T) {
				onStage(t, func(w *world, id tenants.DomainID) {
					before := w.view(id)
					w.staging.arm(map[string]mode{call: how})
					w.dns.arm(map[string]mode{call: how})
					if r := w.rehearse(id); !r.Passed() {
						t.Errorf("it failed: %+v", r.Finding)
					}
					if n := len(w.staging.orders); n != 1 {
						t.Errorf("%d orders at the staging directory", n)
					}
					if killing := how == killBefore || how == killAfter; killing != (w.kills > 0) {
						t.Errorf("killed %d times", w.kills)
					}
					w.unchanged(id, before)
				})
			})
		}
	}
}

// What the look finds ends the dry run before anything is ordered.
func TestRehearsalBeginsWithALook(t *testing.T) {
	onStage(t, func(w *world, id tenants.DomainID) {
		w.dns.caa = map[string][]tenants.CAA{"shop.acme.example": {{Tag: "issue", Value: "other.test"}}}
		r := w.rehearse(id)
		if r.Finding.Code != tenants.CAAForbids || r.Finding.Args["ca"] != "Test CA" || r.Order != nil {
			t.Errorf("CAA: %+v", r)
		}
		w.dns.caa = nil
		w.dns.set("shop.acme.example", tenants.Missing)
		if r := w.rehearse(id); r.Finding.Code != tenants.DelegationMissing || r.Finding.Args["case"] != "removed" {
			t.Errorf("record: %+v", r.Finding)
		}
		w.dns.set("shop.acme.example", tenants.Right)
		if r := w.rehearse(id); !r.Passed() {
			t.Errorf("all is well: %+v", r.Finding)
		}
		if n := len(w.staging.orders); n != 1 {
			t.Errorf("%d orders for one dry run that could begin", n)
		}
	})
}

// A dry run that fails has its own finding; the domain's status, failures and back-off stay, and no page shows an outage.
func TestRehearsalFailsAlone(t *testing.T) {
	limited := func() *acme.Problem {
		return &acme.Problem{Code: tenants.CARateLimited, Status: 429, RetryAfter: 3 * time.Hour, Reached: true}
	}
	tests := []struct {
		name  string
		fault func(*world)
		code  tenants.Code
		long  bool // it tries until its time is over
	}{
		{"authority silent", func(w *world) { w.staging.down = func() bool { return true } }, tenants.CASilent, true},
		{"proof not accepted", func(w *world) { w.staging.refuse = true }, tenants.ChallengeInvalid, false},
		{"rate limit of hours", func(w *world) { w.staging.limit = limited }, tenants.CARateLimited, false},
		{"never decided", func(w *world) { w.staging.stuck, w.stuckAfter = true, time.Hour; w.start() }, tenants.RehearsalLate, true},
		{"value not visible", func(w *world) { w.dns.slow = true }, tenants.PropagationSlow, true},
		{"garbage for a chain", func(w *world) { w.staging.chain = func([]byte) []byte { return []byte("hello") } }, tenants.CABroken, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, func(w *world, id tenants.DomainID) {
				before := w.view(id)
				test.fault(w)
				r := w.rehearse(id)
				if r.Finding.Code != test.code || r.Order.State != tenants.Failed {
					t.Errorf("finding %+v, order %s", r.Finding, r.Order.State)
				}
				if long := r.Ended.Sub(r.Asked) > time.Minute; long != test.long {
					t.Errorf("it took %v", r.Ended.Sub(r.Asked))
				}
				w.unchanged(id, before)
				w.healthy()
			})
		})
	}
}

func (w *world) healthy() {
	w.t.Helper()
	all, err := w.db.System().Health(w.ctx)
	w.must(err)
	for _, h := range all {
		if !h.OK {
			w.t.Errorf("pages say that %s is down: %+v", h.What, h)
		}
	}
}

// A real renewal never waits for a dry run, wherever that is.
func TestRehearsalMakesRoom(t *testing.T) {
	stops := map[string]func(w *world){
		"before it began": func(w *world) {},
		"authority down":  func(w *world) { w.staging.down = func() bool { return true }; w.turn() },
		"proving":         func(w *world) { w.dns.slow = true; w.turn(); w.dns.slow = false },
		"finalized":       func(w *world) { w.staging.stuck = true; w.turn() },
	}
	for _, name := range slices.Sorted(maps.Keys(stops)) {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(w *world, id tenants.DomainID) {
				w.must(w.scope.Rehearse(w.ctx, id))
				stops[name](w)
				w.must(w.scope.RenewNow(w.ctx, id))
				asked := time.Now()
				w.until(time.Second, time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
				if took := time.Since(asked); took > 10*time.Second {
					t.Errorf("the renewal took %v", took)
				}
				w.staging.down = nil
				if r := w.rehearsed(id); r.Finding.Code != tenants.RehearsalOvertaken {
					t.Errorf("the dry run ended with %+v", r.Finding)
				}
				w.settled(id, 2)
			})
		})
	}
}

// Who gives a domain up need not wait for its dry run, nor for a staging directory that is silent.
func TestRehearsalEndsWithTheDomain(t *testing.T) {
	onStage(t, func(w *world, id tenants.DomainID) {
		w.dns.slow = true
		w.must(w.scope.Rehearse(w.ctx, id))
		w.turn()
		if len(w.dns.left()) == 0 {
			t.Fatal("the dry run has not written its record yet")
		}
		w.staging.down = func() bool { return true }
		w.must(w.scope.Release(w.ctx, id, "shop.acme.example"))
		w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Status == tenants.Released })
		if r := w.rehearsed(id); r.Finding.Args["case"] != "released" {
			t.Errorf("the dry run ended with %+v", r.Finding)
		}
	})
}

// While a first order pauses after a failure, a dry run shows whether the next one would pass.
func TestRehearsalBeforeTheFirstCertificate(t *testing.T) {
	inWorld(t, func(w *world) {
		w.staging = newFakeCA(w.dns)
		w.start()
		w.ca.refuse = true
		id := w.register("shop.acme.example")
		w.until(time.Second, time.Minute, func() bool {
			v := w.view(id)
			return v.Order != nil && v.Order.State == tenants.Failed && len(w.dns.left()) == 0
		})
		if r := w.rehearse(id); !r.Passed() {
			t.Errorf("it failed: %+v", r.Finding)
		}
		if v := w.view(id); v.Current != nil || v.Order.Dry() {
			t.Errorf("a version or an order came of it: %+v", v.Order)
		}
	})
}

// Where nothing can be rehearsed, the sentence says why.
func TestRehearsalRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		refused := func(why string) {
			t.Helper()
			if err := w.scope.Rehearse(w.ctx, id); tenants.KindOf(err) != tenants.Conflict {
				t.Errorf("%s: %v", why, err)
			}
		}
		refused("never proved")
		w.status(id, tenants.Active)
		refused("no staging directory")
		w.staging = newFakeCA(w.dns)
		w.start()
		w.must(w.scope.Rehearse(w.ctx, id))
		refused("one is under way")
		w.rehearsed(id)
		w.must(w.scope.Rehearse(w.ctx, id))
		w.staging = nil
		w.start() // the operator took the directory out of the settings
		w.turn()
		if r := w.view(id).Rehearsal; r.Finding.Code != tenants.RehearsalNowhere {
			t.Errorf("it ended with %+v", r.Finding)
		}
	})
}

// Dry runs spend the staging directory's budget, and only that.
func TestRehearsalSpendsNothing(t *testing.T) {
	onStage(t, func(w *world, id tenants.DomainID) {
		w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: 20, Per: 10000 * time.Hour}}
		w.start()
		sys := w.db.System()
		all, err := sys.Authorities(w.ctx)
		w.must(err)
		if len(all) != 1 || all[0].StagingOf != "" {
			t.Fatalf("certificates could come from %+v", all)
		}
		for n := range 3 {
			if r := w.rehearse(id); !r.Passed() {
				t.Fatalf("dry run %d: %+v", n, r.Finding)
			}
		}
		staging, err := sys.Issuer(w.ctx, stagingDirectory)
		w.must(err)
		for issuer, want := range map[tenants.IssuerID]int{all[0].ID: 20, staging.ID: 17} {
			left, _, err := sys.BudgetLeft(w.ctx, issuer, tenants.Charge{Limit: tenants.OrdersPerAccount, Key: staging.Account})
			w.must(err)
			if left != want {
				t.Errorf("%d orders left at %s, want %d", left, issuer, want)
			}
		}
	})
}
