package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"perennial/tenants"
	"perennial/views"
)

// statusOf is the one table from an error's kind to an HTTP status. Refused forms answer 422 by themselves.
var statusOf = map[tenants.Kind]int{
	tenants.Invalid:         http.StatusBadRequest,
	tenants.Unauthenticated: http.StatusUnauthorized,
	tenants.Denied:          http.StatusForbidden,
	tenants.NotFound:        http.StatusNotFound,
	tenants.Conflict:        http.StatusConflict,
	tenants.Limited:         http.StatusTooManyRequests,
	tenants.Unavailable:     http.StatusServiceUnavailable,
	tenants.Internal:        http.StatusInternalServerError,
}

// fail answers an error. It is called for every error that a handler, the router or a station returns.
func (s *Site) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return // too late: the access log has the error
	}
	v := s.visitOf(c)
	if tenants.KindOf(err) == tenants.Unauthenticated && v.route.kind == page {
		s.toSignIn(v)
		return
	}
	status, text := describe(err)
	if status == http.StatusServiceUnavailable {
		c.Response().Header().Set("Retry-After", "10")
	}
	if v.route.kind != page || c.Request().Method == http.MethodHead {
		c.String(status, cmp.Or(text, http.StatusText(status)+", "+v.requestID())+"\n")
		return
	}
	if err := s.renderStatus(v, status, views.Error(s.errorPage(v, status, text))); err != nil {
		s.Log.Error("error page failed", "request", v.requestID(), "error", err)
		c.String(http.StatusInternalServerError, "Something is broken here. Try again in a minute.\n")
	}
}

// describe finds the status and the words for people; no words where the error was not made for people.
func describe(err error) (status int, text string) {
	if e, ok := errors.AsType[*tenants.Error](err); ok && e.Kind != tenants.Internal {
		return statusOf[e.Kind], e.Text
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, fmt.Sprintf(tooLarge, large.Limit>>20)
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok && e.Code < http.StatusInternalServerError {
		return e.Code, ""
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusServiceUnavailable, "This took too long. Try again in a minute."
	}
	return http.StatusInternalServerError, ""
}

func (s *Site) errorPage(v *visit, status int, text string) views.ErrorPage {
	p := views.ErrorPage{Page: s.page(v), Status: status, Text: text}
	p.Retry = status >= http.StatusInternalServerError && v.Request().Method == http.MethodGet
	switch {
	case v.tenant.Slug != "":
		p.Action, p.URL = "Go to your domains", views.DomainsURL(v.tenant.Slug)
	case v.actor.Name == "":
		p.Action, p.URL = "Go to sign-in", views.SignInPath
	default:
		p.Action, p.URL = "Go to the first page", "/"
	}
	return p
}

// visitOf is the visit of a request, also of one that found no route: then it is made here, with the session when
// there is one, so that the page has its navigation.
func (s *Site) visitOf(c echo.Context) *visit {
	if v, ok := c.Get(visitKey).(*visit); ok {
		return v
	}
	v := &visit{Context: c, now: s.Now()}
	if s.Auth.HasCookie(c.Request()) {
		if err := s.identify(v); err != nil {
			v.actor = tenants.Actor{}
		}
	}
	return v
}
