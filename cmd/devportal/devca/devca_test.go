package devca_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
)

// world is a CA with a DNS server that holds acme.example.
func world(t *testing.T, c devca.Config) (*devca.CA, *devdns.Server) {
	t.Helper()
	dns, err := devdns.Start(t.Context(), devdns.Config{Zones: []devdns.Zone{{Apex: "acme.example"}}})
	if err != nil {
		t.Fatal(err)
	}
	c.Resolver = dns.Addr
	ca, err := devca.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ca.Close(); dns.Close() })
	return ca, dns
}

func leaf(t *testing.T, chain []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(chain)
	if block == nil {
		t.Fatalf("no PEM: %s", chain)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestIssue(t *testing.T) {
	ca, dns := world(t, devca.Config{Profiles: map[string]time.Duration{"minutes": 10 * time.Minute, "days": 6 * 24 * time.Hour}})
	c := newClient(t, ca)
	c.register()
	chain := c.issue(dns, map[string]any{"profile": "minutes"}, "shop.acme.example")
	cert := leaf(t, chain)
	if life := cert.NotAfter.Sub(cert.NotBefore).Round(time.Minute); life != 10*time.Minute {
		t.Errorf("lifetime %v, want that of the profile", life)
	}
	if cert.PublicKeyAlgorithm != x509.ECDSA || cert.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		t.Errorf("signed with %v", cert.SignatureAlgorithm)
	}
	_, rest := pem.Decode(chain)
	between := x509.NewCertPool()
	between.AppendCertsFromPEM(rest)
	if _, err := cert.Verify(x509.VerifyOptions{DNSName: "shop.acme.example", Roots: ca.Issuers(), Intermediates: between}); err != nil {
		t.Errorf("chain does not end in the issuing root: %v", err)
	}
	if n := ca.Count(devca.NewOrder); n < 1 {
		t.Errorf("counted %d new orders", n)
	}
}

func TestChallengeBehindAlias(t *testing.T) {
	ca, dns := world(t, devca.Config{})
	if err := dns.AddZone(devdns.Zone{Apex: "delegate.test", Delegation: true}); err != nil {
		t.Fatal(err)
	}
	dns.Set("_acme-challenge.shop.acme.example", "CNAME", "label.delegate.test")
	c := newClient(t, ca)
	c.register()
	order := c.order(nil, "shop.acme.example")
	authz := c.post(order.list("authorizations")[0], nil)
	for _, raw := range authz.JSON["challenges"].([]any) {
		if ch := raw.(map[string]any); ch["type"] == "dns-01" {
			dns.Add("label.delegate.test", "TXT", "another value", c.value(ch["token"].(string)))
			c.post(ch["url"].(string), map[string]any{})
		}
	}
	for authz.text("status") == "pending" {
		authz = c.post(order.list("authorizations")[0], nil)
	}
	if authz.text("status") != "valid" {
		t.Fatalf("authorization %s", authz.Body)
	}
}

func TestDirectory(t *testing.T) {
	ca, _ := world(t, devca.Config{
		Identities: []string{"ca.one.test", "ca.two.test"}, Profiles: map[string]time.Duration{"short": time.Hour},
		EAB: map[string]string{"kid": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
	})
	c := newClient(t, ca)
	meta := c.dir["meta"].(map[string]any)
	if got := fmt.Sprint(meta["caaIdentities"]); got != "[ca.one.test ca.two.test]" {
		t.Errorf("caaIdentities %s", got)
	}
	if _, ok := meta["profiles"].(map[string]any)["short"]; !ok {
		t.Errorf("profiles %v", meta["profiles"])
	}
	a := c.post(c.url("newAccount"), map[string]any{"termsOfServiceAgreed": true})
	if !strings.HasSuffix(a.text("type"), ":externalAccountRequired") {
		t.Errorf("newAccount without binding: %d %s", a.Status, a.Body)
	}
}

func TestNonceRejectPerInstance(t *testing.T) {
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "77")
	strict, _ := world(t, devca.Config{NonceReject: 100})
	calm, _ := world(t, devca.Config{NonceReject: -1})
	if got := os.Getenv("PEBBLE_WFE_NONCEREJECT"); got != "77" {
		t.Errorf("the environment says %q afterwards", got)
	}
	a, b := newClient(t, strict), newClient(t, calm)
	a.do("HEAD", a.url("newNonce"), nil)
	url := a.url("newAccount")
	if got := a.do("POST", url, a.sign(url, map[string]any{})); !strings.HasSuffix(got.text("type"), ":badNonce") {
		t.Errorf("with 100 %%: %d %s", got.Status, got.Body)
	}
	b.register()
	for range 50 {
		b.do("HEAD", b.url("newNonce"), nil)
		if got := b.do("POST", b.kid, b.sign(b.kid, nil)); got.Status != http.StatusOK {
			t.Fatalf("without: %d %s", got.Status, got.Body)
		}
	}
}

func TestAuthorizationReuse(t *testing.T) {
	ca, dns := world(t, devca.Config{AuthzReuse: 100})
	c := newClient(t, ca)
	c.register()
	c.issue(dns, nil, "shop.acme.example")
	order := c.order(nil, "shop.acme.example")
	if order.text("status") != "ready" {
		t.Fatalf("second order is %s, want ready without a proof", order.text("status"))
	}
	c.post(order.list("authorizations")[0], map[string]any{"status": "deactivated"})
	if again := c.order(nil, "shop.acme.example"); again.text("status") != "pending" {
		t.Fatalf("after deactivation the order is %s, want pending", again.text("status"))
	}
}

func TestCAA(t *testing.T) {
	tests := []struct {
		name, at string
		records  []string
		wild, ok bool
	}{
		{"none", "", nil, false, true},
		{"ours above", "acme.example", []string{`0 issue "ca.perennial.test"`}, false, true},
		{"another's above", "acme.example", []string{`0 issue "other.test"`}, false, false},
		{"nearest wins", "shop.acme.example", []string{`0 issue ";"`}, false, false},
		{"only iodef", "acme.example", []string{`0 iodef "mailto:a@acme.example"`}, false, true},
		{"unknown critical", "acme.example", []string{`128 frobnicate "x"`, `0 issue "ca.perennial.test"`}, false, false},
		{"wild wins for wildcards", "acme.example", []string{`0 issue "ca.perennial.test"`, `0 issuewild ";"`}, true, false},
		{"issue counts for wildcards", "acme.example", []string{`0 issue "ca.perennial.test"`}, true, true},
		{"other method", "acme.example", []string{`0 issue "ca.perennial.test; validationmethods=http-01"`}, false, false},
		{"our method", "acme.example", []string{`0 issue "ca.perennial.test; validationmethods=http-01,dns-01"`}, false, true},
		{"other account", "acme.example", []string{`0 issue "ca.perennial.test; accounturi=https://ca.test/1"`}, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ca, dns := world(t, devca.Config{CheckCAA: true, AuthzReuse: -1})
			for _, r := range test.records {
				if err := dns.Add(test.at, "CAA", r); err != nil {
					t.Fatal(err)
				}
			}
			c := newClient(t, ca)
			c.register()
			name := map[bool]string{false: "shop.acme.example", true: "*.shop.acme.example"}[test.wild]
			order := c.order(nil, name)
			c.prove(order, dns)
			a := c.finalize(order, name)
			if ok := a.Status == http.StatusOK; ok != test.ok {
				t.Fatalf("finalize: %d %s", a.Status, a.Body)
			}
			if !test.ok {
				if got := c.post(order.Header.Get("Location"), nil).text("status"); got != "invalid" {
					t.Errorf("order is %s afterwards", got)
				}
			}
		})
	}
}

