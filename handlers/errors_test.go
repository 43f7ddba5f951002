package handlers_test

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"perennial/handlers"
)

// TestInternalErrorsStayInside takes the database away: pages say that something is broken and give a request id,
// and no word of the cause leaves the process.
func TestInternalErrorsStayInside(t *testing.T) {
	w := newWorld(t)
	p := &player{t: t, world: w, client: w.quickSession(t, "admin"), vars: w.vars()}
	if err := w.DB.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/t/acme/domains", "/t/acme/audit.csv", "/"} {
		p.begin("GET", path)
		p.send()
		p.check("status", "500")
		p.check("lacks", "sql")
		p.check("lacks", "closed")
	}
	p.check("has", "req_")
	p.begin("GET", "/readyz")
	p.send()
	p.check("status", "503")
	p.begin("GET", "/healthz")
	p.send()
	p.check("status", "200")
}

func TestAddressBehindProxies(t *testing.T) {
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	for _, c := range []struct {
		name, peer, forwarded, want string
		trusted                     []netip.Prefix
	}{
		{"no proxy is trusted", "10.1.1.1:4", "203.0.113.9", "10.1.1.1", nil},
		{"through a trusted proxy", "10.1.1.1:4", "203.0.113.9", "203.0.113.9", []netip.Prefix{proxies}},
		{"what the browser invented is not believed", "10.1.1.1:4", "1.1.1.1, 203.0.113.9", "203.0.113.9", []netip.Prefix{proxies}},
		{"through two proxies", "10.1.1.1:4", "203.0.113.9, 10.2.2.2", "203.0.113.9", []netip.Prefix{proxies}},
		{"past the proxy", "192.0.2.7:4", "203.0.113.9", "192.0.2.7", []netip.Prefix{proxies}},
		{"loopback is no proxy by itself", "127.0.0.1:4", "203.0.113.9", "127.0.0.1", []netip.Prefix{proxies}},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := handlers.Address(r, c.trusted...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
