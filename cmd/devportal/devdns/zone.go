package devdns

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// zone holds the records of one zone. Record sets are replaced, never changed in place, so that an answer may be
// packed after the lock was given up.
type zone struct {
	Zone
	origin string // canonical: lower case, trailing dot
	serial uint32
	sets   map[string]map[uint16][]dns.RR
	below  map[string]int // how many names with records lie below a name: what makes an empty non-terminal exist
}

// AddZone hosts one more zone.
func (s *Server) AddZone(z Zone) error {
	origin := dns.CanonicalName(z.Apex)
	if err := checkName(origin); err != nil || origin == "." {
		return fmt.Errorf("zone %q is not a domain name", z.Apex)
	}
	z.Apex = trim(origin)
	if len(z.NS) == 0 {
		z.NS = []string{"ns1." + z.Apex}
	}
	n := &zone{Zone: z, origin: origin, serial: 1, sets: map[string]map[uint16][]dns.RR{}, below: map[string]int{}}
	for _, host := range z.NS {
		if err := n.addServer(host, s); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.zones[origin] != nil {
		return fmt.Errorf("zone %q is hosted already", z.Apex)
	}
	s.zones[origin] = n
	return nil
}

func (z *zone) addServer(host string, s *Server) error {
	ns, err := parseRR(z.origin, "NS", host, z.origin)
	if err != nil {
		return fmt.Errorf("name server of zone %s: %w", z.Apex, err)
	}
	z.insert(ns)
	name := dns.CanonicalName(host)
	if !dns.IsSubDomain(z.origin, name) {
		return nil
	}
	typ := "A"
	if s.address().Is6() {
		typ = "AAAA"
	}
	glue, err := parseRR(name, typ, s.address().String(), z.origin)
	if err != nil {
		return fmt.Errorf("address of name server %s: %w", host, err)
	}
	z.insert(glue)
	return nil
}

// Zones lists the zones, customers' first, each group by name.
func (s *Server) Zones() []Zone {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Zone
	for _, z := range s.zones {
		out = append(out, z.Zone)
	}
	slices.SortFunc(out, func(a, b Zone) int {
		if a.Delegation != b.Delegation {
			return map[bool]int{false: -1, true: 1}[a.Delegation]
		}
		return strings.Compare(a.Apex, b.Apex)
	})
	return out
}

// find is the closest zone that holds a canonical name, nil if none does.
func (s *Server) find(name string) *zone {
	for {
		if z := s.zones[name]; z != nil {
			return z
		}
		i, end := dns.NextLabel(name, 0)
		if end {
			return nil
		}
		name = name[i:]
	}
}

func (z *zone) exists(name string) bool {
	return name == z.origin || len(z.sets[name]) > 0 || z.below[name] > 0
}

// insert adds a record. A record that is there already stays alone; a CNAME replaces the CNAME before it.
func (z *zone) insert(rr dns.RR) {
	name, typ := rr.Header().Name, rr.Header().Rrtype
	set := z.sets[name][typ]
	if typ == dns.TypeCNAME {
		set = nil
	}
	if slices.ContainsFunc(set, func(old dns.RR) bool { return dns.IsDuplicate(old, rr) }) {
		return
	}
	z.put(name, typ, append(slices.Clone(set), rr))
}

// remove takes away the records of a set for which gone reports true.
func (z *zone) remove(name string, typ uint16, gone func(dns.RR) bool) int {
	old := z.sets[name][typ]
	left := slices.DeleteFunc(slices.Clone(old), gone)
	if len(left) != len(old) {
		z.put(name, typ, left)
	}
	return len(old) - len(left)
}

// put replaces a record set and keeps the count of names below each ancestor.
func (z *zone) put(name string, typ uint16, set []dns.RR) {
	z.serial++
	was := len(z.sets[name]) > 0
	if len(set) > 0 {
		if !was {
			z.sets[name] = map[uint16][]dns.RR{}
		}
		z.sets[name][typ] = set
	} else if was {
		delete(z.sets[name], typ)
		if len(z.sets[name]) == 0 {
			delete(z.sets, name)
		}
	}
	if is := len(z.sets[name]) > 0; is != was {
		z.count(name, map[bool]int{true: 1, false: -1}[is])
	}
}

func (z *zone) count(name string, by int) {
	for name != z.origin {
		i, _ := dns.NextLabel(name, 0)
		name = name[i:]
		if z.below[name] += by; z.below[name] == 0 {
			delete(z.below, name)
		}
	}
}

func (z *zone) soa() dns.RR {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: z.origin, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: negativeTTL},
		Ns:  dns.CanonicalName(z.NS[0]), Mbox: "hostmaster." + z.origin,
		Serial: z.serial, Refresh: 60, Retry: 60, Expire: 3600, Minttl: negativeTTL,
	}
}

// clash says why a record of a type cannot stand at a name, by the rule that a CNAME stands alone (RFC 1034, 3.6.2).
func (z *zone) clash(name string, typ uint16) error {
	sets := z.sets[name]
	if typ != dns.TypeCNAME && len(sets[dns.TypeCNAME]) > 0 {
		return fmt.Errorf("%s is a CNAME, and a CNAME stands alone. Delete it first", trim(name))
	}
	if typ != dns.TypeCNAME {
		return nil
	}
	if name == z.origin {
		return fmt.Errorf("%s is the top of the zone, which cannot be a CNAME. Choose a name below it", trim(name))
	}
	for _, other := range slices.Sorted(maps.Keys(sets)) {
		if other != dns.TypeCNAME {
			return fmt.Errorf("%s has %s records already, and a CNAME stands alone. Delete them first", trim(name), dns.TypeToString[other])
		}
	}
	return nil
}
