// Package auth signs people in and out with OpenID Connect and keeps them signed in with the portal's own sessions.
// It is the only importer of the OIDC library and knows nothing of pages: every failure is a *tenants.Error whose
// sentence a page can show.
//
// A sign-in is an authorization code flow with PKCE (S256), nonce and state. Its state is a row that can be taken
// once within ten minutes and a cookie of its own in the browser that started it, so a stolen or replayed answer of
// the provider is worth nothing elsewhere. Who somebody is, is (issuer, subject), never an e-mail address.
//
// The provider is discovered when it is first needed and again from time to time: the portal starts and serves
// while the provider is down, and says so.
package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"perennial/store"
	"perennial/tenants"
)

// Config is what signing in needs.
type Config struct {
	DB           *store.DB
	BaseURL      string // of the portal, as browsers see it: "https://certs.example.com"
	Issuer       string // of the provider, exactly as its discovery document says
	ClientID     string
	ClientSecret tenants.Secret // empty for a public client
	GroupsClaim  string         // claim of the id token that lists groups, an array or one string; default "groups"
	// Scopes are asked for besides openid, profile and email. Nil asks for "groups" where the provider lists it.
	Scopes         []string
	OperatorGroups []string         // members become platform operators
	AuditorGroups  []string         // members become platform auditors
	Client         *http.Client     // for the provider; nil: one with a time-out of 10 s
	Now            func() time.Time // nil: time.Now
	Log            *slog.Logger     // nil: slog.Default()
}

// Auth signs people in and out. It is safe for concurrent use.
type Auth struct {
	config Config
	base   *url.URL
	secure bool // served over https

	found atomic.Pointer[provider] // nil until the provider answered once

	mu        sync.Mutex // held while discovering, so that many people wait for one request
	lastTry   time.Time
	lastError error // of the last try; nil when it worked
}

// New checks the configuration; it does not talk to the provider.
func New(c Config) (*Auth, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("read base URL: %w", err)
	}
	if err := check(c, base); err != nil {
		return nil, err
	}
	if c.GroupsClaim == "" {
		c.GroupsClaim = "groups"
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Client = limited(c.Client)
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	return &Auth{config: c, base: base, secure: base.Scheme == "https"}, nil
}

func check(c Config, base *url.URL) error {
	var faults []error
	if base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		faults = append(faults, errors.New("base URL must be an http or https URL with a host"))
	}
	if strings.Trim(base.Path, "/") != "" {
		faults = append(faults, errors.New("base URL must not have a path: cookies and links belong to the whole host"))
	}
	if u, err := url.Parse(c.Issuer); err != nil || u.Host == "" {
		faults = append(faults, errors.New("OIDC issuer must be a URL"))
	}
	if c.ClientID == "" {
		faults = append(faults, errors.New("OIDC client id is empty"))
	}
	return errors.Join(faults...)
}

// ProviderName is the host of the provider, for sentences.
func (a *Auth) ProviderName() string {
	u, err := url.Parse(a.config.Issuer)
	if err != nil {
		return a.config.Issuer
	}
	return u.Host
}

// LocalPath returns a path of this portal that it is safe to redirect to: typed when it is one, otherwise "/".
func LocalPath(typed string) string {
	u, err := url.Parse(typed)
	switch {
	case err != nil, len(typed) > 1000, !strings.HasPrefix(typed, "/"):
		return "/"
	case u.Scheme != "", u.Host != "", u.User != nil, u.Opaque != "":
		return "/"
	case strings.ContainsAny(typed, "\\\x00"), strings.Contains(u.Path, "//"), strings.Contains(u.Path, "\\"):
		return "/" // browsers read a backslash as a slash, and //host as another host
	case strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' }):
		return "/"
	case strings.HasPrefix(u.Path, "/signin"), strings.HasPrefix(u.Path, "/signout"):
		return "/"
	}
	return u.RequestURI()
}
