package dns_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"perennial/cmd/devportal/devdns"
	"perennial/jobs/dns"
	"perennial/tenants"

	"github.com/google/go-cmp/cmp"
	wire "github.com/miekg/dns"
)

const record = "_acme-challenge.shop.acme.example"

func asked(server, got string, result tenants.Answer) tenants.Asked {
	return tenants.Asked{Server: server, Got: got, Result: result}
}

func TestLookDelegation(t *testing.T) {
	const ns1, ns2 = "ns1.acme.example", "ns2.acme.example"
	onlyCNAME := []string{"CNAME"}
	right := func(s *devdns.Server) { s.Set(record, "CNAME", shop.Target()) }
	for _, c := range []struct {
		name    string
		arrange func(w *world)
		want    []tenants.Asked
		code    tenants.Code
	}{
		{"right at both", func(w *world) { w.both(right) },
			[]tenants.Asked{asked(ns1, shop.Target(), tenants.Right), asked(ns2, shop.Target(), tenants.Right)}, ""},
		{"missing", func(w *world) {},
			[]tenants.Asked{asked(ns1, "NXDOMAIN", tenants.Missing), asked(ns2, "NXDOMAIN", tenants.Missing)}, tenants.DelegationMissing},
		{"a TXT record instead", func(w *world) { w.both(func(s *devdns.Server) { s.Set(record, "TXT", shop.Target()) }) },
			[]tenants.Asked{asked(ns1, "no CNAME record", tenants.Missing), asked(ns2, "no CNAME record", tenants.Missing)}, tenants.DelegationMissing},
		{"points elsewhere", func(w *world) { w.both(func(s *devdns.Server) { s.Set(record, "CNAME", "old.vendor.example") }) },
			[]tenants.Asked{asked(ns1, "old.vendor.example", tenants.Differs), asked(ns2, "old.vendor.example", tenants.Differs)}, tenants.DelegationDiffers},
		{"only one has it yet", func(w *world) { right(w.one) },
			[]tenants.Asked{asked(ns1, shop.Target(), tenants.Right), asked(ns2, "NXDOMAIN", tenants.Missing)}, tenants.DelegationPartial},
		{"one is silent", func(w *world) { w.both(right); w.two.BreakBelow("acme.example", devdns.Fault{Silent: true}) },
			[]tenants.Asked{asked(ns1, shop.Target(), tenants.Right), asked(ns2, "no answer", tenants.Silent)}, tenants.DNSSilent},
		{"both are silent", func(w *world) {
			w.both(func(s *devdns.Server) { s.Break(record, devdns.Fault{Silent: true, Types: onlyCNAME}) })
		}, []tenants.Asked{asked(ns1, "no answer", tenants.Silent), asked(ns2, "no answer", tenants.Silent)}, tenants.DNSSilent},
		{"both are broken", func(w *world) {
			w.both(func(s *devdns.Server) { s.Break(record, devdns.Fault{Rcode: "SERVFAIL", Types: onlyCNAME}) })
		}, []tenants.Asked{asked(ns1, "SERVFAIL", tenants.Silent), asked(ns2, "SERVFAIL", tenants.Silent)}, tenants.DNSBroken},
		{"one of two is lame", func(w *world) { w.both(right); w.two.BreakBelow("acme.example", devdns.Fault{Rcode: "REFUSED"}) },
			[]tenants.Asked{asked(ns1, shop.Target(), tenants.Right), asked(ns2, "REFUSED", tenants.Silent)}, tenants.DNSSilent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.arrange(w)
			got := w.resolver().Look(t.Context(), shop, now)
			if d := cmp.Diff(c.want, got.Delegation); d != "" {
				t.Error(d)
			}
			if got.Zone != "acme.example" || !got.At.Equal(now) {
				t.Errorf("zone %q at %v", got.Zone, got.At)
			}
			if f := tenants.Judge(shop, tenants.Issuer{}, nil, got); f.Code != c.code {
				t.Errorf("judged %q, want %q", f.Code, c.code)
			}
		})
	}
}

