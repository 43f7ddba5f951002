package devdns_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"perennial/cmd/devportal/devdns"
)

func start(t *testing.T) *devdns.Server {
	t.Helper()
	s, err := devdns.Start(t.Context(), devdns.Config{Zones: []devdns.Zone{
		{Apex: "Acme.Example"}, {Apex: "eu.acme.example"}, {Apex: "northwind.example", NS: []string{"ns.elsewhere.test"}},
		{Apex: "delegate.test", Delegation: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask puts one question, as an authoritative server is asked (without recursion) unless the type ends in "+".
func ask(t *testing.T, s *devdns.Server, network, name, typ string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[strings.TrimSuffix(typ, "+")])
	m.RecursionDesired = strings.HasSuffix(typ, "+")
	reply, _, err := (&dns.Client{Net: network}).Exchange(m, s.Addr)
	if err != nil {
		t.Fatalf("%s %s over %s: %v", typ, name, network, err)
	}
	return reply
}

// text writes a reply as: code, AA, answers, denial.
func text(m *dns.Msg) string {
	out := []string{dns.RcodeToString[m.Rcode]}
	if m.Authoritative {
		out = append(out, "aa")
	}
	for _, rr := range m.Answer {
		out = append(out, strings.Join(strings.Fields(strings.Replace(rr.String(), fmt.Sprintf("\t%d\tIN", rr.Header().Ttl), "", 1)), " "))
	}
	for _, rr := range m.Ns {
		out = append(out, "deny "+rr.Header().Name+" "+dns.TypeToString[rr.Header().Rrtype])
	}
	return strings.Join(out, " | ")
}

func TestAnswers(t *testing.T) {
	s := start(t)
	must(t, s.Set("a.b.deep.acme.example", "A", "192.0.2.1", "192.0.2.1", "192.0.2.2"))
	must(t, s.Set("_acme-challenge.shop.acme.example", "CNAME", "label.delegate.test"))
	must(t, s.Set("label.delegate.test", "TXT", "one", "two"))
	must(t, s.Set("gone.acme.example", "CNAME", "nothing.delegate.test"))
	must(t, s.Set("away.acme.example", "CNAME", "www.elsewhere.test"))
	must(t, s.Set("loop1.acme.example", "CNAME", "loop2.northwind.example"))
	must(t, s.Set("loop2.northwind.example", "CNAME", "loop1.acme.example"))
	must(t, s.Set("acme.example", "CAA", `0 issue "ca.perennial.test; validationmethods=dns-01"`))
	tests := []struct{ name, typ, want string }{
		{"acme.example", "SOA", "NOERROR | aa | acme.example. SOA ns1.acme.example. hostmaster.acme.example."},
		{"acme.example", "NS", "NOERROR | aa | acme.example. NS ns1.acme.example."},
		{"ns1.acme.example", "A", "NOERROR | aa | ns1.acme.example. A 127.0.0.1"},
		{"northwind.example", "NS", "NOERROR | aa | northwind.example. NS ns.elsewhere.test."},
		{"acme.example", "CAA", `NOERROR | aa | acme.example. CAA 0 issue "ca.perennial.test; validationmethods=dns-01"`},
		{"a.b.deep.acme.example", "A", "NOERROR | aa | a.b.deep.acme.example. A 192.0.2.1 | a.b.deep.acme.example. A 192.0.2.2"},
		{"a.b.deep.acme.example", "AAAA", "NOERROR | aa | deny acme.example. SOA"},
		{"b.deep.acme.example", "A", "NOERROR | aa | deny acme.example. SOA"},
		{"deep.acme.example", "TXT", "NOERROR | aa | deny acme.example. SOA"},
		{"shallow.acme.example", "A", "NXDOMAIN | aa | deny acme.example. SOA"},
		{"x.eu.acme.example", "A", "NXDOMAIN | aa | deny eu.acme.example. SOA"},
		{"_acme-challenge.shop.acme.example", "CNAME", "NOERROR | aa | _acme-challenge.shop.acme.example. CNAME label.delegate.test."},
		{"_Acme-Challenge.SHOP.acme.example", "TXT", `NOERROR | aa | _acme-challenge.shop.acme.example. CNAME label.delegate.test. | label.delegate.test. TXT "one" | label.delegate.test. TXT "two"`},
		{"_acme-challenge.shop.acme.example", "A", "NOERROR | aa | _acme-challenge.shop.acme.example. CNAME label.delegate.test. | deny delegate.test. SOA"},
		{"gone.acme.example", "TXT", "NXDOMAIN | aa | gone.acme.example. CNAME nothing.delegate.test. | deny delegate.test. SOA"},
		{"away.acme.example", "TXT", "NOERROR | aa | away.acme.example. CNAME www.elsewhere.test."},
		{"away.acme.example", "TXT+", "NXDOMAIN | away.acme.example. CNAME www.elsewhere.test. | deny . SOA"},
		{"www.elsewhere.test", "A", "REFUSED"},
		{"www.elsewhere.test", "A+", "NXDOMAIN | deny . SOA"},
		{"example", "CAA", "REFUSED"},
		{"example", "CAA+", "NOERROR | deny . SOA"},
		{".", "CAA+", "NOERROR | deny . SOA"},
	}
	for _, test := range tests {
		for _, network := range []string{"udp", "tcp"} {
			if got := text(ask(t, s, network, test.name, test.typ)); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s %s over %s:\n got %s\nwant %s", test.typ, test.name, network, got, test.want)
			}
		}
	}
	if got := ask(t, s, "udp", "loop1.acme.example", "A"); got.Rcode != dns.RcodeServerFailure {
		t.Errorf("a loop answers %s", text(got))
	}
}

func TestEmptyNonTerminalVanishes(t *testing.T) {
	s := start(t)
	must(t, s.Add("a.b.acme.example", "TXT", "x"))
	must(t, s.Add("c.b.acme.example", "TXT", "x"))
	must(t, s.Delete("a.b.acme.example", "TXT"))
	if got := ask(t, s, "udp", "b.acme.example", "A"); got.Rcode != dns.RcodeSuccess {
		t.Errorf("with one name below: %s", text(got))
	}
	must(t, s.Delete("c.b.acme.example", "TXT", "x"))
	if got := ask(t, s, "udp", "b.acme.example", "A"); got.Rcode != dns.RcodeNameError {
		t.Errorf("with none: %s", text(got))
	}
}

func TestSerialGrows(t *testing.T) {
	s := start(t)
	serial := func() uint32 { return ask(t, s, "udp", "acme.example", "SOA").Answer[0].(*dns.SOA).Serial }
	before := serial()
	must(t, s.Add("a.acme.example", "TXT", "x"))
	if serial() <= before {
		t.Error("a change left the serial alone")
	}
}

func TestLargeAnswerComesOverTCP(t *testing.T) {
	s := start(t)
	for i := range 100 {
		must(t, s.Add("many.acme.example", "TXT", fmt.Sprintf("%d %s", i, strings.Repeat("x", 60))))
	}
	if m := ask(t, s, "udp", "many.acme.example", "TXT"); !m.Truncated {
		t.Error("a large answer over UDP is not marked as cut")
	}
	if m := ask(t, s, "tcp", "many.acme.example", "TXT"); len(m.Answer) != 100 {
		t.Errorf("%d answers over TCP", len(m.Answer))
	}
}

func TestRecords(t *testing.T) {
	s := start(t)
	long := strings.Repeat(`a"\é `, 100) + "end"
	must(t, s.Set("long.acme.example", "TXT", long))
	if got := s.Lookup("LONG.acme.example.", "txt"); !slices.Equal(got, []string{long}) {
		t.Errorf("text came back as %q", got)
	}
	must(t, s.Add("mail.acme.example", "MX", "10 mx"))
	must(t, s.Add("six.acme.example", "AAAA", "2001:DB8::1"))
	must(t, s.Add("acme.example", "CAA", "0 issue letsencrypt.org"))
	var got []string
	for _, r := range s.List("acme.example") {
		if r.Name != "long.acme.example" {
			got = append(got, r.Name+" "+r.Type+" "+r.Value)
		}
	}
	want := []string{
		"acme.example NS ns1.acme.example", `acme.example CAA 0 issue "letsencrypt.org"`, "mail.acme.example MX 10 mx.acme.example",
		"ns1.acme.example A 127.0.0.1", "six.acme.example AAAA 2001:db8::1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("list\n got %q\nwant %q", got, want)
	}
	if s.List("elsewhere.test") != nil {
		t.Error("a zone of nobody has records")
	}
}

func TestBadRecords(t *testing.T) {
	s := start(t)
	must(t, s.Set("taken.acme.example", "TXT", "x"))
	must(t, s.Set("alias.acme.example", "CNAME", "a.example"))
	tests := []struct{ name, typ, value, want string }{
		{"a.acme.example", "A", "2001:db8::1", "not an IPv4"},
		{"a.acme.example", "AAAA", "192.0.2.1", "not an IPv6"},
		{"a.acme.example", "TXT", " ", "empty"},
		{"a.acme.example", "TXT", strings.Repeat("x", 5000), "5000 characters"},
		{"a.acme.example", "CAA", "issue", "three parts"},
		{"a.acme.example", "CAA", "x issue y", "flag"},
		{"a.acme.example", "CAA", "0 is-sue y", "tag"},
		{"a.acme.example", "MX", "mail.acme.example", "two parts"},
		{"a.acme.example", "MX", "99999 mail", "preference"},
		{"a.acme.example", "CNAME", "two words.example", "sign"},
		{"a..acme.example", "A", "192.0.2.1", "empty part"},
		{strings.Repeat("x", 64) + ".acme.example", "A", "192.0.2.1", "64 characters"},
		{strings.Repeat("x.", 130) + "acme.example", "A", "192.0.2.1", "DNS allows 253"},
		{"a.acme.example", "HINFO", "x", "not supported"},
		{"a.elsewhere.test", "A", "192.0.2.1", "no zone"},
		{"taken.acme.example", "CNAME", "b.example", "stands alone"},
		{"alias.acme.example", "TXT", "x", "stands alone"},
		{"alias.acme.example", "CNAME", "b.example", "points to a.example already"},
		{"acme.example", "CNAME", "b.example", "top of the zone"},
	}
	for _, test := range tests {
		if err := s.Add(test.name, test.typ, test.value); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s %.30q: %v, want %q", test.name, test.typ, test.value, err, test.want)
		}
	}
	must(t, s.Add("alias.acme.example", "CNAME", "A.Example."))
	must(t, s.Set("alias.acme.example", "CNAME", "b.example"))
	if err := s.Set("alias.acme.example", "CNAME", "b.example", "c.example"); err == nil {
		t.Error("two CNAMEs at one name")
	}
}

func TestFaults(t *testing.T) {
	s := start(t)
	must(t, s.Set("a.acme.example", "TXT", "x"))
	must(t, s.Set("label.delegate.test", "TXT", "x"))
	must(t, s.Set("_acme-challenge.acme.example", "CNAME", "label.delegate.test"))
	rcode := func(name, typ string) string { return dns.RcodeToString[ask(t, s, "udp", name, typ).Rcode] }
	s.Break("a.acme.example", devdns.Fault{Rcode: "SERVFAIL", Types: []string{"CAA"}})
	s.Break("a.acme.example", devdns.Fault{Rcode: "REFUSED", Types: []string{"TXT"}, Times: 1})
	s.Break("label.delegate.test", devdns.Fault{Rcode: "SERVFAIL"})
	for _, want := range []struct{ name, typ, rcode string }{
		{"a.acme.example", "CAA", "SERVFAIL"}, {"a.acme.example", "TXT", "REFUSED"}, {"a.acme.example", "TXT", "NOERROR"},
		{"_acme-challenge.acme.example", "CNAME", "NOERROR"}, {"_acme-challenge.acme.example", "TXT", "SERVFAIL"},
	} {
		if got := rcode(want.name, want.typ); got != want.rcode {
			t.Errorf("%s %s: %s, want %s", want.typ, want.name, got, want.rcode)
		}
	}
	s.BreakBelow("acme.example", devdns.Fault{Rcode: "NXDOMAIN"})
	if got := rcode("x.y.acme.example", "A"); got != "NXDOMAIN" {
		t.Errorf("below: %s", got)
	}
	s.Heal("a.acme.example", "acme.example", "label.delegate.test")
	if got := rcode("a.acme.example", "CAA") + rcode("_acme-challenge.acme.example", "TXT"); got != "NOERRORNOERROR" {
		t.Errorf("healed: %s", got)
	}
	s.BreakBelow(".", devdns.Fault{Silent: true})
	client := &dns.Client{Timeout: 50 * time.Millisecond}
	if _, _, err := client.Exchange(new(dns.Msg).SetQuestion("a.acme.example.", dns.TypeTXT), s.Addr); err == nil {
		t.Error("a silent server answered")
	}
	s.Heal()
	s.Break("a.acme.example", devdns.Fault{Delay: 20 * time.Millisecond, Times: 1})
	began := time.Now()
	if got := rcode("a.acme.example", "TXT"); got != "NOERROR" || time.Since(began) < 20*time.Millisecond {
		t.Errorf("delayed: %s after %v", got, time.Since(began))
	}
}

func TestCounts(t *testing.T) {
	s := start(t)
	ask(t, s, "udp", "a.acme.example", "TXT")
	ask(t, s, "tcp", "A.acme.example", "TXT")
	if c := s.Counts(); c.Queries != 2 || c.TCP != 1 {
		t.Errorf("counted %+v", c)
	}
	if n := s.Asked("a.acme.example", "TXT"); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestTogether(t *testing.T) {
	s := start(t)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 200 {
				name := fmt.Sprintf("n%d-%d.acme.example", n, i)
				if err := s.Add(name, "TXT", "x"); err != nil {
					t.Error(err)
				}
				s.Lookup(name, "TXT")
				s.Zones()
				if i%20 == 0 {
					s.List("acme.example")
					ask(t, s, "udp", name, "TXT")
				}
			}
		})
	}
	wg.Wait()
	if got := len(s.List("acme.example")); got != 1600+2 {
		t.Errorf("%d records", got)
	}
}

func TestStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := devdns.Start(ctx, devdns.Config{})
	must(t, err)
	if err := s.AddZone(devdns.Zone{Apex: "late.test"}); err != nil {
		t.Error(err)
	}
	if err := s.AddZone(devdns.Zone{Apex: "Late.test."}); err == nil {
		t.Error("the same zone twice")
	}
	if _, err := devdns.Start(ctx, devdns.Config{Listen: s.Addr}); err == nil {
		t.Error("the same port twice")
	}
	for _, c := range []devdns.Config{
		{TSIG: devdns.TSIG{Algorithm: "rot13"}}, {TSIG: devdns.TSIG{Key: "not base64!"}}, {Zones: []devdns.Zone{{Apex: "bad name"}}},
	} {
		if _, err := devdns.Start(ctx, c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	cancel()
	must(t, s.Close())
	again, err := devdns.Start(t.Context(), devdns.Config{Listen: s.Addr})
	must(t, err)
	must(t, again.Close())
}
