package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
	"perennial/cmd/devportal/devidp"
	"perennial/cmd/portal/app"
	"perennial/tenants"
)

// The zones of the development world. Special-use names (RFC 6761) can never be mistaken for somebody's own.
const delegationZone = "dcv.portal.example"

var customerZones = []string{"acme.example", "acme-group.example", "northwind.example"}

// world is everything the portal needs around it, and the portal itself.
type world struct {
	portal   *app.App
	ca       *devca.CA
	staging  *devca.CA // of the same authority, for dry runs
	dns      *devdns.Server
	provider *devidp.Provider
	page     *http.Server
	pageURL  string
	rootFile string
}

// begin starts the world's parts in the order in which they need each other.
func begin(ctx context.Context, o options, log *slog.Logger) (w *world, err error) {
	w = &world{rootFile: filepath.Join(o.data, "acme-root.pem")}
	defer func() {
		if err != nil {
			w.end()
		}
	}()
	if w.dns, err = startDNS(ctx, o); err != nil {
		return w, err
	}
	if err = recall(w.dns, o.records()); err != nil {
		return w, err
	}
	if w.ca, err = startCA(ctx, o.beside(3), w.dns.Addr, o.enforced()); err != nil {
		return w, err
	}
	if w.staging, err = startCA(ctx, o.beside(5), w.dns.Addr, nil); err != nil {
		return w, err
	}
	if err = os.WriteFile(w.rootFile, slices.Concat(w.ca.RootPEM, w.staging.RootPEM), 0o644); err != nil {
		return w, fmt.Errorf("write the authority's roots: %w", err)
	}
	if w.provider, err = devidp.Start(ctx, devidp.Config{Listen: o.beside(1), People: identities(), Log: log}); err != nil {
		return w, fmt.Errorf("start the OpenID Provider: %w", err)
	}
	if err = w.servePage(ctx, o.beside(2)); err != nil {
		return w, err
	}
	if w.portal, err = app.Open(ctx, w.config(o), log); err != nil {
		return w, err
	}
	w.provider.Serve(w.portal.URL())
	return w, nil
}

func startDNS(ctx context.Context, o options) (*devdns.Server, error) {
	zones := []devdns.Zone{{Apex: delegationZone, Delegation: true}}
	for _, apex := range customerZones {
		zones = append(zones, devdns.Zone{Apex: apex, NS: []string{"ns1." + apex, "ns2." + apex}})
	}
	server, err := devdns.Start(ctx, devdns.Config{Listen: o.beside(4), Zones: zones})
	if err != nil {
		return nil, fmt.Errorf("start the DNS server: %w", err)
	}
	return server, nil
}

// profiles of the development CA. The short ones let a renewal be watched; the long ones make the lists look real.
var profiles = map[string]time.Duration{
	"minutes": 6 * time.Minute, "brief": 100 * time.Second, "hour": time.Hour, "day": 24 * time.Hour,
	"shortlived": 160 * time.Hour, "fortnight": 14 * 24 * time.Hour, "month": 30 * 24 * time.Hour,
	"tlsserver": 45 * 24 * time.Hour, "legacy": 64 * 24 * time.Hour, "classic": 90 * 24 * time.Hour,
}

func startCA(ctx context.Context, addr, resolver string, limits tenants.Limits) (*devca.CA, error) {
	ca, err := devca.Start(ctx, devca.Config{
		Listen: addr, Resolver: resolver, Profiles: profiles, Identities: []string{"ca.portal.example"},
		CheckCAA: true, AskAgain: time.Minute, Hooks: unhurried, Limits: limits,
	})
	if err != nil {
		return nil, fmt.Errorf("start the authority: %w", err)
	}
	return ca, nil
}

// enforced are the limits that the CA enforces.
func (o options) enforced() tenants.Limits {
	if o.limits == 0 {
		return nil
	}
	return devca.LetsEncrypt(o.limits)
}

// unhurried lets the CA take its time over what takes real ones seconds, so that the steps of an order can be watched.
func unhurried(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch devca.EndpointOf(r) {
		case devca.NewOrder, devca.Challenge, devca.Finalize:
			select {
			case <-time.After(600 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		next.ServeHTTP(w, r)
	})
}

// servePage serves the page on which the visitor plays the customer's DNS administrator.
func (w *world) servePage(ctx context.Context, addr string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("serve the customer's DNS page: %w", err)
	}
	w.pageURL = "http://" + l.Addr().String()
	w.page = &http.Server{Handler: devdns.Page(w.dns), ReadHeaderTimeout: 5 * time.Second}
	go w.page.Serve(l) // ends with ErrServerClosed at end
	return nil
}

// config is the portal's configuration in this world: everything real, only its neighbours live next door.
func (w *world) config(o options) app.Config {
	c := app.Default()
	c.Listen = o.listen
	c.Database = tenants.NewSecret([]byte(o.database()))
	c.KeyFile = filepath.Join(o.data, "perennial.key")
	c.OIDCIssuer, c.OIDCClientID = w.provider.Issuer, w.provider.ClientID
	c.OIDCClientSecret = tenants.NewSecret([]byte(w.provider.ClientSecret))
	c.OperatorGroup, c.AuditorGroup = operatorGroup, auditorGroup
	c.ACMEDirectory, c.ACMERootFile, c.ACMEAcceptTerms = w.ca.Directory, w.rootFile, true
	c.ACMEStagingDirectory = w.staging.Directory
	c.ACMEName, c.ACMEProfile = "Example CA", "minutes"
	c.ACMEOrders = devca.LetsEncrypt(max(1, o.limits))[tenants.OrdersPerAccount]
	c.ACMEFirstPoll = 20 * time.Millisecond
	tsig := w.dns.TSIG()
	c.DelegationZone, c.DNSProvider = delegationZone, "rfc2136"
	c.RFC2136Server, c.RFC2136KeyName, c.RFC2136KeyAlg = w.dns.Addr, tsig.Name, tsig.Algorithm
	c.RFC2136Key = tenants.NewSecret([]byte(tsig.Key))
	c.Resolvers, c.AuthoritativeAddress = []string{w.dns.Addr}, w.dns.Addr
	c.AllowSpecialUse = true
	return c
}

func (w *world) end() error {
	var errs []error
	if w.portal != nil {
		errs = append(errs, w.portal.Close())
	}
	if w.page != nil {
		errs = append(errs, w.page.Close())
	}
	if w.provider != nil {
		errs = append(errs, w.provider.Close())
	}
	for _, ca := range []*devca.CA{w.ca, w.staging} {
		if ca != nil {
			errs = append(errs, ca.Close())
		}
	}
	if w.dns != nil {
		errs = append(errs, w.dns.Close())
	}
	return errors.Join(errs...)
}

// beside is the address n ports above the portal's, or a free port when the portal has one.
func (o options) beside(n int) string {
	host, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return "127.0.0.1:0"
	}
	p, err := strconv.Atoi(port)
	if err != nil || p == 0 {
		return net.JoinHostPort(host, "0")
	}
	return net.JoinHostPort(host, strconv.Itoa(p+n))
}

func (o options) records() string { return filepath.Join(o.data, "customers-dns.json") }

func (o options) database() string {
	if o.postgres != "" {
		return o.postgres
	}
	return "sqlite:" + filepath.Join(o.data, "perennial.db")
}