func TestLookWithoutZone(t *testing.T) {
	w := newWorld(t)
	nowhere := tenants.Delegation{Base: "shop.nowhere.example", Label: "x", Zone: "certs.portal.example"}
	broken := tenants.Delegation{Base: "broken.example", Label: "x", Zone: "certs.portal.example"}
	w.one.BreakBelow("broken.example", devdns.Fault{Rcode: "SERVFAIL"})
	for _, c := range []struct {
		d    tenants.Delegation
		want tenants.Asked
		code tenants.Code
	}{
		{nowhere, asked("recursive name server", "NXDOMAIN", tenants.Missing), tenants.DomainMissing},
		{broken, asked("recursive name server", "SERVFAIL", tenants.Silent), tenants.DNSBroken},
	} {
		got := w.resolver().Look(t.Context(), c.d, now)
		if d := cmp.Diff([]tenants.Asked{c.want}, got.Delegation); d != "" || got.Zone != "" {
			t.Errorf("%s: zone %q, %s", c.d.Base, got.Zone, d)
		}
		if f := tenants.Judge(c.d, tenants.Issuer{}, nil, got); f.Code != c.code {
			t.Errorf("%s judged %q, want %q", c.d.Base, f.Code, c.code)
		}
	}
}

func TestLookWithoutRecursiveServer(t *testing.T) {
	dead := serve(t, func(wire.ResponseWriter, *wire.Msg, bool) {})
	w := newWorld(t)
	r := dns.NewResolver(dns.ResolverConfig{Servers: []string{dead}, Timeout: 50 * time.Millisecond})
	got := r.Look(t.Context(), shop, now)
	if d := cmp.Diff([]tenants.Asked{asked("recursive name server", "no answer", tenants.Silent)}, got.Delegation); d != "" {
		t.Error(d)
	}
	if len(got.CAA) != 1 || got.CAA[0].Failed != "no answer" {
		t.Errorf("CAA %+v", got.CAA)
	}
	r = dns.NewResolver(dns.ResolverConfig{Servers: []string{dead, w.one.Addr}, Timeout: 50 * time.Millisecond, Authority: w.authority})
	if got := r.Look(t.Context(), shop, now); got.Zone != "acme.example" {
		t.Errorf("the second recursive server was not asked: %+v", got)
	}
}

