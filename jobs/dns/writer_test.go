package dns_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"perennial/cmd/devportal/devdns"
	"perennial/jobs/dns"
	"perennial/tenants"
)

func secrets(values map[string]string) map[string]tenants.Secret {
	m := make(map[string]tenants.Secret)
	for k, v := range values {
		m[k] = tenants.NewSecret([]byte(v))
	}
	return m
}

// updates opens a Writer on the development server; changes override its settings.
func updates(t *testing.T, s *devdns.Server, changes map[string]string) *dns.Writer {
	t.Helper()
	key := s.TSIG()
	settings := map[string]string{"server": s.Addr, "key_name": key.Name, "key_alg": key.Algorithm, "key": key.Key}
	maps.Copy(settings, changes)
	w, err := dns.OpenWriter("rfc2136", secrets(settings))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func wantFault(t *testing.T, err error, code tenants.Code, raw string) {
	t.Helper()
	var f *dns.Fault
	if !errors.As(err, &f) || f.Code != code || !strings.Contains(f.Raw, raw) {
		t.Errorf("got %v, want a %s with %q", err, code, raw)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestWriterKeepsOtherValues(t *testing.T) {
	s := startDNS(t)
	w := updates(t, s, nil)
	holds := func(want ...string) {
		t.Helper()
		got := s.Lookup(shop.Target(), "TXT")
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("the zone holds %q, want %q", got, want)
		}
	}
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "never-written"))
	for _, v := range []string{"one", "two", "one"} {
		must(t, w.Present(t.Context(), shop.Zone, shop.Target(), v))
	}
	holds("one", "two")
	must(t, w.Remove(t.Context(), shop.Zone+".", shop.Target()+".", "one"))
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "one"))
	holds("two")
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "two"))
	holds()
	if c := s.Counts(); c.Updates != 7 || c.Changed != 7 || c.Queries != 0 {
		t.Errorf("seven writes came to %+v", c)
	}
}

func TestWriterWritesAtOnce(t *testing.T) {
	s := startDNS(t)
	w := updates(t, s, nil)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() { must(t, w.Present(t.Context(), shop.Zone, shop.Target(), fmt.Sprintf("value-%d", i))) })
	}
	all.Wait()
	if n := len(s.Lookup(shop.Target(), "TXT")); n != 32 {
		t.Errorf("%d of 32 values survived", n)
	}
}

func TestWriterFaults(t *testing.T) {
	hangsUp, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer hangsUp.Close()
	go func() {
		for c, err := hangsUp.Accept(); err == nil; c, err = hangsUp.Accept() {
			c.Close()
		}
	}()
	down := startDNS(t)
	down.Close()
	for _, c := range []struct {
		name    string
		changes map[string]string
		fault   devdns.Fault
		zone    string
		code    tenants.Code
		raw     string
	}{
		{"wrong key", map[string]string{"key": "d3Jvbmc="}, devdns.Fault{}, shop.Zone, tenants.WriteRefused, "NOTAUTH"},
		{"unknown key", map[string]string{"key_name": "nobody"}, devdns.Fault{}, shop.Zone, tenants.WriteRefused, "NOTAUTH"},
		{"another algorithm works too", map[string]string{"key_alg": "HMAC-SHA512"}, devdns.Fault{}, shop.Zone, "", ""},
		{"not our zone", nil, devdns.Fault{}, "acme.example", tenants.WriteRefused, "REFUSED"},
		{"refused", nil, devdns.Fault{Updates: true, Rcode: "REFUSED"}, shop.Zone, tenants.WriteRefused, "REFUSED"},
		{"broken", nil, devdns.Fault{Updates: true, Rcode: "SERVFAIL"}, shop.Zone, tenants.WriteSilent, "SERVFAIL"},
		{"hangs up", map[string]string{"server": hangsUp.Addr().String()}, devdns.Fault{}, shop.Zone, tenants.WriteSilent, ""},
		{"down", map[string]string{"server": down.Addr}, devdns.Fault{}, shop.Zone, tenants.WriteSilent, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startDNS(t)
			if c.fault.Updates {
				s.Break(c.zone, c.fault)
			}
			w := updates(t, s, c.changes)
			for verb, act := range map[string]func(context.Context, string, string, string) error{"present": w.Present, "remove": w.Remove} {
				err := act(t.Context(), c.zone, "label."+c.zone, "value")
				if c.code == "" {
					must(t, err)
					continue
				}
				if wantFault(t, err, c.code, c.raw); t.Failed() {
					t.Log(verb)
				}
			}
		})
	}
}

