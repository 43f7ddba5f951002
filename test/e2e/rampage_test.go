package e2e

import (
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"perennial/cmd/devportal/devca"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

var (
	rampageKills = flag.Int("rampage.kills", 0, "how often to kill, during five renewals for every two kills")
	rampageSeed  = flag.Uint64("rampage.seed", 1, "what the moments of the kills follow from")
)

// rampage is a number of renewals during which portals are killed at any moment and started again.
type rampage struct {
	*parts
	portals  []*child
	settings []map[string]string // of each portal
	scope    *store.Scope
	raw      *sql.DB
	random   *rand.Rand

	renewals, kills int // that there are to be
	asked, killed   int
	domains         map[tenants.DomainID]*renewed
	launched        int
	names           []string             // of the portals, as Postgres knows them
	dead            map[string]time.Time // since when
}

// renewed is a domain and how many versions of it there should be.
type renewed struct {
	name string
	want int
}

// TestRampage kills portals with kill -9 at random moments of renewals, some of them while they start. In the end every
// renewal has happened, once. It prints a line for each engine; see make kills.
func TestRampage(t *testing.T) {
	t.Parallel()
	for engine, database := range map[string]func(testing.TB) string{"sqlite": func(testing.TB) string { return "" }, "postgres": storetest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			r := &rampage{parts: newParts(t, setup{database: database(t)}), renewals: 30, kills: 12,
				random: rand.New(rand.NewPCG(*rampageSeed, 0)), domains: map[tenants.DomainID]*renewed{}, dead: map[string]time.Time{}}
			if *rampageKills > 0 {
				r.renewals, r.kills = *rampageKills*5/2, *rampageKills
			}
			begun := time.Now()
			r.begin(t, engine)
			for r.asked < r.renewals || r.killed < r.kills || r.done(t) < r.renewals {
				r.revive(t)
				r.ask(t)
				r.pause(t)
				r.strike(t)
			}
			r.report(t, engine, begun)
		})
	}
}

// begin issues the first versions, with nobody killed.
func (r *rampage) begin(t *testing.T, engine string) {
	t.Helper()
	r.settings = append(r.settings, r.env)
	if engine == "postgres" {
		r.settings = append(r.settings, r.beside(t))
	}
	r.portals, r.names = make([]*child, len(r.settings)), make([]string, len(r.settings))
	db := r.open(t)
	t.Cleanup(func() { must(t, db.Close()) })
	r.scope, r.raw = acme(t, db), openRaw(t, r.env["database"])
	if engine == "postgres" {
		_, err := r.raw.ExecContext(t.Context(), holdersSQL)
		must(t, err)
	}
	for i := range max(10, r.renewals/10) {
		name := fmt.Sprintf("n%d.acme.example", i)
		id, err := r.scope.RegisterDomain(t.Context(), name, store.RegisterOptions{})
		must(t, err)
		v, err := r.scope.Domain(t.Context(), id)
		must(t, err)
		must(t, r.dns.Set(v.Domain.Delegation.Name(), "CNAME", v.Domain.Delegation.Target()))
		r.domains[id] = &renewed{name, 1}
	}
	r.revive(t)
	eventually(t, 5*time.Minute, "everybody has a certificate", func() error {
		if n := r.done(t); n < 0 {
			return fmt.Errorf("%d are missing", -n)
		}
		return nil
	})
}

func openRaw(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	driver := "pgx"
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", path+"?_pragma=busy_timeout(60000)"
	}
	db, err := sql.Open(driver, dsn)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() }) // everything is committed
	return db
}

// revive starts the portals that are dead.
func (r *rampage) revive(t *testing.T) {
	for i, p := range r.portals {
		if p != nil {
			continue
		}
		r.launched++
		r.names[i] = fmt.Sprintf("portal-%d", r.launched)
		settings := maps.Clone(r.settings[i])
		if len(r.portals) > 1 {
			settings["database"] += "&application_name=" + r.names[i]
		}
		r.portals[i] = launch(t, environ(settings), programs.portal, "serve")
	}
}

// ready waits until all portals serve.
func (r *rampage) ready(t *testing.T) {
	t.Helper()
	for i, p := range r.portals {
		eventually(t, 2*time.Minute, "the portal is ready", func() error {
			if p.gone() {
				t.Fatalf("the portal ended: %v\n%s", p.err, p.log)
			}
			_, err := read(http.Get(r.settings[i]["base-url"] + "/readyz"))
			return err
		})
	}
}

const versionsSQL = `select d.id, d.order_state, c.renew_now_at, (select count(*) from versions v where v.certificate_id = c.id)
from domains d join certificates c on c.domain_id = d.id`

// versions calls each with what there is of every domain.
func (r *rampage) versions(t *testing.T, each func(id tenants.DomainID, versions int, idle bool)) {
	t.Helper()
	rows, err := r.raw.QueryContext(t.Context(), versionsSQL)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, state string
		var asked, n int64
		must(t, rows.Scan(&id, &state, &asked, &n))
		each(tenants.DomainID(id), int(n), state == "" && asked == 0)
	}
	must(t, rows.Err())
}

// done counts the renewals that have happened.
func (r *rampage) done(t *testing.T) int {
	t.Helper()
	n := -len(r.domains)
	r.versions(t, func(_ tenants.DomainID, versions int, _ bool) { n += versions })
	return n
}

