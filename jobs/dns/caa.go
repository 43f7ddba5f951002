package dns

import (
	"context"
	"errors"
	"strings"

	"perennial/tenants"

	"github.com/miekg/dns"
)

// maxAliases is how many CNAMEs are followed from one name, as common resolvers do.
const maxAliases = 8

// caa climbs from base to the top-level domain and stops at the first name with records, or at the first that
// could not be asked. All names are asked at once, since the recursive servers know most of them.
func (r *Resolver) caa(ctx context.Context, base string) []tenants.AskedCAA {
	var names []string
	for name := dns.CanonicalName(base); name != "." && name != ""; name = parent(name) {
		names = append(names, name)
	}
	asked := each(names, func(name string) tenants.AskedCAA { return r.caaAt(ctx, name) })
	for i, a := range asked {
		if a.Failed != "" || len(a.Records) > 0 {
			return asked[:i+1]
		}
	}
	return asked
}

// caaAt finds the CAA records of one name. A CNAME is followed, and records at its target count as the name's own;
// the climb itself never goes up from the target (RFC 8659, section 3, and its appendix on RFC 6844).
func (r *Resolver) caaAt(ctx context.Context, name string) tenants.AskedCAA {
	asked := tenants.AskedCAA{Name: plain(name)}
	at := name
	for range maxAliases {
		m, err := r.recurse(ctx, at, dns.TypeCAA)
		if err != nil {
			asked.Failed = err.Error()
			return asked
		}
		end, loop := follow(m, at)
		if loop {
			break
		}
		if asked.Records = caaOf(m, end); len(asked.Records) > 0 || complete(m, at, end) {
			return asked
		}
		at = end
	}
	asked.Failed = errAliases.Error()
	return asked
}

var errAliases = errors.New("its CNAMEs lead in a circle or too far")

// follow walks the CNAMEs inside one answer.
func follow(m *dns.Msg, name string) (end string, loop bool) {
	next := make(map[string]string)
	for _, rr := range m.Answer {
		if c, ok := rr.(*dns.CNAME); ok {
			next[dns.CanonicalName(c.Hdr.Name)] = dns.CanonicalName(c.Target)
		}
	}
	for range maxAliases {
		to, ok := next[name]
		if !ok {
			return name, false
		}
		name = to
	}
	return name, true
}

// complete reports whether an answer without records says all there is: no CNAME, or a chain that was followed to
// an end that has none. Otherwise the server stopped on the way and the end must be asked for.
func complete(m *dns.Msg, from, end string) bool {
	if from == end || m.Rcode == dns.RcodeNameError {
		return true
	}
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok && dns.IsSubDomain(soa.Hdr.Name, end) {
			return true
		}
	}
	return false
}

func caaOf(m *dns.Msg, name string) []tenants.CAA {
	var records []tenants.CAA
	for _, rr := range m.Answer {
		if c, ok := rr.(*dns.CAA); ok && strings.EqualFold(c.Hdr.Name, name) {
			records = append(records, tenants.CAA{Flags: c.Flag, Tag: c.Tag, Value: c.Value})
		}
	}
	return records
}
