package store_test

import (
	"slices"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// fails lets a domain with a certificate fail for a cause.
func (s story) fails(id tenants.DomainID, code tenants.Code) {
	s.Helper()
	s.begin(id)
	check(s, s.sys.Rest(s.ctx, id, owner, s.w.Clock.Now().Add(time.Hour), tenants.Finding{Code: code}, tenants.Failing))
}

// again renews a domain: an order for the reason of the last third, which is issued, or fails for a cause.
func (s story) again(id tenants.DomainID, life time.Duration, code tenants.Code) {
	s.Helper()
	must[tenants.Order](s)(s.sys.PlanOrder(s.ctx, id, tenants.LastThird, ""))
	o := *s.begin(id).Order
	if code != "" {
		check(s, s.sys.FailOrder(s.ctx, o, tenants.Finding{Code: code}, tenants.Active))
		check(s, s.sys.Rest(s.ctx, id, owner, s.w.Clock.Now().Add(time.Hour), tenants.Finding{Code: code}, tenants.Active))
		return
	}
	for _, state := range []tenants.OrderState{tenants.Ordered, tenants.Proving, tenants.Ready, tenants.Finalized} {
		o = s.save(o, state)
	}
	v := s.version(o, life)
	must[tenants.VersionID](s)(s.sys.Issue(s.ctx, o, v, tenants.Verdict{At: v.NotAfter.Add(-life / 3), Reason: tenants.LastThird}))
	check(s, s.sys.Rest(s.ctx, id, owner, v.NotAfter.Add(-life/3), tenants.Finding{}, tenants.Active))
}

func (s story) overview(period time.Duration) store.PlatformOverview {
	s.Helper()
	return must[store.PlatformOverview](s)(s.w.Platform().Overview(s.ctx, period))
}

func TestOverviewOfNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		o := tell(t, w).overview(time.Hour)
		if o.Renewed+o.Failed+o.FirstIssued+o.FirstsFailed+o.Valid+o.Soon+o.Tenants+len(o.Causes) != 0 || !o.NextExpiry.IsZero() || o.Lead != 0 {
			t.Errorf("there is nothing, yet it says %+v", o)
		}
		if len(o.Running) != 5 || len(o.Planned) != 14 || !o.Since.Equal(o.At.Add(-time.Hour)) {
			t.Errorf("frames: %+v", o)
		}
	})
}

const days = 24 * time.Hour

// TestOverviewCountsOrders: five domains are issued; 60 days later three renew, one of them at the second attempt, and one
// fails twice.
func TestOverviewCountsOrders(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		var ids []tenants.DomainID
		for i := range 5 {
			ids = append(ids, s.register(w.Acme, name(i)))
			s.issue(ids[i], 90*days)
			w.Clock.Advance(time.Hour) // so the first has 5 hours less left than the last
		}
		o := s.overview(24 * time.Hour)
		if o.FirstIssued != 5 || o.Renewed != 0 || o.Failed != 0 || o.Lead != 0 || o.Valid != 5 || o.Soon != 0 {
			t.Errorf("first issues: %+v", o)
		}
		w.Clock.Advance(60*days - 5*time.Hour) // from the first issue on: 60 days
		s.again(ids[0], 90*days, "")           // 30 days left
		s.again(ids[1], 90*days, tenants.ChallengeInvalid)
		s.again(ids[1], 90*days, "") // 30 days and an hour
		s.again(ids[4], 90*days, "") // 30 days and four hours
		s.again(ids[2], 90*days, tenants.ChallengeInvalid)
		s.again(ids[2], 90*days, tenants.ChallengeInvalid)
		w.Clock.Advance(time.Minute)
		o = s.overview(time.Hour)
		if o.Renewed != 3 || o.Failed != 3 || o.FirstIssued != 0 || o.FirstsFailed != 0 {
			t.Errorf("%d renewed and %d failed, want 3 and 3; %d and %d first issues", o.Renewed, o.Failed, o.FirstIssued, o.FirstsFailed)
		}
		if want := 30*days + time.Hour; (o.Lead - want).Abs() > time.Minute {
			t.Errorf("the median of 720, 721 and 724 hours is %v", o.Lead)
		}
		w.Clock.Advance(2 * time.Hour)
		if o = s.overview(time.Hour); o.Renewed != 0 || o.Failed != 0 {
			t.Errorf("what ended before the hour counts: %+v", o)
		}
		if o = s.overview(100 * days); o.FirstIssued != 0 || o.Renewed != 3 || !o.Since.Equal(o.At.Add(-30*days)) {
			t.Errorf("more than 30 days: %+v", o)
		}
	})
}

// TestOverviewForgetsWhatWasGivenUp: an order that ends because its name was given up did not fail.
func TestOverviewForgetsWhatWasGivenUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		open := s.register(w.Acme, "open.example")
		s.plan(open)
		gone := s.register(w.Acme, "gone.example")
		s.issue(gone, 3*days)
		s.fails(gone, tenants.CAAForbids)
		s.release(w.Acme, open)
		s.release(w.Acme, gone)
		if o := s.overview(time.Hour); o.FirstsFailed != 0 || o.Valid != 0 || o.Soon != 0 || len(o.Causes) != 0 {
			t.Errorf("names that were given up count: %+v", o)
		}
	})
}

