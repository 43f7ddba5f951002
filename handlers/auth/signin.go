package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"perennial/store"
	"perennial/tenants"
)

// Departure is where a browser goes to sign in, and what it takes along.
type Departure struct {
	URL     string
	Cookies []*http.Cookie
}

// Begin starts a sign-in that ends at the local path returnTo. hint is what the person typed as e-mail address, for
// the provider; it may be empty.
func (a *Auth) Begin(r *http.Request, returnTo, hint string) (Departure, error) {
	p, err := a.provider(r.Context())
	if err != nil {
		return Departure{}, err
	}
	state, binding, nonce, verifier := secret(), secret(), secret(), oauth2.GenerateVerifier()
	err = a.config.DB.System().CreateLogin(r.Context(), store.Login{
		StateHash:  sha256.Sum256([]byte(state)),
		CookieHash: sha256.Sum256([]byte(binding)),
		Nonce:      nonce,
		Verifier:   tenants.NewSecret([]byte(verifier)),
		ReturnTo:   LocalPath(returnTo),
	})
	if err != nil {
		return Departure{}, fmt.Errorf("save sign-in: %w", err)
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)}
	if hint != "" && len(hint) < 255 {
		options = append(options, oauth2.SetAuthURLParam("login_hint", hint))
	}
	cookies := append(a.tooMany(r), a.loginCookie(state, binding))
	return Departure{URL: p.oauth.AuthCodeURL(state, options...), Cookies: cookies}, nil
}

// secret is 260 bits of randomness as text.
func secret() string { return rand.Text() + rand.Text() }

// Caller is what the audit log says of where somebody signed in from.
type Caller struct{ Address, RequestID string }

// Arrival is a finished sign-in.
type Arrival struct {
	ReturnTo    string
	Memberships []store.Membership
	Cookies     []*http.Cookie
}

// Finish ends the sign-in that the provider's answer r belongs to. The cookies of the result are to be set even when
// there is an error.
func (a *Auth) Finish(r *http.Request, from Caller) (Arrival, error) {
	state := r.FormValue("state")
	done := Arrival{Cookies: []*http.Cookie{a.forget(a.loginCookieName(state))}}
	login, err := a.take(r, state)
	if err != nil {
		return done, err
	}
	p, err := a.provider(r.Context())
	if err != nil {
		return done, err
	}
	if err := a.checkAnswer(r, p); err != nil {
		return done, err
	}
	who, err := a.exchange(r.Context(), p, login, r.FormValue("code"))
	if err != nil {
		return done, err
	}
	who.Address, who.RequestID = from.Address, from.RequestID
	token, memberships, err := a.config.DB.System().SignIn(r.Context(), who)
	if err != nil {
		return done, err
	}
	done.ReturnTo, done.Memberships = login.ReturnTo, memberships
	done.Cookies = append(done.Cookies, a.sessionCookie(token))
	return done, nil
}

// take uses the state up and checks that it was started in this browser.
func (a *Auth) take(r *http.Request, state string) (store.Login, error) {
	used := tenants.Errorf(tenants.Invalid, "This sign-in was used already or is older than ten minutes. Sign in again.")
	if state == "" || len(state) > 200 {
		return store.Login{}, used
	}
	login, err := a.config.DB.System().TakeLogin(r.Context(), sha256.Sum256([]byte(state)))
	if kind := tenants.KindOf(err); kind != "" && kind != tenants.Internal && kind != tenants.Unavailable {
		return store.Login{}, used
	}
	if err != nil {
		return store.Login{}, fmt.Errorf("take sign-in: %w", err)
	}
	cookie, err := r.Cookie(a.loginCookieName(state))
	if err != nil {
		return store.Login{}, a.foreign("no login cookie")
	}
	got := sha256.Sum256([]byte(cookie.Value))
	if subtle.ConstantTimeCompare(got[:], login.CookieHash[:]) != 1 {
		return store.Login{}, a.foreign("wrong login cookie")
	}
	return login, nil
}

func (a *Auth) foreign(why string) error {
	return &tenants.Error{Kind: tenants.Invalid, Err: errors.New(why),
		Text: "This sign-in was started in another browser, or this browser keeps no cookies. Sign in again from here."}
}

