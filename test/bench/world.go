package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
)

// world is what issuance needs around it: an authority and DNS, both without delay.
type world struct {
	dns      *devdns.Server
	ca       *devca.CA
	busy     busy
	settings settings
}

const (
	delegationZone = "dcv.portal.example"
	customers      = 100                   // each with a zone of its own, as in real life
	firstPoll      = 20 * time.Millisecond // what the development world uses
)

func customer(i int) string { return fmt.Sprintf("customer%d.example", i%customers) }

// world starts the authority without its habit of refusing nonces and of reusing authorizations: both would hide
// what the two sides really need.
func (b *bench) world(ctx context.Context, name string) (*world, error) {
	zones := []devdns.Zone{{Apex: delegationZone, Delegation: true}}
	for i := range customers {
		zones = append(zones, devdns.Zone{Apex: customer(i)})
	}
	w := &world{}
	var err error
	if w.dns, err = devdns.Start(ctx, devdns.Config{Zones: zones}); err != nil {
		return nil, err
	}
	w.ca, err = devca.Start(ctx, devca.Config{
		Resolver: w.dns.Addr, NonceReject: -1, AuthzReuse: -1,
		Profiles: map[string]time.Duration{"classic": 90 * 24 * time.Hour}, Hooks: w.busy.watch,
	})
	if err != nil {
		return nil, errors.Join(err, w.dns.Close())
	}
	if err := w.settle(b, name); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// settle writes the portal's settings for this world. The order limit is never reached; it is there so that the
// ledger has its work to do.
func (w *world) settle(b *bench, name string) error {
	base, err := b.lonely(name)
	if err != nil {
		return err
	}
	root := filepath.Join(b.dir, name, "root.pem")
	if err := os.WriteFile(root, w.ca.RootPEM, 0o600); err != nil {
		return err
	}
	tsig := w.dns.TSIG()
	w.settings = base.with(settings{
		"acme-directory": w.ca.Directory, "acme-root-file": root, "acme-profile": "classic",
		"acme-first-poll": firstPoll.String(), "acme-orders": "1000000/1h",
		"rfc2136-server": w.dns.Addr, "rfc2136-key-name": tsig.Name, "rfc2136-key-alg": tsig.Algorithm, "rfc2136-key": tsig.Key,
		"resolvers": w.dns.Addr, "authoritative-address": w.dns.Addr,
	})
	return nil
}

// busy is how long the authority has worked on the requests of each kind.
type busy struct {
	mu sync.Mutex
	on map[devca.Endpoint]time.Duration
}

func (b *busy) watch(ca http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ca.ServeHTTP(w, r)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.on == nil {
			b.on = map[devca.Endpoint]time.Duration{}
		}
		b.on[devca.EndpointOf(r)] += time.Since(start)
	})
}

func (b *busy) with(e devca.Endpoint) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.on[e]
}

func (w *world) close() error { return errors.Join(w.ca.Close(), w.dns.Close()) }