func TestCAAServfailIsNoPermission(t *testing.T) {
	ca, dns := world(t, devca.Config{CheckCAA: true})
	c := newClient(t, ca)
	c.register()
	order := c.order(nil, "shop.acme.example")
	c.prove(order, dns)
	dns.Break("acme.example", devdns.Fault{Rcode: "SERVFAIL", Types: []string{"CAA"}})
	if a := c.finalize(order, "shop.acme.example"); !strings.Contains(a.text("detail"), "SERVFAIL") {
		t.Fatalf("finalize: %d %s", a.Status, a.Body)
	}
}

// A client that dies while the CA looks CAA up makes nothing invalid: once it did, because the look-up died with it. Who
// has died is told to a handler by its context, so here every client that finalizes is dead from the start.
func TestCAAOutlivesItsClient(t *testing.T) {
	dead := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			if devca.EndpointOf(r) == devca.Finalize {
				cancel()
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	ca, dns := world(t, devca.Config{CheckCAA: true, Hooks: dead})
	c := newClient(t, ca)
	c.register()
	c.issue(dns, nil, "shop.acme.example")
}

func TestRenewalInfo(t *testing.T) {
	ca, dns := world(t, devca.Config{Profiles: map[string]time.Duration{"short": 10 * time.Minute}, AskAgain: time.Minute})
	c := newClient(t, ca)
	c.register()
	chain := c.issue(dns, nil, "shop.acme.example")
	cert := leaf(t, chain)
	id := b64(cert.AuthorityKeyId) + "." + b64(cert.SerialNumber.Bytes())
	ask := func() (start, end time.Time) {
		a := c.do("GET", c.url("renewalInfo")+"/"+id, nil)
		if a.Status != http.StatusOK || a.Header.Get("Retry-After") != "60" {
			t.Fatalf("renewal info: %d %v %s", a.Status, a.Header, a.Body)
		}
		w := a.JSON["suggestedWindow"].(map[string]any)
		start, _ = time.Parse(time.RFC3339, w["start"].(string))
		end, _ = time.Parse(time.RFC3339, w["end"].(string))
		return start, end
	}
	start, end := ask()
	if !start.Equal(cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore)*3/5)) || !end.After(start) || !end.Before(cert.NotAfter) {
		t.Errorf("window %v to %v of %v to %v", start, end, cert.NotBefore, cert.NotAfter)
	}
	from := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	if err := ca.SetRenewalInfo(chain, from, from.Add(time.Minute), ""); err != nil {
		t.Fatal(err)
	}
	if start, _ := ask(); !start.Equal(from) {
		t.Errorf("window starts %v, want %v", start, from)
	}
	if err := ca.SetRenewalInfo(ca.RootPEM, from, from, ""); err == nil {
		t.Error("a foreign certificate was taken")
	}
}

