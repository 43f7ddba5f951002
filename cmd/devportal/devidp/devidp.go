// Package devidp is an OpenID Provider for development and tests. It has no passwords: whoever opens its sign-in
// page chooses one of a fixed list of people. It speaks the protocol for real, though: authorization code with
// PKCE, signed id tokens with a groups claim and at_hash, the iss parameter of RFC 9207, RP-initiated logout, and
// back-channel logout, so that what works against it is the code that runs against a real provider.
//
// Everything lives in memory and ends with Close. It must never be reachable from outside the machine; Start
// refuses addresses that are not loopback.
package devidp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Config says where the provider listens and whom it knows.
type Config struct {
	Listen  string   // host:port on loopback, port 0 chooses one; default "127.0.0.1:0"
	People  []Person // shown in this order
	Clients []Client // empty: one client "perennial" with a random secret, see Provider.Serve
	Log     *slog.Logger
}

// Person is somebody who can be chosen. The subject is made from Email and stays the same between starts.
type Person struct {
	Email  string
	Name   string
	Groups []string
	About  string // shown beside the name: "Admin of Acme Retail"
}

// Client is an application that people sign in to.
type Client struct {
	ID           string
	Secret       string
	RedirectURIs []string
	LogoutURIs   []string // where RP-initiated logout may return to
	BackChannel  string   // where logout tokens are posted; empty: nowhere
}

// Provider is a running provider.
type Provider struct {
	Issuer       string // for example http://127.0.0.1:40123
	ClientID     string // of the first client
	ClientSecret string

	storage *storage
	server  *http.Server
	log     *slog.Logger
}

// Start listens, serves and returns once requests are answered.
func Start(ctx context.Context, c Config) (*Provider, error) {
	listener, err := listen(ctx, c.Listen)
	if err != nil {
		return nil, err
	}
	p, err := build(c, "http://"+listener.Addr().String())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go p.server.Serve(listener) // ends with ErrServerClosed at Close
	return p, nil
}

// Close stops the provider at once.
func (p *Provider) Close() error { return p.server.Close() }

// Serve registers the portal at baseURL for the first client: its callback, its page after sign-out and its
// back-channel endpoint. It exists because portal and provider each need the other's address first.
func (p *Provider) Serve(baseURL string) {
	base := strings.TrimSuffix(baseURL, "/")
	p.storage.edit(func(s *storage) {
		c := s.clients[0]
		c.RedirectURIs = append(c.RedirectURIs, base+"/signin/callback")
		c.LogoutURIs = append(c.LogoutURIs, base+"/signin")
		c.BackChannel = base + "/backchannel-logout"
		s.clients[0] = c
	})
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("listen on %s: an identity provider without passwords stays on loopback", addr),
			l.Close())
	}
	return l, nil
}

func build(c Config, issuer string) (*Provider, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(c.Clients) == 0 {
		c.Clients = []Client{{ID: "perennial", Secret: rand.Text()}}
	}
	store, err := newStorage(issuer, c.People, c.Clients)
	if err != nil {
		return nil, err
	}
	oidc, err := newOP(issuer, store)
	if err != nil {
		return nil, fmt.Errorf("build provider: %w", err)
	}
	p := &Provider{Issuer: issuer, ClientID: c.Clients[0].ID, ClientSecret: c.Clients[0].Secret, storage: store, log: c.Log}
	p.server = &http.Server{
		Handler:           p.routes(oidc),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn),
	}
	return p, nil
}

func newOP(issuer string, s *storage) (*op.Provider, error) {
	var key [32]byte
	rand.Read(key[:])
	return op.NewProvider(&op.Config{
		CryptoKey:                         key,
		CodeMethodS256:                    true,
		DefaultLogoutRedirectURI:          "/",
		SupportedScopes:                   []string{"openid", "profile", "email", "groups"},
		BackChannelLogoutSupported:        true,
		BackChannelLogoutSessionSupported: true,
	}, s, op.StaticIssuer(issuer), op.WithAllowInsecure())
}
