package store_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func (s story) issuer(limits tenants.Limits) tenants.Issuer {
	s.Helper()
	return must[tenants.Issuer](s)(s.sys.SaveIssuer(s.ctx, tenants.Issuer{Name: "Example CA", Directory: storetest.Directory, Limits: limits}))
}

var perAccount = tenants.Charge{Limit: tenants.OrdersPerAccount, Key: "acct"}

func TestLedger(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 3, Per: 3 * time.Hour}, tenants.CertificatesPerSet: {Count: 1, Per: time.Hour}})
		set := tenants.Charge{Limit: tenants.CertificatesPerSet, Key: "shop.example"}
		both := []tenants.Charge{set, perAccount}
		spent, err := s.sys.Spend(s.ctx, i.ID, id, both)
		check(t, err)
		if !spent.OK {
			t.Fatal("a full bucket refused")
		}
		spent, err = s.sys.Spend(s.ctx, i.ID, id, both)
		check(t, err)
		if spent.OK || spent.Limit != set || spent.At.Sub(w.Clock.Now()).Round(time.Minute) != time.Hour {
			t.Fatalf("spent %+v", spent)
		}
		left, refill, err := s.sys.BudgetLeft(s.ctx, i.ID, perAccount)
		check(t, err)
		if left != 2 || refill.Sub(w.Clock.Now()).Round(time.Minute) != time.Hour {
			t.Errorf("%d left, next at %v: some were taken by a refused spending", left, refill)
		}
		check(t, s.sys.Refund(s.ctx, i.ID, both))
		if left, _, _ := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); left != 3 {
			t.Errorf("%d left after the refund", left)
		}
		until := w.Clock.Now().Add(5 * time.Hour)
		check(t, s.sys.Correct(s.ctx, i.ID, perAccount, until))
		if left, at, _ := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); left != 0 || at.Sub(until).Abs() > time.Second {
			t.Errorf("%d left until %v, the CA said none until %v", left, at, until)
		}
		unknown := tenants.Charge{Limit: tenants.FailuresPerName, Key: "x"}
		check(t, s.sys.Correct(s.ctx, i.ID, unknown, until))
		if spent := must[store.Spent](t)(s.sys.Spend(s.ctx, i.ID, id, []tenants.Charge{unknown})); spent.OK {
			t.Error("the CA's word does not count where we know no limit")
		}
		lines := must[store.Renewals](t)(w.Scope(w.Acme).Renewals(s.ctx, 30)).Budget
		if len(lines) != 2 || lines[0].Limit != tenants.OrdersPerAccount || lines[0].Left != 0 || lines[0].Corrected.IsZero() || lines[1].Left != 1 {
			t.Errorf("budget: %+v", lines)
		}
		i.FreeARI, i.Limits = true, i.Limits.With(tenants.AccountsPerAddress, tenants.Limit{Count: 1152, Per: 1152 * 24 * time.Hour})
		must[tenants.Issuer](t)(s.sys.SaveIssuer(s.ctx, i))
		lines = must[store.Renewals](t)(w.Scope(w.Acme).Renewals(s.ctx, 30)).Budget
		if len(lines) != 4 || !lines[0].Counted || lines[2].Counted || lines[2].Count != 1152 || lines[3].Limit != tenants.RenewalsReplacing || lines[3].Count != 0 {
			t.Errorf("budget with what nobody counts: %+v", lines)
		}
	})
}

