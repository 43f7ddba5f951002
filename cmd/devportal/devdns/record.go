package devdns

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

const (
	recordTTL   = 5 // short: in this world everything changes while somebody watches
	negativeTTL = 1
)

// types are what can be written in process; the page offers all but the last.
var types = []string{"CNAME", "TXT", "CAA", "A", "AAAA", "MX", "NS"}

// Record is one record as people write it.
type Record struct {
	Name  string // absolute, lower case, without trailing dot
	Type  string
	Value string // host names without trailing dot, TXT without quotes, CAA as 0 issue "ca.example"
	TTL   uint32
}

// Set makes values the whole record set of a type at a name; none of them deletes the set.
func (s *Server) Set(name, typ string, values ...string) error {
	return s.edit(name, typ, values, func(z *zone, owner string, code uint16, rrs []dns.RR) error {
		if len(rrs) > 0 {
			if err := z.clash(owner, code); err != nil {
				return err
			}
		}
		if code == dns.TypeCNAME && len(rrs) > 1 {
			return fmt.Errorf("%s would have %d CNAMEs. A name has one at most", trim(owner), len(rrs))
		}
		z.put(owner, code, nil)
		for _, rr := range rrs {
			z.insert(rr)
		}
		return nil
	})
}

// Add adds values to what is there; a value that is there already is left as it is. Two CNAMEs at one name are an
// error, and so is a CNAME beside anything else.
func (s *Server) Add(name, typ string, values ...string) error {
	return s.edit(name, typ, values, func(z *zone, owner string, code uint16, rrs []dns.RR) error {
		for _, rr := range rrs {
			if err := z.addable(owner, code, rr); err != nil {
				return err
			}
			z.insert(rr)
		}
		return nil
	})
}

func (z *zone) addable(owner string, code uint16, rr dns.RR) error {
	if err := z.clash(owner, code); err != nil {
		return err
	}
	for _, old := range z.sets[owner][code] {
		if code == dns.TypeCNAME && !dns.IsDuplicate(old, rr) {
			return fmt.Errorf("%s points to %s already, and a name has one CNAME at most. Delete it first", trim(owner), value(old))
		}
	}
	return nil
}

// Delete removes values, or the whole record set of a type when none are given. What is not there is no error.
func (s *Server) Delete(name, typ string, values ...string) error {
	return s.edit(name, typ, values, func(z *zone, owner string, code uint16, rrs []dns.RR) error {
		z.remove(owner, code, func(old dns.RR) bool {
			return len(rrs) == 0 || slices.ContainsFunc(rrs, func(rr dns.RR) bool { return dns.IsDuplicate(old, rr) })
		})
		return nil
	})
}

