// Package app puts the portal together: it is the only place that knows every room. Both programs use it, the
// product (cmd/portal) and the development world (cmd/devportal).
package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"perennial/handlers"
	"perennial/handlers/auth"
	"perennial/jobs"
	"perennial/jobs/acme"
	"perennial/jobs/dns"
	"perennial/store"
	"perennial/store/seal"
	"perennial/tenants"
)

// Build is the version that the linker writes into the programs.
var Build = "development"

// stopWithin is how long a graceful stop may take before what still runs is cut off; its rows say where it was.
const stopWithin = 4 * time.Second

// App is a portal that is ready to serve.
type App struct {
	DB     *store.DB
	Engine *jobs.Engine

	config   Config
	site     *handlers.Site
	listener net.Listener
	log      *slog.Logger
}

// Open opens the database and builds everything around it. It asks neither the provider nor the CA nor DNS for
// anything: the portal starts while they are down.
func Open(ctx context.Context, c Config, log *slog.Logger) (*App, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	a := &App{config: c, listener: listener, log: log}
	if c.BaseURL == "" { // the development world on a free port
		a.config.BaseURL = "http://" + listener.Addr().String()
	}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// URL is where the portal is reached.
func (a *App) URL() string { return a.config.BaseURL }

func (a *App) build(ctx context.Context) error {
	var err error
	if a.DB, err = OpenStore(ctx, a.config, a.log); err != nil {
		return err
	}
	if a.Engine, err = newEngine(a.config, a.DB, a.log); err != nil {
		return err
	}
	a.site, err = newSite(a.config, a.DB, a.Engine, a.log)
	return err
}

// OpenStore opens and migrates the database of the configuration.
func OpenStore(ctx context.Context, c Config, log *slog.Logger) (*store.DB, error) {
	return store.Open(ctx, store.Config{
		DSN:       c.DSN(),
		Key:       seal.File(c.KeyFile),
		Zone:      c.DelegationZone,
		Directory: c.ACMEDirectory,
		Rules:     rules(c),
		Log:       log,
	})
}

func newEngine(c Config, db *store.DB, log *slog.Logger) (*jobs.Engine, error) {
	roots, err := c.Roots()
	if err != nil {
		return nil, err
	}
	zone, err := dns.OpenWriter(c.DNSProvider, c.DNSSettings())
	if err != nil {
		return nil, err
	}
	return jobs.New(jobs.Config{
		DB:        db,
		Connect:   connector(c, roots),
		Eyes:      newResolver(c),
		Zone:      zone,
		Issuer:    issuer(c),
		Binding:   c.ACMEEABKeyID,
		Staging:   staging(c),
		Log:       log,
		Workers:   c.Workers,
		FirstPoll: c.ACMEFirstPoll,
	}), nil
}

// connector makes the clients of issuers. The one of the settings has its external account binding there, too.
func connector(c Config, roots *x509.CertPool) func(tenants.Issuer, tenants.EAB) jobs.CA {
	return func(i tenants.Issuer, eab tenants.EAB) jobs.CA {
		if i.Directory == c.ACMEDirectory {
			eab = tenants.EAB{KeyID: c.ACMEEABKeyID, Key: c.ACMEEABKey}
		}
		return acme.New(acme.Config{
			Directory: i.Directory, Roots: roots, UserAgent: "perennial/" + Build, Contact: c.ACMEContacts,
			EABKeyID: eab.KeyID, EABKey: eab.Key,
		})
	}
}

func newResolver(c Config) *dns.Resolver {
	config := dns.ResolverConfig{Servers: c.Resolvers, Private: c.PrivateNameServers}
	if c.AuthoritativeAddress != "" {
		config.Authority = func(string) []string { return []string{c.AuthoritativeAddress} }
	}
	return dns.NewResolver(config)
}

// issuer is what is known of the authority, with the operator's own settings on top.
func issuer(c Config) tenants.Issuer {
	i := tenants.NewIssuer(c.ACMEDirectory)
	i.Profile = c.ACMEProfile
	if c.ACMEName != "" {
		i.Name = c.ACMEName
	}
	if writes := tenants.DNSProfileOf(c.DNSProvider).Writes(); !writes.Unlimited() {
		i.Limits = i.Limits.With(tenants.ZoneWrites, writes)
	}
	if !c.ACMEOrders.Unlimited() {
		i.Limits = i.Limits.With(tenants.OrdersPerAccount, c.ACMEOrders)
	}
	return i
}

func newSite(c Config, db *store.DB, engine *jobs.Engine, log *slog.Logger) (*handlers.Site, error) {
	signIn, err := auth.New(auth.Config{
		DB: db, BaseURL: c.BaseURL, Log: log,
		Issuer: c.OIDCIssuer, ClientID: c.OIDCClientID, ClientSecret: c.OIDCClientSecret, GroupsClaim: c.OIDCGroupsClaim,
		OperatorGroups: group(c.OperatorGroup), AuditorGroups: group(c.AuditorGroup),
	})
	if err != nil {
		return nil, err
	}
	return handlers.New(handlers.Config{
		DB: db, Auth: signIn, BaseURL: c.BaseURL, Version: Build, Log: log,
		IssuerName: issuer(c).Name, Zone: c.DelegationZone, Rules: rules(c), TrustedProxies: c.TrustedProxies,
		FormOrigins: c.OIDCOrigins, CheckDirectory: engine.CheckDirectory,
	}), nil
}

func rules(c Config) tenants.NameRules { return tenants.NameRules{AllowSpecialUse: c.AllowSpecialUse} }

// group is the list of one group, or of none.
func group(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// Run serves until ctx ends, then stops gracefully: open requests and running steps end first, up to four seconds.
func (a *App) Run(ctx context.Context) error {
	working, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	stopEngine, err := a.Engine.Start(working)
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	go a.site.WatchProvider(working)
	server := a.site.Server()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(a.listener) }()
	a.log.Info("serving", "url", a.URL(), "version", Build, "database", a.DB.Engine())
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	a.log.Info("stopping")
	return errors.Join(ignoreClosed(err), a.stop(stopping, server, stopEngine))
}

func (a *App) stop(ctx context.Context, server *http.Server, stopEngine func(context.Context) error) error {
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if stopped := stopEngine(ctx); stopped != nil && !errors.Is(stopped, context.DeadlineExceeded) {
		err = errors.Join(err, stopped)
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close releases what Open acquired.
func (a *App) Close() error {
	err := a.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if a.DB != nil {
		err = errors.Join(err, a.DB.Close())
	}
	return err
}

// NewLog makes the logger of the configuration.
func NewLog(c Config, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
