package jobs

import (
	"context"
	"crypto"
	"log/slog"
	"sync"
	"time"

	"perennial/jobs/acme"
	"perennial/store"
	"perennial/tenants"
)

// CA is what the engine needs of an ACME authority; *acme.Client is one. Every method may be called again with
// the same arguments after a crash. Errors are *acme.Problem or the context's.
type CA interface {
	Meta(ctx context.Context) (acme.Meta, error)
	Register(ctx context.Context, key crypto.Signer) (url string, err error)
	FindAccount(ctx context.Context, key crypto.Signer) (url string, found bool, err error)
	ChangeKey(ctx context.Context, a acme.Account, next crypto.Signer) error
	NewOrder(ctx context.Context, a acme.Account, r acme.OrderRequest) (acme.Order, error)
	FindOrder(ctx context.Context, a acme.Account, lost acme.LostOrder) (acme.Order, bool, error)
	Order(ctx context.Context, a acme.Account, url string) (acme.Order, error)
	Authorization(ctx context.Context, a acme.Account, url string) (acme.Authorization, error)
	Answer(ctx context.Context, a acme.Account, challengeURL string) error
	Deactivate(ctx context.Context, a acme.Account, authzURL string) error
	Finalize(ctx context.Context, a acme.Account, finalizeURL string, csrDER []byte) (acme.Order, error)
	Certificate(ctx context.Context, a acme.Account, url string) (chainPEM []byte, err error)
	Revoke(ctx context.Context, a acme.Account, certDER []byte, reason uint) error
	RenewalInfo(ctx context.Context, certID string) (tenants.RenewalInfo, error)
}

// Eyes look at DNS; *dns.Resolver does.
type Eyes interface {
	// Look asks for the delegation and CAA. It never fails: failures are answers.
	Look(ctx context.Context, d tenants.Delegation, now time.Time) tenants.Check
	// Visible counts the authoritative servers of our zone that answer with the value.
	Visible(ctx context.Context, record, value string) (seen, asked int, err error)
}

// Zone writes our own TXT values; *dns.Writer does. Both methods are idempotent and touch no other value.
type Zone interface {
	Present(ctx context.Context, zone, record, value string) error
	Remove(ctx context.Context, zone, record, value string) error
}

// Config is what an Engine is made of.
type Config struct {
	DB *store.DB
	// Connect makes the client of an issuer, once in the life of an engine. It must not ask the issuer for anything.
	// eab is what was given with its row.
	Connect func(i tenants.Issuer, eab tenants.EAB) CA
	Eyes    Eyes
	Zone    Zone
	Issuer  tenants.Issuer // of those whose policy names none. Directory is its identity; the rest is written to its row at start
	Binding string         // key id of the external account binding that Connect has for Issuer; empty for none
	Staging tenants.Issuer // where dry runs of orders at Issuer go; without Directory there are none
	Log     *slog.Logger

	// Workers is how many domains are tended at once by this process.
	Workers int
	// FirstPoll is the longest wait after answering a challenge or finalizing an order before the CA is asked for
	// the first time. It gets shorter by itself for a CA that answers sooner; each further wait is twice as long.
	FirstPoll time.Duration
	// Patience is how long a worker waits for the CA or for propagation before it gives its place up.
	Patience time.Duration
	// StuckAfter is how long a CA may be processing before the order is given up.
	StuckAfter time.Duration
	// Tick is how often due domains are looked for.
	Tick time.Duration
}

// Lease is how long a worker may be silent before others may take its domain over. It is longer than any single
// call: CA requests end after 20 seconds.
const Lease = 2 * time.Minute

// Engine tends domains.
type Engine struct {
	Config
	sys    *store.System
	health health

	mu          sync.Mutex // guards what follows
	home        tenants.Issuer
	authorities map[tenants.IssuerID]*authority
}

// New returns an engine with the defaults filled in. It does nothing before Start, Scan or Tend.
func New(c Config) *Engine {
	c.Workers = orInt(c.Workers, 32)
	c.FirstPoll = orTime(c.FirstPoll, time.Second)
	c.Patience = max(orTime(c.Patience, 5*time.Second), c.FirstPoll)
	c.StuckAfter = orTime(c.StuckAfter, time.Hour)
	c.Tick = orTime(c.Tick, time.Second)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Engine{Config: c, sys: c.DB.System(), authorities: map[tenants.IssuerID]*authority{}}
}

// Start saves the issuer's row, begins to work on jobs and to look for due domains. stop waits for the running
// steps to end, until its context does.
func (e *Engine) Start(ctx context.Context) (stop func(context.Context) error, err error) {
	if err := e.Prepare(ctx); err != nil {
		return nil, err
	}
	if err := e.sys.ClearLeases(ctx); err != nil { // of a process that was killed
		return nil, err
	}
	stopWork, err := e.sys.Work(ctx, store.WorkConfig{Workers: e.Workers, Tend: e.Tend})
	if err != nil {
		return nil, err
	}
	scanning, cancel := context.WithCancel(ctx)
	var loops sync.WaitGroup
	loops.Go(func() { e.scanLoop(scanning) })
	loops.Go(func() { e.keyLoop(scanning) })
	return func(ctx context.Context) error {
		cancel()
		loops.Wait()
		return stopWork(ctx)
	}, nil
}

// Prepare makes sure that the rows of the issuer and its staging directory exist and say what the configuration says.
func (e *Engine) Prepare(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	saved, err := e.sys.SaveIssuer(ctx, e.Issuer)
	if err != nil {
		return err
	}
	e.home = saved
	if err := e.sys.SaveBinding(ctx, saved.ID, e.Binding); err != nil {
		return err
	}
	if err := e.sys.SaveStaging(ctx, saved.ID, e.Staging); err != nil {
		return err
	}
	return e.sys.RefreshLimits(ctx)
}

func orInt(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func orTime(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
