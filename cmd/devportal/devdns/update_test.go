package devdns_test

import (
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"perennial/cmd/devportal/devdns"
)

// send sends an update of delegate.test, signed unless key is nil, and returns the code of the reply.
func send(t *testing.T, s *devdns.Server, network string, key *devdns.TSIG, fill func(*dns.Msg)) (string, error) {
	t.Helper()
	m := new(dns.Msg).SetUpdate("delegate.test.")
	fill(m)
	client := &dns.Client{Net: network, Timeout: 5 * time.Second}
	if key != nil {
		client.TsigSecret = map[string]string{dns.Fqdn(key.Name): key.Key}
		m.SetTsig(dns.Fqdn(key.Name), dns.Fqdn(key.Algorithm), 300, time.Now().Unix())
	}
	reply, _, err := client.Exchange(m, s.Addr)
	if err != nil {
		return "", err
	}
	if key != nil && reply.Rcode == dns.RcodeSuccess && reply.IsTsig() == nil {
		t.Error("the reply is not signed")
	}
	return dns.RcodeToString[reply.Rcode], nil
}

func rr(t *testing.T, text string) []dns.RR {
	t.Helper()
	r, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return []dns.RR{r}
}

func TestUpdate(t *testing.T) {
	s := start(t)
	key := s.TSIG()
	one, two := `a.delegate.test. 300 IN TXT "one"`, `a.delegate.test. 300 IN TXT "two"`
	steps := []struct {
		what string
		fill func(*dns.Msg)
		code string
		want []string
	}{
		{"insert", func(m *dns.Msg) { m.Insert(rr(t, one)) }, "NOERROR", []string{"one"}},
		{"insert again", func(m *dns.Msg) { m.Insert(rr(t, one)) }, "NOERROR", []string{"one"}},
		{"a second value", func(m *dns.Msg) { m.Insert(rr(t, two)) }, "NOERROR", []string{"one", "two"}},
		{"unmet: name unused", func(m *dns.Msg) { m.NameNotUsed(rr(t, one)); m.RemoveName(rr(t, one)) }, "YXDOMAIN", []string{"one", "two"}},
		{"unmet: no such set", func(m *dns.Msg) { m.RRsetNotUsed(rr(t, one)); m.RemoveName(rr(t, one)) }, "YXRRSET", []string{"one", "two"}},
		{"unmet: set exists", func(m *dns.Msg) { m.RRsetUsed(rr(t, "b.delegate.test. TXT x")) }, "NXRRSET", []string{"one", "two"}},
		{"unmet: exact set", func(m *dns.Msg) { m.Used(rr(t, one)); m.RemoveName(rr(t, one)) }, "NXRRSET", []string{"one", "two"}},
		{"met: exact set", func(m *dns.Msg) { m.Used(slices.Concat(rr(t, two), rr(t, one))) }, "NOERROR", []string{"one", "two"}},
		{"remove one value", func(m *dns.Msg) { m.Remove(rr(t, one)) }, "NOERROR", []string{"two"}},
		{"remove what is not there", func(m *dns.Msg) { m.Remove(rr(t, one)) }, "NOERROR", []string{"two"}},
		{"a CNAME beside it is ignored", func(m *dns.Msg) { m.Insert(rr(t, "a.delegate.test. CNAME b.example.")) }, "NOERROR", []string{"two"}},
		{"another zone's name", func(m *dns.Msg) { m.Insert(slices.Concat(rr(t, one), rr(t, "a.acme.example. TXT x"))) }, "NOTZONE", []string{"two"}},
		{"remove the set", func(m *dns.Msg) { m.RemoveRRset(rr(t, one)) }, "NOERROR", nil},
		{"met: name unused", func(m *dns.Msg) { m.NameNotUsed(rr(t, one)); m.Insert(rr(t, two)) }, "NOERROR", []string{"two"}},
		{"remove the name", func(m *dns.Msg) { m.RemoveName(rr(t, one)) }, "NOERROR", nil},
	}
	for i, step := range steps {
		code, err := send(t, s, []string{"udp", "tcp"}[i%2], &key, step.fill)
		if err != nil || code != step.code {
			t.Errorf("%s: %s %v, want %s", step.what, code, err, step.code)
		}
		if got := s.Lookup("a.delegate.test", "TXT"); !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
	}
	if c := s.Counts(); c.Updates != len(steps) || c.Changed != len(steps)-5 {
		t.Errorf("counted %+v", c)
	}
}

