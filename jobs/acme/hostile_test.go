package acme_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

func TestWellBehavedAuthority(t *testing.T) {
	f := newFake(t)
	for path, call := range f.calls(f.client(), f.account(t)) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if f.count(path) == 0 {
			t.Errorf("%s was not asked", path)
		}
	}
}

// Every URL that an authority hands out must lie on the directory's scheme, host and port.
func TestURLsThatLeadElsewhere(t *testing.T) {
	elsewhere := newFake(t)
	handedOut := []struct{ call, at, old string }{
		{"/dir", "/dir", `"{{}}/nonce"`},
		{"/dir", "/dir", `"{{}}/account"`},
		{"/dir", "/dir", `"{{}}/order"`},
		{"/dir", "/dir", `"{{}}/ari"`},
		{"/orders", "/account", `"{{}}/orders"`},
		{"/orders", "/orders", `"{{}}/order/1"`},
		{"/order", "/order", `"{{}}/authz/1"`},
		{"/order", "/order", `"{{}}/finalize/1"`},
		{"/order/1", "/order/1", `"{{}}/authz/1"`},
		{"/order/1", "/order/1", `"{{}}/finalize/1"`},
		{"/authz/1", "/authz/1", `"{{}}/challenge/1"`},
		{"/finalize/1", "/finalize/1", `"{{}}/cert/1"`},
		{"/finalize/1", "/finalize/1", `"{{}}/finalize/1"`},
	}
	bad := []string{
		elsewhere.URL + "/x", "https://127.0.0.1:1/x", "https://ca.test/x", "http" + strings.TrimPrefix(elsewhere.URL, "https"),
		"https://user:pass@{{host}}/x", "//{{host}}/x", "/x", "x", "javascript:alert(1)", "file:///etc/passwd", "https:x",
		"https://{{host}}.evil.test/x", "https://{{host}}%00/x", "https://", "{{}}/" + strings.Repeat("x", 3000),
	}
	for _, given := range handedOut {
		f := newFake(t)
		a := f.account(t)
		for _, url := range bad {
			url = strings.ReplaceAll(url, "{{host}}", strings.TrimPrefix(f.URL, "https://"))
			f.with(t, given.at, given.old, `"`+url+`"`)
			problem(t, f.calls(f.client(), a)[given.call](t.Context()), tenants.CABroken)
		}
	}
	if len(elsewhere.asked) > 0 {
		t.Errorf("the other server was asked: %v", elsewhere.asked)
	}
}

func TestLocationsThatLeadElsewhere(t *testing.T) {
	for _, path := range []string{"/account", "/order"} {
		for _, location := range []string{"", "https://ca.test/1", "http://127.0.0.1/1", "/1"} {
			f := newFake(t)
			f.says(path, http.StatusCreated, manners[path], "Location", location)
			p := problem(t, f.calls(f.client(), f.account(t))[path](t.Context()), tenants.CABroken)
			if !p.Reached {
				t.Errorf("%s with Location %q: the authority has acted, so no refund", path, location)
			}
		}
	}
}

func TestNextPageThatLeadsElsewhere(t *testing.T) {
	f := newFake(t)
	f.says("/orders", http.StatusOK, `{"orders":[]}`, "Link", `<https://ca.test/orders?2>;rel="next"`)
	problem(t, f.calls(f.client(), f.account(t))["/orders"](t.Context()), tenants.CABroken)
}

func TestStoredURLThatLeadsElsewhere(t *testing.T) {
	f, other := newFake(t), newFake(t)
	_, err := f.client().Order(t.Context(), f.account(t), other.URL+"/order/1")
	p := problem(t, err, tenants.CABroken)
	if p.Reached || len(other.asked) > 0 {
		t.Errorf("reached %v, asked %v", p.Reached, other.asked)
	}
}

func TestDirectoryWithoutTLS(t *testing.T) {
	f := newFake(t)
	for _, directory := range []string{"http://127.0.0.1:1/dir", "", "dir", "https://", "ftp://ca.test/dir", "https://ca test/"} {
		config := f.config()
		config.Directory = directory
		for path, call := range f.calls(newClient(config), f.account(t)) {
			if p := problem(t, call(t.Context()), tenants.CABroken); p.Reached {
				t.Errorf("%q %s: nothing was reached", directory, path)
			}
		}
	}
}