// A token that is under way does not refill before the answer, because the authority may have counted it only then.
func TestTokensUnderWay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		const each, flight, near = time.Hour, 50 * time.Second, 20 * time.Second // the clock of the test goes on by itself
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 2, Per: 2 * each}})
		for _, test := range []struct {
			name   string
			answer func(tenants.Order) error
			counts bool
		}{
			{"placed", func(o tenants.Order) error {
				o.State, o.URL = tenants.Ordered, "https://ca.example/o/1"
				_, err := s.sys.SaveOrder(s.ctx, o)
				return err
			}, true},
			{"refused", func(o tenants.Order) error {
				o.Placing = time.Time{}
				return s.sys.FailOrder(s.ctx, o, tenants.Finding{Code: tenants.CARefuses}, tenants.Failing)
			}, true},
			{"not reached", func(o tenants.Order) error {
				if err := s.sys.Refund(s.ctx, i.ID, o.Cost); err != nil {
					return err
				}
				o.Placing, o.Cost = time.Time{}, nil
				_, err := s.sys.SaveOrder(s.ctx, o)
				return err
			}, false},
		} {
			w.Clock.Advance(10 * each)
			o := s.order(s.register(w.Acme, name(int(w.Clock.Now().Unix()))), tenants.FirstIssue)
			o.Placing = w.Clock.Now()
			o, spent, err := s.sys.PlaceOrder(s.ctx, o, []tenants.Charge{perAccount})
			check(t, err)
			w.Clock.Advance(flight)
			if _, at, _ := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); !spent.OK || at.Sub(w.Clock.Now().Add(each)).Abs() > near {
				t.Errorf("%s: spent %v, under way it refills in %v", test.name, spent.OK, at.Sub(w.Clock.Now()))
			}
			check(t, test.answer(o))
			want := w.Clock.Now()
			if test.counts {
				want = want.Add(each)
			}
			if _, at, _ := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); at.Sub(want).Abs() > near {
				t.Errorf("%s: refills in %v, want %v", test.name, at.Sub(w.Clock.Now()), want.Sub(w.Clock.Now()))
			}
			w.Clock.Advance(each / 2)
			if _, at, _ := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); test.counts && at.Sub(want).Abs() > near {
				t.Errorf("%s: half an hour later it refills at %v, want %v", test.name, at, want)
			}
		}
	})
}

// What was spent while a limit was mistyped does not outlive the mistake. The CA's own word does.
func TestChangedLimitRefitsItsBuckets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(nil)
		id := s.register(w.Acme, "shop.example")
		set := func(count, per string) {
			check(t, w.Platform().SaveOverrides(s.ctx, i.ID, []store.OverrideInput{{Limit: string(tenants.OrdersPerAccount), Count: count, Per: per}}))
		}
		set("20", "730d")
		if spent := must[store.Spent](t)(s.sys.Spend(s.ctx, i.ID, id, []tenants.Charge{perAccount})); !spent.OK {
			t.Fatalf("spent %+v", spent)
		}
		set("300", "3h")
		if _, at, err := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); err != nil || at.Sub(w.Clock.Now()) > time.Minute {
			t.Errorf("the next token comes in %v: %v", at.Sub(w.Clock.Now()), err)
		}
		until := w.Clock.Now().Add(24 * time.Hour)
		check(t, s.sys.Correct(s.ctx, i.ID, perAccount, until))
		set("600", "3h")
		if left, at, err := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); err != nil || left != 0 || at.Before(until.Add(-3*time.Hour)) {
			t.Errorf("%d left until %v, the CA said none until %v: %v", left, at, until, err)
		}
	})
}

// Authorities count certificates when they sign them. An order that ends before that costs the account's token alone, and
// gives back nothing that refilled meanwhile.
func TestUnsignedOrderCostsNoCertificate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		const each = 10 * time.Hour
		i := s.issuer(tenants.Limits{
			tenants.OrdersPerAccount:      {Count: 100, Per: 100 * 1000 * time.Hour},
			tenants.CertificatesPerDomain: {Count: 5, Per: 5 * each}, tenants.CertificatesPerSet: {Count: 5, Per: 5 * each},
		})
		orders := 100
		for n, test := range []struct {
			name  string
			state tenants.OrderState
			after time.Duration
			left  int
		}{
			{"refused", tenants.Planned, time.Minute, 5},
			{"ordered", tenants.Ordered, time.Minute, 5},
			{"proving", tenants.Proving, each / 2, 5},
			{"refilled", tenants.Proving, each + time.Hour, 4},
			{"perhaps signed", tenants.Ready, time.Minute, 4},
		} {
			set, domain := tenants.Charge{Limit: tenants.CertificatesPerSet, Key: name(n)}, tenants.Charge{Limit: tenants.CertificatesPerDomain, Key: name(n)}
			o := s.order(s.register(w.Acme, name(n)), tenants.FirstIssue)
			o.Placing = w.Clock.Now()
			o, spent, err := s.sys.PlaceOrder(s.ctx, o, []tenants.Charge{perAccount, set, domain})
			if check(t, err); !spent.OK {
				t.Fatalf("%s: %+v", test.name, spent)
			}
			for _, state := range []tenants.OrderState{tenants.Ordered, tenants.Proving, tenants.Ready} {
				if o.State != test.state {
					o = s.save(o, state)
				}
			}
			w.Clock.Advance(test.after)
			if test.name == "refilled" { // by then to the last token, and another order took one
				other := must[store.Spent](t)(s.sys.Spend(s.ctx, i.ID, o.Domain, []tenants.Charge{set, domain}))
				if !other.OK {
					t.Fatal("not refilled")
				}
			}
			check(t, s.sys.FailOrder(s.ctx, o, tenants.Finding{Code: tenants.ChallengeInvalid}, tenants.Failing))
			for _, c := range []tenants.Charge{set, domain} {
				if left, _, err := s.sys.BudgetLeft(s.ctx, i.ID, c); left != test.left || err != nil {
					t.Errorf("%s: %d left of %s, want %d: %v", test.name, left, c.Limit, test.left, err)
				}
			}
			orders--
			if left, _, err := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); left != orders || err != nil {
				t.Errorf("%s: %d orders left, want %d: %v", test.name, left, orders, err)
			}
		}
	})
}

