package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
	"perennial/cmd/devportal/devidp"
	"perennial/cmd/portal/app"
	"perennial/store"
	"perennial/tenants"
)

const zone = "dcv.portal.example"

// parts is a world whose parts live in the test, where they can be stopped at any call, around the product's own
// binary, which can be killed.
type parts struct {
	t      *testing.T // the portal lives as long as this test, also when a subtest starts it
	ca     *devca.CA
	calls  *calls // what reaches the CA
	dns    *devdns.Server
	idp    *devidp.Provider
	env    map[string]string
	portal *child
}

// setup is what differs between tests.
type setup struct {
	database string                   // default: SQLite in the test's folder
	profiles map[string]time.Duration // of the CA; one of them, any
	reuse    int                      // of authorizations, per cent; default never
}

func newParts(t *testing.T, s setup) *parts {
	t.Helper()
	p := &parts{t: t, calls: newCalls()}
	var err error
	p.dns, err = devdns.Start(t.Context(), devdns.Config{Zones: []devdns.Zone{
		{Apex: zone, Delegation: true}, {Apex: "acme.example"}, {Apex: "northwind.example"}}})
	must(t, err)
	t.Cleanup(func() { p.dns.Close() })
	if s.reuse == 0 {
		s.reuse = -1
	}
	p.ca, err = devca.Start(t.Context(), devca.Config{Resolver: p.dns.Addr, Profiles: s.profiles, AuthzReuse: s.reuse, CheckCAA: true, Hooks: p.calls.watch})
	must(t, err)
	t.Cleanup(func() { p.ca.Close() })
	p.idp, err = devidp.Start(t.Context(), devidp.Config{People: []devidp.Person{
		{Email: "ops@acme.example", Name: "Olivia Park", Groups: []string{"acme-ops"}},
		{Email: "it@northwind.example", Name: "Ines Takeda", Groups: []string{"northwind-it"}},
	}})
	must(t, err)
	t.Cleanup(func() { p.idp.Close() })
	p.configure(t, s)
	p.admin(t, "tenant", "add", "acme", "--name", "Acme Retail", "--group", "acme-ops=admin")
	p.admin(t, "tenant", "add", "northwind", "--name", "Northwind", "--group", "northwind-it=admin")
	return p
}

// configure makes the environment of the portal: every setting as an operator would write it.
func (p *parts) configure(t *testing.T, s setup) {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "acme-root.pem")
	must(t, os.WriteFile(root, p.ca.RootPEM, 0o600))
	if s.database == "" {
		s.database = "sqlite:" + filepath.Join(dir, "perennial.db")
	}
	tsig := p.dns.TSIG()
	addr := freeAddress(t)
	p.env = map[string]string{
		"listen": addr, "base-url": "http://" + addr, "database": s.database, "key-file": filepath.Join(dir, "perennial.key"),
		"oidc-issuer": p.idp.Issuer, "oidc-client-id": p.idp.ClientID, "oidc-client-secret": p.idp.ClientSecret,
		"acme-directory": p.ca.Directory, "acme-root-file": root, "acme-accept-terms": "true", "acme-name": "Example CA", "acme-first-poll": "60ms",
		"delegation-zone": zone, "dns-provider": "rfc2136", "rfc2136-server": p.dns.Addr,
		"rfc2136-key-name": tsig.Name, "rfc2136-key-alg": tsig.Algorithm, "rfc2136-key": tsig.Key,
		"resolvers": p.dns.Addr, "authoritative-address": p.dns.Addr, "allow-special-use": "true", "log-level": "warn",
	}
	for name := range s.profiles {
		p.env["acme-profile"] = name
	}
	p.idp.Serve(p.url())
}

func (p *parts) url() string { return p.env["base-url"] }

// environ is the environment that a portal sees, and nothing of ours.
func environ(settings map[string]string) []string {
	var env []string
	for name, value := range settings {
		env = append(env, app.Variable(name)+"="+value)
	}
	return env
}

// start starts the portal and waits until it serves.
func (p *parts) start() {
	p.t.Helper()
	p.portal = serve(p.t, p.env)
}

func serve(t *testing.T, settings map[string]string) *child {
	t.Helper()
	c := launch(t, environ(settings), programs.portal, "serve")
	eventually(t, 20*time.Second, "the portal is ready", func() error {
		if c.gone() {
			t.Fatalf("the portal ended: %v\n%s", c.err, c.log)
		}
		_, err := read(http.Get(settings["base-url"] + "/readyz"))
		return err
	})
	return c
}

// beside are the settings of a second portal on the same database.
func (p *parts) beside(t *testing.T) map[string]string {
	t.Helper()
	settings := maps.Clone(p.env)
	settings["listen"] = freeAddress(t)
	settings["base-url"] = "http://" + settings["listen"]
	p.idp.Serve(settings["base-url"])
	return settings
}

func (p *parts) admin(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(programs.portal, append([]string{"admin"}, args...)...)
	cmd.Env = environ(p.env)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("portal admin %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// look opens the database beside the portal and reads what it knows of a name of tenant acme.
func (p *parts) look(t *testing.T, names []string, judge func(name string, d store.DomainView)) {
	t.Helper()
	db := p.open(t)
	defer db.Close()
	scope := acme(t, db)
	for _, name := range names {
		d, err := find(t, scope, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		judge(name, d)
	}
}

// open opens the database as another process beside the portal.
func (p *parts) open(t *testing.T) *store.DB {
	t.Helper()
	env := func(name string) (string, bool) {
		for setting, value := range p.env {
			if app.Variable(setting) == name {
				return value, true
			}
		}
		return "", false
	}
	_, c, err := app.Parse([]string{app.Serve}, env, t.Output())
	must(t, err)
	db, err := app.OpenStore(t.Context(), c, app.NewLog(c, t.Output()))
	must(t, err)
	return db
}

// acme is tenant acme as its admin sees it.
func acme(t *testing.T, db *store.DB) *store.Scope {
	t.Helper()
	all, err := db.System().Tenants(t.Context())
	must(t, err)
	i := slices.IndexFunc(all, func(one tenants.Tenant) bool { return one.Slug == "acme" })
	return db.As(tenants.Actor{Kind: tenants.Person, Name: "ops@acme.example", Tenant: all[i].ID, Role: tenants.Admin})
}

func find(t *testing.T, scope *store.Scope, name string) (store.DomainView, error) {
	t.Helper()
	page, err := scope.Domains(t.Context(), store.DomainFilter{Query: name})
	if err != nil {
		return store.DomainView{}, err
	}
	for _, row := range page.Rows {
		if row.Name == name {
			return scope.Domain(t.Context(), row.ID)
		}
	}
	return store.DomainView{}, errors.New("there is no such domain")
}

// leftTXT are the challenge records that stand in the delegation zone.
func (p *parts) leftTXT() []string {
	var left []string
	for _, r := range p.dns.List(zone) {
		if r.Type == "TXT" {
			left = append(left, r.Name+" "+r.Value)
		}
	}
	return left
}

// swept reports an error while challenge records are left.
func (p *parts) swept() error {
	if left := p.leftTXT(); len(left) > 0 {
		return fmt.Errorf("%d TXT records are left: %s", len(left), strings.Join(left, ", "))
	}
	return nil
}

// freeAddress is a port that nobody listens on. It has to stay the same when the portal starts again.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