// underWay is how many renewals there are more than the kills so far are worth.
const underWay = 5

// ask asks to renew, in step with the kills.
func (r *rampage) ask(t *testing.T) {
	t.Helper()
	allowed := min(r.renewals, r.renewals*(r.killed+1)/r.kills+underWay)
	var idle []tenants.DomainID
	r.versions(t, func(id tenants.DomainID, versions int, free bool) {
		if free && versions == r.domains[id].want {
			idle = append(idle, id)
		}
	})
	r.random.Shuffle(len(idle), func(i, j int) { idle[i], idle[j] = idle[j], idle[i] })
	for _, id := range idle[:max(0, min(len(idle), allowed-r.asked))] {
		must(t, r.scope.RenewNow(t.Context(), id))
		r.domains[id].want++
		r.asked++
	}
}

// pause lets the portals work for a moment: until the one that was started last serves and a bit longer, or in one of
// five cases not even so long.
func (r *rampage) pause(t *testing.T) {
	t.Helper()
	if r.random.IntN(5) > 0 {
		r.ready(t)
	}
	moment := time.NewTimer(time.Duration(r.random.IntN(700)) * time.Millisecond)
	defer moment.Stop()
	select {
	case <-moment.C:
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// strike kills one of the portals, unless the renewals are behind.
func (r *rampage) strike(t *testing.T) {
	t.Helper()
	r.freeTheDead(t)
	if r.killed == r.kills || r.done(t) < r.renewals*r.killed/r.kills-3*underWay {
		return
	}
	i := r.random.IntN(len(r.portals))
	r.portals[i].kill()
	r.portals[i], r.dead[r.names[i]] = nil, time.Now()
	if r.killed++; r.killed%20 == 0 {
		t.Logf("%d kills, %d renewals", r.killed, r.done(t))
	}
}

// mourning is how long the leases of a dead portal are left alone, in which what it had sent arrives.
const mourning = 5 * time.Second

// On Postgres a portal does not know whether others are dead, and waits two minutes until their leases have run out.
// Here the database notes who takes a lease, so that they can run out sooner, and only those.
const holdersSQL = `
create table holders (lease_owner text primary key, program text);
create function note() returns trigger language plpgsql as $$ begin
	insert into holders values (new.lease_owner, current_setting('application_name')) on conflict do nothing;
	return new;
end $$;
create trigger note before update on agenda for each row when (new.working = 1) execute function note()`

const freeSQL = `update agenda set lease_until = $1, next_action_at = $1
where lease_owner in (select h.lease_owner from holders h where h.program = $2) or lease_owner = 'queue' and working = 0`

// freeTheDead is two minutes going by for the leases of portals that were killed a while ago. What is only claimed may be
// claimed again at any time. On SQLite the portal does it by itself.
func (r *rampage) freeTheDead(t *testing.T) {
	t.Helper()
	for program, since := range r.dead {
		if len(r.portals) > 1 && time.Since(since) > mourning {
			_, err := r.raw.ExecContext(t.Context(), freeSQL, time.Now().UnixMicro(), program)
			if err != nil && strings.Contains(err.Error(), "40P01") { // so many rows at once meet those who live in any order
				continue
			}
			must(t, err)
			delete(r.dead, program)
		}
	}
}

// report judges what the CA, DNS and the database have in the end.
func (r *rampage) report(t *testing.T, engine string, begun time.Time) {
	t.Helper()
	r.revive(t)
	eventually(t, 5*time.Minute, "the challenge records are gone", r.swept)
	r.ready(t) // so that they know what SIGTERM means
	for _, p := range r.portals {
		p.stop(t)
	}
	doubled, lost, signed := 0, 0, 0
	for _, n := range r.calls.all(devca.Finalize) {
		signed += n
	}
	r.versions(t, func(id tenants.DomainID, versions int, _ bool) {
		d := r.domains[id]
		if n := r.calls.orders(d.name); n > d.want {
			doubled += n - d.want
			r.tell(t, id, n)
		}
		lost += max(0, d.want-versions)
	})
	lost = max(lost, signed-r.done(t)-len(r.domains))
	broken, err := storetest.Broken(t.Context(), r.env["database"], time.Now())
	must(t, err)
	fmt.Printf("engine=%s renewals=%d kills=%d duplicate_orders=%d lost_versions=%d orphan_txt=%d inconsistent=%d portals=%d seed=%d wall=%.0fs\n",
		engine, r.done(t), r.killed, doubled, lost, len(r.leftTXT()), len(broken), len(r.portals), *rampageSeed, time.Since(begun).Seconds())
	if doubled+lost+len(r.leftTXT())+len(broken) > 0 || r.done(t) != r.renewals {
		t.Errorf("duplicate_orders, lost_versions, orphan_txt and inconsistent must be 0: %q", broken)
	}
}

// tell logs the orders of a domain of which the CA made more than it should have.
func (r *rampage) tell(t *testing.T, id tenants.DomainID, made int) {
	t.Helper()
	v, err := r.scope.Domain(t.Context(), id)
	must(t, err)
	t.Logf("%s: %d orders at the CA", v.Domain.Name, made)
	for _, o := range v.Orders {
		t.Logf("  %s %s, created %v, placing %v, reached %v, %d attempts, %+v", o.ID, o.State, o.Created, o.Placing, o.Reached, o.Attempts, o.Finding)
	}
}