// However many spend at once, exactly the limit is spent.
func TestLedgerIsExact(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 30, Per: 1000 * time.Hour}, tenants.CertificatesPerSet: {Count: 1000, Per: time.Hour}})
		systems := []*store.System{s.sys}
		if w.DB.Engine() == "postgres" {
			systems = append(systems, w.Open(t).System())
		}
		var spent atomic.Int64
		var group sync.WaitGroup
		for k := range 8 {
			sys := systems[k%len(systems)]
			charges := []tenants.Charge{perAccount, {Limit: tenants.CertificatesPerSet, Key: name(k)}}
			if k%2 == 0 {
				slices.Reverse(charges)
			}
			group.Go(func() {
				for range 10 {
					got, err := sys.Spend(s.ctx, i.ID, id, charges)
					if err != nil {
						t.Error(err)
					}
					if got.OK {
						spent.Add(1)
					}
				}
			})
		}
		group.Wait()
		if n := spent.Load(); n != 27 {
			t.Errorf("%d spent of 30, of which 3 are for emergencies", n)
		}
	})
}

// Three processes on one database make 12,000 attempts: exactly the limit is spent, and its last tenth by emergencies alone.
func TestLedgerIsExactAcrossProcesses(t *testing.T) {
	const runners = 8 // of each process
	each, limit := 500, tenants.Limit{Count: 3000, Per: 100000 * time.Hour}
	if testing.Short() {
		each, limit.Count = 50, 300
	}
	w := storetest.NewPostgres(t)
	s := tell(t, w)
	plain, leaked := s.register(w.Acme, "plain.example"), s.register(w.Acme, "leaked.example")
	s.issue(plain, 30*24*time.Hour)
	s.order(leaked, tenants.KeyCompromised)
	i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: limit})
	var ordinary, urgent atomic.Int64
	var group sync.WaitGroup
	for _, sys := range []*store.System{s.sys, w.Open(t).System(), w.Open(t).System()} {
		for k := range runners {
			id, spent := plain, &ordinary
			if k%2 == 0 {
				id, spent = leaked, &urgent
			}
			group.Go(func() {
				for range each {
					got, err := sys.Spend(s.ctx, i.ID, id, []tenants.Charge{perAccount})
					if err != nil {
						t.Error(err)
						return
					}
					if got.OK {
						spent.Add(1)
					}
				}
			})
		}
	}
	group.Wait()
	if n := ordinary.Load() + urgent.Load(); n != int64(limit.Count) {
		t.Errorf("%d spent of %d", n, limit.Count)
	}
	if n, most := ordinary.Load(), int64(limit.Count-limit.Reserve()); n > most || n == 0 {
		t.Errorf("%d spent without an emergency, at most %d may be", n, most)
	}
	if left, _, err := s.sys.BudgetLeft(s.ctx, i.ID, perAccount); left != 0 || err != nil {
		t.Errorf("%d left: %v", left, err)
	}
}

