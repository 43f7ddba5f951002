package handlers_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"perennial/cmd/devportal/devidp"
	"perennial/handlers"
	"perennial/handlers/auth"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// world is the whole stack on loopback: the site on a database of its own and an OpenID Provider with one person
// for every role.
type world struct {
	*storetest.World
	url    string
	idp    *devidp.Provider
	server *httptest.Server
	down   atomic.Bool     // the portal cannot reach the provider
	event  tenants.EventID // of TestRoutesByRole
}

// RoundTrip is the way from the portal to the provider.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.down.Load() {
		return nil, errors.New("connection refused")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// people maps the words of the scripts to e-mail addresses.
var people = map[string]string{
	"viewer":   "viewer@acme.example",
	"auditor":  "auditor@acme.example",
	"editor":   "editor@acme.example",
	"approver": "approver@acme.example",
	"admin":    "ops@acme.example",
	"foreign":  "it@northwind.example",
	"operator": "operator@portal.example",
	"platform": "audit@portal.example",
	"stranger": "nobody@elsewhere.example",
}

func everybody() []devidp.Person {
	return []devidp.Person{
		{Email: people["viewer"], Name: "Vera Viewer", Groups: []string{"acme-viewer"}},
		{Email: people["auditor"], Name: "Adam Auditor", Groups: []string{"acme-auditor"}},
		{Email: people["editor"], Name: "Edda Editor", Groups: []string{"acme-editor"}},
		{Email: people["approver"], Name: "Arno Approver", Groups: []string{"acme-approver"}},
		{Email: people["admin"], Name: "Olga Ops", Groups: []string{"acme-admin"}},
		{Email: people["foreign"], Name: "Ivo It", Groups: []string{"northwind-admin"}},
		{Email: people["operator"], Name: "Otto Operator", Groups: []string{"portal-operators"}},
		{Email: people["platform"], Name: "Paula Audit", Groups: []string{"portal-auditors"}},
		{Email: people["stranger"], Name: "Nemo Nobody", Groups: []string{"staff"}},
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return serve(t, storetest.New(t))
}

func serve(t *testing.T, db *storetest.World) *world {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	w := &world{World: db, server: server, url: "http://" + server.Listener.Addr().String()}
	w.startProvider(t)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	signIn, err := auth.New(auth.Config{DB: w.DB, BaseURL: w.url, Issuer: w.idp.Issuer, ClientID: w.idp.ClientID,
		ClientSecret:   tenants.NewSecret([]byte(w.idp.ClientSecret)),
		OperatorGroups: []string{"portal-operators"}, AuditorGroups: []string{"portal-auditors"}, Log: log, Now: w.Clock.Now, Client: &http.Client{Transport: w}})
	if err != nil {
		t.Fatal(err)
	}
	site := handlers.New(handlers.Config{DB: w.DB, Auth: signIn, BaseURL: w.url, Version: "test", IssuerName: "Test CA",
		Zone: storetest.Zone, CheckDirectory: checkDirectory,
		Rules: tenants.NameRules{AllowSpecialUse: true}, Log: log, Now: w.Clock.Now})
	server.Config = site.Server()
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(site.Close) // before the server, which waits for streams
	return w
}

// checkDirectory knows one authority that answers, at ca.example, and one below it that is silent.
func checkDirectory(_ context.Context, i tenants.Issuer, eab tenants.EAB) (tenants.Issuer, error) {
	if strings.Contains(i.Directory, "silent.") {
		return i, &tenants.Error{Kind: tenants.Invalid, Text: "This authority was not added.",
			Fields: map[string]string{"directory": "No authority answers there just now."}}
	}
	i.CAA = []string{"ca.example"}
	return i, nil
}

func (w *world) startProvider(t *testing.T) {
	t.Helper()
	idp, err := devidp.Start(t.Context(), devidp.Config{People: everybody()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { idp.Close() })
	idp.Serve(w.url)
	w.idp = idp
}

func (w *world) vars() map[string]string {
	return map[string]string{"idp": w.idp.Issuer, "portal": w.url, "acme": string(w.Acme.ID), "north": string(w.Northwind.ID),
		"tomorrow": w.Clock.Now().Add(24 * time.Hour).UTC().Format("2006-01-02T15:04")}
}

// signIn signs a person in with the real flow and returns their browser.
func (w *world) signIn(t *testing.T, person string) *http.Client {
	t.Helper()
	email, ok := people[person]
	if !ok {
		t.Fatalf("no person %q", person)
	}
	p := &player{t: t, world: w, client: newBrowser(t), vars: w.vars()}
	p.begin("POST", "/signin")
	p.send()
	for range 2 { // the provider's authorization endpoint, then its list of people
		p.begin("GET", p.location())
		p.send()
	}
	p.choose(email)
	p.begin("GET", p.location())
	p.send()
	if p.answer.StatusCode != http.StatusSeeOther {
		p.fatal("%s could not sign in", person)
	}
	return p.client
}

// session signs a person in past the provider, for tests that need many people quickly.
func (w *world) session(t *testing.T, person devidp.Person, role tenants.PlatformRole) *http.Client {
	t.Helper()
	token, _, err := w.DB.System().SignIn(t.Context(), store.Identity{Issuer: w.idp.Issuer, Subject: person.Email,
		Email: person.Email, Name: person.Name,
		Groups: person.Groups, Platform: role})
	if err != nil {
		t.Fatal(err)
	}
	c := newBrowser(t)
	u, _ := url.Parse(w.url)
	c.Jar.SetCookies(u, []*http.Cookie{{Name: "perennial_session", Value: string(token.Reveal()), Path: "/"}})
	return c
}

// soon is a context for what should take no time at all.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
