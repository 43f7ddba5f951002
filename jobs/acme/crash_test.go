package acme_test

import (
	"fmt"
	"testing"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/jobs/acme"
	"perennial/tenants"
)

// At every request the connection is cut, once before the authority has acted and once after. Whoever comes back
// with nothing but what was saved finishes the same order.
func TestAdoptionAfterCrash(t *testing.T) {
	steps := []devca.Endpoint{devca.NewOrder, devca.Authorization, devca.Challenge, devca.Order, devca.Finalize, devca.Certificate}
	for _, step := range steps {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s applied %v", step, applied), func(t *testing.T) {
				w := newWorld(t, nil).registered(t)
				w.Break(step, devca.Fault{Drop: true, Applied: applied, Times: 1})
				s := w.attempt(t, "a.acme.example", "*.a.acme.example")
				err := w.issue(t.Context(), w.client(), s)
				p := problem(t, err, tenants.CASilent)
				if !p.Reached {
					t.Error("the authority may have acted")
				}
				w.mustIssue(t, s)
				if n := w.orders(t); n != 1 {
					t.Errorf("%d orders were placed", n)
				}
			})
		}
	}
}

// orders is how many orders the account has at the authority, found by the only one that still waits for proof.
func (w *world) orders(t *testing.T) int {
	t.Helper()
	_, found, err := w.client().FindOrder(t.Context(), w.account, acme.LostOrder{Names: []string{"a.acme.example", "*.a.acme.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if found {
		return 2
	}
	return 1
}

func TestFindOrderOnManyPages(t *testing.T) {
	w := newWorld(t, func(c *devca.Config) { c.OrdersPerPage = 3 }).registered(t)
	c := w.client()
	var lost acme.Order
	for i := range 14 {
		request := acme.OrderRequest{Names: []string{fmt.Sprintf("n%d.acme.example", i)}}
		o := must[acme.Order](t)(c.NewOrder(t.Context(), w.account, request))
		if i == 11 {
			lost = o
		}
	}
	o, found, err := c.FindOrder(t.Context(), w.account, acme.LostOrder{Names: lost.Names, Since: time.Now()})
	if err != nil || !found || o.URL != lost.URL {
		t.Errorf("%v, %v, found %s instead of %s", err, found, o.URL, lost.URL)
	}
	if n := w.Count(devca.Orders); n != 5 {
		t.Logf("pages asked for: %d (bad nonces are asked for twice)", n)
	}
	_, found, err = c.FindOrder(t.Context(), w.account, acme.LostOrder{Names: lost.Names, Since: time.Now().Add(48 * time.Hour)})
	if err != nil || found {
		t.Errorf("an order that had expired before: %v, %v", found, err)
	}
}

// Behind a hundred newer orders a lost one was not found, and ordered again: those that are known are passed over.
func TestFindOrderBehindKnownOnes(t *testing.T) {
	w := newWorld(t, nil).registered(t)
	c := w.client()
	lost := must[acme.Order](t)(c.NewOrder(t.Context(), w.account, acme.OrderRequest{Names: []string{"lost.acme.example"}}))
	known := map[string]bool{}
	for i := range 101 {
		known[must[acme.Order](t)(c.NewOrder(t.Context(), w.account, acme.OrderRequest{Names: []string{fmt.Sprintf("n%d.acme.example", i)}})).URL] = true
	}
	for _, passed := range []map[string]bool{nil, known} {
		_, found, err := c.FindOrder(t.Context(), w.account, acme.LostOrder{Names: lost.Names, Known: passed})
		if err != nil || found != (passed != nil) {
			t.Errorf("%d are known: found %v, %v", len(passed), found, err)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		fault devca.Fault
		want  tenants.Code
	}{
		{devca.Fault{Status: 429, Type: "rateLimited", RetryAfter: 90 * time.Second, Times: 1}, tenants.CARateLimited},
		{devca.Fault{Status: 500, Times: 1}, tenants.CASilent},
		{devca.Fault{Status: 503, Type: "rateLimited", RetryAfter: 90 * time.Second, Times: 1}, tenants.CARateLimited},
		{devca.Fault{Silent: true, Times: 1}, tenants.CASilent},
		{devca.Fault{Status: 403, Type: "rejectedIdentifier", Times: 1}, tenants.CARefuses},
		{devca.Fault{Status: 403, Type: "caa", Times: 1}, tenants.CAAForbids},
	} {
		for _, step := range []devca.Endpoint{devca.NewOrder, devca.Authorization, devca.Challenge, devca.Finalize, devca.Certificate} {
			t.Run(fmt.Sprintf("%s %s", step, test.want), func(t *testing.T) {
				if test.fault.Silent {
					t.Parallel() // they all only wait
				}
				w := newWorld(t, nil).registered(t)
				w.Break(step, test.fault)
				if test.fault.Silent {
					w.config.Timeout = 500 * time.Millisecond
				}
				s := w.attempt(t, "a.acme.example")
				p := problem(t, w.issue(t.Context(), w.client(), s), test.want)
				if p.RetryAfter != test.fault.RetryAfter || !p.Reached && !test.fault.Silent || p.Status != test.fault.Status {
					t.Errorf("%+v", p)
				}
				w.config.Timeout = 10 * time.Second
				w.mustIssue(t, s) // nothing is left of the fault
			})
		}
	}
}

func TestCAAAtFinalize(t *testing.T) {
	w := newWorld(t, func(c *devca.Config) { c.CheckCAA = true }).registered(t)
	if err := w.dns.Add("acme.example", "CAA", `0 issue "other.example"`); err != nil {
		t.Fatal(err)
	}
	s := w.attempt(t, "a.acme.example")
	problem(t, w.issue(t.Context(), w.client(), s), tenants.CAAForbids)
}

// A certificate costs seven requests: newOrder, authorization, challenge, authorization again, finalize, order,
// certificate. Beyond that come one directory, one nonce, and each of Pebble's 5 % bad nonces.
func TestRequestsPerCertificate(t *testing.T) {
	t.Run("with bad nonces", func(t *testing.T) { requestsPerCertificate(t, 0, 8) })
	t.Run("without", func(t *testing.T) { requestsPerCertificate(t, -1, 7.1) })
}

func requestsPerCertificate(t *testing.T, rejectedNonces int, limit float64) {
	const certificates = 40
	w := newWorld(t, func(c *devca.Config) { c.NonceReject = rejectedNonces }).registered(t)
	before, polls := total(w.Counts()), 0
	c := w.client()
	for i := range certificates {
		s := w.attempt(t, fmt.Sprintf("n%d.acme.example", i))
		if err := w.issue(t.Context(), c, s); err != nil {
			t.Fatal(err)
		}
		polls += s.polls
	}
	per := float64(total(w.Counts())-before-polls) / certificates
	t.Logf("%.2f requests per certificate; besides, %d requests waited for validation", per, polls)
	if per > limit {
		t.Errorf("%.2f requests per certificate: %v", per, w.Counts())
	}
}

func total(counts map[devca.Endpoint]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}
