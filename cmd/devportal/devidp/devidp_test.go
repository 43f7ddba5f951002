package devidp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"perennial/cmd/devportal/devidp"
)

// portal stands in for the application: it remembers what reached it.
type portal struct {
	*httptest.Server
	logout chan string
}

func newPortal(t *testing.T) *portal {
	p := &portal{logout: make(chan string, 8)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/backchannel-logout" {
			p.logout <- r.FormValue("logout_token")
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func start(t *testing.T, p *portal) *devidp.Provider {
	t.Helper()
	idp, err := devidp.Start(t.Context(), devidp.Config{People: []devidp.Person{
		{Email: "ops@acme.example", Name: "Olga Ops", Groups: []string{"acme-admins", "staff"}, About: "Admin of Acme Retail"},
		{Email: "it@northwind.example", Name: "Ivo It"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { idp.Close() })
	idp.Serve(p.URL)
	return idp
}

// browser keeps cookies and stops before the portal, whose address is what the tests look at.
func browser(t *testing.T, p *portal) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if "http://"+r.URL.Host == p.URL {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func body(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const verifier = "a-verifier-that-is-long-enough-to-be-one-of-rfc-7636"

// signIn walks from the authorization request to the portal's callback and returns what arrives there.
func signIn(t *testing.T, idp *devidp.Provider, p *portal, c *http.Client, email string) url.Values {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	ask := url.Values{"client_id": {idp.ClientID}, "redirect_uri": {p.URL + "/signin/callback"}, "response_type": {"code"},
		"scope": {"openid email profile groups"},
		"state": {"st"}, "nonce": {"no"}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	resp, err := c.Get(idp.Issuer + "/authorize?" + ask.Encode())
	page := body(t, resp, err)
	id := find(t, page, `name="id" value="([^"]+)"`)
	person := find(t, page, `id="`+devidp.ButtonID(email)+`" name="person" value="([^"]+)"`)
	resp, err = c.PostForm(idp.Issuer+"/login", url.Values{"id": {id}, "person": {person}})
	body(t, resp, err)
	to, err := resp.Location()
	if err != nil || !strings.HasPrefix(to.String(), p.URL+"/signin/callback?") {
		t.Fatalf("went to %v (%v), not to the portal", to, err)
	}
	return to.Query()
}

func find(t *testing.T, page, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no %s in:\n%s", pattern, page)
	}
	return m[1]
}

func exchange(t *testing.T, idp *devidp.Provider, p *portal, code, verifier string) (int, map[string]any) {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.URL + "/signin/callback"},
		"code_verifier": {verifier}}
	req, _ := http.NewRequestWithContext(t.Context(), "POST", idp.Issuer+"/oauth/token", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(idp.ClientID, idp.ClientSecret)
	resp, err := http.DefaultClient.Do(req)
	text := body(t, resp, err)
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return resp.StatusCode, answer
}

// payload reads a token's claims without checking its signature, which the portal's tests do.
func payload(t *testing.T, token any) map[string]any {
	t.Helper()
	parts := strings.Split(token.(string), ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestCodeFlow(t *testing.T) {
	p := newPortal(t)
	idp := start(t, p)
	answer := signIn(t, idp, p, browser(t, p), "ops@acme.example")
	if answer.Get("iss") != idp.Issuer || answer.Get("state") != "st" {
		t.Errorf("answer %v lacks the issuer or the state", answer)
	}
	status, tokens := exchange(t, idp, p, answer.Get("code"), verifier)
	if status != http.StatusOK {
		t.Fatalf("exchange: %d %v", status, tokens)
	}
	claims := payload(t, tokens["id_token"])
	for name, want := range map[string]any{"iss": idp.Issuer, "nonce": "no", "email": "ops@acme.example", "name": "Olga Ops",
		"email_verified": true} {
		if claims[name] != want {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
	}
	if groups, _ := claims["groups"].([]any); !slices.Equal(groups, []any{"acme-admins", "staff"}) {
		t.Errorf("groups = %v", claims["groups"])
	}
	if claims["at_hash"] == nil || claims["sid"] == nil {
		t.Errorf("no at_hash or no sid in %v", claims)
	}
	if status, answer := exchange(t, idp, p, answer.Get("code"),
		verifier); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
		t.Errorf("the same code again: %d %v", status, answer)
	}
}

func TestWrongVerifierIsRefused(t *testing.T) {
	p := newPortal(t)
	idp := start(t, p)
	answer := signIn(t, idp, p, browser(t, p), "ops@acme.example")
	if status, got := exchange(t, idp, p, answer.Get("code"), "another"+verifier); status != http.StatusBadRequest {
		t.Errorf("exchange with a wrong verifier: %d %v", status, got)
	}
}

func TestSignOutEverywhereTellsThePortal(t *testing.T) {
	p := newPortal(t)
	idp := start(t, p)
	signIn(t, idp, p, browser(t, p), "ops@acme.example")
	sessions := idp.Sessions("ops@acme.example")
	if len(sessions) != 1 {
		t.Fatalf("%d sessions, want 1", len(sessions))
	}
	if err := idp.SignOutEverywhere(t.Context(), sessions[0]); err != nil {
		t.Fatal(err)
	}
	claims := payload(t, <-p.logout)
	if claims["sid"] != sessions[0] || claims["events"] == nil || claims["nonce"] != nil {
		t.Errorf("logout token %v", claims)
	}
}

func TestSignOutFromThePortal(t *testing.T) {
	p := newPortal(t)
	idp := start(t, p)
	c := browser(t, p)
	signIn(t, idp, p, c, "ops@acme.example")
	ask := url.Values{"client_id": {idp.ClientID}, "post_logout_redirect_uri": {p.URL + "/signin"}}
	resp, err := c.Get(idp.Issuer + "/end_session?" + ask.Encode())
	body(t, resp, err)
	if to, err := resp.Location(); err != nil || to.String() != p.URL+"/signin" {
		t.Errorf("went to %v (%v)", to, err)
	}
	if left := idp.Sessions("ops@acme.example"); len(left) != 0 {
		t.Errorf("sessions left: %v", left)
	}
}

func TestOnlyLoopback(t *testing.T) {
	if idp, err := devidp.Start(t.Context(), devidp.Config{Listen: "0.0.0.0:0"}); err == nil {
		idp.Close()
		t.Error("listens on every interface")
	}
}

func TestDiscoveryPromisesTheIssuerParameter(t *testing.T) {
	idp := start(t, newPortal(t))
	resp, err := http.Get(idp.Issuer + "/.well-known/openid-configuration")
	text := body(t, resp, err)
	for _, want := range []string{`"authorization_response_iss_parameter_supported":true`,
		`"backchannel_logout_supported":true`, `"S256"`, `"groups"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}