func TestRedirects(t *testing.T) {
	other := newFake(t)
	for path := range manners {
		if path == "/nonce" {
			continue
		}
		for _, status := range []int{301, 302, 303, 307, 308} {
			f := newFake(t)
			f.says(path, status, "", "Location", other.URL+path)
			problem(t, f.calls(f.client(), f.account(t))[path](t.Context()), tenants.CABroken)
		}
	}
	if len(other.asked) > 0 {
		t.Errorf("the other server was asked: %v", other.asked)
	}
}

func TestRedirectOnTheSameServer(t *testing.T) {
	f := newFake(t)
	f.says("/moved", http.StatusOK, manners["/dir"])
	f.says("/dir", http.StatusFound, "", "Location", "/moved")
	c, a := f.client(), f.account(t)
	must[acme.Meta](t)(c.Meta(t.Context()))
	if _, err := c.NewOrder(t.Context(), a, order); err != nil {
		t.Errorf("a directory that moved: %v", err)
	}
	f.says("/authz/1", http.StatusTemporaryRedirect, "", "Location", "/moved")
	problem(t, f.calls(c, a)["/authz/1"](t.Context()), tenants.CABroken)

	f.says("/ari/YWI.AQI", http.StatusFound, "", "Location", "/ari/YWI.AQI")
	problem(t, f.calls(c, a)["/ari/YWI.AQI"](t.Context()), tenants.CABroken)
	if n := f.count("/ari/YWI.AQI"); n > 5 {
		t.Errorf("followed a circle %d times", n)
	}
}

func TestEndlessBodies(t *testing.T) {
	junk := bytes.Repeat([]byte(`{"a":[`), 10_000)
	for path := range manners {
		if path == "/nonce" {
			continue
		}
		for _, status := range []int{200, 400, 500} {
			f := newFake(t)
			f.on(path, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(status)
				for sent := 0; sent < 50_000_000; sent += len(junk) {
					if _, err := w.Write(junk); err != nil {
						return
					}
				}
			})
			problem(t, f.calls(f.client(), f.account(t))[path](t.Context()), tenants.CABroken)
		}
	}
}

func TestChainLimit(t *testing.T) {
	f := newFake(t)
	f.says("/cert/1", http.StatusOK, strings.Repeat("x", 256<<10))
	c, a := f.client(), f.account(t)
	must[[]byte](t)(c.Certificate(t.Context(), a, f.URL+"/cert/1"))
	f.says("/cert/1", http.StatusOK, strings.Repeat("x", 256<<10+1))
	_, err := c.Certificate(t.Context(), a, f.URL+"/cert/1")
	problem(t, err, tenants.CABroken)
}

func TestGarbage(t *testing.T) {
	bodies := []string{
		``, `null`, `[]`, `{}`, `"x"`, `7`, `{"status":7}`, `{"status":"weird"}`, `<html>502</html>`, "\x00\xff\x1b[31m",
		strings.Repeat("[", 100_000), `{"identifiers":[null],"authorizations":[null],"challenges":[null]}`,
		`{"status":"pending","identifier":null,"challenges":null,"authorizations":null}`, `{"type":null,"detail":null}`,
		`{"status":"pending","expires":"tomorrow","identifiers":[{"type":"ip","value":"10.0.0.1"}]}`,
		`{"suggestedWindow":{"start":"2026-11-23T00:00:00Z","end":"2026-11-22T00:00:00Z"}}`, `{"suggestedWindow":null}`,
	}
	// What nobody reads in the answer, or reads later, may be anything; and a list of orders may be missing.
	tolerated := map[string]bool{"/challenge/1 200": true, "/cert/1 200": true, "/account 200": true, "/orders 200": true, "/orders 404": true}
	for path := range manners {
		if path == "/nonce" {
			continue
		}
		f := newFake(t)
		a := f.account(t)
		for _, body := range bodies {
			for _, status := range []int{200, 404} {
				f.says(path, status, body)
				err := f.calls(f.client(), a)[path](t.Context())
				if err != nil || !tolerated[fmt.Sprint(path, " ", status)] {
					problem(t, err, tenants.CABroken)
				}
			}
		}
	}
}

