package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"perennial/store"
	"perennial/tenants"
)

// Cookie names. Over https the browser itself guards the prefix __Host-: only this host, only https, only path /.
// Plain http is for loopback, where other programs share the jar, so the names are ours alone.
const (
	sessionName = "perennial_session"
	loginName   = "perennial_login_"
	hostPrefix  = "__Host-"
	loginLife   = 600 // seconds
	maxLogins   = 6   // sign-ins under way in one browser; more would fill its request headers
)

func (a *Auth) name(plain string) string {
	if a.secure {
		return hostPrefix + plain
	}
	return plain
}

// loginCookieName is different for every state, so that two tabs can sign in at once.
func (a *Auth) loginCookieName(state string) string {
	sum := sha256.Sum256([]byte(state))
	return a.name(loginName + hex.EncodeToString(sum[:6]))
}

func (a *Auth) cookie(name, value string, seconds int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: a.secure,
		SameSite: http.SameSiteLaxMode} // Strict would hide the cookie from the redirect that ends a sign-in
}

func (a *Auth) forget(name string) *http.Cookie { return a.cookie(name, "", -1) }

func (a *Auth) loginCookie(state, binding string) *http.Cookie {
	return a.cookie(a.loginCookieName(state), binding, loginLife)
}

// sessionCookie lasts until the browser closes; the session's own end is in the database.
func (a *Auth) sessionCookie(token tenants.Secret) *http.Cookie {
	return a.cookie(a.name(sessionName), string(token.Reveal()), 0)
}

// tooMany forgets sign-ins that were started and never ended, once there are many of them.
func (a *Auth) tooMany(r *http.Request) []*http.Cookie {
	var old []*http.Cookie
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, a.name(loginName)) {
			old = append(old, a.forget(c.Name))
		}
	}
	if len(old) < maxLogins {
		return nil
	}
	return old
}

// Session is the session of the request's cookie. Without one, or with one that is broken or over, the error is of
// kind Unauthenticated.
func (a *Auth) Session(r *http.Request) (store.Session, error) {
	c, err := r.Cookie(a.name(sessionName))
	if err != nil || c.Value == "" || len(c.Value) > 200 {
		return store.Session{}, tenants.Errorf(tenants.Unauthenticated, "Nobody is signed in here. Sign in to go on.")
	}
	return a.config.DB.System().Session(r.Context(), tenants.NewSecret([]byte(c.Value)))
}

// HasCookie reports whether the browser believes that somebody is signed in.
func (a *Auth) HasCookie(r *http.Request) bool {
	_, err := r.Cookie(a.name(sessionName))
	return err == nil
}

// Forget is the cookie that removes the session's cookie.
func (a *Auth) Forget() *http.Cookie { return a.forget(a.name(sessionName)) }

// SignOut ends the session and returns where to go: to the provider, which ends its own (OpenID Connect
// RP-Initiated Logout 1.0), or to the sign-in page when the provider has no such place or does not answer.
func (a *Auth) SignOut(r *http.Request, s store.Session, actor tenants.Actor) (to string, err error) {
	c, err := r.Cookie(a.name(sessionName))
	if err != nil {
		return "/signin", nil
	}
	if err := a.config.DB.System().EndSession(r.Context(), tenants.NewSecret([]byte(c.Value)), actor); err != nil {
		return "", err
	}
	p, err := a.provider(r.Context())
	if err != nil || p.meta.EndSession == "" {
		return "/signin", nil
	}
	return a.endSessionURL(p, s), nil
}

func (a *Auth) endSessionURL(p *provider, s store.Session) string {
	u, err := url.Parse(p.meta.EndSession)
	if err != nil {
		return "/signin"
	}
	q := u.Query()
	q.Set("client_id", a.config.ClientID)
	q.Set("post_logout_redirect_uri", a.config.BaseURL+"/signin")
	if !s.IDToken.Empty() {
		q.Set("id_token_hint", string(s.IDToken.Reveal()))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// EndElsewhere ends the sessions that a logout token of the provider names (OpenID Connect Back-Channel Logout 1.0)
// and returns how many there were. A token that is sent twice ends nothing more, so replays need no memory.
func (a *Auth) EndElsewhere(ctx context.Context, logoutToken string) (int, error) {
	p, err := a.provider(ctx)
	if err != nil {
		return 0, err
	}
	t, err := p.verifier.VerifyLogout(ctx, logoutToken)
	if err != nil {
		return 0, &tenants.Error{Kind: tenants.Invalid, Text: "This is not a logout token for this portal.", Err: err}
	}
	return a.config.DB.System().EndSessionsOf(ctx, t.Issuer, t.Subject, t.SessionID)
}
