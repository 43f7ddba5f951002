package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"perennial/tenants"
)

// provider is what discovery found out.
type provider struct {
	at       time.Time
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	meta     metadata
}

// metadata is what we need of the discovery document beyond what the library reads.
type metadata struct {
	EndSession  string   `json:"end_session_endpoint"`
	Scopes      []string `json:"scopes_supported"`
	SendsIssuer bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207, section 3
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
}

const (
	discoveryTimeout = 4 * time.Second
	retryPause       = time.Second // between two tries while the provider is down
	freshFor         = time.Hour   // then the document is read again, for changed endpoints
	lookAfter        = 20 * time.Second
)

// Look asks whether the provider answers, for the sign-in page. It asks at most every 20 seconds.
func (a *Auth) Look(ctx context.Context) error {
	_, err := a.discover(ctx, lookAfter, false)
	return err
}

// provider returns the discovered provider. One that was found before is good enough when it does not answer now.
func (a *Auth) provider(ctx context.Context) (*provider, error) {
	return a.discover(ctx, freshFor, true)
}

func (a *Auth) discover(ctx context.Context, maxAge time.Duration, oldWillDo bool) (*provider, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, found := a.config.Now(), a.found.Load()
	if found != nil && a.lastError == nil && now.Sub(found.at) < maxAge {
		return found, nil
	}
	if a.lastError == nil || now.Sub(a.lastTry) >= retryPause {
		a.try(ctx)
	}
	found = a.found.Load()
	if a.lastError != nil && (found == nil || !oldWillDo) {
		return nil, a.lastError
	}
	return found, nil
}

// try runs one discovery. Callers hold the lock.
func (a *Auth) try(ctx context.Context) {
	found, err := a.fetch(ctx)
	now := a.config.Now()
	a.lastTry = now // when it ended, so that those who waited for it do not each wait for one more
	if err != nil {
		a.lastError = &tenants.Error{Kind: tenants.Unavailable, Err: err,
			Text: fmt.Sprintf("The identity provider %s does not answer, so nobody can sign in now. Try again in a minute. Certificates renew meanwhile.", a.ProviderName())}
		a.config.Log.Warn("identity provider not discovered", "issuer", a.config.Issuer, "error", err)
		return
	}
	found.at, a.lastError = now, nil
	a.found.Store(found)
}

func (a *Auth) fetch(ctx context.Context) (*provider, error) {
	// A visitor who gives up must not make the next one wait again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discoveryTimeout)
	defer cancel()
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, a.config.Client), a.config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discover %s: %w", a.config.Issuer, err)
	}
	found := &provider{verifier: p.Verifier(&oidc.Config{ClientID: a.config.ClientID, Now: a.config.Now})}
	if err := p.Claims(&found.meta); err != nil {
		return nil, fmt.Errorf("read discovery document: %w", err)
	}
	found.oauth = oauth2.Config{
		ClientID:     a.config.ClientID,
		ClientSecret: string(a.config.ClientSecret.Reveal()),
		Endpoint:     p.Endpoint(),
		RedirectURL:  a.config.BaseURL + "/signin/callback",
		Scopes:       append([]string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail}, a.scopes(found.meta)...),
	}
	found.oauth.Endpoint.AuthStyle = a.authStyle(found.meta)
	return found, nil
}

func (a *Auth) scopes(m metadata) []string {
	if a.config.Scopes == nil && slices.Contains(m.Scopes, "groups") {
		return []string{"groups"}
	}
	return a.config.Scopes
}

// authStyle decides how the client authenticates. Left alone, the OAuth library tries both ways, and the second
// try turns "this code has expired" into something else.
func (a *Auth) authStyle(m metadata) oauth2.AuthStyle {
	basic := len(m.AuthMethods) == 0 || slices.Contains(m.AuthMethods, "client_secret_basic")
	if a.config.ClientSecret.Empty() || !basic {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// FormOrigins are the origins that a form on our pages may lead to: Chromium applies form-action to the redirect
// after a POST, so without the provider's origin sign-in and sign-out would die silently.
func (a *Auth) FormOrigins() []string {
	if found := a.found.Load(); found != nil {
		return origins(a.config.Issuer, found.meta.EndSession, found.oauth.Endpoint.AuthURL)
	}
	return origins(a.config.Issuer)
}

func origins(urls ...string) []string {
	var all []string
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err == nil && u.Host != "" && !slices.Contains(all, u.Scheme+"://"+u.Host) {
			all = append(all, u.Scheme+"://"+u.Host)
		}
	}
	return all
}

// limited returns c with answers cut at one megabyte, because the library reads them whole.
func limited(c *http.Client) *http.Client {
	copied := *c
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	copied.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err == nil {
			resp.Body = http.MaxBytesReader(nil, resp.Body, 1<<20)
		}
		return resp, err
	})
	return &copied
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
