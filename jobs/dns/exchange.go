package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// tries is how often a question is sent when nothing comes back: UDP loses packets.
	tries = 2
	// payload is the UDP size we offer (RFC 6891). It avoids IP fragments on every usual path, which are both lost
	// and forged more easily than whole packets.
	payload = 1232
)

// Failures are shown to people as they are, hence words and not sentences.
var (
	errNoAnswer = errors.New("no answer")
	errServFail = errors.New("SERVFAIL")
	errNXDomain = errors.New("NXDOMAIN")
)

// question is one question as it goes to one server.
type question struct {
	name    string // with the trailing dot
	kind    uint16
	recurse bool // ask the server to find out, rather than for what it holds itself
}

func (q question) message(edns bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(q.name, q.kind)
	m.RecursionDesired = q.recurse
	if edns {
		m.SetEdns0(payload, false)
	}
	return m
}

// ask puts a question to one server, host:port. The error says in words why there is no answer; an answer with a
// failing response code is no error here.
func (r *Resolver) ask(ctx context.Context, server string, q question) (*dns.Msg, error) {
	for range tries {
		m, err := r.try(ctx, server, q)
		if err == nil {
			return m, nil
		}
		if ctx.Err() != nil || !timedOut(err) {
			break
		}
	}
	return nil, errNoAnswer
}

// try asks over UDP, and again over TCP when the answer was cut short. A server that does not know EDNS is asked
// without it (RFC 6891, section 7).
func (r *Resolver) try(ctx context.Context, server string, q question) (*dns.Msg, error) {
	m, err := r.exchange(ctx, "udp", server, q.message(true))
	if err == nil && m.Rcode == dns.RcodeFormatError && m.IsEdns0() == nil {
		m, err = r.exchange(ctx, "udp", server, q.message(false))
	}
	if err == nil && m.Truncated {
		m, err = r.exchange(ctx, "tcp", server, q.message(true))
	}
	return m, err
}

// exchange sends one message and waits for its answer, at most the resolver's timeout.
func (r *Resolver) exchange(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, fmt.Errorf("dial name server: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()

	wire := &dns.Conn{Conn: conn, UDPSize: payload}
	if err := wire.WriteMsg(m); err != nil {
		return nil, fmt.Errorf("send question: %w", err)
	}
	for {
		raw, err := wire.ReadMsgHeader(nil)
		if err != nil && !errors.Is(err, dns.ErrShortRead) {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		if in, ok := answerTo(m, raw); ok {
			return in, nil
		}
		if network == "tcp" { // nobody can have slipped another message into the stream
			return nil, errors.New("read answer: it answers another question")
		}
	}
}

// answerTo reads a message and reports whether it answers m: same id, same question, a response. Whatever else
// arrives is noise or forgery. Servers may send a failing response code as a bare header.
func answerTo(m *dns.Msg, raw []byte) (*dns.Msg, bool) {
	in := new(dns.Msg)
	if err := in.Unpack(raw); err != nil && !in.Truncated { // some cut in the middle of a record
		return nil, false
	}
	if in.Id != m.Id || !in.Response || in.Opcode != m.Opcode {
		return nil, false
	}
	if len(in.Question) == 0 {
		return in, in.Truncated || !usable(in.Rcode)
	}
	asked, got := m.Question[0], in.Question[0]
	same := strings.EqualFold(asked.Name, got.Name) && asked.Qtype == got.Qtype && asked.Qclass == got.Qclass
	return in, same && len(in.Question) == 1
}

// usable reports whether a response code says something about the name rather than about the server.
func usable(rcode int) bool { return rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError }

// rcodeError is a failing response code in the word that DNS people know it by.
func rcodeError(rcode int) error {
	switch rcode {
	case dns.RcodeServerFailure:
		return errServFail
	case dns.RcodeNameError:
		return errNXDomain
	}
	if word, ok := dns.RcodeToString[rcode]; ok {
		return errors.New(word)
	}
	return fmt.Errorf("response code %d", rcode)
}

func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// recurse asks the configured recursive servers. The next one is asked only when one is silent or refuses;
// SERVFAIL is final, because a server that validates says it on purpose and the next one may not validate. The
// server that answered last is asked first.
func (r *Resolver) recurse(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	err := errors.New("no recursive name server is configured")
	first := r.first.Load()
	for i := range r.recursive {
		at := (int(first) + i) % len(r.recursive)
		m, failed := r.ask(ctx, r.recursive[at], question{name, kind, true})
		if failed == nil && !usable(m.Rcode) {
			failed = rcodeError(m.Rcode)
		}
		if failed == nil || errors.Is(failed, errServFail) {
			r.first.Store(int32(at))
			return m, failed
		}
		err = failed
	}
	return nil, err
}