// A caller who gives up hears of that, not of a fault of the zone.
func TestWriterEndsWithContext(t *testing.T) {
	s := startDNS(t)
	s.Break(shop.Zone, devdns.Fault{Updates: true, Silent: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := updates(t, s, nil).Present(ctx, shop.Zone, shop.Target(), "value")
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*dns.Fault)) {
		t.Errorf("got %v", err)
	}
}

func TestWriterTakesOnlyNamesAndText(t *testing.T) {
	s := startDNS(t)
	w := updates(t, s, nil)
	for _, c := range []struct{ zone, record, value string }{
		{shop.Zone, "label.other.example", "value"},
		{shop.Zone, "labelcerts.portal.example", "value"},
		{shop.Zone, shop.Zone, "value"},
		{shop.Zone, "two words." + shop.Zone, "value"},
		{shop.Zone, "a\nb 60 IN TXT \"x\"\nc." + shop.Zone, "value"},
		{shop.Zone, "*." + shop.Zone, "value"},
		{"", "label.example", "value"},
		{shop.Zone, shop.Target(), ""},
		{shop.Zone, shop.Target(), "a\nb"},
		{shop.Zone, shop.Target(), `a"b`},
		{shop.Zone, shop.Target(), `a\b`},
		{shop.Zone, shop.Target(), strings.Repeat("a", 256)},
	} {
		wantFault(t, w.Present(t.Context(), c.zone, c.record, c.value), tenants.WriteRefused, "")
	}
	if n := s.Counts().Updates; n != 0 {
		t.Errorf("%d updates were sent", n)
	}
	must(t, w.Present(t.Context(), shop.Zone, shop.Target(), "any; (printable) text $HERE @"))
	if got := s.Lookup(shop.Target(), "TXT"); !slices.Equal(got, []string{"any; (printable) text $HERE @"}) {
		t.Errorf("the zone holds %q", got)
	}
}

func TestOpenWriterSaysEverythingAtOnce(t *testing.T) {
	for _, c := range []struct {
		provider string
		settings map[string]string
		fields   []string
		says     []string
	}{
		{"bind", nil, nil, []string{`"bind"`, "rfc2136, route53"}},
		{"rfc2136", nil, []string{"key", "key_name", "server"}, []string{"The setting key_name is missing. It is the name of the TSIG key"}},
		{"rfc2136", map[string]string{"server": "ns1:99999", "key_name": ".", "key_alg": "hmac-md5", "key": "not base64!", "keyname": "x"},
			[]string{"key", "key_alg", "key_name", "keyname", "server"}, []string{"hmac-sha256, hmac-sha512", `"keyname" is not known. Use only: server, key_name, key_alg, key.`}},
		{"rfc2136", map[string]string{"server": "in valid", "key_name": "k", "key": "   "}, []string{"key", "server"}, []string{"The setting key is missing."}},
		{"route53", map[string]string{"access_key_id": " ", "secret_access_key": ""},
			[]string{"access_key_id", "hosted_zone_id", "secret_access_key"}, []string{"Amazon Route 53 is not set up completely."}},
		{"route53", map[string]string{"access_key_id": "a", "secret_access_key": "topsecret with space", "hosted_zone_id": "z/../x", "region": "../", "profile": "root", "endpoint": "http://x"},
			[]string{"endpoint", "hosted_zone_id", "profile", "region", "secret_access_key"}, []string{"AWS_ENDPOINT_URL_ROUTE_53", "profile is not accepted"}},
	} {
		_, err := dns.OpenWriter(c.provider, secrets(c.settings))
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != tenants.Invalid {
			t.Errorf("%s %v: %v", c.provider, c.settings, err)
			continue
		}
		if got := slices.Sorted(maps.Keys(e.Fields)); !slices.Equal(got, c.fields) {
			t.Errorf("%s: complains about %v, want %v", c.provider, got, c.fields)
		}
		for _, says := range c.says {
			if !strings.Contains(e.Text, says) {
				t.Errorf("%q does not say %q", e.Text, says)
			}
		}
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q tells a secret", err)
		}
	}
}
