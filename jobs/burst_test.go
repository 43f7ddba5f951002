package jobs_test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/store/storetest"
	"perennial/tenants"
)

var fleetFull = flag.Bool("fleet.full", false, "let whole fleets renew at once, which takes minutes")

// A renewal burst: 2,000 certificates are due at once, the CA takes 300 orders in three hours. The earliest expiry
// goes first, the budget is used fully but for what is kept back for emergencies, the CA refuses at most once, and nobody
// starves.
func TestStoryRenewalBurst(t *testing.T) {
	count, limit := 2000, tenants.Limit{Count: 300, Per: 3 * time.Hour}
	if !*fleetFull { // a tenth of the fleet at a tenth of the budget
		count, limit.Count = 200, 30
	}
	inWorld(t, func(w *world) {
		r := rand.New(rand.NewPCG(1, 2))
		ids := make([]tenants.DomainID, count)
		for i, name := range names(count) {
			w.ca.validity = 60*aDay + time.Duration(r.IntN(int(6*aDay)))
			ids[i] = w.register(name)
			w.must(w.engine.Tend(w.ctx, ids[i]))
		}
		w.issuer.Limits = tenants.Limits{tenants.OrdersPerAccount: limit}
		w.start()
		refused := 0
		var tat time.Time
		w.ca.limit = func() *acme.Problem { // the CA keeps a bucket of its own
			next, ok, at := limit.Spend(tat, time.Now(), 1)
			if !ok {
				refused++
				return &acme.Problem{Code: tenants.CARateLimited, Status: 429, RetryAfter: time.Until(at), Reached: true}
			}
			tat = next
			return nil
		}
		w.ca.orders, w.ca.placed = w.ca.orders[:count:count], nil
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{RenewDays: 20}))
		time.Sleep(49 * aDay) // the machine was off: every window is over, no safety line is passed
		begun := time.Now()
		step := limit.Every() / 2
		w.until(step, 24*time.Hour, func() bool { return len(w.ca.placed) == count })

		if refused > 1 {
			t.Errorf("the CA refused %d times", refused)
		}
		burst := limit.Count - limit.Reserve()
		least := time.Duration(count-burst) * limit.Every()
		if took := time.Since(begun); took > least+least/20+2*step {
			t.Errorf("took %v, the budget allows %v", took, least)
		}
		w.earliestFirst(ids, burst)
		storetest.Consistent(t, w.dsn, time.Now())
	})
}

// earliestFirst checks that, beyond the first full bucket, orders were placed by expiry of what they replace.
func (w *world) earliestFirst(ids []tenants.DomainID, burst int) {
	w.t.Helper()
	expiry := map[string]time.Time{}
	for _, id := range ids {
		v := w.view(id)
		old := v.Versions[len(v.Versions)-1]
		expiry[v.Domain.Name] = old.NotAfter
	}
	placed := w.ca.orders[len(ids):]
	inversions := 0
	for i := burst + 1; i < len(placed); i++ {
		if expiry[placed[i].names[0]].Before(expiry[placed[i-1].names[0]]) {
			inversions++
		}
	}
	if inversions > 0 {
		w.t.Errorf("%d of %d orders were placed before one that expires earlier", inversions, len(placed)-burst)
	}
	first := slices.MaxFunc(placed[:burst], func(a, b *fakeOrder) int { return expiry[a.names[0]].Compare(expiry[b.names[0]]) })
	last := slices.MinFunc(placed[burst:], func(a, b *fakeOrder) int { return expiry[a.names[0]].Compare(expiry[b.names[0]]) })
	if expiry[first.names[0]].After(expiry[last.names[0]]) {
		w.t.Errorf("%s went before %s, which expires earlier", first.names[0], last.names[0])
	}
}
