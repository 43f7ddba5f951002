// Package handlers translates between HTTP and the store: it reads a request, asks the store one thing as the person
// who sent it, and draws the answer with package views. It is the only importer of echo.
//
// # The life of a request
//
// Every request passes the same stations (middleware.go): request id and access log, recovery, security headers,
// cross-origin check, limit of the body. Then the route table (routes.go) says who may come in. A visit
// (visit.go) is the request of somebody whose session, tenant and permission are known; the methods in page_*.go
// take a visit and answer it.
//
// # Rules
//
// Changes are POST and answer 303, so that a reload repeats nothing. A refused form is shown again with what was typed
// and status 422. A tenant that does not exist and one that belongs to others get the same 404. The text of an
// error reaches the page only when it is a *tenants.Error with words for people; everything else is a 500 with the
// request id, and the log has the rest.
package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"perennial/handlers/auth"
	"perennial/store"
	"perennial/tenants"
)

// Config is what the pages need.
type Config struct {
	DB      *store.DB
	Auth    *auth.Auth
	BaseURL string // of the portal, as browsers see it, without a path
	Version string // of the program, for /healthz

	IssuerName string            // the authority's name, before a domain names its own: "Let’s Encrypt"
	Lifetime   time.Duration     // how long its certificates live; zero: not known
	Zone       string            // the operator's delegation zone, named when it cannot be written
	Rules      tenants.NameRules // the same as the store's, to tell right names from wrong ones in a refused form

	// TrustedProxies are the networks of reverse proxies whose X-Forwarded-For is believed. Empty: nobody's is.
	TrustedProxies []netip.Prefix
	// FormOrigins are further origins that a sign-in passes through after the provider's, when it hands people on to
	// yet another provider: Chromium wants them named in the content security policy.
	FormOrigins []string

	// CheckDirectory asks an authority's directory before it is added; handlers themselves never speak to one.
	CheckDirectory store.CheckDirectory

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default()
}

// Site answers all requests of the portal.
type Site struct {
	Config
	echo   *echo.Echo
	health health

	starts   *middleware.RateLimiterMemoryStore // of sign-ins
	provider atomic.Int32                       // what was last written about the identity provider, see rememberProvider

	closing context.Context // done once the server shuts down: streams end
	close   context.CancelFunc
}

// New builds the site; it asks nothing of the database or the provider yet.
func New(c Config) *Site {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	s := &Site{Config: c, echo: echo.New(), starts: newStarts()}
	s.closing, s.close = context.WithCancel(context.Background())
	s.echo.HTTPErrorHandler = s.fail
	s.echo.IPExtractor = addressOf(c.TrustedProxies)
	s.echo.Use(s.observe, s.rescue, s.guard, s.limitBody)
	for _, r := range routes {
		s.mount(r)
	}
	return s
}

func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Close ends the event streams, which otherwise keep a server from shutting down. Server registers it.
func (s *Site) Close() { s.close() }

// Server is an HTTP server for the site with its time-outs set. Event streams and exports lift the write deadline for
// themselves.
func (s *Site) Server() *http.Server {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.close)
	return server
}

// addressOf finds the address a request came from.
func addressOf(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		options = append(options, echo.TrustIPRange(network(p)))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}
