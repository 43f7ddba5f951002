package devdns

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Fault is a way to misbehave. Its zero value misbehaves in no way.
type Fault struct {
	Rcode  string        // answer with this code and nothing else: SERVFAIL, REFUSED, NXDOMAIN, NOTAUTH …
	Silent bool          // never answer
	Delay  time.Duration // answer, but so much later

	Types   []string // only questions of these types, such as "CAA"; none means all
	Updates bool     // hit updates of the zone instead of questions
	Applied bool     // for updates: make the change all the same and only then fail
	Times   int      // how often, 0 until healed
}

// faults are looked up for every question, so the common case of none costs one read lock.
type faults struct {
	mu    sync.RWMutex
	exact map[string][]*Fault
	tree  map[string][]*Fault
}

// Break makes the server misbehave for exactly this name; for updates the name is that of the zone. Several faults
// of one name are tried in the order in which they were given.
func (s *Server) Break(name string, f Fault) { s.faults.add(&s.faults.exact, name, f) }

// BreakBelow makes the server misbehave for this name and every name below it; "." is everything.
func (s *Server) BreakBelow(name string, f Fault) { s.faults.add(&s.faults.tree, name, f) }

// Heal ends all faults that were given for exactly these names, with Break or BreakBelow; without names, all faults.
func (s *Server) Heal(names ...string) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if len(names) == 0 {
		clear(s.faults.exact)
		clear(s.faults.tree)
	}
	for _, name := range names {
		delete(s.faults.exact, dns.CanonicalName(name))
		delete(s.faults.tree, dns.CanonicalName(name))
	}
}

func (fs *faults) add(in *map[string][]*Fault, name string, f Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if *in == nil {
		*in = map[string][]*Fault{}
	}
	name = dns.CanonicalName(name)
	(*in)[name] = append((*in)[name], &f)
}

// hit is the fault that this question or update meets, with one of its times used up.
func (fs *faults) hit(name string, qtype uint16, update bool) (Fault, bool) {
	fs.mu.RLock()
	none := len(fs.exact) == 0 && len(fs.tree) == 0
	fs.mu.RUnlock()
	if none {
		return Fault{}, false
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := take(fs.exact, name, qtype, update); ok {
		return f, true
	}
	for {
		if f, ok := take(fs.tree, name, qtype, update); ok || name == "." {
			return f, ok
		}
		name = parent(name)
	}
}

func take(in map[string][]*Fault, name string, qtype uint16, update bool) (Fault, bool) {
	for i, f := range in[name] {
		if f.Updates != update || !f.concerns(qtype) {
			continue
		}
		hit := *f
		if f.Times--; f.Times == 0 {
			if in[name] = slices.Delete(in[name], i, i+1); len(in[name]) == 0 {
				delete(in, name)
			}
		}
		return hit, true
	}
	return Fault{}, false
}

func (f *Fault) concerns(qtype uint16) bool {
	return f.Updates || len(f.Types) == 0 || slices.ContainsFunc(f.Types, func(t string) bool {
		return dns.StringToType[strings.ToUpper(t)] == qtype
	})
}

func parent(name string) string {
	i, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[i:]
}

// Counts is what the server has been asked since it started.
type Counts struct {
	Queries int // over both transports
	TCP     int // of these, over TCP
	Updates int // that were asked for
	Changed int // that were carried out
}

type counts struct {
	mu    sync.Mutex
	total Counts
	names map[question]int
}

type question struct {
	name string
	typ  uint16
}

// Counts returns the totals.
func (s *Server) Counts() Counts {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return s.counts.total
}

// Asked is how often a type was asked for at exactly this name, including questions that met a fault. A name that was
// reached through an alias was not asked for.
func (s *Server) Asked(name, typ string) int {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return s.counts.names[question{dns.CanonicalName(name), dns.StringToType[strings.ToUpper(typ)]}]
}

func (c *counts) query(name string, typ uint16, tcp bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Queries++
	if tcp {
		c.total.TCP++
	}
	if c.names == nil {
		c.names = map[question]int{}
	}
	c.names[question{name, typ}]++
}

func (c *counts) update(changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Updates++
	if changed {
		c.total.Changed++
	}
}
