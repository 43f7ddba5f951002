package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/net/publicsuffix"
)

// A zone's name servers are chosen by whoever owns it. These bounds keep a hostile zone from making us ask half
// the internet; no honest one comes near.
const (
	maxHosts     = 16
	maxAddresses = 8 // per host
)

// host is one name server of a zone.
type host struct {
	name      string   // without the trailing dot
	addresses []string // host:port
	failed    string   // why there is no address
}

// apexOf finds the apex of the zone that holds name, with a trailing dot.
func (r *Resolver) apexOf(ctx context.Context, name string) (string, error) {
	return r.apexes.find(ctx, name, func(ctx context.Context) (string, error) { return r.climbToApex(ctx, name) })
}

// climbToApex asks for SOA from name upwards. A negative answer usually names the apex at once (RFC 2308, section
// 3); a name that is a CNAME says nothing about its own zone except that it is no apex.
func (r *Resolver) climbToApex(ctx context.Context, name string) (string, error) {
	for at := name; at != ""; at = parent(at) {
		m, err := r.recurse(ctx, at, dns.TypeSOA)
		if errors.Is(err, errServFail) && at == name {
			continue // the name may be a CNAME whose target is out of order, which is not this zone's fault
		}
		if err != nil {
			return "", err
		}
		if apex, ok := apexIn(m, at); ok {
			return apex, nil
		}
	}
	return "", errors.New("no zone found")
}

func apexIn(m *dns.Msg, name string) (string, bool) {
	for _, rr := range m.Answer {
		if !strings.EqualFold(rr.Header().Name, name) {
			continue
		}
		switch rr.(type) {
		case *dns.SOA:
			return dns.CanonicalName(name), true
		case *dns.CNAME:
			return "", false // the SOA in this answer belongs to the target's zone
		}
	}
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok && dns.IsSubDomain(soa.Hdr.Name, name) {
			return dns.CanonicalName(soa.Hdr.Name), true
		}
	}
	return "", false
}

// parent is the name one label up; the root's is empty.
func parent(name string) string {
	if name == "." {
		return ""
	}
	if next, end := dns.NextLabel(name, 0); !end {
		return name[next:]
	}
	return "."
}

// registry reports whether a zone belongs to a registry (the root, "com.", "co.uk.") rather than to a customer.
func registry(apex string) bool {
	name := plain(apex)
	if !strings.Contains(name, ".") {
		return true
	}
	suffix, icann := publicsuffix.PublicSuffix(name)
	return icann && suffix == name
}

// hostsOf finds the name servers of the zone at apex and all their addresses.
func (r *Resolver) hostsOf(ctx context.Context, apex string) ([]host, error) {
	return r.zones.find(ctx, apex, func(ctx context.Context) ([]host, error) {
		m, err := r.recurse(ctx, apex, dns.TypeNS)
		if err != nil {
			return nil, err
		}
		names := hostNames(m, apex)
		if len(names) == 0 {
			return nil, fmt.Errorf("the zone %s has no NS records", apex)
		}
		return each(names, func(name string) host { return r.host(ctx, name) }), nil
	})
}

func hostNames(m *dns.Msg, apex string) []string {
	var names []string
	for _, rr := range m.Answer {
		if ns, ok := rr.(*dns.NS); ok && strings.EqualFold(ns.Hdr.Name, apex) {
			names = append(names, dns.CanonicalName(ns.Ns))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxHosts)]
}

func (r *Resolver) host(ctx context.Context, name string) host {
	h := host{name: plain(name)}
	if r.authority != nil {
		if h.addresses = r.authority(h.name); len(h.addresses) > 0 {
			return h
		}
	}
	found := each([]uint16{dns.TypeA, dns.TypeAAAA}, func(kind uint16) addresses { return r.addresses(ctx, name, kind) })
	for _, f := range found {
		h.addresses = append(h.addresses, f.list...)
		if f.failed != "" {
			h.failed = f.failed
		}
	}
	h.addresses = h.addresses[:min(len(h.addresses), maxAddresses)]
	return h
}

type addresses struct {
	list   []string
	failed string
}

func (r *Resolver) addresses(ctx context.Context, name string, kind uint16) (a addresses) {
	m, err := r.recurse(ctx, name, kind)
	if err != nil {
		return addresses{failed: "its address cannot be found: " + err.Error()}
	}
	for _, rr := range m.Answer {
		ip, ok := address(rr)
		switch {
		case !ok:
		case !r.private && internal(ip):
			a.failed = "its address " + ip.String() + " is not public"
		default:
			a.list = append(a.list, net.JoinHostPort(ip.String(), "53"))
		}
	}
	return a
}

func address(rr dns.RR) (netip.Addr, bool) {
	var raw net.IP
	switch rr := rr.(type) {
	case *dns.A:
		raw = rr.A
	case *dns.AAAA:
		raw = rr.AAAA
	}
	ip, ok := netip.AddrFromSlice(raw)
	return ip.Unmap(), ok
}

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// internal reports whether an address leads into somebody's own network. A customer chooses the addresses of
// their name servers and must not make the portal knock on the doors behind its firewall.
func internal(ip netip.Addr) bool {
	return ip.IsPrivate() || !ip.IsGlobalUnicast() || carrierNAT.Contains(ip)
}

// plain is a name as people write it: no trailing dot.
func plain(name string) string { return strings.TrimSuffix(name, ".") }
