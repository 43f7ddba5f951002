package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"perennial/static"
	"perennial/tenants"
	"perennial/views"
)

const (
	maxBody   = 1 << 20
	maxLists  = 4 << 20 // 10,000 serial numbers and as many keys, with colons that are three bytes each in a form: 3 MB
	maxDrain  = 32 << 20
	tooLarge  = "This is more than %d MB, which this form never needs. Send less, for example fewer names or lines at once."
	crossText = "This form was sent from another site, so nothing was done. Open the portal and send it from there."
)

// observe gives the request its id and writes the access log. Queries stay out of it: they hold codes and names.
func (s *Site) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start, id := time.Now(), "req_"+strings.ToLower(rand.Text()[:12])
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		level := slog.LevelInfo
		if c.Response().Status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		attrs := []slog.Attr{
			slog.String("request", id), slog.String("method", c.Request().Method), slog.String("path", c.Request().URL.Path),
			slog.Int("status", c.Response().Status), slog.Int64("bytes", c.Response().Size),
			slog.Duration("took", time.Since(start)), slog.String("address", c.RealIP()),
		}
		if err != nil {
			attrs = append(attrs, slog.String("error", err.Error()))
		}
		s.Log.LogAttrs(c.Request().Context(), level, "request", attrs...)
		return nil
	}
}

// rescue turns a panic into an error with its stack. Aborting a half-written download is no accident.
func (s *Site) rescue(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); {
			case p == nil:
			case p == http.ErrAbortHandler:
				panic(p)
			default:
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

// guard sets the headers that keep browsers from being used against their owners, and refuses forms that another
// site sent.
func (s *Site) guard(next echo.HandlerFunc) echo.HandlerFunc {
	check := http.NewCrossOriginProtection()
	if err := check.AddTrustedOrigin(s.BaseURL); err != nil {
		s.Log.Warn("base URL is no origin", "error", err)
	}
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", s.policy())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if strings.HasPrefix(s.BaseURL, "https:") {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if err := check.Check(c.Request()); err != nil {
			return &tenants.Error{Kind: tenants.Denied, Text: crossText, Err: err}
		}
		return next(c)
	}
}

// policy is the content security policy: nothing inline, nothing from elsewhere. form-action names the identity
// provider because Chromium applies it to the redirects that follow a form.
func (s *Site) policy() string {
	origins := strings.Join(append(s.Auth.FormOrigins(), s.FormOrigins...), " ")
	return "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; " +
		"connect-src 'self'; form-action 'self' " + origins + "; base-uri 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'"
}

// limitBody reads forms here, once, so that a body that is too large or broken is one error for all pages. A browser
// reads the answer only after it has sent everything, so a large body is thrown away first, within reason.
func (s *Site) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		body := r.Body
		r.Body = http.MaxBytesReader(c.Response(), body, bodyLimit(c.Path()))
		err := r.ParseForm()
		switch large, ok := errors.AsType[*http.MaxBytesError](err); {
		case ok:
			io.CopyN(io.Discard, body, maxDrain)
			return large
		case err != nil:
			return &tenants.Error{Kind: tenants.Invalid, Text: "This request could not be read. Go back and send it again.",
				Err: err}
		}
		return next(c)
	}
}

// bodyLimit is how many bytes a form may have that is sent to a route. What tenants takes in one list arrives, and somewhat more, so
// that a list that is too long comes back with a sentence.
func bodyLimit(path string) int64 {
	if path == views.ReplacementsPath {
		return maxLists
	}
	return maxBody
}

// static answers with the embedded files.
func (s *Site) static(v *visit) error {
	static.Handler().ServeHTTP(v.Response(), v.Request())
	return nil
}
