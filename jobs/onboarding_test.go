package jobs_test

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"testing"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
	"perennial/jobs"
	"perennial/jobs/acme"
	"perennial/jobs/dns"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

var onboardingFull = flag.Bool("onboarding.full", false, "onboard 1,000 names at 300 orders in 30 seconds")

// scaled is Let's Encrypt's limits with time that runs faster, and only a part of the orders.
func scaled(faster, part int) tenants.Limits {
	limits := devca.LetsEncrypt(faster)
	orders := limits[tenants.OrdersPerAccount]
	orders.Count /= part
	return limits.With(tenants.OrdersPerAccount, orders)
}

// TestOnboarding lets the real engine, queue included, obtain certificates for many names at once from Pebble, which
// enforces the limits that the ledger knows. It is never refused. The line it prints says how much of what an account
// may order in that time was ordered; how fast the machine is decides that as well, so it is no verdict here. See make
// onboarding.
func TestOnboarding(t *testing.T) {
	count, limits := 60, scaled(2400, 15) // 20 orders in 4.5 seconds
	if *onboardingFull {
		count, limits = 1000, scaled(360, 1)
	}
	db := storetest.New(t)
	zones := []devdns.Zone{{Apex: storetest.Zone, Delegation: true}}
	for i := range count/40 + 1 {
		zones = append(zones, devdns.Zone{Apex: fmt.Sprintf("shop-%d.example", i)})
	}
	world, ca, engine := withPebble(t, db, zones, devca.Config{Limits: limits},
		tenants.Issuer{Name: "Limited CA", Directory: storetest.Directory, Limits: limits, FreeARI: true})
	scope := db.Scope(db.Acme)
	must(t, engine.Prepare(t.Context())) // registration needs the issuer's row
	for _, name := range names(count) {
		id, err := scope.RegisterDomain(t.Context(), name, store.RegisterOptions{})
		must(t, err)
		v, err := scope.Domain(t.Context(), id)
		must(t, err)
		must(t, world.Set(v.Domain.Delegation.Name(), "CNAME", v.Domain.Delegation.Target()))
	}
	stop, err := engine.Start(t.Context())
	must(t, err)
	begun := time.Now()
	eventually(t, 5*time.Minute, func() (string, bool) {
		o, err := scope.Overview(t.Context())
		must(t, err)
		return fmt.Sprint(o.ByStatus), o.ByStatus[tenants.Active] == count
	})
	must(t, stop(t.Context()))
	storetest.Consistent(t, db.DSN, time.Now())

	refused := 0
	for _, n := range ca.Refusals() {
		refused += n
	}
	used, allowed := ca.Budget()
	fmt.Printf("names=%d avoidable_429=%d budget_used=%.1f%% orders=%d allowed=%d wall=%.1fs\n",
		count, refused, 100*float64(used)/float64(allowed), used, allowed, time.Since(begun).Seconds())
	if refused > 0 || used != count {
		t.Errorf("%d orders for %d names, refused: %v", used, count, maps.Clone(ca.Refusals()))
	}
}

// withPebble is the real engine between a real database, Pebble, and a DNS server that serves the zones.
func withPebble(t *testing.T, db *storetest.World, zones []devdns.Zone, config devca.Config, issuer tenants.Issuer) (*devdns.Server, *devca.CA, *jobs.Engine) {
	t.Helper()
	world, err := devdns.Start(t.Context(), devdns.Config{Zones: zones})
	must(t, err)
	t.Cleanup(func() { _ = world.Close() }) // nobody asks it any more
	config.Resolver, config.AuthzReuse = world.Addr, -1
	ca, err := devca.Start(t.Context(), config)
	must(t, err)
	t.Cleanup(func() { _ = ca.Close() })
	tsig := world.TSIG()
	zone, err := dns.OpenWriter("rfc2136", secrets(map[string]string{"server": world.Addr, "key_name": tsig.Name, "key_alg": tsig.Algorithm, "key": tsig.Key}))
	must(t, err)
	return world, ca, jobs.New(jobs.Config{
		DB: db.DB,
		Connect: func(tenants.Issuer, tenants.EAB) jobs.CA {
			return acme.New(acme.Config{Directory: ca.Directory, Roots: ca.Roots(), UserAgent: "perennial-test"})
		},
		Eyes: dns.NewResolver(dns.ResolverConfig{Servers: []string{world.Addr}, Authority: func(string) []string { return []string{world.Addr} }}),
		Zone: zone, Log: slog.New(slog.DiscardHandler), FirstPoll: 20 * time.Millisecond, Tick: 100 * time.Millisecond, // a second is shorter here as well
		Issuer: issuer,
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func secrets(plain map[string]string) map[string]tenants.Secret {
	all := map[string]tenants.Secret{}
	for name, value := range plain {
		all[name] = tenants.NewSecret([]byte(value))
	}
	return all
}

// eventually asks again and again; it is for what workers do in their own time.
func eventually(t *testing.T, within time.Duration, done func() (state string, ok bool)) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(within)
	for {
		state, ok := done()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited %v: %s", within, state)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}
