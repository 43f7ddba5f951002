package devca

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/miekg/dns"
)

// allowed asks CAA for every name of an order before it is finalized, as Let's Encrypt does again at that point. A
// forbidden name makes the order invalid.
func (a *CA) allowed(w http.ResponseWriter, r *http.Request) bool {
	id := strings.TrimPrefix(r.URL.Path, "/finalize-order/")
	a.exchange.RLock()
	order := a.store.GetOrderByID(id)
	a.exchange.RUnlock()
	if order == nil {
		return true
	}
	account := "https://" + r.Host + "/my-account/" + order.AccountID
	ctx := context.WithoutCancel(r.Context()) // a client that dies meanwhile is no reason to forbid anything
	for _, name := range order.Identifiers {
		if err := a.checkCAA(ctx, name.Value, account); err != nil {
			a.invalidate(order, err.Error())
			problem(w, http.StatusForbidden, "caa", err.Error())
			return false
		}
	}
	return true
}

func (a *CA) invalidate(order *core.Order, detail string) {
	a.exchange.Lock()
	defer a.exchange.Unlock()
	order.Lock()
	defer order.Unlock()
	order.Error = &acme.ProblemDetails{Type: acmeError("caa"), Detail: detail, HTTPStatus: http.StatusForbidden}
}

// checkCAA climbs from the name to the root and stops at the first name with CAA records (RFC 8659, section 3).
func (a *CA) checkCAA(ctx context.Context, name, account string) error {
	base, wildcard := strings.CutPrefix(name, "*.")
	for at := dns.CanonicalName(base); at != "."; at = parent(at) {
		records, err := a.lookupCAA(ctx, at)
		if err != nil {
			return fmt.Errorf("CAA for %s is unknown: %w", name, err)
		}
		if len(records) == 0 {
			continue
		}
		if !permits(records, wildcard, a.config.Identities, account) {
			return fmt.Errorf("CAA record for %s prevents issuance", strings.TrimSuffix(at, "."))
		}
		return nil
	}
	return nil
}

func (a *CA) lookupCAA(ctx context.Context, name string) ([]*dns.CAA, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := &dns.Client{Net: "tcp"}
	reply, _, err := client.ExchangeContext(ctx, new(dns.Msg).SetQuestion(name, dns.TypeCAA), a.config.Resolver)
	if err != nil {
		return nil, fmt.Errorf("look up CAA for %s: %w", name, err)
	}
	if reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError {
		return nil, fmt.Errorf("DNS problem: %s looking up CAA for %s", dns.RcodeToString[reply.Rcode], name)
	}
	var out []*dns.CAA
	for _, rr := range reply.Answer {
		if caa, ok := rr.(*dns.CAA); ok {
			out = append(out, caa)
		}
	}
	return out, nil
}

// permits judges one set of CAA records (RFC 8659, section 4; RFC 8657 for the parameters).
func permits(records []*dns.CAA, wildcard bool, identities []string, account string) bool {
	var issue, issuewild []string
	for _, rr := range records {
		switch strings.ToLower(rr.Tag) {
		case "issue":
			issue = append(issue, rr.Value)
		case "issuewild":
			issuewild = append(issuewild, rr.Value)
		case "iodef", "issuemail", "issuevmc", "contactemail", "contactphone":
		default:
			if rr.Flag&128 != 0 {
				return false
			}
		}
	}
	if wildcard && len(issuewild) > 0 {
		issue = issuewild
	}
	return len(issue) == 0 || slices.ContainsFunc(issue, func(v string) bool { return named(v, identities, account) })
}

func named(value string, identities []string, account string) bool {
	ca, rest, _ := strings.Cut(value, ";")
	if !slices.Contains(identities, strings.ToLower(strings.TrimSpace(ca))) {
		return false
	}
	for param := range strings.SplitSeq(rest, ";") {
		key, val, _ := strings.Cut(strings.TrimSpace(param), "=")
		switch strings.ToLower(key) {
		case "accounturi":
			if val != account {
				return false
			}
		case "validationmethods":
			if !slices.Contains(strings.Split(strings.ReplaceAll(val, " ", ""), ","), "dns-01") {
				return false
			}
		}
	}
	return true
}

func parent(name string) string {
	i, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[i:]
}
