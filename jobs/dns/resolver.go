package dns

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"perennial/tenants"

	"github.com/miekg/dns"
)

// ResolverConfig says whom to ask, and for how long.
type ResolverConfig struct {
	// Servers are recursive name servers, host or host:port, best ones first. Empty: those of /etc/resolv.conf.
	// They should validate DNSSEC, as CAs do.
	Servers []string
	// Timeout is how long one try of one question may take; a lost question is sent twice. Zero: 3 s.
	Timeout time.Duration
	// Keep is how long the whereabouts of a zone's name servers are remembered. Zero: one minute.
	Keep time.Duration
	// Authority gives port and addresses (host:port) of a name server, for split-horizon and development, where
	// the world's view of it is of no use. nil, or an empty answer: its A and AAAA records, port 53.
	Authority func(host string) []string
	// Private allows name servers at private addresses, for a CA inside one's own network. Addresses that
	// Authority gives are always allowed.
	Private bool
}

// Resolver looks at DNS. It may be used by many at once.
type Resolver struct {
	recursive []string
	first     atomic.Int32 // index of the recursive server that answered last
	timeout   time.Duration
	authority func(host string) []string
	private   bool
	apexes    *cache[string] // name → apex of its zone
	zones     *cache[[]host] // apex → name servers
}

// NewResolver makes a resolver. It opens nothing; when no recursive server can be found, every answer says so.
func NewResolver(c ResolverConfig) *Resolver {
	r := &Resolver{timeout: c.Timeout, authority: c.Authority, private: c.Private}
	if r.timeout <= 0 {
		r.timeout = 3 * time.Second
	}
	keep := c.Keep
	if keep <= 0 {
		keep = time.Minute
	}
	r.apexes, r.zones = newCache[string](keep), newCache[[]host](keep)
	servers := c.Servers
	if len(servers) == 0 {
		servers = systemServers()
	}
	for _, s := range servers {
		r.recursive = append(r.recursive, withPort(s, "53"))
	}
	return r
}

func systemServers() []string {
	c, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	return c.Servers
}

// withPort adds a port to an address that has none.
func withPort(address, port string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), port)
}

// Look asks every authoritative server for the delegation, and climbs for CAA as a CA does (RFC 8659, section 3).
// It never fails: what could not be asked is part of the answer. When ctx ends early the answer is worth nothing,
// which the caller must notice.
//
// When the zone or its servers cannot be found, Check.Delegation holds one line, for the recursive name server: Missing
// and "NXDOMAIN" when the domain does not exist, otherwise Silent and the failure. Check.Zone is empty when it is not
// known. Check.Blind tells a failure of the recursive servers themselves from one of those whom they ask.
func (r *Resolver) Look(ctx context.Context, d tenants.Delegation, now time.Time) tenants.Check {
	c := tenants.Check{At: now}
	var both sync.WaitGroup
	both.Go(func() { c.Zone, c.Delegation = r.delegation(ctx, d) })
	both.Go(func() { c.CAA = r.caa(ctx, d.Base) })
	both.Wait()
	if unanswered(c) {
		c.Blind = !r.sighted(ctx)
	}
	return c
}

// unanswered reports whether a look failed at the recursive servers: their fault, or that of whom they asked in turn.
func unanswered(c tenants.Check) bool {
	lost := func(a tenants.Asked) bool { return a.Server == recursiveServer && a.Result == tenants.Silent }
	return slices.ContainsFunc(c.Delegation, lost) ||
		slices.ContainsFunc(c.CAA, func(a tenants.AskedCAA) bool { return a.Failed != "" })
}

// sighted asks the recursive servers what every working one knows.
func (r *Resolver) sighted(ctx context.Context) bool {
	_, err := r.recurse(ctx, ".", dns.TypeNS)
	return err == nil
}

func (r *Resolver) delegation(ctx context.Context, d tenants.Delegation) (zone string, asked []tenants.Asked) {
	name := dns.CanonicalName(d.Name())
	apex, err := r.apexOf(ctx, name)
	if err == nil && registry(apex) && r.absent(ctx, dns.CanonicalName(d.Base)) {
		err = errNXDomain
	}
	if err != nil {
		return "", []tenants.Asked{unfound(err)}
	}
	hosts, err := r.hostsOf(ctx, apex)
	if err != nil {
		return plain(apex), []tenants.Asked{unfound(err)}
	}
	want := dns.CanonicalName(d.Target())
	asked = r.askAll(ctx, hosts, question{name, dns.TypeCNAME, false}, func(m *dns.Msg) verdict { return readCNAME(m, name, want) })
	if silent(asked) {
		r.forget(name, apex)
	}
	return plain(apex), asked
}

// Visible asks every authoritative server of our zone for a TXT value: seen of asked servers show it. The error is
// a *Fault when not a single server could be asked, or wraps the end of ctx. The zone is looked up by the name
// above record, since our labels are never zones of their own: that is remembered, so that a call is one round
// trip to each server.
func (r *Resolver) Visible(ctx context.Context, record, value string) (seen, asked int, err error) {
	name := dns.CanonicalName(record)
	above := parent(name)
	apex, err := r.apexOf(ctx, above)
	var hosts []host
	if err == nil {
		hosts, err = r.hostsOf(ctx, apex)
	}
	if err != nil {
		return 0, 0, silence(ctx, "find the name servers of "+plain(above)+": "+err.Error())
	}
	answers := r.askAll(ctx, hosts, question{name, dns.TypeTXT, false}, func(m *dns.Msg) verdict { return readTXT(m, name, value) })
	for _, a := range answers {
		if a.Result == tenants.Right {
			seen++
		}
	}
	if silent(answers) {
		r.forget(above, apex)
		return 0, len(answers), silence(ctx, "ask "+answers[0].Server+" for "+record+": "+answers[0].Got)
	}
	return seen, len(answers), nil
}

// forget makes the next look find the servers anew: they may have moved.
func (r *Resolver) forget(name, apex string) {
	r.apexes.forget(name)
	r.zones.forget(apex)
}

func (r *Resolver) absent(ctx context.Context, name string) bool {
	m, err := r.recurse(ctx, name, dns.TypeSOA)
	return err == nil && m.Rcode == dns.RcodeNameError && len(m.Answer) == 0
}

// recursiveServer stands for whichever of them was asked.
const recursiveServer = "recursive name server"

func unfound(err error) tenants.Asked {
	a := tenants.Asked{Server: recursiveServer, Got: err.Error(), Result: tenants.Silent}
	if err == errNXDomain {
		a.Result = tenants.Missing
	}
	return a
}

func silent(asked []tenants.Asked) bool {
	for _, a := range asked {
		if a.Result != tenants.Silent {
			return false
		}
	}
	return true
}