// A delegation is found through any mix of aliases around it: the base may itself be one, and a challenge name
// whose target is out of order must not hide the zone.
func TestLookPastAliases(t *testing.T) {
	for name, arrange := range map[string]func(t *testing.T, s *devdns.Server){
		"base is an alias": func(t *testing.T, s *devdns.Server) { set(t, s, shop.Base, "CNAME", "edge.cdn.example") },
		"target is broken": func(t *testing.T, s *devdns.Server) {
			s.Break(shop.Target(), devdns.Fault{Rcode: "SERVFAIL", Types: []string{"SOA"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.both(func(s *devdns.Server) {
				set(t, s, record, "CNAME", shop.Target())
				arrange(t, s)
			})
			got := w.resolver().Look(t.Context(), shop, now)
			if f := tenants.Judge(shop, tenants.Issuer{}, nil, got); !f.OK() || got.Zone != "acme.example" {
				t.Errorf("zone %q, %v", got.Zone, f)
			}
		})
	}
}

func TestLookRefusesPrivateAddresses(t *testing.T) {
	w := newWorld(t)
	got := dns.NewResolver(dns.ResolverConfig{Servers: []string{w.one.Addr}}).Look(t.Context(), shop, now)
	want := []tenants.Asked{
		asked("ns1.acme.example", "its address 127.0.0.1 is not public", tenants.Silent),
		asked("ns2.acme.example", "its address 127.0.0.1 is not public", tenants.Silent),
	}
	if d := cmp.Diff(want, got.Delegation); d != "" {
		t.Error(d)
	}
}

// One dead address of a server with several is outvoted; a wrong answer at one address is never.
func TestLookSumsUpAddresses(t *testing.T) {
	w := newWorld(t)
	dead := serve(t, func(wire.ResponseWriter, *wire.Msg, bool) {})
	for _, c := range []struct {
		addresses []string
		want      tenants.Answer
	}{
		{[]string{dead, w.one.Addr}, tenants.Right},
		{[]string{w.one.Addr, w.two.Addr, dead}, tenants.Missing},
		{[]string{dead, dead}, tenants.Silent},
	} {
		set(t, w.one, record, "CNAME", shop.Target())
		r := dns.NewResolver(dns.ResolverConfig{Servers: []string{w.one.Addr}, Timeout: 50 * time.Millisecond,
			Authority: func(string) []string { return c.addresses }})
		for _, a := range r.Look(t.Context(), shop, now).Delegation {
			if a.Result != c.want {
				t.Errorf("%v came to %+v, want %s", c.addresses, a, c.want)
			}
		}
	}
}

func TestLookFindsServersAgainAfterSilence(t *testing.T) {
	w := newWorld(t)
	w.both(func(s *devdns.Server) { set(t, s, record, "CNAME", shop.Target()) })
	dead := serve(t, func(wire.ResponseWriter, *wire.Msg, bool) {})
	w.move("ns1", dead)
	w.move("ns2", dead)
	r := w.resolver()
	if f := tenants.Judge(shop, tenants.Issuer{}, nil, r.Look(t.Context(), shop, now)); f.Code != tenants.DNSSilent {
		t.Fatalf("judged %v", f)
	}
	w.move("ns1", w.one.Addr)
	w.move("ns2", w.two.Addr)
	if f := tenants.Judge(shop, tenants.Issuer{}, nil, r.Look(t.Context(), shop, now)); !f.OK() {
		t.Errorf("judged %v", f)
	}
}

// Many names of one zone at once: the zone's servers are looked up once.
func TestLookRemembersZones(t *testing.T) {
	w := newWorld(t)
	r := w.resolver()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			d := tenants.Delegation{Base: fmt.Sprintf("s%d.acme.example", i), Label: "x", Zone: "certs.portal.example"}
			r.Look(t.Context(), d, now)
		})
	}
	all.Wait()
	if n := w.one.Asked("acme.example", "NS"); n != 1 {
		t.Errorf("asked for the zone's servers %d times", n)
	}
}

func TestLookEndsWithContext(t *testing.T) {
	dead := serve(t, func(wire.ResponseWriter, *wire.Msg, bool) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := dns.NewResolver(dns.ResolverConfig{Servers: []string{dead}, Timeout: time.Hour})
	got := r.Look(ctx, shop, now)
	if !slices.ContainsFunc(got.Delegation, func(a tenants.Asked) bool { return a.Result == tenants.Silent }) {
		t.Errorf("%+v", got)
	}
}

// A silent recursive server of ours says nothing about the customer's; one that answers about others does.
func TestLookTellsOwnBlindness(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.both(func(s *devdns.Server) { set(t, s, record, "CNAME", shop.Target()) })
	dead := serve(t, func(wire.ResponseWriter, *wire.Msg, bool) {})
	blind := dns.NewResolver(dns.ResolverConfig{Servers: []string{dead}, Timeout: 100 * time.Millisecond, Authority: w.authority})
	if f := tenants.Judge(shop, tenants.Issuer{}, nil, blind.Look(t.Context(), shop, now)); f.Code != tenants.ResolverSilent {
		t.Errorf("judged %v", f)
	}
	w.one.BreakBelow("acme.example", devdns.Fault{Silent: true})
	if f := tenants.Judge(shop, tenants.Issuer{}, nil, w.resolver().Look(t.Context(), shop, now)); f.Code != tenants.DNSSilent {
		t.Errorf("judged %v", f)
	}
}
