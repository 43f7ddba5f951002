package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// moment is a call in the life of an order, just before or just after its effect.
type moment struct {
	call  string
	after bool
}

const (
	txtWrite  = "TXT-write"
	txtRemove = "TXT-remove"
)

// steps are the calls of an order. The account comes first: only the first order of a portal needs one.
func steps() []string {
	return []string{string(devca.NewAccount), string(devca.NewOrder), string(devca.Authorization), txtWrite, string(devca.Challenge),
		string(devca.Finalize), string(devca.Order), string(devca.Certificate), txtRemove}
}

func (m moment) String() string {
	if m.after {
		return "after-" + m.call
	}
	return "before-" + m.call
}

// block makes the portal wait at the moment: reached returns when it does, and forgotten clears up after the kill.
func (p *parts) block(t *testing.T, m moment) (reached, forgotten func()) {
	t.Helper()
	switch m.call {
	case txtWrite:
		return p.blockUpdate(t, m), func() { p.dns.Heal(zone) }
	case txtRemove:
		// The first update of an order writes and the second removes: the fault begins in between.
		g := p.calls.hold(devca.Certificate, false)
		return func() {
			g.wait(t)
			reached := p.blockUpdate(t, m)
			g.release()
			reached()
		}, func() { p.dns.Heal(zone) }
	}
	g := p.calls.hold(devca.Endpoint(m.call), m.after)
	return func() { g.wait(t) }, func() { g.abandoned(t) }
}

// blockUpdate leaves the next updates of the zone without an answer.
func (p *parts) blockUpdate(t *testing.T, m moment) (reached func()) {
	t.Helper()
	before := p.dns.Counts().Updates
	p.dns.Break(zone, devdns.Fault{Updates: true, Silent: true, Applied: m.after})
	return func() {
		eventually(t, 20*time.Second, "the portal updates the zone", func() error {
			if n := p.dns.Counts().Updates; n == before {
				return fmt.Errorf("%d updates so far", n)
			}
			return nil
		})
	}
}

// TestKill kills the portal with kill -9 at every call of an order, just before and just after the call has its
// effect, and starts it again. The same order finishes each time, and nothing is done twice or left behind.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		var all []moment
		for _, call := range steps() {
			all = append(all, moment{call, after})
		}
		t.Run(map[bool]string{false: "before", true: "after"}[after], func(t *testing.T) {
			t.Parallel()
			newParts(t, setup{}).killAll(t, all, func() {})
		})
	}
}

// killAll takes a domain of its own through each moment, all with one database.
func (p *parts) killAll(t *testing.T, all []moment, meanwhile func()) {
	t.Helper()
	p.start()
	v := signIn(t, p.url(), "ops@acme.example")
	var names []string
	for _, m := range all {
		name := strings.ToLower(m.String()) + ".acme.example"
		names = append(names, name)
		ok := t.Run(m.String(), func(t *testing.T) { p.killAt(t, v.in(t), m, name, meanwhile) })
		if !ok {
			return // the portal of the next one would be this one's
		}
	}
	p.portal.stop(t)
	p.look(t, names, oneOrder(t))
	storetest.Consistent(t, p.env["database"], time.Now())
}

// killAt takes one domain through its first order with a kill at the moment.
func (p *parts) killAt(t *testing.T, v *visitor, m moment, name string, meanwhile func()) {
	t.Helper()
	domain, record, target := v.add(name)
	defer func() {
		if t.Failed() {
			page, err := v.try(domain)
			t.Logf("the page of %s: %s %v", name, words(page), err)
		}
	}()
	reached, forgotten := p.block(t, m)
	must(t, p.dns.Set(record, "CNAME", target))
	v.check(domain)
	reached()
	p.portal.kill()
	forgotten()
	meanwhile()
	p.start()
	v.awaitVersion(domain, 1, time.Minute) // a lost newOrder is waited for
	eventually(t, 20*time.Second, "the challenge record is gone", p.swept)
	if n := p.calls.orders(name); n != 1 {
		t.Errorf("the CA made %d orders for %s, want 1", n, name)
	}
}

// oneOrder judges what the database has in the end.
func oneOrder(t *testing.T) func(string, store.DomainView) {
	return func(name string, d store.DomainView) {
		t.Helper()
		if len(d.Orders) != 1 || d.Orders[0].State != tenants.Issued {
			t.Errorf("%s: its orders are %v, want one that is issued", name, states(d.Orders))
		}
		if len(d.Versions) != 1 {
			t.Errorf("%s has %d versions, want 1", name, len(d.Versions))
		}
		if n := len(slices.DeleteFunc(d.Entries, func(e tenants.Entry) bool { return e.Action != tenants.DidIssue })); n != 1 {
			t.Errorf("%s: the audit log has %d entries about issuing, want 1", name, n)
		}
	}
}

func states(orders []tenants.Order) (all []tenants.OrderState) {
	for _, o := range orders {
		all = append(all, o.State)
	}
	return all
}

// TestKillOnPostgres does the same at a few moments on Postgres. Other portals may live there, so the lease of the
// killed one has to run out first: instead of two minutes of waiting the test moves its end.
func TestKillOnPostgres(t *testing.T) {
	t.Parallel()
	dsn := storetest.Postgres(t)
	newParts(t, setup{database: dsn}).killAll(t, []moment{{string(devca.NewOrder), true}, {txtWrite, true}, {string(devca.Challenge), false},
		{string(devca.Finalize), true}, {txtRemove, false}}, func() { expireLeases(t, dsn) })
}

// expireLeases is two minutes going by.
func expireLeases(t *testing.T, dsn string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	must(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // nothing is open in it
	now := time.Now().UnixMicro()
	tag, err := conn.Exec(t.Context(), "update agenda set lease_until = $1, next_action_at = $1 where lease_owner <> ''", now)
	must(t, err)
	if tag.RowsAffected() != 1 {
		t.Errorf("the killed portal held %d leases, want 1", tag.RowsAffected())
	}
}
