package store_test

import (
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// A turn sees at once what this process wrote of the issuers, and what another one wrote a second later. An order is
// planned on what is true.
func TestIssuersAreKnownForASecond(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		s.issuer(nil)
		other := s.addIssuer().Issuer
		check(t, w.Scope(w.Acme).SavePolicy(s.ctx, tenants.Policy{Issuers: []tenants.IssuerID{other.ID}}))
		id := s.register(w.Acme, "shop.example")
		beside := w.Open(t).System()
		asks := func(sys *store.System) tenants.IssuerID {
			f, ok, err := sys.Begin(s.ctx, id, owner, time.Minute)
			if check(t, err); !ok {
				t.Fatal("not begun")
			}
			return f.Issuer.ID
		}
		if asks(s.sys) != other.ID || asks(beside) != other.ID {
			t.Fatal("the policy's issuer is not asked")
		}
		check(t, w.Platform().RetireIssuer(s.ctx, other.ID))
		if got := asks(s.sys); got == other.ID {
			t.Error("who wrote it does not know it")
		}
		if got := asks(beside); got != other.ID {
			t.Error("the other process read the issuers again at once")
		}
		check(t, beside.SaveCheck(s.ctx, id, tenants.Check{At: w.Clock.Now(), Zone: "example"}, tenants.Finding{}, tenants.Renewing))
		if o := must[tenants.Order](t)(beside.PlanOrder(s.ctx, id, tenants.FirstIssue, "")); o.Issuer == other.ID {
			t.Error("an order was planned at an issuer that is retired")
		}
		w.Clock.Advance(time.Second)
		for _, one := range must[[]store.Authority](t)(beside.Authorities(s.ctx)) {
			if one.ID == other.ID && !one.Retired {
				t.Error("the other process does not know it after a second")
			}
		}
	})
}
