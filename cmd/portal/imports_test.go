package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// wall says what the packages of one room may import. The tests of a room are free: they use other people's servers.
// Patterns are import paths; one that ends with "/..." also means everything below, "std" the standard library.
type wall struct {
	room string
	may  []string // everything else is forbidden
	not  []string // forbidden although may allows it
	why  string
}

// walls is the import picture of the design. cmd knows everybody and needs no wall.
var walls = []wall{
	{room: "perennial/tenants", may: []string{"std", "golang.org/x/net/...", "golang.org/x/text/..."}, not: []string{"net/http/...", "database/...", "os/...", "time/tzdata"},
		why: "the core decides and does nothing else"},
	{room: "perennial/static/...", may: []string{"std"}, why: "files know nobody"},
	{room: "perennial/views/...", may: []string{"std", "github.com/a-h/templ/...", "golang.org/x/net/idna", "golang.org/x/text/...", "perennial/tenants", "perennial/static/...", "perennial/views/..."}, not: []string{"net", "database/...", "os"},
		why: "a template cannot query"},
	{room: "perennial/store/...", may: []string{"*", "perennial/tenants", "perennial/store/..."}, why: "the store remembers, it does not act"},
	{room: "perennial/handlers/...", may: []string{"*", "perennial/tenants", "perennial/store/...", "perennial/views/...", "perennial/static/...", "perennial/handlers/..."},
		why: "HTTP never waits for the outside world, so handlers do not know jobs"},
	{room: "perennial/jobs", may: []string{"*", "perennial/tenants", "perennial/store/...", "perennial/jobs/..."}, why: "the engine knows the store and its hands, not the pages"},
	{room: "perennial/jobs/*", may: []string{"*", "perennial/tenants"}, why: "a hand takes values and gives values: no store, no other hand"},
	{room: "perennial/cmd/portal/...", may: []string{"*", "perennial/..."}, not: []string{"perennial/cmd/devportal/...", "perennial/test/...", "perennial/store/storetest"},
		why: "the product does not contain the development world"},
}

// homes says where the only importers of a library live, so that its next major version is a change in one room.
var homes = []struct {
	library string
	rooms   []string
}{
	{"github.com/labstack/...", []string{"perennial/handlers/..."}},
	{"github.com/coreos/go-oidc/...", []string{"perennial/handlers/auth"}},
	{"golang.org/x/oauth2/...", []string{"perennial/handlers/auth"}},
	{"github.com/go-acme/lego/...", []string{"perennial/jobs/acme", "perennial/test/bench"}}, // the bench's bare loop to compare with
	{"github.com/libdns/...", []string{"perennial/jobs/dns"}},
	{"github.com/aws/...", []string{"perennial/jobs/dns"}},
	{"github.com/miekg/dns/...", []string{"perennial/jobs/dns", "perennial/cmd/devportal/..."}},
	{"modernc.org/...", []string{"perennial/store"}},
	{"github.com/jackc/...", []string{"perennial/store", "perennial/store/storetest"}},
	{"github.com/riverqueue/...", []string{"perennial/store"}},
	{"github.com/pressly/goose/...", []string{"perennial/store"}},
	{"github.com/tink-crypto/...", []string{"perennial/store/seal"}},
	{"github.com/letsencrypt/...", []string{"perennial/cmd/devportal/..."}},
	{"github.com/zitadel/...", []string{"perennial/cmd/devportal/..."}},
	{"github.com/chromedp/...", []string{"perennial/test/..."}},
	{"testing/...", []string{"perennial/store/storetest", "perennial/test/..."}},
	{"perennial/cmd/...", []string{"perennial/cmd/...", "perennial/test/..."}},
	{"perennial/jobs/...", []string{"perennial/cmd/...", "perennial/jobs/...", "perennial/test/..."}},
	{"perennial/store/storetest", []string{"perennial/test/..."}},
}

// unreachable never becomes part of the product, however long the way.
var unreachable = []string{"github.com/letsencrypt/...", "github.com/zitadel/...", "github.com/chromedp/...", "github.com/rogpeppe/...",
	"perennial/cmd/devportal/...", "perennial/test/...", "perennial/store/storetest"}

const product = "perennial/cmd/portal"

// pkg is one package as go list describes it.
type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

type graph map[string]pkg

func TestImports(t *testing.T) {
	g := load(t)
	if len(g) == 0 || g["perennial/tenants"].ImportPath == "" {
		t.Fatal("go list found no package of ours")
	}
	for _, sentence := range broken(g) {
		t.Error(sentence)
	}
}