func TestUpdateKeepsNameServers(t *testing.T) {
	s := start(t)
	key := s.TSIG()
	send(t, s, "tcp", &key, func(m *dns.Msg) { m.RemoveName(rr(t, "delegate.test. TXT x")) })
	send(t, s, "tcp", &key, func(m *dns.Msg) { m.RemoveRRset(rr(t, "delegate.test. NS x.")) })
	if got := s.Lookup("delegate.test", "NS"); len(got) != 1 {
		t.Errorf("name servers %q", got)
	}
}

func TestUpdateNeedsTheKey(t *testing.T) {
	s := start(t)
	insert := func(m *dns.Msg) { m.Insert(rr(t, "a.delegate.test. TXT x")) }
	right := s.TSIG()
	wrong, unknown := right, right
	wrong.Key, unknown.Name = "d3Jvbmc=", "somebody"
	for what, key := range map[string]*devdns.TSIG{"no key": nil, "wrong key": &wrong, "unknown key": &unknown} {
		if code, err := send(t, s, "tcp", key, insert); code == "NOERROR" {
			t.Errorf("%s: %s %v", what, code, err)
		}
	}
	foreign := func(m *dns.Msg) { m.SetUpdate("acme.example."); m.Insert(rr(t, "a.acme.example. TXT x")) }
	if code, _ := send(t, s, "tcp", &right, foreign); code != "REFUSED" {
		t.Errorf("a customer's zone: %s", code)
	}
	nowhere := func(m *dns.Msg) { m.SetUpdate("elsewhere.test."); m.Insert(rr(t, "a.elsewhere.test. TXT x")) }
	if code, err := send(t, s, "tcp", &right, nowhere); err != dns.ErrAuth { // what the library makes of a signed NOTAUTH
		t.Errorf("nobody's zone: %s %v", code, err)
	}
	if got := s.Lookup("a.delegate.test", "TXT"); got != nil {
		t.Errorf("written: %q", got)
	}
}

func TestUpdateFaults(t *testing.T) {
	s := start(t)
	key := s.TSIG()
	insert := func(m *dns.Msg) { m.Insert(rr(t, "a.delegate.test. TXT x")) }
	there := func() bool { return len(s.Lookup("a.delegate.test", "TXT")) > 0 }
	s.Break("delegate.test", devdns.Fault{Updates: true, Rcode: "REFUSED", Times: 1})
	if code, _ := send(t, s, "tcp", &key, insert); code != "REFUSED" || there() {
		t.Errorf("refused: %s, there %v", code, there())
	}
	s.Break("delegate.test", devdns.Fault{Updates: true, Rcode: "SERVFAIL", Applied: true, Times: 1})
	if code, _ := send(t, s, "tcp", &key, insert); code != "SERVFAIL" || !there() {
		t.Errorf("failed yet applied: %s, there %v", code, there())
	}
	s.Break("delegate.test", devdns.Fault{Updates: true, Silent: true, Times: 1})
	remove := func(m *dns.Msg) { m.RemoveName(rr(t, "a.delegate.test. TXT x")) }
	if err := unanswered(s, key); err == nil || !there() {
		t.Errorf("silent: %v, there %v", err, there())
	}
	if code, _ := send(t, s, "udp", &key, remove); code != "NOERROR" || there() {
		t.Errorf("healed by itself: %s, there %v", code, there())
	}
}

// unanswered sends a removal without patience.
func unanswered(s *devdns.Server, key devdns.TSIG) error {
	m := new(dns.Msg).SetUpdate("delegate.test.")
	m.RemoveName([]dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: "a.delegate.test."}}})
	m.SetTsig(dns.Fqdn(key.Name), dns.Fqdn(key.Algorithm), 300, time.Now().Unix())
	client := &dns.Client{Timeout: 50 * time.Millisecond, TsigSecret: map[string]string{dns.Fqdn(key.Name): key.Key}}
	_, _, err := client.Exchange(m, s.Addr)
	return err
}