// TestOverviewByCause: three causes over two tenants, one certificate that has expired, one that expires soon, and a new
// name that fails.
func TestOverviewByCause(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		give := func(in tenants.Tenant, name string, life time.Duration, code tenants.Code) tenants.DomainID {
			id := s.register(in, name)
			s.issue(id, life)
			if code != "" {
				s.fails(id, code)
			}
			return id
		}
		give(w.Acme, "well.acme.example", 5*days, "")
		give(w.Acme, "a.acme.example", 28*days, tenants.CAAForbids)
		give(w.Acme, "b.acme.example", 6*days, tenants.CAAForbids)
		give(w.Northwind, "a.northwind.example", 4*days, tenants.CAAForbids)
		give(w.Northwind, "b.northwind.example", 9*days, tenants.DelegationMissing)
		late := give(w.Northwind, "late.northwind.example", time.Hour, "")
		fresh := s.register(w.Acme, "new.acme.example")
		s.fails(fresh, tenants.CARefuses)
		w.Clock.Advance(2 * time.Hour)
		s.begin(late)
		check(t, s.sys.Rest(s.ctx, late, owner, w.Clock.Now().Add(time.Hour), tenants.Finding{}, tenants.Expired))

		o := s.overview(time.Hour)
		if o.Valid != 5 || o.Soon != 3 || o.NewFailing != 1 || o.Tenants != 2 {
			t.Errorf("%d valid, want 5; %d soon, want 3; %d new ones fail, want 1; %d tenants, want 2", o.Valid, o.Soon, o.NewFailing, o.Tenants)
		}
		if left := o.NextExpiry.Sub(o.At); left > 4*days || left < 4*days-3*time.Hour {
			t.Errorf("the next expiry is in %v", left)
		}
		want := []struct {
			code                       tenants.Code
			count, soon, lost, holders int
			first                      string
		}{{tenants.CAAForbids, 3, 2, 0, 2, "Acme Retail"}, {"", 1, 0, 1, 1, "Northwind"}, {tenants.DelegationMissing, 1, 0, 0, 1, "Northwind"}}
		if len(o.Causes) != len(want) {
			t.Fatalf("causes: %+v", o.Causes)
		}
		for i, c := range want {
			got := o.Causes[i]
			if got.Code != c.code || got.Count != c.count || got.Soon != c.soon || got.Lost != c.lost || got.Holders != c.holders || got.Tenants[0].Name != c.first {
				t.Errorf("cause %d is %+v, want %+v", i, got, c)
			}
		}
		s.pagesOfCause(tenants.CAAForbids, []string{"a.northwind.example", "b.acme.example", "a.acme.example"})
		s.pagesOfCause(tenants.CASilent, nil)
		s.pagesOfCause("", []string{"late.northwind.example"})

		// What heals leaves its cause, and what fails anew comes under the new one.
		s.begin(late)
		check(t, s.sys.Rest(s.ctx, late, owner, w.Clock.Now().Add(time.Hour), tenants.Finding{Code: tenants.CAAForbids}, tenants.Expired))
		s.pagesOfCause("", nil)
		if o := s.overview(time.Hour); len(o.Causes) != 2 || o.Causes[0].Count != 4 || o.Causes[0].Lost != 1 {
			t.Errorf("after a cause was found: %+v", o.Causes)
		}
	})
}

// pagesOfCause walks the list two by two, to its end and back.
func (s story) pagesOfCause(code tenants.Code, want []string) {
	s.Helper()
	var seen []string
	p := must[store.FailingPage](s)(s.w.Platform().Failing(s.ctx, store.FailingFilter{Code: code, Limit: 2}))
	for {
		for _, r := range p.Rows {
			seen = append(seen, r.Name)
			if r.Finding.Code != code || r.Tenant.Slug == "" || r.Since.IsZero() || r.NotAfter.IsZero() {
				s.Errorf("row: %+v", r)
			}
		}
		if p.Next == "" {
			break
		}
		p = must[store.FailingPage](s)(s.w.Platform().Failing(s.ctx, store.FailingFilter{Code: code, Limit: 2, Cursor: p.Next}))
	}
	if !slices.Equal(seen, want) || p.Total != len(want) {
		s.Errorf("%q lists %q, %d in all, want %q", code, seen, p.Total, want)
	}
	if len(want) <= 2 {
		return
	}
	p = must[store.FailingPage](s)(s.w.Platform().Failing(s.ctx, store.FailingFilter{Code: code, Limit: 2, Cursor: p.Prev}))
	if len(p.Rows) != 2 || p.Rows[0].Name != want[0] || p.Prev != "" {
		s.Errorf("back: %+v", p)
	}
}

