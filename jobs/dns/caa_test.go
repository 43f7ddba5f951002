package dns_test

import (
	"testing"

	"perennial/cmd/devportal/devdns"
	"perennial/tenants"

	"github.com/google/go-cmp/cmp"
)

func TestLookClimbsForCAA(t *testing.T) {
	issue := []tenants.CAA{{Flags: 0, Tag: "issue", Value: "ca.example"}}
	none := func(name string) tenants.AskedCAA { return tenants.AskedCAA{Name: name} }
	found := func(name string) tenants.AskedCAA { return tenants.AskedCAA{Name: name, Records: issue} }
	failed := func(name, why string) tenants.AskedCAA { return tenants.AskedCAA{Name: name, Failed: why} }
	const value = `0 issue "ca.example"`
	for _, c := range []struct {
		name    string
		base    string
		arrange func(t *testing.T, s *devdns.Server)
		want    []tenants.AskedCAA
	}{
		{"nowhere: up to the top", "a.shop.acme.example", func(*testing.T, *devdns.Server) {},
			[]tenants.AskedCAA{none("a.shop.acme.example"), none("shop.acme.example"), none("acme.example"), none("example")}},
		{"at the name", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			set(t, s, "shop.acme.example", "CAA", value)
			set(t, s, "acme.example", "CAA", `0 issue ";"`)
		}, []tenants.AskedCAA{found("shop.acme.example")}},
		{"the name has other records (NODATA)", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			set(t, s, "shop.acme.example", "A", "192.0.2.1")
			set(t, s, "acme.example", "CAA", value)
		}, []tenants.AskedCAA{none("shop.acme.example"), found("acme.example")}},
		{"through an alias", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			set(t, s, "shop.acme.example", "CNAME", "a.cdn.example")
			set(t, s, "a.cdn.example", "CNAME", "b.cdn.example")
			set(t, s, "b.cdn.example", "CAA", value)
		}, []tenants.AskedCAA{found("shop.acme.example")}},
		{"never up from an alias's target", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			set(t, s, "shop.acme.example", "CNAME", "a.cdn.example")
			set(t, s, "a.cdn.example", "A", "192.0.2.1")
			set(t, s, "cdn.example", "CAA", `0 issue ";"`)
			set(t, s, "acme.example", "CAA", value)
		}, []tenants.AskedCAA{none("shop.acme.example"), found("acme.example")}},
		{"an alias to nowhere", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			set(t, s, "shop.acme.example", "CNAME", "gone.cdn.example")
			set(t, s, "acme.example", "CAA", value)
		}, []tenants.AskedCAA{none("shop.acme.example"), found("acme.example")}},
		{"SERVFAIL at the name", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			s.Break("shop.acme.example", devdns.Fault{Rcode: "SERVFAIL", Types: []string{"CAA"}})
			set(t, s, "acme.example", "CAA", value)
		}, []tenants.AskedCAA{failed("shop.acme.example", "SERVFAIL")}},
		{"SERVFAIL on the way up", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			s.Break("acme.example", devdns.Fault{Rcode: "SERVFAIL", Types: []string{"CAA"}})
		}, []tenants.AskedCAA{none("shop.acme.example"), failed("acme.example", "SERVFAIL")}},
		{"SERVFAIL above the first records", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			set(t, s, "shop.acme.example", "CAA", value)
			s.Break("acme.example", devdns.Fault{Rcode: "SERVFAIL", Types: []string{"CAA"}})
		}, []tenants.AskedCAA{found("shop.acme.example")}},
		{"SERVFAIL at an alias's target", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			set(t, s, "shop.acme.example", "CNAME", "a.cdn.example")
			s.Break("a.cdn.example", devdns.Fault{Rcode: "SERVFAIL"})
		}, []tenants.AskedCAA{failed("shop.acme.example", "SERVFAIL")}},
		{"silence", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			s.Break("shop.acme.example", devdns.Fault{Silent: true, Types: []string{"CAA"}})
		}, []tenants.AskedCAA{failed("shop.acme.example", "no answer")}},
		{"REFUSED", "shop.acme.example", func(t *testing.T, s *devdns.Server) {
			s.Break("shop.acme.example", devdns.Fault{Rcode: "REFUSED", Types: []string{"CAA"}})
		}, []tenants.AskedCAA{failed("shop.acme.example", "REFUSED")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.arrange(t, w.one)
			got := w.resolver().Look(t.Context(), tenants.Delegation{Base: c.base, Label: "x", Zone: shop.Zone}, now)
			if d := cmp.Diff(c.want, got.CAA); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLookReadsCAAWhole(t *testing.T) {
	w := newWorld(t)
	set(t, w.one, shop.Base, "CAA", `128 tbs "unknown"`, `0 issue "ca.example; validationmethods=dns-01"`, `0 issuewild ";"`)
	got := w.resolver().Look(t.Context(), shop, now).CAA
	want := []tenants.AskedCAA{{Name: shop.Base, Records: []tenants.CAA{
		{Flags: 128, Tag: "tbs", Value: "unknown"},
		{Flags: 0, Tag: "issue", Value: "ca.example; validationmethods=dns-01"},
		{Flags: 0, Tag: "issuewild", Value: ";"},
	}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
