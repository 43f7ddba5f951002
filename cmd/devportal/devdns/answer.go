package devdns

import (
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	maxAliases = 16
	udpSize    = 1232 // what fits into one packet on every path
)

func (s *Server) handle(w dns.ResponseWriter, r *dns.Msg) {
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	var m *dns.Msg
	switch {
	case r.Opcode == dns.OpcodeUpdate:
		m = s.update(r, w.TsigStatus())
	case len(r.Question) == 1:
		m = s.query(r, tcp)
	}
	if m == nil {
		return
	}
	if !tcp {
		m.Truncate(room(r))
	}
	if err := w.WriteMsg(m); err != nil {
		s.log.Debug("dns answer not sent", "err", err)
	}
}

// room is how large an answer over UDP may be.
func room(r *dns.Msg) int {
	if opt := r.IsEdns0(); opt != nil {
		return max(dns.MinMsgSize, min(udpSize, int(opt.UDPSize())))
	}
	return dns.MinMsgSize
}

// query answers one question; nil stays silent.
func (s *Server) query(r *dns.Msg, tcp bool) *dns.Msg {
	q := r.Question[0]
	name := dns.CanonicalName(q.Name)
	s.counts.query(name, q.Qtype, tcp)
	m := new(dns.Msg).SetReply(r)
	m.RecursionAvailable = true
	if opt := r.IsEdns0(); opt != nil {
		m.SetEdns0(udpSize, false)
	}
	if q.Qclass != dns.ClassINET || q.Qtype == dns.TypeAXFR || q.Qtype == dns.TypeIXFR {
		m.Rcode = dns.RcodeRefused
		return m
	}
	if !s.answer(m, name, q.Qtype) {
		return nil
	}
	return m
}

// answer follows aliases from zone to zone until it has the records, a denial, or leaves what is hosted here. The
// code is that of the last name (RFC 6604). It reports whether anything shall be sent.
func (s *Server) answer(m *dns.Msg, name string, qtype uint16) bool {
	m.Authoritative = true
	for range maxAliases {
		if f, ok := s.faults.hit(name, qtype, false); ok {
			if !s.suffer(f) {
				return false
			}
			if f.Rcode != "" {
				m.Rcode = dns.StringToRcode[f.Rcode]
				return true
			}
		}
		next, done := s.step(m, name, qtype)
		if done {
			return true
		}
		name = next
	}
	m.Rcode = dns.RcodeServerFailure // a loop
	return true
}

// suffer waits as the fault says and reports whether the server still speaks.
func (s *Server) suffer(f Fault) bool {
	if f.Silent {
		return false
	}
	if f.Delay <= 0 {
		return true
	}
	select {
	case <-time.After(f.Delay):
		return true
	case <-s.done:
		return false
	}
}

// step answers for one name of the chain, or names the alias's target.
func (s *Server) step(m *dns.Msg, name string, qtype uint16) (next string, done bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	z := s.find(name)
	if z == nil {
		s.outside(m, name)
		return "", true
	}
	sets := z.sets[name]
	if alias := sets[dns.TypeCNAME]; len(alias) > 0 && qtype != dns.TypeCNAME && qtype != dns.TypeANY {
		m.Answer = append(m.Answer, alias[0])
		return alias[0].(*dns.CNAME).Target, false
	}
	found := len(m.Answer)
	m.Answer = append(m.Answer, z.records(name, qtype)...)
	if len(m.Answer) == found {
		m.Ns = append(m.Ns, z.soa())
		if !z.exists(name) {
			m.Rcode = dns.RcodeNameError
		}
	}
	return "", true
}

func (z *zone) records(name string, qtype uint16) []dns.RR {
	var out []dns.RR
	for typ, set := range z.sets[name] {
		if typ == qtype || qtype == dns.TypeANY {
			out = append(out, set...)
		}
	}
	if name == z.origin && (qtype == dns.TypeSOA || qtype == dns.TypeANY) {
		out = append(out, z.soa())
	}
	return out
}

// outside answers for a name that no zone holds. An authoritative server refuses. A resolver says that there is no
// such name, or, for a name above a zone such as a top-level domain, that it has no such records. After an alias the
// alias is the answer.
func (s *Server) outside(m *dns.Msg, name string) {
	if !m.RecursionDesired {
		if len(m.Answer) == 0 {
			m.Authoritative, m.Rcode = false, dns.RcodeRefused
		}
		return
	}
	m.Authoritative = false
	m.Ns = append(m.Ns, rootSOA())
	if !s.above(name) {
		m.Rcode = dns.RcodeNameError
	}
}

func (s *Server) above(name string) bool {
	for origin := range s.zones {
		if name == "." || strings.HasSuffix(origin, "."+name) {
			return true
		}
	}
	return false
}

func rootSOA() dns.RR {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: negativeTTL},
		Ns:  "ns.invalid.", Mbox: "hostmaster.invalid.", Serial: 1, Refresh: 60, Retry: 60, Expire: 3600, Minttl: negativeTTL,
	}
}
