package devdns_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"perennial/cmd/devportal/devdns"
)

func browse(t *testing.T, s *devdns.Server) (get func(path string) (int, string), post func(path string, fields ...string) (int, string)) {
	t.Helper()
	site := httptest.NewServer(devdns.Page(s))
	t.Cleanup(site.Close)
	read := func(resp *http.Response, err error) (int, string) {
		t.Helper()
		must(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(body)
	}
	get = func(path string) (int, string) { t.Helper(); return read(site.Client().Get(site.URL + path)) }
	post = func(path string, fields ...string) (int, string) {
		t.Helper()
		form := url.Values{"zone": {fields[0]}, "type": {fields[1]}, "name": {fields[2]}, "value": {fields[3]}}
		return read(site.Client().PostForm(site.URL+path, form))
	}
	return get, post
}

func contains(t *testing.T, what, body string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(body, p) {
			t.Errorf("%s: %q is missing", what, p)
		}
	}
}

func TestPageShows(t *testing.T) {
	s := start(t)
	must(t, s.Add("shop.acme.example", "A", "192.0.2.7"))
	must(t, s.Add("label.delegate.test", "TXT", `<b>"quoted"</b>`))
	get, _ := browse(t, s)
	code, body := get("/")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	contains(t, "first page", body, "<h1>acme.example</h1>", `id="zone"`, `id="type"`, `id="name"`, `id="value"`, `id="add"`,
		"shop.acme.example", "192.0.2.7", `href="/?zone=delegate.test"`, "name server")
	if strings.Contains(body, "Delete NS") || strings.Contains(body, "<option>delegate.test") || strings.Contains(body, "style=") {
		t.Error("the first page offers too much")
	}
	_, body = get("/?zone=delegate.test")
	contains(t, "delegation zone", body, "label.delegate.test", "&lt;b&gt;", "nothing can be changed by hand")
	if strings.Contains(body, `id="add"`) || strings.Contains(body, ">Delete<") {
		t.Error("the delegation zone can be changed")
	}
	_, body = get("/?zone=acme.example&q=SHOP")
	contains(t, "found", body, "1 of 1 records", `value="SHOP"`)
	if code, _ := get("/?zone=elsewhere.test"); code != http.StatusNotFound {
		t.Errorf("nobody's zone: %d", code)
	}
	if code, css := get("/page.css"); code != http.StatusOK || !strings.Contains(css, "light-dark(") {
		t.Errorf("style sheet: %d", code)
	}
}

func TestPageAdds(t *testing.T) {
	tests := []struct{ zone, typ, name, value, at, want string }{
		{"acme.example", "CNAME", "_acme-challenge.shop", "label.delegate.test", "_acme-challenge.shop.acme.example", "label.delegate.test"},
		{"acme.example", "CNAME", "_acme-challenge.shop.acme.example", "label.delegate.test.", "_acme-challenge.shop.acme.example", "label.delegate.test"},
		{"acme.example", "cname", " _Acme-challenge.Shop.acme.example. ", " Label.delegate.test ", "_acme-challenge.shop.acme.example", "label.delegate.test"},
		{"acme.example", "TXT", "@", `"v=spf1 -all"`, "acme.example", "v=spf1 -all"},
		{"acme.example", "CAA", "", "0 issue ca.perennial.test", "acme.example", `0 issue "ca.perennial.test"`},
		{"acme.example", "A", "www.northwind.example", "192.0.2.9", "www.northwind.example", "192.0.2.9"},
		{"northwind.example", "A", "x.eu.acme.example", "192.0.2.9", "x.eu.acme.example", "192.0.2.9"},
	}
	for _, test := range tests {
		s := start(t)
		_, post := browse(t, s)
		code, body := post("/add", test.zone, test.typ, test.name, test.value)
		if code != http.StatusOK {
			t.Errorf("%v: %d %s", test, code, body)
		}
		contains(t, test.name, body, "Record added.", "<code>"+test.at+"</code>")
		if got := s.Lookup(test.at, test.typ); !slices.Contains(got, test.want) {
			t.Errorf("%v: holds %q", test, got)
		}
	}
}

func TestPageSaysWhatIsWrong(t *testing.T) {
	s := start(t)
	must(t, s.Add("alias.acme.example", "CNAME", "a.example"))
	_, post := browse(t, s)
	tests := []struct{ zone, typ, name, value, field, want string }{
		{"acme.example", "A", "shop", "nonsense", "value", "is not an IPv4 address"},
		{"acme.example", "CNAME", "shop", "", "value", "The value is empty."},
		{"acme.example", "A", "sh op", "192.0.2.1", "name", "The part &#34;sh op&#34; has a sign"},
		{"acme.example", "A", strings.Repeat("x", 300), "192.0.2.1", "name", "The name has 313 characters"},
		{"acme.example", "A", "shop.elsewhere.test.", "192.0.2.1", "name", "lies in none of your zones"},
		{"acme.example", "TXT", "label.delegate.test", "x", "name", "the portal&#39;s own zone"},
		{"acme.example", "TXT", "alias", "x", "name", "alias.acme.example is a CNAME"},
		{"delegate.test", "TXT", "shop", "x", "zone", "not one of yours"},
		{"acme.example", "NS", "shop", "x", "type", "cannot be edited here"},
	}
	for _, test := range tests {
		code, body := post("/add", test.zone, test.typ, test.name, test.value)
		if code != http.StatusUnprocessableEntity {
			t.Errorf("%.80v: %d", test, code)
		}
		contains(t, fmt.Sprintf("%.60v", test), body, test.want, `id="e-`+test.field+`"`, `href="#`+test.field+`"`,
			`name="name" value="`+test.name+`"`, `name="value" value="`+test.value+`"`)
	}
}

func TestPageDeletes(t *testing.T) {
	s := start(t)
	must(t, s.Add("shop.acme.example", "TXT", "one", "two"))
	_, post := browse(t, s)
	code, body := post("/delete", "acme.example", "TXT", "shop.acme.example.", "one")
	if got := s.Lookup("shop.acme.example", "TXT"); code != http.StatusOK || !slices.Equal(got, []string{"two"}) {
		t.Errorf("%d, left %q", code, got)
	}
	contains(t, "deleted", body, "Record deleted.")
	if code, _ := post("/delete", "acme.example", "TXT", "shop.acme.example.", "one"); code != http.StatusOK {
		t.Errorf("twice: %d", code)
	}
	must(t, s.Add("label.delegate.test", "TXT", "x"))
	post("/delete", "delegate.test", "TXT", "label.delegate.test.", "x")
	post("/delete", "acme.example", "TXT", "label.delegate.test.", "x")
	post("/delete", "acme.example", "A", "ns1.acme.example.", "127.0.0.1")
	if len(s.Lookup("label.delegate.test", "TXT")) != 1 || len(s.Lookup("ns1.acme.example", "A")) != 1 {
		t.Error("what is not the customer's was deleted")
	}
}

func TestPageGuards(t *testing.T) {
	s := start(t)
	page := devdns.Page(s)
	send := func(origin, site, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "http://dns.test/add", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w
	}
	const good = "zone=acme.example&type=A&name=x&value=192.0.2.1"
	if w := send("https://evil.test", "cross-site", good); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	if w := send("http://dns.test", "same-origin", good); w.Code != http.StatusSeeOther {
		t.Errorf("from the page: %d", w.Code)
	}
	if w := send("http://dns.test", "same-origin", "name="+strings.Repeat("x", 1<<20)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d", w.Code)
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "http://dns.test/", nil))
	csp := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	w = httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("PUT", "http://dns.test/add", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("another method: %d", w.Code)
	}
}