// edit parses a change outside the lock and makes it inside.
func (s *Server) edit(name, typ string, values []string, change func(*zone, string, uint16, []dns.RR) error) error {
	owner := dns.CanonicalName(name)
	if err := checkName(owner); err != nil {
		return err
	}
	code, ok := dns.StringToType[strings.ToUpper(typ)]
	if !ok || !slices.Contains(types, strings.ToUpper(typ)) {
		return fmt.Errorf("record type %q is not supported. Use one of %s", typ, strings.Join(types, ", "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.find(owner)
	if z == nil {
		return fmt.Errorf("%s lies in no zone of this server", trim(owner))
	}
	var rrs []dns.RR
	for _, v := range values {
		rr, err := parseRR(owner, typ, v, z.origin)
		if err != nil {
			return err
		}
		rrs = append(rrs, rr)
	}
	return change(z, owner, code, rrs)
}

// Lookup returns the values of a type at exactly this name; aliases are not followed.
func (s *Server) Lookup(name, typ string) []string {
	owner := dns.CanonicalName(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	z := s.find(owner)
	if z == nil {
		return nil
	}
	var out []string
	for _, rr := range z.sets[owner][dns.StringToType[strings.ToUpper(typ)]] {
		out = append(out, value(rr))
	}
	return out
}

// List is every record of a zone except its SOA, the top of the zone first, then by name; nil for a zone that is not
// hosted.
func (s *Server) List(apex string) []Record {
	s.mu.RLock()
	defer s.mu.RUnlock()
	z := s.zones[dns.CanonicalName(apex)]
	if z == nil {
		return nil
	}
	var out []Record
	for _, name := range slices.SortedFunc(maps.Keys(z.sets), canonicalOrder) {
		for _, typ := range slices.Sorted(maps.Keys(z.sets[name])) {
			for _, rr := range z.sets[name][typ] {
				out = append(out, Record{trim(name), dns.Type(typ).String(), value(rr), rr.Header().Ttl})
			}
		}
	}
	return out
}

// canonicalOrder sorts names label by label from the right (RFC 4034, 6.1), so that a zone reads as a tree.
func canonicalOrder(a, b string) int {
	x, y := dns.SplitDomainName(a), dns.SplitDomainName(b)
	slices.Reverse(x)
	slices.Reverse(y)
	return slices.Compare(x, y)
}

// parseRR reads a value as people write it. Every field is parsed by hand: a zone file parser would take a semicolon
// for a comment and silently drop the rest.
func parseRR(owner, typ, text, origin string) (dns.RR, error) {
	typ, text = strings.ToUpper(typ), strings.TrimSpace(text)
	hdr := dns.RR_Header{Name: owner, Rrtype: dns.StringToType[typ], Class: dns.ClassINET, Ttl: recordTTL}
	if text == "" {
		return nil, errors.New("the value is empty. Enter what the record says")
	}
	switch typ {
	case "A", "AAAA":
		return parseAddress(hdr, typ, text)
	case "CNAME":
		host, err := parseHost(text, origin)
		return &dns.CNAME{Hdr: hdr, Target: host}, err
	case "NS":
		host, err := parseHost(text, origin)
		return &dns.NS{Hdr: hdr, Ns: host}, err
	case "MX":
		return parseMX(hdr, text, origin)
	case "TXT":
		return parseTXT(hdr, text)
	case "CAA":
		return parseCAA(hdr, text)
	}
	return nil, fmt.Errorf("record type %q is not supported. Use one of %s", typ, strings.Join(types, ", "))
}

func parseAddress(hdr dns.RR_Header, typ, text string) (dns.RR, error) {
	addr, err := netip.ParseAddr(text)
	switch {
	case typ == "A" && err == nil && addr.Is4():
		return &dns.A{Hdr: hdr, A: addr.AsSlice()}, nil
	case typ == "AAAA" && err == nil && addr.Is6() && addr.Zone() == "":
		return &dns.AAAA{Hdr: hdr, AAAA: addr.AsSlice()}, nil
	case typ == "A":
		return nil, fmt.Errorf("%q is not an IPv4 address. Enter an address such as 192.0.2.10", text)
	}
	return nil, fmt.Errorf("%q is not an IPv6 address. Enter an address such as 2001:db8::10", text)
}

// parseHost reads a host name. One with a dot inside is absolute, with or without a dot at the end, because that is
// how people copy names; a single label lies in the zone.
func parseHost(text, origin string) (string, error) {
	host := dns.CanonicalName(text)
	if !strings.Contains(text, ".") {
		host = dns.CanonicalName(text + "." + origin)
	}
	if text == "@" {
		host = origin
	}
	return host, checkName(host)
}

func parseMX(hdr dns.RR_Header, text, origin string) (dns.RR, error) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return nil, errors.New("an MX value has two parts. Enter one such as 10 mail.acme.example")
	}
	n, err := strconv.ParseUint(fields[0], 10, 16)
	if err != nil {
		return nil, fmt.Errorf("the preference %q is not a number from 0 to 65535. Enter one such as 10", fields[0])
	}
	host, err := parseHost(fields[1], origin)
	return &dns.MX{Hdr: hdr, Preference: uint16(n), Mx: host}, err
}

// parseTXT takes the text as it is, without quotes, and cuts it into character strings of 255 bytes.
func parseTXT(hdr dns.RR_Header, text string) (dns.RR, error) {
	if len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	if len(text) > 4000 {
		return nil, fmt.Errorf("the text has %d characters. A TXT record here holds 4000", len(text))
	}
	rr := &dns.TXT{Hdr: hdr, Txt: []string{}}
	for chunk := range slices.Chunk([]byte(text), 255) {
		rr.Txt = append(rr.Txt, escapeTXT(chunk))
	}
	return rr, nil
}

func parseCAA(hdr dns.RR_Header, text string) (dns.RR, error) {
	flag, rest, _ := strings.Cut(text, " ")
	tag, val, ok := strings.Cut(strings.TrimSpace(rest), " ")
	if !ok {
		return nil, errors.New(`a CAA value has three parts. Enter one such as 0 issue "ca.example"`)
	}
	n, err := strconv.ParseUint(flag, 10, 8)
	if err != nil {
		return nil, fmt.Errorf("the flag %q is not a number from 0 to 255. Enter 0, or 128 for critical", flag)
	}
	if strings.Trim(strings.ToLower(tag), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, fmt.Errorf("the tag %q has other signs than letters and digits. Enter issue, issuewild or iodef", tag)
	}
	val = strings.TrimSpace(val)
	if len(val) > 1 && val[0] == '"' && val[len(val)-1] == '"' {
		val = val[1 : len(val)-1]
	}
	return &dns.CAA{Hdr: hdr, Flag: uint8(n), Tag: strings.ToLower(tag), Value: val}, nil
}

// value writes the data of a record the way parseRR reads it.
func value(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.CNAME:
		return trim(rr.Target)
	case *dns.NS:
		return trim(rr.Ns)
	case *dns.MX:
		return fmt.Sprintf("%d %s", rr.Preference, trim(rr.Mx))
	case *dns.TXT:
		return unescapeTXT(strings.Join(rr.Txt, ""))
	case *dns.CAA:
		return fmt.Sprintf("%d %s %q", rr.Flag, rr.Tag, rr.Value)
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}

// escapeTXT writes bytes in the library's presentation form, in which a backslash starts an escape.
func escapeTXT(raw []byte) string {
	var b strings.Builder
	for _, c := range raw {
		switch {
		case c == '\\' || c == '"':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescapeTXT(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 10, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		i++
		b.WriteByte(s[i])
	}
	return b.String()
}

// checkName accepts what DNS accepts of host names and of the underscore labels that services use.
func checkName(name string) error {
	if len(name) > 254 {
		return fmt.Errorf("the name has %d characters. DNS allows 253", len(name)-1)
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		switch {
		case label == "":
			return fmt.Errorf("%q has an empty part between two dots. Take one dot out", trim(name))
		case len(label) > 63:
			return fmt.Errorf("the part %q has %d characters. DNS allows 63", label, len(label))
		case label != "*" && strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
			return fmt.Errorf("the part %q has a sign that does not belong there. Use letters a to z, digits, hyphens and underscores", label)
		}
	}
	return nil
}

func trim(name string) string { return strings.TrimSuffix(name, ".") }
