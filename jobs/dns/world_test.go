package dns_test

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"perennial/cmd/devportal/devdns"
	"perennial/jobs/dns"
	"perennial/tenants"

	wire "github.com/miekg/dns"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var shop = tenants.Delegation{Base: "shop.acme.example", Label: "k3v9q0d2m8x7c1f5b4n6a0tzwe", Zone: "certs.portal.example"}

// world is two authoritative servers that hold the same zones: ns1 is the first, ns2 the second. The first is also
// the recursive server.
type world struct {
	one, two *devdns.Server
	mu       sync.Mutex
	at       map[string]string // host → address
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{one: startDNS(t), two: startDNS(t)}
	w.at = map[string]string{"ns1": w.one.Addr, "ns2": w.two.Addr}
	return w
}

func startDNS(t *testing.T) *devdns.Server {
	t.Helper()
	s, err := devdns.Start(t.Context(), devdns.Config{
		TSIG: devdns.TSIG{Name: "perennial", Key: "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvbmx5ISE="},
		Zones: []devdns.Zone{
			{Apex: "acme.example", NS: []string{"ns1.acme.example", "ns2.acme.example"}},
			{Apex: "cdn.example", NS: []string{"ns1.cdn.example"}},
			{Apex: "certs.portal.example", NS: []string{"ns1.portal.example", "ns2.portal.example"}, Delegation: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// move puts the host, such as ns2 of every zone, at another address.
func (w *world) move(host, address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at[host] = address
}

func (w *world) authority(host string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	first, _, _ := strings.Cut(host, ".")
	return []string{w.at[first]}
}

func (w *world) resolver() *dns.Resolver {
	return dns.NewResolver(dns.ResolverConfig{Servers: []string{w.one.Addr}, Timeout: 250 * time.Millisecond, Authority: w.authority})
}

func (w *world) both(f func(*devdns.Server)) {
	f(w.one)
	f(w.two)
}

func set(t *testing.T, s *devdns.Server, name, typ string, values ...string) {
	t.Helper()
	if err := s.Set(name, typ, values...); err != nil {
		t.Fatal(err)
	}
}

// serve starts a name server with manners of its own and returns its address.
func serve(t *testing.T, handle func(w wire.ResponseWriter, r *wire.Msg, tcp bool)) string {
	t.Helper()
	l, p := samePort(t)
	var started sync.WaitGroup
	for _, s := range []*wire.Server{{PacketConn: p}, {Listener: l}} {
		s.Handler = wire.HandlerFunc(func(w wire.ResponseWriter, r *wire.Msg) { handle(w, r, s.Listener != nil) })
		started.Add(1)
		s.NotifyStartedFunc = started.Done
		go s.ActivateAndServe()
		t.Cleanup(func() { s.Shutdown() })
	}
	started.Wait()
	return l.Addr().String()
}

// samePort listens on one loopback port for both transports. A port that is free for TCP may be taken for UDP; then
// another is tried.
func samePort(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	var err error
	for range 10 {
		l, listening := net.Listen("tcp", "127.0.0.1:0")
		if listening != nil {
			t.Fatal(listening)
		}
		var p net.PacketConn
		if p, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			return l, p
		}
		l.Close()
	}
	t.Fatal(err)
	return nil, nil
}

// reply is an authoritative answer with these records in zone-file form.
func reply(r *wire.Msg, records ...string) *wire.Msg {
	m := new(wire.Msg).SetReply(r)
	m.Authoritative = true
	for _, text := range records {
		rr, err := wire.NewRR(text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}