// TestImportsChecker makes sure that the checker sees what it is there for.
func TestImportsChecker(t *testing.T) {
	tests := map[string]struct {
		from, imports string // a chain of imports: a b c
		want          string // empty: allowed
	}{
		"core uses text":           {"perennial/tenants", "golang.org/x/text/unicode/norm", ""},
		"core uses the network":    {"perennial/tenants", "net/http", "the core decides"},
		"core uses a library":      {"perennial/tenants", "github.com/google/uuid", "the core decides"},
		"view queries":             {"perennial/views", "perennial/store", "perennial/views imports perennial/store: a template cannot query"},
		"view over the network":    {"perennial/views", "net", "a template cannot query"},
		"handler starts a job":     {"perennial/handlers/api", "perennial/jobs", "handlers do not know jobs"},
		"handler uses the store":   {"perennial/handlers", "perennial/store", ""},
		"store acts":               {"perennial/store", "perennial/jobs/dns", "it does not act"},
		"hand holds hand":          {"perennial/jobs/acme", "perennial/jobs/dns", "no other hand"},
		"hand remembers":           {"perennial/jobs/dns", "perennial/store", "no store"},
		"engine uses hands":        {"perennial/jobs", "perennial/jobs/acme", ""},
		"echo in the store":        {"perennial/store", "github.com/labstack/echo/v4", "only perennial/handlers/... may"},
		"lego in the engine":       {"perennial/jobs", "github.com/go-acme/lego/v4/acme", "only perennial/jobs/acme"},
		"lego at home":             {"perennial/jobs/acme", "github.com/go-acme/lego/v4/acme/api", ""},
		"product uses dev world":   {"perennial/cmd/portal/app", "perennial/cmd/devportal/devca", "does not contain the development world"},
		"dev world the long way":   {product, "perennial/store github.com/x/y github.com/letsencrypt/pebble/v2/ca", "through perennial/store → github.com/x/y → github.com/letsencrypt/pebble/v2/ca"},
		"test helper in the store": {"perennial/store", "testing", "only perennial/store/storetest"},
		"name with the same start": {"perennial/jobsdone", "github.com/google/uuid", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(broken(chain(tt.from, strings.Fields(tt.imports))), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// chain is a made-up graph in which each package imports the next.
func chain(from string, imports []string) graph {
	g := graph{}
	for _, next := range imports {
		g[from] = pkg{ImportPath: from, Imports: []string{next}}
		from = next
	}
	g[from] = pkg{ImportPath: from, Standard: !strings.Contains(from, ".") && !strings.HasPrefix(from, "perennial/")}
	return g
}

// broken says in one sentence each which imports break which rule.
func broken(g graph) []string {
	var all []string
	for _, p := range g {
		if !strings.HasPrefix(p.ImportPath, "perennial/") {
			continue
		}
		for _, imp := range p.Imports {
			all = append(all, againstWalls(g, p.ImportPath, imp)...)
			all = append(all, awayFromHome(p.ImportPath, imp)...)
		}
	}
	for path := range g {
		if matchesAny(path, unreachable) {
			if way := route(g, product, path); way != nil {
				all = append(all, fmt.Sprintf("%s reaches %s through %s: it belongs to tests and the development world", product, path, strings.Join(way[1:], " → ")))
			}
		}
	}
	slices.Sort(all)
	return all
}

func againstWalls(g graph, from, imp string) (all []string) {
	for _, w := range walls {
		if matches(from, w.room) && (!allowed(g, imp, w.may) || matchesAny(imp, w.not)) {
			all = append(all, fmt.Sprintf("%s imports %s: %s", from, imp, w.why))
		}
	}
	return all
}

func awayFromHome(from, imp string) (all []string) {
	for _, h := range homes {
		if matches(imp, h.library) && !matchesAny(from, h.rooms) {
			all = append(all, fmt.Sprintf("%s imports %s: only %s may", from, imp, strings.Join(h.rooms, ", ")))
		}
	}
	return all
}

// allowed knows two words beside patterns: "std", and "*" for everything that is not ours.
func allowed(g graph, imp string, may []string) bool {
	return slices.Contains(may, "std") && g[imp].Standard ||
		slices.Contains(may, "*") && !strings.HasPrefix(imp, "perennial/") ||
		matchesAny(imp, may)
}

func matchesAny(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(path, p) })
}

// matches knows "x", "x/..." for x and all below, and "x/*" for what is directly below.
func matches(path, pattern string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == base || strings.HasPrefix(path, base+"/")
	}
	if base, ok := strings.CutSuffix(pattern, "/*"); ok {
		rest, below := strings.CutPrefix(path, base+"/")
		return below && !strings.Contains(rest, "/")
	}
	return path == pattern
}

// route is the shortest way of imports between two packages, nil if there is none.
func route(g graph, from, to string) []string {
	ways := [][]string{{from}}
	seen := map[string]bool{from: true}
	for len(ways) > 0 {
		way := ways[0]
		ways = ways[1:]
		last := way[len(way)-1]
		if last == to {
			return way
		}
		for _, next := range g[last].Imports {
			if !seen[next] {
				seen[next] = true
				ways = append(ways, append(slices.Clone(way), next))
			}
		}
	}
	return nil
}

// load asks the go command for our packages and everything they import.
func load(t *testing.T) graph {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard,Imports", "perennial/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	g := graph{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return g
		case err != nil:
			t.Fatal(err)
		}
		g[p.ImportPath] = p
	}
}
