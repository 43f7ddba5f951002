package dns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"perennial/tenants"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"
)

// lifespan is the TTL of what we write. A CA that looks too early should not remember the old values for long.
const lifespan = time.Minute

// Writer writes TXT values through one account at a DNS provider. It may be used by many at once. Open one per
// account and share it: where a provider reads, changes and writes back, the order of those steps is kept inside.
type Writer struct {
	hand    hand
	limit   time.Duration
	secrets []string
}

// hand is a provider as the Writer needs it.
type hand interface {
	// present makes sure that the value exists, beside any others at its name.
	present(context.Context, txt) error
	// remove makes sure that the value does not exist; others stay.
	remove(context.Context, txt) error
	// silent reports whether err means that the provider could not be reached or cannot serve now. Any other
	// error is its refusal.
	silent(err error) bool
}

// Fault is a write that did not happen, or a zone whose servers cannot be asked. Code is WriteRefused when the
// provider said no, which wants a human, and WriteSilent when it said nothing or "not now", which time may heal.
// After WriteSilent the record may or may not have been written.
type Fault struct {
	Code tenants.Code
	Raw  string // the provider's or the library's own words, without our credentials
}

func (f *Fault) Error() string { return fmt.Sprintf("%s: %s", f.Code, f.Raw) }

// OpenWriter prepares an account at the named provider: "rfc2136" or "route53". Every setting that is missing,
// unknown or odd is reported at once in a *tenants.Error with a sentence per setting in Fields; empty credentials
// are refused, because some providers would then use the identity of the machine. Nothing is asked of the network.
func OpenWriter(provider string, settings map[string]tenants.Secret) (*Writer, error) {
	p, ok := providerNamed(provider)
	if !ok {
		return nil, tenants.Errorf(tenants.Invalid, "The DNS provider %q is not known. Use one of: %s.", provider, strings.Join(providerNames(), ", "))
	}
	values, err := p.check(settings)
	if err != nil {
		return nil, err
	}
	w := &Writer{limit: p.limit, secrets: p.secrets(values)}
	if err := guarded(func() (err error) { w.hand, err = p.open(values); return err }); err != nil {
		return nil, tenants.Errorf(tenants.Invalid, "%s cannot be set up: %s. Correct that and start again.", p.title, w.scrub(err.Error()))
	}
	return w, nil
}

// Present writes a TXT value at record inside zone; neither needs a trailing dot. Values already at that name
// stay, and writing a value twice leaves one. Every error is a *Fault, or wraps the end of ctx.
func (w *Writer) Present(ctx context.Context, zone, record, value string) error {
	return w.do(ctx, zone, record, value, w.hand.present)
}

// Remove deletes exactly this value; one that is absent, or a name that is, is fine. Errors are as for Present.
func (w *Writer) Remove(ctx context.Context, zone, record, value string) error {
	return w.do(ctx, zone, record, value, w.hand.remove)
}

func (w *Writer) do(ctx context.Context, zone, record, value string, act func(context.Context, txt) error) error {
	t, err := newTXT(zone, record, value)
	if err != nil {
		return &Fault{tenants.WriteRefused, err.Error()}
	}
	bounded, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	err = guarded(func() error { return act(bounded, t) })
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, errPanic) && (bounded.Err() != nil || w.hand.silent(err)):
		return silence(ctx, w.scrub(err.Error()))
	}
	return &Fault{tenants.WriteRefused, w.scrub(err.Error())}
}

// silence is a WriteSilent fault, unless the caller gave up: nobody is to blame for that.
func silence(ctx context.Context, raw string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("reach name server: %w", ctx.Err())
	}
	return &Fault{tenants.WriteSilent, raw}
}

// scrub takes our credentials out of a provider's words.
func (w *Writer) scrub(raw string) string {
	for _, s := range w.secrets {
		raw = strings.ReplaceAll(raw, s, tenants.Secret{}.String())
	}
	return raw
}

var errPanic = errors.New("the provider's library panicked")

// guarded keeps a provider's panic from ending the portal for everybody.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return f()
}

// txt is one TXT value at one name. Making it through newTXT is what keeps anything else out of the texts that
// some providers build: zone-file lines, XML.
type txt struct {
	zone  string // with the trailing dot
	name  string // relative to zone, never its apex
	value string
}

func newTXT(zone, record, value string) (txt, error) {
	apex, full := dns.CanonicalName(zone), dns.CanonicalName(record)
	name, inside := strings.CutSuffix(full, "."+apex)
	if apex == "." || !inside || !plainName(full) {
		return txt{}, fmt.Errorf("%q is no name inside the zone %q", record, zone)
	}
	if !plainValue(value) {
		return txt{}, fmt.Errorf("a TXT value of %d bytes is empty, longer than 255 or not plain text", len(value))
	}
	return txt{apex, name, value}, nil
}

func (t txt) records() []libdns.Record {
	return []libdns.Record{libdns.TXT{Name: t.name, TTL: lifespan, Text: t.value}}
}

func plainName(name string) bool {
	_, ok := dns.IsDomainName(name)
	return ok && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// plainValue allows what needs no escaping anywhere: printable ASCII without quotation marks and backslashes.
func plainValue(value string) bool {
	odd := func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
	return value != "" && len(value) <= 255 && strings.IndexFunc(value, odd) < 0
}
