package devidp

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

//go:embed pages.html pages.css
var files embed.FS

// Cookies know no ports, so on loopback the provider and the portal share a jar: this name must not be one of
// the portal's.
const cookieName = "devidp_session"

func (p *Provider) routes(library *op.Provider) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.home)
	mux.HandleFunc("GET /login", p.login)
	mux.HandleFunc("POST /login", p.chosen)
	mux.HandleFunc("POST /sessions/{sid}/end", p.endEverywhere)
	mux.HandleFunc("GET /pages.css", stylesheet)
	mux.HandleFunc("GET "+oidc.DiscoveryEndpoint, p.discovery(library))
	mux.Handle("/", p.rememberBrowser(p.addIssuer(library)))
	return http.NewCrossOriginProtection().Handler(p.headers(mux))
}

// headers sets what every page needs. form-action names the clients, because Chromium applies it to the redirects
// that follow the choice of a person.
func (p *Provider) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"+p.clientOrigins())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (p *Provider) clientOrigins() string {
	var b strings.Builder
	p.storage.edit(func(s *storage) {
		for _, c := range s.clients {
			for _, uri := range c.RedirectURIs {
				if u, err := url.Parse(uri); err == nil {
					b.WriteString(" " + u.Scheme + "://" + u.Host)
				}
			}
		}
	})
	return b.String()
}

type choice struct {
	Person
	ButtonID, Subject string
}

type page struct {
	Title    string
	Request  string
	Client   string
	People   []choice
	Sessions []session
	Problem  string
}

func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("id")
	ask, err := p.storage.AuthRequestByID(r.Context(), id)
	if err != nil {
		render(w, http.StatusBadRequest, page{Title: "Sign in",
			Problem: "This sign-in is over. Go back to the portal and start again."})
		return
	}
	render(w, http.StatusOK, page{Title: "Choose a person", Request: id, Client: ask.GetClientID(), People: p.choices()})
}

func (p *Provider) choices() []choice {
	var all []choice
	for _, one := range p.storage.people {
		all = append(all, choice{Person: one, ButtonID: ButtonID(one.Email), Subject: one.subject()})
	}
	return all
}

// ButtonID is the id of a person's button on the sign-in page: "person-ops-acme-example" for ops@acme.example.
func ButtonID(email string) string {
	return "person-" + strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(email))
}

func (p *Provider) chosen(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	who, ok := p.storage.person(r.PostFormValue("person"))
	if !ok {
		render(w, http.StatusBadRequest, page{Title: "Sign in",
			Problem: "There is no such person. Go back and choose one of the list."})
		return
	}
	started, err := p.storage.choose(id, who)
	if err != nil {
		render(w, http.StatusBadRequest, page{Title: "Sign in",
			Problem: "This sign-in is over. Go back to the portal and start again."})
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: started.ID, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/authorize/callback?id="+url.QueryEscape(id), http.StatusSeeOther)
}

func (p *Provider) home(w http.ResponseWriter, _ *http.Request) {
	render(w, http.StatusOK, page{Title: "Who is signed in", Sessions: p.storage.openSessions()})
}

// endEverywhere is what an administrator of a real provider does to somebody who left: the portal hears of it
// through its back channel.
func (p *Provider) endEverywhere(w http.ResponseWriter, r *http.Request) {
	if err := p.SignOutEverywhere(r.Context(), r.PathValue("sid")); err != nil {
		p.log.Warn("back-channel logout failed", "error", err)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func stylesheet(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "pages.css") }

// discovery is the library's document plus the promise of RFC 9207, which the library cannot make.
func (p *Provider) discovery(library *op.Provider) http.HandlerFunc {
	type document struct {
		*oidc.DiscoveryConfiguration
		SendsIssuer bool `json:"authorization_response_iss_parameter_supported"`
	}
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := op.ContextWithIssuer(r.Context(), p.Issuer)
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(document{op.CreateDiscoveryConfig(ctx, library, p.storage), true})
	}
}

func render(w http.ResponseWriter, status int, data page) {
	t, err := template.ParseFS(files, "pages.html")
	var b bytes.Buffer
	if err == nil {
		err = t.Execute(&b, data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}
