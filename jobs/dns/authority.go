package dns

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"perennial/tenants"

	"github.com/miekg/dns"
)

// verdict is what one address answered.
type verdict struct {
	got    string
	result tenants.Answer
}

// askAll puts one question to every address of every host at once and sums each host up.
func (r *Resolver) askAll(ctx context.Context, hosts []host, q question, read func(*dns.Msg) verdict) []tenants.Asked {
	return each(hosts, func(h host) tenants.Asked {
		if len(h.addresses) == 0 {
			return tenants.Asked{Server: h.name, Got: cmp.Or(h.failed, "it has no address"), Result: tenants.Silent}
		}
		v := sumUp(each(h.addresses, func(address string) verdict { return r.askOne(ctx, address, q, read) }))
		return tenants.Asked{Server: h.name, Got: v.got, Result: v.result}
	})
}

// askOne asks one address. What is not said with authority is not said: a server that does not serve the zone
// may answer from a cache or with a referral.
func (r *Resolver) askOne(ctx context.Context, address string, q question, read func(*dns.Msg) verdict) verdict {
	m, err := r.ask(ctx, address, q)
	switch {
	case err != nil:
		return verdict{err.Error(), tenants.Silent}
	case !usable(m.Rcode):
		return verdict{rcodeError(m.Rcode).Error(), tenants.Silent}
	case !m.Authoritative:
		return verdict{"it does not serve the zone", tenants.Silent}
	}
	return read(m)
}

// gravity orders answers: a host that says something wrong at one address is wrong, while an address without an
// answer is outvoted by one that has any, just as a CA would go on to the next.
var gravity = []tenants.Answer{tenants.Differs, tenants.Missing, tenants.Right, tenants.Silent}

func (v verdict) rank() int {
	rank := 2 * slices.Index(gravity, v.result)
	if v.got == errNoAnswer.Error() { // SERVFAIL tells more
		rank++
	}
	return rank
}

func sumUp(answers []verdict) verdict {
	return slices.MinFunc(answers, func(a, b verdict) int { return cmp.Compare(a.rank(), b.rank()) })
}

func readCNAME(m *dns.Msg, name, want string) verdict {
	right := ""
	for _, rr := range m.Answer {
		c, ok := rr.(*dns.CNAME)
		if !ok || !strings.EqualFold(c.Hdr.Name, name) {
			continue
		}
		if !strings.EqualFold(c.Target, want) {
			return verdict{plain(c.Target), tenants.Differs}
		}
		right = plain(c.Target)
	}
	if right != "" {
		return verdict{right, tenants.Right}
	}
	return missing(m, "no CNAME record")
}

func readTXT(m *dns.Msg, name, want string) verdict {
	other := ""
	for _, rr := range m.Answer {
		t, ok := rr.(*dns.TXT)
		if !ok || !strings.EqualFold(t.Hdr.Name, name) {
			continue
		}
		if other = strings.Join(t.Txt, ""); other == want {
			return verdict{want, tenants.Right}
		}
	}
	if other != "" {
		return verdict{other, tenants.Missing} // another order's value at the same name is not a difference
	}
	return missing(m, "no TXT record")
}

func missing(m *dns.Msg, words string) verdict {
	if m.Rcode == dns.RcodeNameError {
		words = errNXDomain.Error()
	}
	return verdict{words, tenants.Missing}
}

// each does f for all items at once and returns the results in the items' order.
func each[T, R any](items []T, f func(T) R) []R {
	results := make([]R, len(items))
	var all sync.WaitGroup
	for i, item := range items {
		all.Go(func() { results[i] = f(item) })
	}
	all.Wait()
	return results
}
