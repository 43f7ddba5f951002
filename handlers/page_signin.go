package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4/middleware"

	"perennial/handlers/auth"
	"perennial/tenants"
	"perennial/views"
)

func localPath(typed string) string { return auth.LocalPath(typed) }

// signInPage is where people without a session arrive. It asks the provider whether it is there, so that nobody
// clicks into a void.
func (s *Site) signInPage(v *visit) error {
	back := localPath(v.FormValue("return_to"))
	if _, err := s.Auth.Session(v.Request()); err == nil {
		return v.goTo(back)
	}
	err := s.Auth.Look(v.ctx())
	s.rememberProvider(v.ctx(), err)
	p := views.SignInPage{ReturnTo: back, Unreachable: err != nil}
	if c, err := v.Request().Cookie(noteCookie); err == nil {
		p.SignedOut = c.Value == "signedout"
		p.Error, _ = s.takeNote(v)
	}
	return s.renderSignIn(v, http.StatusOK, p)
}

func (s *Site) renderSignIn(v *visit, status int, p views.SignInPage) error {
	p.Theme, p.Provider, p.RequestID = themeOf(v.Request()), s.Auth.ProviderName(), v.requestID()
	return s.renderStatus(v, status, views.SignIn(p))
}

const tooManyStarts = "There were too many sign-ins from your address within a minute. Wait a minute, then sign in again."

// newStarts bounds how often one address may begin to sign in, which writes a row each time: sixty at once, for an
// office behind one address, and one a second after that.
func newStarts() *middleware.RateLimiterMemoryStore {
	return middleware.NewRateLimiterMemoryStoreWithConfig(middleware.RateLimiterMemoryStoreConfig{
		Rate: 1, Burst: 60, ExpiresIn: 10 * time.Minute})
}

// signIn leaves for the provider.
func (s *Site) signIn(v *visit) error {
	email, back := v.FormValue("email"), localPath(v.FormValue("return_to"))
	if ok, err := s.starts.Allow(v.RealIP()); err != nil || !ok {
		err = &tenants.Error{Kind: tenants.Limited, Text: tooManyStarts, Err: err}
		return s.signInFailed(v, err, views.SignInPage{Email: email, ReturnTo: back})
	}
	to, err := s.Auth.Begin(v.Request(), back, email)
	if tenants.KindOf(err) == tenants.Unavailable {
		s.rememberProvider(v.ctx(), err)
		return s.signInFailed(v, err, views.SignInPage{Email: email, ReturnTo: back, Unreachable: true})
	}
	if err != nil {
		return err
	}
	for _, c := range to.Cookies {
		v.SetCookie(c)
	}
	return v.goTo(to.URL)
}

// callback is where the provider sends people back to.
func (s *Site) callback(v *visit) error {
	from := auth.Caller{Address: v.RealIP(), RequestID: v.requestID()}
	done, err := s.Auth.Finish(v.Request(), from)
	for _, c := range done.Cookies {
		v.SetCookie(c)
	}
	if err != nil {
		return s.signInFailed(v, err, views.SignInPage{ReturnTo: "/"})
	}
	s.rememberProvider(v.ctx(), nil)
	return v.goTo(done.ReturnTo)
}

// signInFailed shows the sign-in page again with the reason. Errors that are not for people go the usual way.
func (s *Site) signInFailed(v *visit, err error, p views.SignInPage) error {
	status, text := describe(err)
	if text == "" {
		return err
	}
	s.Log.Warn("sign-in failed", "request", v.requestID(), "error", err)
	p.Error = text
	return s.renderSignIn(v, status, p)
}

// signOut ends the session here and goes on to end the one at the provider. Whoever is not signed in is out already.
func (s *Site) signOut(v *visit) error {
	to := views.SignInPath
	if err := s.identify(v); err == nil {
		if to, err = s.Auth.SignOut(v.Request(), v.session, v.actor); err != nil {
			return err
		}
	} else if tenants.KindOf(err) != tenants.Unauthenticated {
		return err
	}
	v.SetCookie(s.Auth.Forget())
	s.leaveNote(v, "signedout")
	return v.goTo(to)
}

// backChannel is the provider telling us that somebody signed out there. The specification wants 400 for a bad
// token and no caching (OpenID Connect Back-Channel Logout 1.0, section 2.8).
func (s *Site) backChannel(v *visit) error {
	n, err := s.Auth.EndElsewhere(v.ctx(), v.FormValue("logout_token"))
	if err != nil {
		return err
	}
	s.Log.Info("back-channel logout", "request", v.requestID(), "sessions", n)
	return v.NoContent(http.StatusOK)
}

// home sends people to where they belong.
func (s *Site) home(v *visit) error {
	switch {
	case len(v.session.Memberships) > 0:
		return v.goTo(views.DomainsURL(v.session.Memberships[0].Tenant.Slug))
	case v.actor.Platform != "":
		return v.goTo(views.OverviewPath)
	}
	return tenants.Errorf(tenants.Denied,
		"You belong to no tenant any more. Ask whoever manages your account to put you into a group of your team, then sign out and in again.")
}

func (s *Site) tenantHome(v *visit) error { return v.goTo(views.DomainsURL(v.tenant.Slug)) }
