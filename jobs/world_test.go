package jobs_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"perennial/jobs"
	"perennial/jobs/acme"
	"perennial/store"
	"perennial/store/seal"
	"perennial/store/storetest"
	"perennial/tenants"
)

// world is a portal without a queue: the real store and engine, a CA and a DNS in memory, and virtual time.
type world struct {
	t          *testing.T
	ctx        context.Context
	db         *store.DB
	dsn        string
	engine     *jobs.Engine
	ca         *fakeCA
	others     map[string]*fakeCA // by directory
	staging    *fakeCA            // nil: none is known
	binding    string             // of the settings
	dns        *fakeDNS
	scope      *store.Scope
	other      *store.Scope
	issuer     tenants.Issuer
	stuckAfter time.Duration
	patience   time.Duration            // zero: the engine's own
	fail       func(store.Moment) error // nil: the store works
	tending    bool                     // the engine is at work
	kills      int
}

// inWorld runs a test under virtual time: two years pass in seconds. Every world is its own, so tests run side by side.
func inWorld(t *testing.T, test func(*world)) {
	t.Helper()
	t.Parallel()
	inOneWorld(t, test)
}

// inOneWorld is inWorld for tests that say themselves what runs side by side.
func inOneWorld(t *testing.T, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{}
		w := &world{dns: dns, ca: newFakeCA(dns), stuckAfter: 10 * time.Minute, issuer: tenants.Issuer{Name: "Test CA", Directory: "https://ca.test/dir"}}
		defer w.open(t, t.TempDir())()
		w.scope, w.other = w.tenant("acme"), w.tenant("northwind")
		w.start()
		test(w)
	})
}

// open opens the database in dir. The caller closes it before the virtual time ends.
func (w *world) open(t *testing.T, dir string) (closeDB func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.dsn = "sqlite:" + filepath.Join(dir, "test.db")
	db, err := store.Open(ctx, store.Config{
		DSN: w.dsn, Key: seal.File(filepath.Join(dir, "key")),
		Zone: "dcv.test", Directory: w.issuer.Directory, Unqueued: true, Rules: tenants.NameRules{AllowSpecialUse: true}, Log: slog.New(slog.DiscardHandler),
		Fail: w.fails,
	})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	w.t, w.ctx, w.db = t, ctx, db
	return func() {
		cancel()
		w.must(db.Close())
	}
}

func (w *world) fails(m store.Moment) error {
	if w.fail == nil {
		return nil
	}
	return w.fail(m)
}

func (w *world) tenant(slug string) *store.Scope {
	id, err := w.db.System().AddTenant(w.ctx, store.TenantInput{Name: slug, Slug: slug})
	w.must(err)
	return w.db.As(tenants.Actor{Kind: tenants.Person, Name: "ops@" + slug, Tenant: id, Role: tenants.Admin})
}

// start makes a new engine on the same database, as a new process would.
func (w *world) start() {
	w.t.Helper()
	w.engine = jobs.New(jobs.Config{
		DB: w.db, Log: slog.New(slog.DiscardHandler), Connect: w.connect, Eyes: w.dns, Zone: w.dns, FirstPoll: 10 * time.Millisecond, StuckAfter: w.stuckAfter,
		Patience: w.patience, Issuer: w.issuer, Binding: w.binding, Staging: w.stage(),
	})
	w.must(w.db.System().ClearLeases(w.ctx))
	w.must(w.engine.Prepare(w.ctx))
}

func (w *world) connect(i tenants.Issuer, eab tenants.EAB) jobs.CA {
	if ca := w.others[i.Directory]; ca != nil {
		return boundCA{ca, eab.KeyID}
	}
	if i.Directory == stagingDirectory {
		return w.staging
	}
	return boundCA{w.ca, w.binding}
}

// boundCA is a CA as a client knows it that was made with a binding.
type boundCA struct {
	*fakeCA
	binding string
}

