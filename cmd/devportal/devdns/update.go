package devdns

import (
	"slices"
	"time"

	"github.com/miekg/dns"
)

// update carries out a dynamic update (RFC 2136); nil stays silent. Only a delegation zone takes updates, and only
// signed ones.
func (s *Server) update(r *dns.Msg, tsigStatus error) *dns.Msg {
	m := new(dns.Msg).SetReply(r)
	signature := r.IsTsig()
	if signature == nil || tsigStatus != nil {
		s.counts.update(false)
		m.Rcode = dns.RcodeRefused
		if signature != nil {
			m.Rcode = dns.RcodeNotAuth // wrong key, wrong time, wrong signature (RFC 8945, 5.2)
		}
		return m
	}
	m.SetTsig(signature.Hdr.Name, signature.Algorithm, 300, time.Now().Unix())
	name := ""
	if len(r.Question) == 1 && r.Question[0].Qtype == dns.TypeSOA {
		name = dns.CanonicalName(r.Question[0].Name)
	}
	f, broken := s.faults.hit(name, dns.TypeSOA, true)
	if broken && !f.Applied && (f.Silent || f.Rcode != "") {
		s.counts.update(false)
		return s.fail(m, f)
	}
	m.Rcode = s.apply(name, r)
	s.counts.update(m.Rcode == dns.RcodeSuccess)
	if broken {
		return s.fail(m, f)
	}
	return m
}

func (s *Server) fail(m *dns.Msg, f Fault) *dns.Msg {
	if !s.suffer(f) {
		return nil
	}
	if f.Rcode != "" {
		m.Rcode = dns.StringToRcode[f.Rcode]
	}
	return m
}

// apply does all or nothing: prerequisites, a look at every change, then the changes.
func (s *Server) apply(name string, r *dns.Msg) int {
	if name == "" {
		return dns.RcodeFormatError
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[name]
	if z == nil {
		return dns.RcodeNotAuth
	}
	if !z.Delegation {
		return dns.RcodeRefused
	}
	for _, rr := range slices.Concat(r.Answer, r.Ns) {
		rr.Header().Name = dns.CanonicalName(rr.Header().Name)
		if !dns.IsSubDomain(z.origin, rr.Header().Name) {
			return dns.RcodeNotZone
		}
	}
	if code := z.require(r.Answer); code != dns.RcodeSuccess {
		return code
	}
	for _, rr := range r.Ns {
		if !changeable(rr) {
			return dns.RcodeFormatError
		}
	}
	for _, rr := range r.Ns {
		z.change(rr)
	}
	return dns.RcodeSuccess
}

// require checks the prerequisites (RFC 2136, 2.4 and 3.2).
func (z *zone) require(prerequisites []dns.RR) int {
	exact := map[question][]dns.RR{}
	for _, rr := range prerequisites {
		h := rr.Header()
		there := z.has(h.Name, h.Rrtype)
		whole := h.Rrtype == dns.TypeANY // about the name, not one of its sets
		switch {
		case h.Class == dns.ClassANY && !there && whole:
			return dns.RcodeNameError
		case h.Class == dns.ClassANY && !there:
			return dns.RcodeNXRrset
		case h.Class == dns.ClassNONE && there && whole:
			return dns.RcodeYXDomain
		case h.Class == dns.ClassNONE && there:
			return dns.RcodeYXRrset
		case h.Class == dns.ClassINET:
			exact[question{h.Name, h.Rrtype}] = append(exact[question{h.Name, h.Rrtype}], rr)
		}
	}
	for q, want := range exact {
		if !same(z.sets[q.name][q.typ], want) {
			return dns.RcodeNXRrset
		}
	}
	return dns.RcodeSuccess
}

func (z *zone) has(name string, typ uint16) bool {
	if typ == dns.TypeANY {
		return len(z.sets[name]) > 0
	}
	return len(z.sets[name][typ]) > 0
}

func same(have, want []dns.RR) bool {
	return len(have) == len(want) && !slices.ContainsFunc(want, func(rr dns.RR) bool {
		return !slices.ContainsFunc(have, func(old dns.RR) bool { return dns.IsDuplicate(old, rr) })
	})
}

// changeable is the look before the first change (RFC 2136, 3.4.1).
func changeable(rr dns.RR) bool {
	h := rr.Header()
	meta := h.Rrtype == dns.TypeANY || h.Rrtype == dns.TypeAXFR || h.Rrtype == dns.TypeIXFR || h.Rrtype == dns.TypeMAILA || h.Rrtype == dns.TypeMAILB
	switch h.Class {
	case dns.ClassINET, dns.ClassNONE:
		return !meta
	case dns.ClassANY:
		return !meta || h.Rrtype == dns.TypeANY
	}
	return false
}

// change makes one change (RFC 2136, 3.4.2). The name servers of the zone and its SOA stay, and a CNAME never comes
// to stand beside other records.
func (z *zone) change(rr dns.RR) {
	h := rr.Header()
	kept := h.Name == z.origin && (h.Rrtype == dns.TypeNS || h.Rrtype == dns.TypeSOA)
	switch {
	case kept || h.Rrtype == dns.TypeSOA:
	case h.Class == dns.ClassINET:
		if z.clash(h.Name, h.Rrtype) == nil {
			z.insert(rr)
		}
	case h.Class == dns.ClassNONE:
		rr.Header().Class = dns.ClassINET // how the stored record reads
		z.remove(h.Name, h.Rrtype, func(old dns.RR) bool { return dns.IsDuplicate(old, rr) })
	case h.Rrtype == dns.TypeANY:
		for typ := range z.sets[h.Name] {
			if h.Name != z.origin || typ != dns.TypeNS {
				z.remove(h.Name, typ, func(dns.RR) bool { return true })
			}
		}
	default:
		z.remove(h.Name, h.Rrtype, func(dns.RR) bool { return true })
	}
}