// TestReplaces renews with replaces: the second order for the same certificate is a conflict (RFC 9773, 5).
func TestReplaces(t *testing.T) {
	ca, dns := world(t, devca.Config{})
	c := newClient(t, ca)
	c.register()
	cert := leaf(t, c.issue(dns, nil, "shop.acme.example"))
	id := b64(cert.AuthorityKeyId) + "." + b64(cert.SerialNumber.Bytes())
	c.issue(dns, map[string]any{"replaces": id}, "shop.acme.example")
	for range 1000 { // the mark is made in the background
		if a := c.order(map[string]any{"replaces": id}, "shop.acme.example"); a.Status == http.StatusConflict {
			return
		}
	}
	t.Fatal("a certificate was replaced twice")
}

func TestFaults(t *testing.T) {
	ca, _ := world(t, devca.Config{NonceReject: -1}) // a refused nonce would not be applied
	c := newClient(t, ca)
	c.register()
	ca.Break(devca.NewOrder, devca.Fault{Status: 429, Type: "rateLimited", RetryAfter: 90 * time.Second, Times: 1})
	a := c.order(nil, "shop.acme.example")
	if a.Status != 429 || a.Header.Get("Retry-After") != "90" || !strings.HasSuffix(a.text("type"), ":rateLimited") {
		t.Errorf("limited: %d %v %s", a.Status, a.Header, a.Body)
	}
	if a := c.order(nil, "shop.acme.example"); a.Status != 201 {
		t.Errorf("after its one time: %d %s", a.Status, a.Body)
	}
	ca.Break(devca.NewOrder, devca.Fault{Status: 400, Type: "rejectedIdentifier", Names: []string{"bad.acme.example"}})
	if a := c.order(nil, "good.acme.example"); a.Status != 201 {
		t.Errorf("another name: %d %s", a.Status, a.Body)
	}
	if a := c.order(nil, "bad.acme.example"); a.Status != 400 {
		t.Errorf("the name: %d %s", a.Status, a.Body)
	}
	ca.Heal()
	orders := len(c.post(c.orders(), nil).list("orders"))
	ca.Break(devca.NewOrder, devca.Fault{Applied: true, Status: 500, Times: 1})
	if a := c.order(nil, "lost.acme.example"); a.Status != 500 {
		t.Errorf("applied: %d %s", a.Status, a.Body)
	}
	if got := len(c.post(c.orders(), nil).list("orders")); got != orders+1 {
		t.Errorf("%d orders, want one more than %d", got, orders)
	}
	ca.Break(devca.NewNonce, devca.Fault{Drop: true})
	if _, err := c.try("HEAD", c.url("newNonce"), nil); err == nil {
		t.Error("the connection was not cut")
	}
	ca.Heal(devca.NewNonce)
	ca.BreakAll(devca.Fault{Silent: true})
	c.http.Timeout = 50 * time.Millisecond
	if _, err := c.try("GET", ca.Directory, nil); err == nil {
		t.Error("a silent CA answered")
	}
	ca.Heal()
	c.http.Timeout = 0
	ca.Break(devca.Directory, devca.Fault{Answer: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(204) }})
	if a := c.do("GET", ca.Directory, nil); a.Status != 204 {
		t.Errorf("own answer: %d", a.Status)
	}
}

