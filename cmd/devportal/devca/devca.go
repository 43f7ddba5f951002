// Package devca is the certificate authority of a development world: Pebble, Let's Encrypt's small ACME server for
// tests, run inside this process on a loopback port.
//
// Around Pebble it adds what Pebble lacks: a lock that keeps it from deadlocking under load, a CAA check (RFC 8659)
// before it signs, renewal windows that make sense for certificates of minutes, faults on request (see [Fault]), the
// limits of a real authority (see [LetsEncrypt]) and a count of requests per endpoint. Nothing survives a restart: accounts, orders and the issuing root are new each time.
package devca

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"perennial/tenants"
)

// Config is what Start needs. Only Resolver has no default.
type Config struct {
	Listen   string // host:port, default 127.0.0.1:0; port 0 picks a free one
	Resolver string // host:port of the DNS server that challenges and CAA are looked up at, over TCP

	Profiles   map[string]time.Duration // lifetime per profile, whole seconds; default "default" of 90 days
	Identities []string                 // what CAA records call this CA; default ca.perennial.test
	CheckCAA   bool                     // refuse to finalize where CAA forbids it
	EAB        map[string]string        // key id → base64url MAC key; any entry makes external accounts required

	// Percentages. Zero is what Pebble does when nobody asks, to keep clients honest; negative is never. Of
	// authorizations, one in a hundred is reused even then.
	NonceReject int // of good nonces are refused, default 5
	AuthzReuse  int // of orders reuse a valid authorization of the account, default 50

	PollAfter     time.Duration // Retry-After while a challenge or an order is in progress, whole seconds, default none
	AskAgain      time.Duration // Retry-After of renewal information, whole seconds, default 6 hours
	OrdersPerPage int           // in the list of an account's orders, default 100

	Limits tenants.Limits // to enforce, see LetsEncrypt; default none

	Hooks func(http.Handler) http.Handler // wraps everything, for faults that Break cannot express
	Log   *slog.Logger                    // Pebble's own lines, at debug; default silent
}

// CA is a running authority. All methods may be called at any time from any goroutine.
type CA struct {
	Directory string // URL of the ACME directory
	RootPEM   []byte // trust this for HTTPS to the directory
	IssuerPEM []byte // the root that issued chains end in

	config   Config
	store    *db.MemoryStore
	pebble   http.Handler
	exchange sync.RWMutex // see guard
	marks    sync.Mutex   // see awaitMark
	faults   faults
	counts   counts
	limiter  *limiter
	server   *http.Server
	closed   chan struct{}
	once     sync.Once
}

// Start serves until ctx ends or Close is called.
func Start(ctx context.Context, c Config) (*CA, error) {
	if _, _, err := net.SplitHostPort(c.Resolver); err != nil {
		return nil, fmt.Errorf("resolver of the CA: %w", err)
	}
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:0")
	if len(c.Profiles) == 0 {
		c.Profiles = map[string]time.Duration{"default": 90 * 24 * time.Hour}
	}
	if len(c.Identities) == 0 {
		c.Identities = []string{"ca.perennial.test"}
	}
	a := &CA{config: c, store: db.NewMemoryStore(), limiter: newLimiter(c.Limits), closed: make(chan struct{})}
	if err := a.assemble(); err != nil {
		return nil, err
	}
	if err := a.listen(); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { a.Close() })
	return a, nil
}

// environment serialises construction: Pebble takes three of its settings from the environment of the process and
// reads them while it is built.
var environment sync.Mutex

func (a *CA) assemble() error {
	for id, key := range a.config.EAB {
		if err := a.store.AddExternalAccountKeyByID(id, key); err != nil {
			return fmt.Errorf("add external account %s: %w", id, err)
		}
	}
	lifetimes, err := profiles(a.config.Profiles)
	if err != nil {
		return err
	}
	environment.Lock()
	defer environment.Unlock()
	defer setenv(map[string]string{
		"PEBBLE_VA_NOSLEEP":          "1",
		"PEBBLE_VA_ALWAYS_VALID":     "",
		"PEBBLE_WFE_NONCEREJECT":     percent(a.config.NonceReject),
		"PEBBLE_AUTHZREUSE":          percent(a.config.AuthzReuse),
		"PEBBLE_WFE_ORDERS_PER_PAGE": strconv.Itoa(cmp.Or(a.config.OrdersPerPage, 100)),
	})()
	lines := a.lines()
	issuer := ca.New(lines, a.store, "", "ecdsa", 0, 1, lifetimes)
	validator := va.New(lines, 80, 443, false, a.config.Resolver, a.store)
	poll := int(a.config.PollAfter / time.Second)
	front := wfe.New(lines, a.store, validator, issuer, a.config.Identities, false, len(a.config.EAB) > 0, poll, poll)
	a.pebble = front.Handler()
	a.IssuerPEM = issuer.GetRootCert(0).PEM()
	return nil
}

func profiles(lifetimes map[string]time.Duration) (map[string]ca.Profile, error) {
	out := map[string]ca.Profile{}
	for name, d := range lifetimes {
		if d < time.Second {
			return nil, fmt.Errorf("profile %s: a lifetime of %v is too short", name, d)
		}
		out[name] = ca.Profile{Description: "Certificates that live " + inWords(d), ValidityPeriod: uint64(d / time.Second)}
	}
	return out, nil
}

// inWords is a lifetime as an authority would put it: "90 days", "160 hours", "1m40s".
func inWords(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0 && d > day:
		return fmt.Sprintf("%d days", d/day)
	case d%time.Hour == 0 && d > time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return d.String()
}

// percent is empty for zero, which is Pebble's own default.
func percent(n int) string {
	switch {
	case n == 0:
		return ""
	case n < 0:
		return "0"
	}
	return strconv.Itoa(min(n, 100))
}

// setenv sets variables and returns what restores them.
func setenv(vars map[string]string) (restore func()) {
	old := map[string]*string{}
	for name, v := range vars {
		if was, ok := os.LookupEnv(name); ok {
			old[name] = &was
		} else {
			old[name] = nil
		}
		os.Setenv(name, v)
	}
	return func() {
		for name, was := range old {
			if was == nil {
				os.Unsetenv(name)
			} else {
				os.Setenv(name, *was)
			}
		}
	}
}

func (a *CA) lines() *log.Logger {
	if a.config.Log == nil {
		return log.New(io.Discard, "", 0)
	}
	return slog.NewLogLogger(a.config.Log.Handler(), slog.LevelDebug)
}

func (a *CA) listen() error {
	listener, err := net.Listen("tcp", a.config.Listen)
	if err != nil {
		return fmt.Errorf("listen for ACME: %w", err)
	}
	cert, root, err := serving(listener.Addr())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	a.RootPEM = root
	a.Directory = "https://" + listener.Addr().String() + wfe.DirectoryPath
	a.server = &http.Server{
		Handler:           a.handler(),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          a.lines(),
	}
	go func() {
		if err := a.server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			a.server.ErrorLog.Printf("serve ACME: %v", err)
		}
	}()
	return nil
}

// Close stops serving at once.
func (a *CA) Close() error {
	var err error
	a.once.Do(func() {
		close(a.closed)
		err = a.server.Close()
	})
	return err
}