// checkAnswer looks at the provider's answer before its code is used. The iss parameter keeps one provider from
// passing off its answer as another's (RFC 9207).
func (a *Auth) checkAnswer(r *http.Request, p *provider) error {
	iss := r.FormValue("iss")
	if iss != "" && iss != a.config.Issuer || iss == "" && p.meta.SendsIssuer {
		return a.mistrust(fmt.Errorf("iss parameter is %q", iss))
	}
	switch problem := r.FormValue("error"); {
	case problem == "access_denied":
		return a.refused(tenants.Denied,
			"%s did not let you in. Ask whoever manages your account there, then sign in again.", problem)
	case problem == "temporarily_unavailable" || problem == "server_error":
		return a.refused(tenants.Unavailable, "%s has a problem of its own. Try again in a minute.", problem)
	case problem != "":
		return a.refused(tenants.Invalid, "%s did not finish the sign-in. Sign in again.", problem)
	case r.FormValue("code") == "":
		return a.mistrust(errors.New("answer without a code"))
	}
	return nil
}

func (a *Auth) refused(kind tenants.Kind, format, problem string) error {
	e := tenants.Errorf(kind, format, a.ProviderName())
	e.Err = fmt.Errorf("provider answered %.60q", problem)
	return e
}

func (a *Auth) mistrust(why error) error {
	e := tenants.Errorf(tenants.Invalid,
		"The answer of %s does not belong to this sign-in. Sign in again; if it happens again, tell whoever runs this portal.", a.ProviderName())
	e.Err = why
	return e
}

// exchange turns the code into an identity.
func (a *Auth) exchange(ctx context.Context, p *provider, login store.Login, code string) (store.Identity, error) {
	ctx = oidc.ClientContext(ctx, a.config.Client)
	token, err := p.oauth.Exchange(ctx, code, oauth2.VerifierOption(string(login.Verifier.Reveal())))
	if err != nil {
		return store.Identity{}, a.exchangeFailed(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return store.Identity{}, a.mistrust(fmt.Errorf("verify id token: %w", err))
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(login.Nonce)) != 1 {
		return store.Identity{}, a.mistrust(errors.New("wrong nonce"))
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return store.Identity{}, a.mistrust(fmt.Errorf("check at_hash: %w", err))
		}
	}
	return a.identity(id, raw)
}

func (a *Auth) exchangeFailed(err error) error {
	answered, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case ok && answered.ErrorCode == "invalid_grant":
		e := tenants.Errorf(tenants.Invalid, "The code of %s has expired or was used already. Sign in again.", a.ProviderName())
		e.Err = err
		return e
	case ok && answered.Response != nil && answered.Response.StatusCode < 500:
		// Most often a wrong client secret: nothing that the person could repair.
		return &tenants.Error{Kind: tenants.Internal, Err: fmt.Errorf("exchange code: %w", err)}
	}
	e := tenants.Errorf(tenants.Unavailable, "The identity provider %s does not answer. Try again in a minute.", a.ProviderName())
	e.Err = err
	return e
}

// claims is what an id token says of a person besides its subject.
type claims struct {
	Email    string `json:"email"`
	Verified *bool  `json:"email_verified"`
	Name     string `json:"name"`
	Session  string `json:"sid"`
}

func (a *Auth) identity(id *oidc.IDToken, raw string) (store.Identity, error) {
	var c claims
	var all map[string]any
	if err := errors.Join(id.Claims(&c), id.Claims(&all)); err != nil {
		return store.Identity{}, a.mistrust(fmt.Errorf("read claims: %w", err))
	}
	if c.Email == "" || c.Verified != nil && !*c.Verified {
		c.Email = id.Subject // an address that nobody checked could be another person's
	}
	groups := list(all[a.config.GroupsClaim])
	return store.Identity{
		Issuer: id.Issuer, Subject: id.Subject, Email: c.Email, Name: c.Name, Groups: groups,
		OIDCSession: c.Session, IDToken: tenants.NewSecret([]byte(raw)), Platform: a.platform(groups),
	}, nil
}

// list reads a claim that is an array of strings or one string, as providers differ.
func list(claim any) []string {
	var all []string
	switch v := claim.(type) {
	case string:
		all = strings.Split(v, ",")
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok {
				all = append(all, s)
			}
		}
	}
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	slices.Sort(all)
	return slices.Compact(all)
}

func (a *Auth) platform(groups []string) tenants.PlatformRole {
	in := func(wanted []string) bool {
		return slices.ContainsFunc(wanted, func(g string) bool { return slices.Contains(groups, g) })
	}
	switch {
	case in(a.config.OperatorGroups):
		return tenants.Operator
	case in(a.config.AuditorGroups):
		return tenants.PlatformAuditor
	}
	return ""
}
