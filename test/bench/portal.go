package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"perennial/cmd/portal/app"
	"perennial/store"
	"perennial/tenants"
)

// settings are a portal's settings by name, as its manual gives them. The binary and a portal inside this process
// read the same ones.
type settings map[string]string

// nowhere is an address at which nobody answers: the discard port of this machine.
const nowhere = "127.0.0.1:9"

// lonely are the settings of a portal whose neighbours are all down, with its data in a folder of its own.
func (b *bench) lonely(name string) (settings, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return settings{
		"listen": addr, "base-url": "http://" + addr,
		"database": "sqlite:" + filepath.Join(dir, "perennial.db"), "key-file": filepath.Join(dir, "perennial.key"),
		"oidc-issuer": "http://" + nowhere, "oidc-client-id": "bench", "oidc-client-secret": "bench",
		"acme-directory": "https://" + nowhere + "/dir", "acme-accept-terms": "true",
		"delegation-zone": "dcv.portal.example", "dns-provider": "rfc2136",
		"rfc2136-server": nowhere, "rfc2136-key-name": "bench", "rfc2136-key": "YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoMDA=",
		"resolvers": nowhere, "authoritative-address": nowhere, "allow-special-use": "true",
	}, nil
}

// with is a copy with some settings changed.
func (s settings) with(more settings) settings {
	all := maps.Clone(s)
	maps.Copy(all, more)
	return all
}

func (s settings) config() (app.Config, error) {
	vars := map[string]string{}
	for name, value := range s {
		vars[app.Variable(name)] = value
	}
	_, c, err := app.Parse([]string{app.Serve}, func(name string) (string, bool) { v, ok := vars[name]; return v, ok }, io.Discard)
	return c, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// open opens a portal inside this process. It logs as in production, to nowhere.
func (s settings) open(ctx context.Context) (*app.App, error) {
	c, err := s.config()
	if err != nil {
		return nil, err
	}
	return app.Open(ctx, c, app.NewLog(c, io.Discard))
}

// withStore runs do on the portal's database, without the portal.
func (s settings) withStore(ctx context.Context, do func(*store.DB) error) error {
	c, err := s.config()
	if err != nil {
		return err
	}
	db, err := app.OpenStore(ctx, c, app.NewLog(c, io.Discard))
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

// running is a portal that answers.
type running struct {
	url   string
	pid   int           // of the binary
	began time.Duration // from its start to the first page
	stop  func() error
}

// serve starts a portal: the binary, unless it shall be inside.
func (b *bench) serve(ctx context.Context, s settings) (*running, error) {
	if b.inside {
		return serveInside(ctx, s)
	}
	return b.serveBinary(ctx, s)
}

func serveInside(ctx context.Context, s settings) (*running, error) {
	portal, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	r := &running{url: portal.URL()}
	r.stop = inBackground(ctx, portal)
	if err := r.answers(ctx, time.Now()); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

// inBackground runs a portal until stop is called, which also closes it.
func inBackground(ctx context.Context, portal *app.App) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- portal.Run(ctx) }()
	return func() error {
		cancel()
		return errors.Join(<-ended, portal.Close())
	}
}

func (b *bench) serveBinary(ctx context.Context, s settings) (*running, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	cmd := exec.Command(b.binary, app.Serve)
	for name, value := range s {
		cmd.Env = append(cmd.Env, app.Variable(name)+"="+value)
	}
	journal, err := os.Create(filepath.Join(b.dir, "portal.log"))
	if err != nil {
		return nil, err
	}
	defer journal.Close() // the program has its own handle
	cmd.Stdout, cmd.Stderr = journal, journal
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{url: s["base-url"], pid: cmd.Process.Pid, stop: func() error {
		return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
	}}
	if err := r.answers(ctx, start); err != nil {
		said, _ := os.ReadFile(journal.Name())
		return nil, errors.Join(err, r.stop(), errors.New(string(said)))
	}
	return r, nil
}

// build makes the binary once, the way it is released.
func (b *bench) build(ctx context.Context) error {
	if b.binary != "" {
		return nil
	}
	path := filepath.Join(b.dir, "portal")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "perennial/cmd/portal")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the portal: %w\n%s", err, out)
	}
	b.binary = path
	return nil
}

// answers waits for the first page and notes how long it took since start.
func (r *running) answers(ctx context.Context, start time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		resp, err := http.Get(r.url + "/signin")
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if r.began = time.Since(start); err == nil && resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return fmt.Errorf("the portal at %s does not answer", r.url)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// signIn makes a session for a member of a group and returns the cookie a browser would send.
func signIn(ctx context.Context, db *store.DB, group string) (*http.Cookie, error) {
	token, _, err := db.System().SignIn(ctx, store.Identity{
		Issuer: "http://" + nowhere, Subject: group, Email: group + "@customer.example", Name: "Bench", Groups: []string{group}, Address: "127.0.0.1",
	})
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	// The name of the session's cookie on a portal that is reached without TLS.
	return &http.Cookie{Name: "perennial_session", Value: string(token.Reveal())}, nil
}

// admin is who acts when the bench does what people do.
func admin(tenant tenants.TenantID) tenants.Actor {
	return tenants.Actor{Kind: tenants.Person, Name: "bench@customer.example", Tenant: tenant, Role: tenants.Admin, Address: "127.0.0.1"}
}