func TestWaitingRoom(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(tenants.Limits{tenants.OrdersPerAccount: {Count: 11, Per: time.Hour}}) // one of them for emergencies
		fresh, late, soon := s.register(w.Acme, "fresh.example"), s.register(w.Acme, "late.example"), s.register(w.Acme, "soon.example")
		s.issue(late, 60*24*time.Hour)
		s.issue(soon, 30*24*time.Hour)
		why := tenants.Finding{Code: tenants.BudgetSpent}
		for _, id := range []tenants.DomainID{fresh, late, soon} {
			s.begin(id)
			check(t, s.sys.AwaitBudget(s.ctx, id, owner, i.AccountID, why))
		}
		if got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); len(got) != 0 {
			t.Fatalf("claimed from the waiting room: %v", got)
		}
		if spent := must[store.Spent](t)(s.sys.Spend(s.ctx, i.ID, fresh, []tenants.Charge{perAccount})); spent.OK || spent.Limit != perAccount {
			t.Error("a new name overtakes renewals")
		}
		for _, want := range []tenants.DomainID{soon, late, fresh} {
			if n := must[int](t)(s.sys.Admit(s.ctx, i.AccountID, 1, 0)); n != 1 {
				t.Fatalf("%d admitted", n)
			}
			if n := must[int](t)(s.sys.Admit(s.ctx, i.AccountID, 1, 0)); n != 0 {
				t.Fatal("a token was promised twice")
			}
			if got := must[[]tenants.DomainID](t)(s.sys.Claim(s.ctx, 10)); len(got) != 1 || got[0] != want {
				t.Fatalf("admitted %v, want %s", got, want)
			}
			s.begin(want)
			if spent := must[store.Spent](t)(s.sys.Spend(s.ctx, i.ID, want, []tenants.Charge{perAccount})); !spent.OK {
				t.Errorf("%s was admitted and may not spend", want)
			}
		}
		if n := must[int](t)(s.sys.Admit(s.ctx, i.AccountID, 5, 0)); n != 0 {
			t.Errorf("%d more admitted", n)
		}
		// The seven tokens left are promised to one; another may have six of them.
		s.begin(late)
		check(t, s.sys.AwaitBudget(s.ctx, late, owner, i.AccountID, why))
		must[int](t)(s.sys.Admit(s.ctx, i.AccountID, 7, 0))
		for k := range 7 {
			if spent := must[store.Spent](t)(s.sys.Spend(s.ctx, i.ID, fresh, []tenants.Charge{perAccount})); spent.OK != (k < 6) {
				t.Errorf("spending %d beside a promise: %v", k, spent.OK)
			}
		}
		s.begin(late)
		if spent := must[store.Spent](t)(s.sys.Spend(s.ctx, i.ID, late, []tenants.Charge{perAccount})); !spent.OK {
			t.Error("the promise was not kept")
		}
	})
}

func TestAccounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.issuer(nil)
		if _, ok, err := s.sys.AccountKey(s.ctx, i.AccountID); ok || err != nil {
			t.Fatalf("a key out of nothing: %v", err)
		}
		check(t, s.sys.SaveAccount(s.ctx, i.AccountID, store.NewKey{Type: tenants.P256, Key: tenants.NewSecret([]byte("first"))}, ""))
		check(t, s.sys.SaveAccount(s.ctx, i.AccountID, store.NewKey{Type: tenants.P384, Key: tenants.NewSecret([]byte("second"))}, "")) // the first stays
		check(t, s.sys.SaveAccount(s.ctx, i.AccountID, store.NewKey{}, "https://ca.example/acct/1"))
		key, ok, err := s.sys.AccountKey(s.ctx, i.AccountID)
		check(t, err)
		if !ok || string(key.Reveal()) != "first" {
			t.Errorf("key is %q", key.Reveal())
		}
		i.Name, i.CAA, i.FreeARI = "Another name", []string{"ca.example"}, true
		saved := must[tenants.Issuer](t)(s.sys.SaveIssuer(s.ctx, i))
		if saved.ID != i.ID || saved.Account != "https://ca.example/acct/1" || !saved.FreeARI || saved.CAA[0] != "ca.example" {
			t.Errorf("issuer: %+v", saved)
		}
		i.CAA = nil
		if saved = must[tenants.Issuer](t)(s.sys.SaveIssuer(s.ctx, i)); len(saved.CAA) != 1 {
			t.Errorf("the CAA identities were forgotten: %+v", saved)
		}
	})
}

func TestHealth(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		next := w.Clock.Now().Add(time.Minute)
		check(t, s.sys.SetHealth(s.ctx, "ca", false, "no answer", next))
		first := must[[]store.Health](t)(s.sys.Health(s.ctx))[0]
		w.Clock.Advance(time.Hour)
		check(t, s.sys.SetHealth(s.ctx, "ca", false, "time-out", next))
		again := must[[]store.Health](t)(s.sys.Health(s.ctx))[0]
		if again.Text != "time-out" || !again.Since.Equal(first.Since) || again.OK {
			t.Errorf("health: %+v, then %+v", first, again)
		}
		check(t, s.sys.SetHealth(s.ctx, "ca", true, "", time.Time{}))
		if h := must[[]store.Health](t)(s.sys.Health(s.ctx))[0]; !h.OK || h.Since.Equal(first.Since) || !h.NextTry.IsZero() {
			t.Errorf("health: %+v", h)
		}
	})
}