func TestListsWithoutEnd(t *testing.T) {
	f := newFake(t)
	many := strings.Repeat(`"{{}}/authz/1",`, 101)
	f.with(t, "/order/1", `"{{}}/authz/1"`, strings.TrimSuffix(many, ","))
	c, a := f.client(), f.account(t)
	problem(t, f.calls(c, a)["/order/1"](t.Context()), tenants.CABroken)

	names := strings.Repeat(`{"type":"dns","value":"a.test"},`, 101)
	f.with(t, "/order/1", `{"type":"dns","value":"a.test"}`, strings.TrimSuffix(names, ","))
	problem(t, f.calls(c, a)["/order/1"](t.Context()), tenants.CABroken)

	challenges := strings.Repeat(`{"type":"x"},`, 101)
	f.with(t, "/authz/1", `"challenges":[`, `"challenges":[`+challenges)
	problem(t, f.calls(c, a)["/authz/1"](t.Context()), tenants.CABroken)
}

func TestUnusableChallenges(t *testing.T) {
	for _, change := range [][2]string{
		{`"dns-01"`, `"http-01"`}, {`"dG9rZW4"`, `""`}, {`"dG9rZW4"`, `"a/../b"`}, {`"dG9rZW4"`, `"` + strings.Repeat("a", 600) + `"`},
		{`"value":"a.test"`, `"value":""`}, {`"type":"dns"`, `"type":"ip"`}, {`"status":"pending"`, `"status":"odd"`},
	} {
		f := newFake(t)
		f.with(t, "/authz/1", change[0], change[1])
		problem(t, f.calls(f.client(), f.account(t))["/authz/1"](t.Context()), tenants.CABroken)
	}
}

// An order for other names than those asked for is refused.
func TestOrderForOtherNames(t *testing.T) {
	f := newFake(t)
	f.with(t, "/order", "a.test", "b.test")
	problem(t, f.calls(f.client(), f.account(t))["/order"](t.Context()), tenants.CABroken)
}

func TestSilence(t *testing.T) {
	for path := range manners {
		t.Run(path, func(t *testing.T) {
			t.Parallel() // they all only wait
			f := newFake(t)
			f.on(path, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodHead {
					http.NewResponseController(w).Flush() // headers, and then nothing
				}
				<-r.Context().Done()
			})
			config := f.config()
			config.Timeout = 200 * time.Millisecond
			c, a, call := newClient(config), f.account(t), path
			before := path == "/nonce" || path == "/dir" || strings.HasPrefix(path, "/ari")
			if path == "/nonce" {
				call = "/order"
			}
			f.says("/else", http.StatusOK, "{}")
			for !before && c.Answer(t.Context(), a, f.URL+"/else") != nil {
				t.Log("the machine is slow; once more") // connected, with a directory and a nonce
			}
			p := problem(t, f.calls(c, a)[call](t.Context()), tenants.CASilent)
			if p.Reached == before {
				t.Errorf("reached %v", p.Reached)
			}
		})
	}
}

func TestCallerGivesUp(t *testing.T) {
	for path := range manners {
		if path == "/nonce" {
			continue
		}
		f := newFake(t)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		f.on(path, func(w http.ResponseWriter, r *http.Request) {
			cancel()
			<-over // the directory's request goes on without its caller: others may wait for it too
		})
		if err := f.calls(f.client(), f.account(t))[path](ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
		if err := f.calls(f.client(), f.account(t))[path](ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled before: %v", path, err)
		}
		close(over)
	}
}

func TestNobodyThere(t *testing.T) {
	f := newFake(t)
	c, a := f.client(), f.account(t)
	calls := f.calls(c, a)
	f.Close()
	if p := problem(t, calls["/order"](t.Context()), tenants.CASilent); p.Reached {
		t.Error("nobody was reached")
	}
}

func TestConnectionCut(t *testing.T) {
	f := newFake(t)
	f.on("/order", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	c, a := f.client(), f.account(t)
	if p := problem(t, f.calls(c, a)["/order"](t.Context()), tenants.CASilent); !p.Reached {
		t.Error("the authority may have acted")
	}
	if n := f.count("/order"); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

func TestUnknownRoot(t *testing.T) {
	f := newFake(t)
	config := f.config()
	config.Roots = nil
	if p := problem(t, f.calls(newClient(config), f.account(t))["/order"](t.Context()), tenants.CAUntrusted); !strings.Contains(p.Detail, "certificate") || p.Reached {
		t.Error(p)
	}
}

func TestHeadersWithoutEnd(t *testing.T) {
	f := newFake(t)
	f.says("/order/1", http.StatusOK, manners["/order/1"], "X-Junk", strings.Repeat("x", 1<<20))
	problem(t, f.calls(f.client(), f.account(t))["/order/1"](t.Context()), tenants.CASilent)
}
