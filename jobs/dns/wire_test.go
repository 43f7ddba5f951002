package dns_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"perennial/cmd/devportal/devdns"
	"perennial/tenants"

	wire "github.com/miekg/dns"
)

func line(target string) string { return record + ". 5 IN CNAME " + target + "." }

// What arrives on the socket is not always the answer. Each server here is one of two; the other is honest.
func TestLookTrustsOnlyItsAnswer(t *testing.T) {
	var lost atomic.Int32
	for _, c := range []struct {
		name   string
		handle func(w wire.ResponseWriter, r *wire.Msg, tcp bool)
		want   tenants.Asked
	}{
		{"wrong id, wrong question, a question and noise come first", func(w wire.ResponseWriter, r *wire.Msg, _ bool) {
			id := reply(r, line("wrong.id.example"))
			id.Id++
			question := reply(r, line("wrong.question.example"))
			question.Question[0].Name = "other.acme.example."
			kind := reply(r, line("wrong.kind.example"))
			kind.Question[0].Qtype = wire.TypeTXT
			echo := reply(r, line("no.response.example"))
			echo.Response = false
			for _, m := range []*wire.Msg{id, question, kind, echo} {
				w.WriteMsg(m)
			}
			w.Write([]byte("noise"))
			w.Write(append([]byte{byte(r.Id >> 8), byte(r.Id)}, "\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00 no message at all"...))
			w.WriteMsg(reply(r, line(shop.Target())))
		}, asked("", shop.Target(), tenants.Right)},
		{"truncated, whole over TCP", func(w wire.ResponseWriter, r *wire.Msg, tcp bool) {
			m := reply(r)
			if m.Truncated = !tcp; tcp {
				m = reply(r, line(shop.Target()))
			}
			w.WriteMsg(m)
		}, asked("", shop.Target(), tenants.Right)},
		{"truncated, nothing over TCP", func(w wire.ResponseWriter, r *wire.Msg, tcp bool) {
			m := reply(r, line(shop.Target()))
			m.Truncated = true
			if tcp {
				w.Close()
				return
			}
			w.WriteMsg(m)
		}, asked("", "no answer", tenants.Silent)},
		{"over TCP another id", func(w wire.ResponseWriter, r *wire.Msg, tcp bool) {
			m := reply(r, line(shop.Target()))
			if m.Truncated = !tcp; tcp {
				m.Id++
			}
			w.WriteMsg(m)
		}, asked("", "no answer", tenants.Silent)},
		{"knows no EDNS", func(w wire.ResponseWriter, r *wire.Msg, _ bool) {
			if r.IsEdns0() != nil {
				w.WriteMsg(new(wire.Msg).SetRcodeFormatError(r))
				return
			}
			w.WriteMsg(reply(r, line(shop.Target())))
		}, asked("", shop.Target(), tenants.Right)},
		{"the first packet is lost", func(w wire.ResponseWriter, r *wire.Msg, _ bool) {
			if lost.Add(1) > 1 {
				w.WriteMsg(reply(r, line(shop.Target())))
			}
		}, asked("", shop.Target(), tenants.Right)},
		{"says it in capitals", func(w wire.ResponseWriter, r *wire.Msg, _ bool) {
			w.WriteMsg(reply(r, "_ACME-Challenge.SHOP.acme.Example. 5 IN CNAME K3V9Q0D2M8X7C1F5B4N6A0TZWE.Certs.Portal.Example."))
		}, asked("", "K3V9Q0D2M8X7C1F5B4N6A0TZWE.Certs.Portal.Example", tenants.Right)},
		{"two CNAMEs", func(w wire.ResponseWriter, r *wire.Msg, _ bool) {
			w.WriteMsg(reply(r, line(shop.Target()), line("second.example")))
		}, asked("", "second.example", tenants.Differs)},
		{"a CNAME of another name", func(w wire.ResponseWriter, r *wire.Msg, _ bool) {
			w.WriteMsg(reply(r, "_acme-challenge.acme.example. 5 IN CNAME "+shop.Target()+"."))
		}, asked("", "no CNAME record", tenants.Missing)},
		{"answers without authority", func(w wire.ResponseWriter, r *wire.Msg, _ bool) {
			m := reply(r, line(shop.Target()))
			m.Authoritative = false
			w.WriteMsg(m)
		}, asked("", "it does not serve the zone", tenants.Silent)},
		{"a bare header that refuses", func(w wire.ResponseWriter, r *wire.Msg, _ bool) {
			m := new(wire.Msg).SetRcode(r, wire.RcodeRefused)
			m.Question = nil
			w.WriteMsg(m)
		}, asked("", "REFUSED", tenants.Silent)},
		{"a code nobody knows", func(w wire.ResponseWriter, r *wire.Msg, _ bool) {
			w.WriteMsg(new(wire.Msg).SetRcode(r, 14))
		}, asked("", "response code 14", tenants.Silent)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			set(t, w.one, record, "CNAME", shop.Target())
			w.move("ns2", serve(t, c.handle))
			got := w.resolver().Look(t.Context(), shop, now).Delegation
			c.want.Server = "ns2.acme.example"
			if len(got) != 2 || got[1] != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestVisible(t *testing.T) {
	w := newWorld(t)
	r := w.resolver()
	see := func(value string, wantSeen int) {
		t.Helper()
		seen, asked, err := r.Visible(t.Context(), shop.Target(), value)
		if err != nil || seen != wantSeen || asked != 2 {
			t.Errorf("%s: seen %d of %d, %v; want %d of 2", value, seen, asked, err, wantSeen)
		}
	}
	see("one", 0)
	w.both(func(s *devdns.Server) { set(t, s, shop.Target(), "TXT", "two", "one") })
	set(t, w.two, shop.Target(), "TXT", "two")
	see("one", 1)
	see("two", 2)
	see("tw", 0)

	before := w.one.Counts().Queries + w.two.Counts().Queries
	see("two", 2)
	if n := w.one.Counts().Queries + w.two.Counts().Queries - before; n != 2 {
		t.Errorf("%d questions for one look at two servers", n)
	}
	w.two.BreakBelow(".", devdns.Fault{Rcode: "SERVFAIL"})
	see("two", 1)
}

// More values than fit into a UDP packet.
func TestVisibleOverTCP(t *testing.T) {
	w := newWorld(t)
	var values []string
	for i := range 40 {
		values = append(values, fmt.Sprintf("%043d", i))
	}
	w.both(func(s *devdns.Server) { set(t, s, shop.Target(), "TXT", values...) })
	seen, _, err := w.resolver().Visible(t.Context(), shop.Target(), values[39])
	if seen != 2 || err != nil || w.one.Counts().TCP != 1 {
		t.Errorf("seen %d, %v, %d over TCP", seen, err, w.one.Counts().TCP)
	}
}

func TestVisibleWhenNobodyAnswers(t *testing.T) {
	w := newWorld(t)
	r := w.resolver()
	w.both(func(s *devdns.Server) { s.Break(shop.Target(), devdns.Fault{Rcode: "SERVFAIL"}) })
	seen, asked, err := r.Visible(t.Context(), shop.Target(), "x")
	wantFault(t, err, tenants.WriteSilent, "SERVFAIL")
	if seen != 0 || asked != 2 {
		t.Errorf("seen %d of %d", seen, asked)
	}
	_, _, err = r.Visible(t.Context(), "label.nowhere.invalid", "x")
	wantFault(t, err, tenants.WriteSilent, "nowhere.invalid")
}
