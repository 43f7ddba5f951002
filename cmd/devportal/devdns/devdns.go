// Package devdns is the DNS of a development world: one authoritative server on a loopback port, over UDP and TCP,
// that hosts a few zones in memory.
//
// A zone belongs either to a customer, who edits it on the web page of [Page], or to the portal's operator: the
// delegation zone, which only takes signed updates (RFC 2136 with TSIG, RFC 8945). Tests change any zone in process.
//
// The server plays three parts. Without recursion desired it answers like an authoritative server: aliases are
// followed as far as it hosts their targets, a name that only has names below it exists, denials carry the SOA, and a
// name outside its zones is refused. With recursion desired it answers like a resolver in a world where nothing but
// its zones exists, because the CA of the development world asks it so. And it misbehaves on request: see [Fault].
package devdns

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Config is what Start needs. The zero value is a server without zones on a free port.
type Config struct {
	Listen string       // host:port for UDP and TCP, default 127.0.0.1:0; port 0 picks a free one
	Zones  []Zone       // what it hosts
	TSIG   TSIG         // who may update delegation zones; a missing name, algorithm or key is filled in
	Log    *slog.Logger // default: silent
}

// Zone is one zone the server hosts.
type Zone struct {
	Apex       string   // without trailing dot
	NS         []string // name servers, default ns1.<apex>; those inside the zone get the listening address
	Delegation bool     // the operator's: takes signed updates and is read-only on the page
}

// TSIG is the key that signs updates.
type TSIG struct {
	Name      string // default "perennial"
	Algorithm string // as in RFC 8945, default "hmac-sha256"
	Key       string // base64; default 32 random bytes
}

// Server is a running server. All methods may be called at any time from any goroutine.
type Server struct {
	Addr string // host:port of both UDP and TCP

	tsig      TSIG
	log       *slog.Logger
	udp, tcp  *dns.Server
	done      chan struct{}
	closeOnce sync.Once
	closeErr  error

	mu    sync.RWMutex
	zones map[string]*zone // by canonical apex

	faults faults
	counts counts
}

// Start serves until ctx ends or Close is called.
func Start(ctx context.Context, c Config) (*Server, error) {
	tsig, err := c.TSIG.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{
		tsig: tsig, done: make(chan struct{}), zones: map[string]*zone{},
		log: cmp.Or(c.Log, slog.New(slog.NewTextHandler(io.Discard, nil))),
	}
	packets, listener, err := listen(cmp.Or(c.Listen, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	s.Addr = listener.Addr().String()
	for _, z := range c.Zones {
		if err := s.AddZone(z); err != nil {
			return nil, errors.Join(err, packets.Close(), listener.Close())
		}
	}
	s.serve(packets, listener)
	context.AfterFunc(ctx, func() { s.Close() })
	return s, nil
}

// listen opens the same port for both transports. The kernel picks a port that is free for TCP, which another
// process may hold for UDP; then the next one is tried.
func listen(addr string) (net.PacketConn, net.Listener, error) {
	for try := 0; ; try++ {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, fmt.Errorf("listen for DNS: %w", err)
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return p, l, nil
		}
		l.Close()
		if try == 9 || !strings.HasSuffix(addr, ":0") {
			return nil, nil, fmt.Errorf("listen for DNS: %w", err)
		}
	}
}

func (s *Server) serve(packets net.PacketConn, listener net.Listener) {
	base := dns.Server{
		Handler:       dns.HandlerFunc(s.handle),
		TsigSecret:    map[string]string{dns.CanonicalName(s.tsig.Name): s.tsig.Key},
		MsgAcceptFunc: accept,
		MaxTCPQueries: -1,
		UDPSize:       4096,
	}
	s.udp, s.tcp = &dns.Server{}, &dns.Server{}
	var started sync.WaitGroup
	for _, srv := range []*dns.Server{s.udp, s.tcp} {
		srv.Handler, srv.TsigSecret, srv.MsgAcceptFunc = base.Handler, base.TsigSecret, base.MsgAcceptFunc
		srv.MaxTCPQueries, srv.UDPSize = base.MaxTCPQueries, base.UDPSize
		started.Add(1)
		srv.NotifyStartedFunc = started.Done
	}
	s.udp.PacketConn, s.tcp.Listener = packets, listener
	for _, srv := range []*dns.Server{s.udp, s.tcp} {
		go func() {
			if err := srv.ActivateAndServe(); err != nil {
				s.log.Warn("dns server stopped", "err", err)
			}
		}()
	}
	started.Wait()
}

// accept lets updates through, which the library refuses by default.
func accept(h dns.Header) dns.MsgAcceptAction {
	const response, opcodes = 1 << 15, 0xF
	switch {
	case h.Bits&response != 0:
		return dns.MsgIgnore
	case int(h.Bits>>11)&opcodes == dns.OpcodeUpdate:
		return dns.MsgAccept
	}
	return dns.DefaultMsgAcceptFunc(h)
}

// Close stops serving. Queries that are being delayed by a fault are dropped.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		close(s.done)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.closeErr = errors.Join(s.udp.ShutdownContext(ctx), s.tcp.ShutdownContext(ctx))
	})
	return s.closeErr
}

// TSIG is the key that may update delegation zones.
func (s *Server) TSIG() TSIG { return s.tsig }

func (t TSIG) complete() (TSIG, error) {
	t.Name = strings.TrimSuffix(cmp.Or(t.Name, "perennial"), ".")
	t.Algorithm = strings.TrimSuffix(cmp.Or(t.Algorithm, "hmac-sha256"), ".")
	if t.Key == "" {
		raw := make([]byte, 32)
		rand.Read(raw)
		t.Key = base64.StdEncoding.EncodeToString(raw)
	}
	known := []string{dns.HmacSHA1, dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512}
	if !slices.Contains(known, dns.CanonicalName(t.Algorithm)) {
		return t, fmt.Errorf("tsig algorithm %q is unknown", t.Algorithm)
	}
	if _, err := base64.StdEncoding.DecodeString(t.Key); err != nil {
		return t, fmt.Errorf("decode tsig key: %w", err)
	}
	return t, nil
}

// address is what the names of our own name servers resolve to.
func (s *Server) address() netip.Addr {
	ap, err := netip.ParseAddrPort(s.Addr)
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return ap.Addr().Unmap()
}
