package devca_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
	"perennial/tenants"
)

// Who is over a limit is refused in Let's Encrypt's words, which name the limit, and told when to come back.
func TestLimits(t *testing.T) {
	long := time.Hour
	fail := func(c *client, _ *devdns.Server) { // with a record that proves nothing
		order := c.order(nil, "shop.acme.example")
		for _, url := range order.list("authorizations") {
			authz := c.post(url, nil)
			for _, raw := range authz.JSON["challenges"].([]any) {
				if ch := raw.(map[string]any); ch["type"] == "dns-01" {
					c.post(ch["url"].(string), map[string]any{})
				}
			}
			for authz.text("status") == "pending" {
				authz = c.post(url, nil)
			}
		}
	}
	issue := func(c *client, dns *devdns.Server) { c.issue(dns, nil, "shop.acme.example") }
	tests := []struct {
		limit tenants.LimitName
		spend func(*client, *devdns.Server)
		says  string
		other string // what is not limited by it
	}{
		{tenants.OrdersPerAccount, func(c *client, _ *devdns.Server) { c.order(nil, "shop.acme.example") }, "too many new orders (2) from this account in the last 1h0m0s, retry after ", ""},
		{tenants.CertificatesPerSet, issue, "too many certificates (2) already issued for this exact set of identifiers in the last 1h0m0s", "other.acme.example"},
		{tenants.CertificatesPerDomain, issue, `too many certificates (2) already issued for "acme.example" in the last 1h0m0s`, "shop.northwind.example"},
		{tenants.FailuresPerName, fail, `too many failed authorizations (2) for "shop.acme.example" in the last 1h0m0s`, "other.acme.example"},
	}
	for _, test := range tests {
		t.Run(string(test.limit), func(t *testing.T) {
			ca, dns := world(t, devca.Config{AuthzReuse: -1, Limits: tenants.Limits{test.limit: {Count: 2, Per: long}}})
			c := newClient(t, ca)
			c.register()
			for range 2 {
				test.spend(c, dns)
			}
			a := c.order(nil, "shop.acme.example")
			if a.Status != http.StatusTooManyRequests || !strings.HasSuffix(a.text("type"), ":rateLimited") || !strings.Contains(a.text("detail"), test.says) {
				t.Errorf("%d %s, want a 429 that says %q", a.Status, a.Body, test.says)
			}
			if after, err := time.ParseDuration(a.Header.Get("Retry-After") + "s"); err != nil || after <= long/2-time.Minute || after > long/2 {
				t.Errorf("come back in %q, want about %v", a.Header.Get("Retry-After"), long/2)
			}
			if n := ca.Refusals()[test.limit]; n != 1 {
				t.Errorf("%d refusals", n)
			}
			if test.other != "" {
				if a := c.order(nil, test.other); a.Status != http.StatusCreated {
					t.Errorf("%s: %d %s", test.other, a.Status, a.Body)
				}
			}
		})
	}
}

// A renewal that names what it replaces is not counted, nor is an order that Pebble refuses.
func TestLimitsExempt(t *testing.T) {
	ca, dns := world(t, devca.Config{AuthzReuse: -1, Limits: tenants.Limits{
		tenants.OrdersPerAccount: {Count: 1, Per: time.Hour}, tenants.CertificatesPerSet: {Count: 1, Per: time.Hour}}})
	c := newClient(t, ca)
	c.register()
	if a := c.order(map[string]any{"profile": "none such"}, "shop.acme.example"); a.Status < http.StatusBadRequest || a.Status == http.StatusTooManyRequests {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	chain := c.issue(dns, nil, "shop.acme.example")
	for range 2 {
		cert := leaf(t, chain)
		chain = c.issue(dns, map[string]any{"replaces": b64(cert.AuthorityKeyId) + "." + b64(cert.SerialNumber.Bytes())}, "shop.acme.example")
	}
	if used, allowed := ca.Budget(); used != 1 || allowed != 1 {
		t.Errorf("used %d of %d", used, allowed)
	}
	if a := c.order(nil, "other.acme.example"); a.Status != http.StatusTooManyRequests {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestLetsEncrypt(t *testing.T) {
	if got, want := devca.LetsEncrypt(360)[tenants.OrdersPerAccount], (tenants.Limit{Count: 300, Per: 30 * time.Second}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
