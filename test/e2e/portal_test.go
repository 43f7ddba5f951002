package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
	"perennial/store/storetest"
)

// TestGracefulStop stops the portal while a page listens for changes.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	p := newParts(t, setup{})
	p.start()
	v := signIn(t, p.url(), "ops@acme.example")
	resp, err := (&http.Client{Jar: v.client.Jar}).Get(p.url() + "/t/acme/events")
	must(t, err)
	defer resp.Body.Close()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line != "data: changed\n" {
		t.Fatalf("the stream says %q, %v", line, err)
	}
	if took := p.portal.stop(t); took > 5*time.Second {
		t.Errorf("the stop took %v, want less than 5 seconds", took)
	}
}

// nowhere is an address at which nobody answers: the discard port of this machine.
const nowhere = "127.0.0.1:9"

// TestAlone starts the portal while the provider, the CA and DNS are all down.
func TestAlone(t *testing.T) {
	t.Parallel()
	p := newParts(t, setup{})
	settings := maps.Clone(p.env)
	maps.Copy(settings, map[string]string{"oidc-issuer": "http://" + nowhere, "acme-directory": "https://" + nowhere + "/dir",
		"rfc2136-server": nowhere, "resolvers": nowhere, "authoritative-address": nowhere})
	portal := serve(t, settings)
	page, err := read(http.Get(p.url() + "/signin"))
	must(t, err)
	wants(t, page, `id="signin-unreachable"`, "does not answer")
	if _, err := read(http.Get(p.url() + "/healthz")); err != nil {
		t.Error(err)
	}
	portal.stop(t)
}

// TestOutage takes the provider, the CA and DNS away from a portal with somebody signed in. Its pages say so, and
// everything goes on by itself when they are back.
func TestOutage(t *testing.T) {
	t.Parallel()
	p := newParts(t, setup{})
	p.start()
	v := signIn(t, p.url(), "ops@acme.example")
	domain, record, target := v.add("shop.acme.example")
	must(t, p.dns.Set(record, "CNAME", target))
	v.check(domain)
	v.awaitVersion(domain, 1, 30*time.Second)
	p.portal.stop(t)

	p.ca.BreakAll(devca.Fault{Drop: true})
	must(t, p.idp.Close())
	p.start()
	v.send(domain+"/renew", nil)
	for _, heading := range []string{"We cannot ask Example CA", "cannot be reached either"} {
		v.awaitWords("/t/acme/domains", heading)
	}

	p.dns.Break(zone, devdns.Fault{Updates: true, Rcode: "SERVFAIL"})
	p.ca.Heal()
	p.portal.kill() // a new process waits for nothing that the old one had put off
	p.start()
	v.check(domain)
	v.awaitWords("/t/acme/domains", "We cannot write our zone "+zone)

	p.dns.Heal()
	v.check(domain)
	v.awaitVersion(domain, 2, 30*time.Second)
	eventually(t, 20*time.Second, "the notes are gone", func() error {
		page := words(v.page("/t/acme/domains"))
		if strings.Contains(page, "We cannot ask") || strings.Contains(page, "We cannot write") {
			return errors.New(page)
		}
		return nil
	})
}

func (v *visitor) awaitWords(path, want string) {
	v.t.Helper()
	eventually(v.t, 20*time.Second, fmt.Sprintf("%s says %q", path, want), func() error {
		page, err := v.try(path)
		if err == nil && !strings.Contains(words(page), want) {
			err = errors.New(words(page))
		}
		return err
	})
}

func wants(t *testing.T, page string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, words(page))
		}
	}
}

// TestTwoPortals lets two processes work on forty domains of one Postgres. No step is done twice.
func TestTwoPortals(t *testing.T) {
	t.Parallel()
	dsn := storetest.Postgres(t)
	p := newParts(t, setup{database: dsn})
	p.env["workers"] = "4" // more than one process likes to do alone
	p.start()
	second := p.beside(t)
	other := serve(t, second)
	v := signIn(t, p.url(), "ops@acme.example")
	w := signIn(t, second["base-url"], "ops@acme.example")
	domains := map[string]string{} // name → page
	for i := range 8 {
		form := url.Values{}
		for j := range 5 {
			form.Set(fmt.Sprintf("name%d", j+1), fmt.Sprintf("n%d-%d.acme.example", i, j))
		}
		v.send("/t/acme/domains", form)
	}
	list := v.page("/t/acme/domains?sort=name")
	for i := range 40 {
		name := fmt.Sprintf("n%d-%d.acme.example", i/5, i%5)
		id := first(list, `id="open-(dom_[^"]+)"[^>]*>`+name+"<")
		if id == "" {
			t.Fatalf("the list lacks %s", name)
		}
		domains[name] = "/t/acme/domains/" + id
		record, target := recordOn(v.page(domains[name]))
		must(t, p.dns.Set(record, "CNAME", target))
	}
	for i, name := range sortedKeys(domains) {
		[]*visitor{v, w}[i%2].check(domains[name])
	}
	for _, page := range domains {
		w.awaitVersion(page, 1, time.Minute)
	}
	eventually(t, 20*time.Second, "the challenge records are gone", p.swept)
	p.portal.stop(t)
	other.stop(t)
	p.look(t, sortedKeys(domains), oneOrder(t))
	for _, step := range []devca.Endpoint{devca.NewOrder, devca.Challenge, devca.Finalize} {
		p.calls.once(t, step, len(domains))
	}
	if n := processes(t, dsn); n != 2 {
		t.Errorf("%d processes worked, want both", n)
	}
}

// processes is how many took jobs from the queue.
func processes(t *testing.T, dsn string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	must(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // nothing is open in it
	must(t, conn.QueryRow(t.Context(), "select count(distinct attempted_by[1]) from river_job").Scan(&n))
	return n
}

// TestForeignProof: a name is never certified on somebody else's proof. The CA reuses the account's authorizations
// whenever it can, and all tenants share the account.
func TestForeignProof(t *testing.T) {
	t.Parallel()
	const name = "shop.acme.example"
	p := newParts(t, setup{reuse: 100})
	p.start()
	acme := signIn(t, p.url(), "ops@acme.example")
	domain, record, target := acme.add(name)
	must(t, p.dns.Set(record, "CNAME", target))
	acme.check(domain)
	acme.awaitVersion(domain, 1, 30*time.Second)
	acme.send(domain+"/release", url.Values{"name": {name}})

	// Acme's record still stands, and then no record does: neither is Northwind's proof.
	northwind := signIn(t, p.url(), "it@northwind.example")
	claim, record, wanted := northwind.addOnceFree(name)
	if wanted == target {
		t.Fatal("Northwind's claim has Acme's label")
	}
	northwind.looks(claim, "target belongs to another service")
	must(t, p.dns.Delete(record, "CNAME"))
	northwind.looks(claim, "No such")
	if n := p.calls.orders(name); n != 1 {
		t.Errorf("the CA made %d orders, want only Acme's", n)
	}

	challenges := len(p.calls.all(devca.Challenge))
	must(t, p.dns.Set(record, "CNAME", wanted))
	northwind.check(claim)
	northwind.awaitVersion(claim, 1, 30*time.Second)
	if n := len(p.calls.all(devca.Challenge)); n != challenges+1 {
		t.Errorf("Northwind's certificate took %d challenges, want 1: Acme's authorization is to be gone", n-challenges)
	}
}

// looks asks for a look at the record until its page says what it saw.
func (v *visitor) looks(domain, want string) {
	v.t.Helper()
	v.check(domain)
	v.awaitWords(domain, want)
}
