package dns

import (
	"context"
	"errors"
	"strings"

	"github.com/libdns/rfc2136"
	"github.com/miekg/dns"
)

// updateHand writes by DNS update (RFC 2136), signed with TSIG. The server applies each message as a whole, adding
// a value that exists or deleting one that does not changes nothing (RFC 2136, section 3.4.2), so each write is
// one message, nothing is read first, and all writes run at once. The library opens a TCP connection per message.
//
// The library's GetRecords is a transfer of the whole zone and its SetRecords replaces all values of a name:
// neither is used here. An answer that carries no signature at all is accepted by the library, which is why no
// write is believed before every authoritative server shows it.
type updateHand struct{ provider rfc2136.Provider }

func openRFC2136(values map[string]string) (hand, error) {
	return &updateHand{rfc2136.Provider{
		Server:  values["server"],
		KeyName: values["key_name"],
		KeyAlg:  values["key_alg"],
		Key:     values["key"],
	}}, nil
}

func (h *updateHand) present(ctx context.Context, t txt) error {
	_, err := h.provider.AppendRecords(ctx, t.zone, t.records())
	return err
}

func (h *updateHand) remove(ctx context.Context, t txt) error {
	_, err := h.provider.DeleteRecords(ctx, t.zone, t.records())
	return err
}

// silent: a refusal is a response code, which the library gives as text only, or a signature that does not hold
// on either side. SERVFAIL is the one code that says "not now". All else is the network.
func (h *updateHand) silent(err error) bool {
	var bad *dns.Error // wrong key, signature, time
	if errors.As(err, &bad) {
		return false
	}
	code, answered := strings.CutPrefix(err.Error(), "dns response error code ")
	return !answered || strings.HasPrefix(code, `"SERVFAIL"`)
}