func (c *client) orders() string { return c.post(c.kid, nil).text("orders") }

func TestHooksSeeEverything(t *testing.T) {
	var mu sync.Mutex
	seen := map[devca.Endpoint]bool{}
	ca, dns := world(t, devca.Config{Hooks: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			seen[devca.EndpointOf(r)] = true
			mu.Unlock()
			next.ServeHTTP(w, r)
		})
	}})
	c := newClient(t, ca)
	c.register()
	c.issue(dns, nil, "shop.acme.example")
	mu.Lock()
	defer mu.Unlock()
	for _, e := range []devca.Endpoint{devca.Directory, devca.NewNonce, devca.NewAccount, devca.NewOrder, devca.Authorization, devca.Challenge, devca.Finalize, devca.Order, devca.Certificate} {
		if !seen[e] {
			t.Errorf("%s was not seen", e)
		}
	}
	if seen[devca.Other] {
		t.Error("a path is not known")
	}
}

// TestLoad is the pattern that deadlocks a bare Pebble: many clients of one account with reuse of authorizations.
func TestLoad(t *testing.T) {
	const clients, each = 32, 4
	ca, dns := world(t, devca.Config{AuthzReuse: 50})
	first := newClient(t, ca)
	first.register()
	var wg sync.WaitGroup
	for n := range clients {
		c := newClient(t, ca)
		c.key, c.kid = first.key, first.kid
		wg.Go(func() {
			for i := range each {
				c.issue(dns, nil, fmt.Sprintf("n%d-%d.acme.example", n, i%2))
			}
		})
	}
	wg.Wait()
	if got := ca.Count(devca.Finalize); got < clients*each {
		t.Errorf("%d finalized, want %d", got, clients*each)
	}
}
