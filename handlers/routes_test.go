package handlers_test

import (
	"flag"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"

	"perennial/cmd/devportal/devidp"
	"perennial/handlers"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

var update = flag.Bool("update", false, "write testdata/routes.golden anew")

// actors are the columns of the golden table, in their order.
var actors = []string{"nobody", "viewer", "auditor", "editor", "approver", "admin", "foreign", "operator", "platform"}

// TestRoutesByRole sends every route as every role and compares the statuses with the golden table, which is the
// place to read who may do what. Forms are sent wrong or repeatable, so that no cell depends on the one before.
func TestRoutesByRole(t *testing.T) {
	w := newWorld(t)
	sample := w.sample(t)
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	table.Write([]byte("METHOD\tPATH\t" + strings.Join(actors, "\t") + "\n"))
	for _, line := range handlers.Lines() {
		cells := []string{line.Method, line.Path}
		for _, actor := range actors {
			cells = append(cells, w.cell(t, line, actor, sample))
		}
		table.Write([]byte(strings.Join(cells, "\t") + "\n"))
	}
	table.Flush()
	compareGolden(t, "testdata/routes.golden", b.String())
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if that is right, run the test with -update:\n%s", file, diff)
	}
}

// sample is the values for the parameters of paths: things of tenant acme.
func (w *world) sample(t *testing.T) *strings.Replacer {
	domain, version := w.issued(t, w.Acme, "shop.acme.example")
	w.event = w.replacement(t)
	return strings.NewReplacer(":slug", "acme", ":id", string(domain), ":version", string(version), ":account", w.account(t), ":code", string(tenants.CAAForbids), ":number", "1", "*",
		"nothing")
}

// replacement starts the replacement of everything with the serial number that sign gives.
func (w *world) replacement(t *testing.T) tenants.EventID {
	t.Helper()
	form := tenants.MassEventForm{Serials: "4d", Deadline: w.Clock.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)}
	f, err := w.Platform().DryRunEvent(t.Context(), form)
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.Platform().StartEvent(t.Context(), store.EventStart{MassEventForm: form, Since: f.Event.Since,
		Counted: f.Certificates, Typed: strconv.Itoa(f.Certificates)})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// cell is the status, with the sign-in page apart from other redirects.
func (w *world) cell(t *testing.T, line handlers.Line, actor string, sample *strings.Replacer) string {
	t.Helper()
	path := sample.Replace(line.Path)
	if strings.HasPrefix(path, "/tenants/dom_") {
		path = "/tenants/" + string(w.Acme.ID)
	}
	if strings.HasPrefix(path, "/replacement/dom_") {
		path = strings.Replace(line.Path, ":id", string(w.event), 1)
	}
	if strings.HasPrefix(path, "/issuers/dom_") {
		path = strings.Replace(path, sample.Replace(":id"), w.issuer(t), 1)
	}
	got := w.status(t, line.Method, path, actor)
	if line.Method == http.MethodGet {
		if head := w.status(t, http.MethodHead, path, actor); head != got {
			t.Errorf("%s as %s: GET %s, HEAD %s", path, actor, got, head)
		}
	}
	return got
}

// issuer is the authority of the settings.
func (w *world) issuer(t *testing.T) string {
	t.Helper()
	i, err := w.DB.System().Issuer(t.Context(), storetest.Directory)
	if err != nil {
		t.Fatal(err)
	}
	return string(i.ID)
}

// account is the first account there. It was not opened yet.
func (w *world) account(t *testing.T) string {
	t.Helper()
	i, err := w.DB.System().Issuer(t.Context(), storetest.Directory)
	if err != nil {
		t.Fatal(err)
	}
	return string(i.AccountID)
}

func (w *world) status(t *testing.T, method, path, actor string) string {
	t.Helper()
	client := newBrowser(t)
	if actor != "nobody" {
		client = w.quickSession(t, actor)
	}
	form := url.Values{"name": {"wrong"}, "slug": {"No Slug"}, "name1": {"wrong"}}
	if strings.HasPrefix(path, "/tenants") {
		form.Del("name")
	}
	req, err := http.NewRequestWithContext(soon(t), method, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s as %s: %v", method, path, actor, err)
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusSeeOther && strings.HasPrefix(resp.Header.Get("Location"), "/signin") {
		return "sign-in"
	}
	return strconv.Itoa(resp.StatusCode)
}

func (w *world) quickSession(t *testing.T, actor string) *http.Client {
	t.Helper()
	role := map[string]tenants.PlatformRole{"operator": tenants.Operator, "platform": tenants.PlatformAuditor}[actor]
	for _, p := range everybody() {
		if p.Email == people[actor] {
			return w.session(t, devidp.Person{Email: p.Email, Name: p.Name, Groups: p.Groups}, role)
		}
	}
	t.Fatalf("no person %q", actor)
	return nil
}

func TestCSVCellsAreNoFormulas(t *testing.T) {
	for cell, want := range map[string]string{"=1+1": "'=1+1", "+49": "'+49", "-2": "'-2", "@SUM(A1)": "'@SUM(A1)",
		"\tx": "'\tx", "\rx": "'\rx",
		"shop.acme.example": "shop.acme.example", "": "", "*.acme.example": "*.acme.example"} {
		if got := handlers.Guarded(cell); got != want {
			t.Errorf("%q becomes %q, want %q", cell, got, want)
		}
	}
}