func (b boundCA) Register(ctx context.Context, key crypto.Signer) (string, error) {
	url, err := b.fakeCA.Register(ctx, key)
	if err == nil {
		b.opened = append(b.opened, b.binding)
	}
	return url, err
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) register(name string) tenants.DomainID {
	w.t.Helper()
	id, err := w.scope.RegisterDomain(w.ctx, name, store.RegisterOptions{})
	w.must(err)
	return id
}

func (w *world) view(id tenants.DomainID) store.DomainView {
	w.t.Helper()
	v, err := w.scope.Domain(w.ctx, id)
	w.must(err)
	return v
}

// turn does everything that is due now.
func (w *world) turn() { w.t.Helper(); w.some(500) }

// some does what is due now, the first few of it, and says how many they were.
func (w *world) some(most int) int {
	w.t.Helper()
	due, err := w.engine.Take(w.ctx, most)
	w.must(err)
	for _, id := range due {
		w.tend(id)
	}
	return len(due)
}

// errStore is how the store fails when a test says so.
var errStore = errors.New("the store fails once")

// tend survives a killed process, a stopped one and a store that fails: the next one goes on with what was saved.
func (w *world) tend(id tenants.DomainID) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	w.ca.cancel, w.dns.cancel = cancel, cancel
	defer func() {
		switch r := recover().(type) {
		case nil:
		case killed:
			w.kills++
			w.start()
		default:
			panic(r)
		}
	}()
	w.tending = true
	err := w.engine.Tend(ctx, id)
	w.tending = false
	switch {
	case ctx.Err() != nil:
		w.start()
	case !errors.Is(err, errStore):
		w.must(err)
	}
}

// until lets time pass in steps until done, or fails the test after limit.
func (w *world) until(step, limit time.Duration, done func() bool) {
	w.t.Helper()
	for passed := time.Duration(0); passed <= limit; passed += step {
		w.turn()
		if done() {
			return
		}
		time.Sleep(step)
	}
	w.t.Fatal("it did not happen within " + limit.String())
}

// untilDue is until without steps: it goes from one due instant to the next, so that what happens happens when it is due.
func (w *world) untilDue(limit time.Duration, done func() bool) {
	w.t.Helper()
	for begun := time.Now(); time.Since(begun) <= limit; {
		w.turn()
		if done() {
			return
		}
		next, err := w.db.System().NextDue(w.ctx)
		w.must(err)
		time.Sleep(max(time.Second, time.Until(next)))
	}
	w.t.Fatal("it did not happen within " + limit.String())
}

// status waits until the domain has the status.
func (w *world) status(id tenants.DomainID, s tenants.Status) store.DomainView {
	w.t.Helper()
	var v store.DomainView
	for range 1000 {
		w.turn()
		if v = w.view(id); v.Domain.Status == s {
			return v
		}
		w.sleep(v)
	}
	w.t.Fatalf("status is %s, want %s; finding %+v; order %+v", v.Domain.Status, s, v.Domain.Finding, v.Order)
	return v
}

// sleep lets time pass until the portal means to act on the domain again.
func (w *world) sleep(v store.DomainView) {
	time.Sleep(max(time.Until(v.Domain.Next), time.Second))
}

// settled checks what must hold after every story: one order at the CA for each version, nothing left in DNS, a
// consistent database.
func (w *world) settled(id tenants.DomainID, versions int) {
	w.t.Helper()
	w.until(time.Second, time.Hour, func() bool { return len(w.dns.left()) == 0 })
	v := w.view(id)
	if len(v.Versions) != versions {
		w.t.Errorf("%d versions, want %d", len(v.Versions), versions)
	}
	if n := len(w.ca.orders); n != versions {
		w.t.Errorf("%d orders were placed for %d versions", n, versions)
	}
	for _, o := range w.ca.orders {
		if o.status != acme.Valid {
			w.t.Errorf("order %d is %s", o.id, o.status)
		}
	}
	storetest.Consistent(w.t, w.dsn, time.Now())
}

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("n%04d.shop-%d.example", i, i/40)
	}
	return out
}

func (w *world) operator() *store.Platform {
	return w.db.Platform(tenants.Actor{Kind: tenants.Person, Name: "ops@portal", Platform: tenants.Operator})
}
