package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"perennial/handlers/auth"
	"perennial/store/storetest"
	"perennial/tenants"
)

// liar is an OpenID Provider whose tokens say whatever a test wants.
type liar struct {
	*httptest.Server
	key    *ecdsa.PrivateKey
	claims map[string]any
	answer func(http.ResponseWriter) // instead of tokens; nil: tokens
}

const accessToken = "an access token"

func newLiar(t *testing.T) *liar {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{key: key}
	public := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k",
		Algorithm: oidc.ES256}}, Algorithms: []string{oidc.ES256}}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			l.token(w)
			return
		}
		public.ServeHTTP(w, r)
	}))
	t.Cleanup(l.Close)
	public.SetIssuer(l.URL)
	return l
}

func (l *liar) token(w http.ResponseWriter) {
	if l.answer != nil {
		l.answer(w)
		return
	}
	body, _ := json.Marshal(l.claims) // made of strings and numbers
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"access_token": accessToken, "token_type": "Bearer",
		"id_token": oidctest.SignIDToken(l.key, "k", oidc.ES256, string(body))})
}

func newAuth(t *testing.T, l *liar) *auth.Auth {
	t.Helper()
	a, err := auth.New(auth.Config{DB: storetest.New(t).DB, BaseURL: "http://127.0.0.1:8080", Issuer: l.URL, ClientID: "portal", ClientSecret: tenants.NewSecret([]byte("s")), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// signIn runs a whole sign-in against the liar; change edits the claims of a good id token.
func signIn(t *testing.T, a *auth.Auth, l *liar, change map[string]any) (auth.Arrival, error) {
	t.Helper()
	departure, err := a.Begin(httptest.NewRequest("POST", "/signin", nil), "/t/acme/audit", "")
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(departure.URL)
	if err != nil {
		t.Fatal(err)
	}
	half := sha256.Sum256([]byte(accessToken))
	l.claims = map[string]any{"iss": l.URL, "aud": "portal", "sub": "42", "exp": time.Now().Add(time.Minute).Unix(),
		"iat": time.Now().Unix(), "nonce": to.Query().Get("nonce"),
		"email": "ops@acme.example", "groups": []string{"acme-admin"}, "at_hash": base64.RawURLEncoding.EncodeToString(half[:16])}
	maps.Copy(l.claims, change)
	maps.DeleteFunc(l.claims, func(_ string, value any) bool { return value == nil })
	back := httptest.NewRequest("GET", "/signin/callback?code=c&state="+url.QueryEscape(to.Query().Get("state")), nil)
	for _, c := range departure.Cookies {
		back.AddCookie(c)
	}
	return a.Finish(back, auth.Caller{Address: "192.0.2.1", RequestID: "req_1"})
}

func TestTokens(t *testing.T) {
	l := newLiar(t)
	a := newAuth(t, l)
	for name, c := range map[string]struct {
		change map[string]any
		want   tenants.Kind // empty: signed in
	}{
		"good":                         {nil, ""},
		"without at_hash":              {map[string]any{"at_hash": nil}, ""},
		"groups are one string":        {map[string]any{"groups": "acme-admin"}, ""},
		"more audiences":               {map[string]any{"aud": []string{"other", "portal"}}, ""},
		"at_hash of another token":     {map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, tenants.Invalid},
		"nonce of another sign-in":     {map[string]any{"nonce": "x"}, tenants.Invalid},
		"no nonce":                     {map[string]any{"nonce": nil}, tenants.Invalid},
		"for another client":           {map[string]any{"aud": "other"}, tenants.Invalid},
		"of another issuer":            {map[string]any{"iss": "https://evil.example"}, tenants.Invalid},
		"expired":                      {map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, tenants.Invalid},
		"groups that nobody mapped":    {map[string]any{"groups": []string{"staff"}}, tenants.Denied},
		"no groups":                    {map[string]any{"groups": nil}, tenants.Denied},
		"groups of an unexpected kind": {map[string]any{"groups": map[string]any{"acme-admin": true}}, tenants.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			done, err := signIn(t, a, l, c.change)
			if got := tenants.KindOf(err); got != c.want {
				t.Fatalf("kind %q (%v), want %q", got, err, c.want)
			}
			if signedIn := len(done.Cookies) == 2; signedIn != (c.want == "") {
				t.Errorf("cookies %v", done.Cookies)
			}
			if c.want == "" && (done.ReturnTo != "/t/acme/audit" || len(done.Memberships) != 1) {
				t.Errorf("arrived as %+v", done)
			}
		})
	}
}

// TestUncheckedAddressIsNotShown: whoever can write any address at the provider must not appear in the audit log
// under somebody else's.
func TestUncheckedAddressIsNotShown(t *testing.T) {
	l := newLiar(t)
	a := newAuth(t, l)
	done, err := signIn(t, a, l, map[string]any{"email_verified": false})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(done.Cookies[1])
	session, err := a.Session(r)
	if err != nil {
		t.Fatal(err)
	}
	if session.Actor.Name != "42" || session.Actor.Subject != "42" {
		t.Errorf("actor %+v", session.Actor)
	}
}

func TestTokenEndpointFails(t *testing.T) {
	l := newLiar(t)
	a := newAuth(t, l)
	reply := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			w.Write([]byte(body))
		}
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		want   tenants.Kind
	}{
		"expired code":    {reply(400, `{"error":"invalid_grant"}`), tenants.Invalid},
		"wrong secret":    {reply(401, `{"error":"invalid_client"}`), tenants.Internal},
		"out of order":    {reply(503, `<html>`), tenants.Unavailable},
		"endless":         {reply(200, `{"access_token":"`+strings.Repeat("x", 3<<20)+`"}`), tenants.Unavailable},
		"no id token":     {reply(200, `{"access_token":"x","token_type":"Bearer"}`), tenants.Invalid},
		"broken id token": {reply(200, `{"access_token":"x","token_type":"Bearer","id_token":"a.b.c"}`), tenants.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			l.answer = c.answer
			if _, err := signIn(t, a, l, nil); tenants.KindOf(err) != c.want {
				t.Errorf("error %v, want kind %s", err, c.want)
			}
		})
	}
}