// TestOverviewOfWork: open orders by state, what is due and late, and who waits for a token.
func TestOverviewOfWork(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		s.limit(10)
		issuer := must[tenants.Issuer](t)(s.sys.Issuer(s.ctx, storetest.Directory))
		s.finalize(s.register(w.Acme, "running.example"))
		o := s.plan(s.register(w.Acme, "placed.example"))
		o.Placing = w.Clock.Now()
		s.save(o, tenants.Ordered)
		waits := s.register(w.Acme, "waits.example")
		s.plan(waits)
		check(t, s.sys.AwaitBudget(s.ctx, waits, owner, issuer.AccountID, tenants.Finding{Code: tenants.BudgetSpent}))
		s.register(w.Northwind, "due.example")
		w.Clock.Advance(40 * time.Second) // whoever works has a lease of a minute

		v := s.overview(time.Hour)
		count := map[tenants.OrderState]int{}
		for _, r := range v.Running {
			count[r.State] = r.Count
		}
		if count[tenants.Planned] != 1 || count[tenants.Ordered] != 1 || count[tenants.Finalized] != 1 || count[tenants.Proving] != 0 {
			t.Errorf("running: %+v", v.Running)
		}
		if age := v.At.Sub(v.Running[1].Oldest); age < 40*time.Second || age > 60*time.Second {
			t.Errorf("the oldest was placed %v ago", age)
		}
		if lane := v.Lanes[2]; lane.Due != 1 || lane.Waiting != 1 || v.At.Sub(lane.Since) < 40*time.Second {
			t.Errorf("new names: %+v", lane)
		}
		if v.Lanes[0].Due+v.Lanes[1].Due+v.Lanes[3].Due+v.Lanes[0].Waiting+v.Lanes[1].Waiting != 0 {
			t.Errorf("other lanes: %+v", v.Lanes)
		}
	})
}

// limit gives the issuer of new certificates so many orders in ten hours, and five certificates a domain in a week.
func (s story) limit(orders int) tenants.Issuer {
	s.Helper()
	i := tenants.NewIssuer(storetest.Directory)
	i.Limits = tenants.Limits{tenants.OrdersPerAccount: {Count: orders, Per: 10 * time.Hour}, tenants.CertificatesPerDomain: {Count: 5, Per: 7 * days}}
	return must[tenants.Issuer](s)(s.sys.SaveIssuer(s.ctx, i))
}

// TestOverviewOfBudgets: of 20 orders 3 are spent, and the authority corrects one registered domain.
func TestOverviewOfBudgets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		i := s.limit(20)
		id := s.register(w.Acme, "shop.acme.example")
		charges := func(domain string) []tenants.Charge {
			return []tenants.Charge{{Limit: tenants.OrdersPerAccount, Key: i.Account}, {Limit: tenants.CertificatesPerDomain, Key: domain}}
		}
		for _, domain := range []string{"acme.example", "acme.example", "northwind.example"} {
			if spent := must[store.Spent](t)(s.sys.Spend(s.ctx, i.ID, id, charges(domain))); !spent.OK {
				t.Fatalf("no token: %+v", spent)
			}
		}
		budget := func() store.AccountBudget {
			o := s.overview(time.Hour)
			if len(o.Budgets) != 1 {
				t.Fatalf("budgets: %+v", o.Budgets)
			}
			return o.Budgets[0]
		}
		b := budget()
		if b.Orders.Left != 17 || b.Orders.Count != 20 || b.Reserve != 2 || b.Domain.Key != "acme.example" || b.Domain.Left != 3 || b.Refused != 0 {
			t.Errorf("after three orders: %+v", b)
		}
		check(t, s.sys.Correct(s.ctx, i.ID, tenants.Charge{Limit: tenants.CertificatesPerDomain, Key: "northwind.example"}, w.Clock.Now().Add(days)))
		if b = budget(); b.Refused != 1 || b.RefusedAt.IsZero() || b.Domain.Key != "northwind.example" || b.Domain.Left != 0 {
			t.Errorf("after the authority's answer: %+v", b)
		}
		w.Clock.Advance(2 * time.Hour)
		if b = budget(); b.Refused != 0 || !b.RefusedAt.IsZero() || b.Orders.Left != 20 {
			t.Errorf("two hours later: %+v", b)
		}
	})
}

// TestOverviewOfPlans: a renewal is seen on the day it is planned for.
func TestOverviewOfPlans(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.acme.example")
		s.issue(id, 15*days)
		at := s.view(w.Acme, id).Certificate.Plan.At.UTC().Truncate(days)
		total := 0
		for _, d := range s.overview(time.Hour).Planned {
			if total += d.Costly; d.Costly == 1 != d.Day.Equal(at) {
				t.Errorf("%v: %d, planned for %v", d.Day, d.Costly, at)
			}
		}
		if total != 1 {
			t.Errorf("%d planned, want 1", total)
		}
	})
}

func TestOverviewIsForThePlatform(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		auditor := storetest.Operator()
		auditor.Platform = tenants.PlatformAuditor
		must[store.PlatformOverview](t)(w.DB.Platform(auditor).Overview(s.ctx, time.Hour))
		member := w.DB.Platform(w.Actor(w.Acme, tenants.Admin))
		_, err := member.Overview(s.ctx, time.Hour)
		wantKind(t, err, tenants.Denied)
		_, err = member.Failing(s.ctx, store.FailingFilter{})
		wantKind(t, err, tenants.Denied)
	})
}
