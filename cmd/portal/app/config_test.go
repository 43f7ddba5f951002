package app

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"perennial/tenants"
)

var update = flag.Bool("update", false, "write manual.go and the README's table of settings instead of comparing them")

// TestManual keeps what people read about the settings equal to the comments of Config.
func TestManual(t *testing.T) {
	rows := settings(t)
	keep(t, "manual.go", func([]byte) []byte { return manualFile(t, rows) })
	keep(t, "../../../README.md", func(old []byte) []byte { return withTable(t, old, rows) })
}

// keep compares a file with what it should be, or writes it under -update.
func keep(t *testing.T, path string, want func(old []byte) []byte) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	text := want(old)
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(string(old), "\n")); diff != "" {
		t.Errorf("%s is not what the comments of Config say; run make generate (-want +got):\n%s", path, diff)
	}
}

type setting struct{ name, group, preset, text string }

// settings reads Config's fields: tags by reflection, comments from the source.
func settings(t *testing.T) []setting {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var rows []setting
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "Config" {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			rows = append(rows, settingOf(t, field))
		}
		return false
	})
	return rows
}

func settingOf(t *testing.T, field *ast.Field) setting {
	t.Helper()
	f, _ := reflect.TypeFor[Config]().FieldByName(field.Names[0].Name)
	s := setting{f.Tag.Get("name"), f.Tag.Get("group"), f.Tag.Get("default"), strings.Join(strings.Fields(field.Doc.Text()), " ")}
	if s.name == "" || s.group == "" || s.text == "" {
		t.Errorf("field %s of Config needs a name, a group and a comment", f.Name)
	}
	return s
}

func manualFile(t *testing.T, rows []setting) []byte {
	var b bytes.Buffer
	b.WriteString("// Code generated from the comments of Config by TestManual -update. DO NOT EDIT.\n\npackage app\n\n" +
		"// manual is what --help says about a setting; empty for anything else.\nfunc manual(setting string) string {\n\tswitch setting {\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "\tcase %q:\n\t\treturn %q\n", r.name, r.text)
	}
	b.WriteString("\t}\n\treturn \"\"\n}\n")
	out, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func withTable(t *testing.T, readme []byte, rows []setting) []byte {
	const begin, end = "<!-- settings: made from cmd/portal/app/config.go by make generate -->\n", "<!-- end of settings -->"
	before, rest, ok1 := bytes.Cut(readme, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok1 || !ok2 {
		t.Fatal("README.md has lost the marks around its table of settings")
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(begin + "\n| setting | default | meaning |\n|---|---|---|\n")
	group := ""
	for _, r := range rows {
		if r.group != group {
			group = r.group
			fmt.Fprintf(&b, "| **%s** | | |\n", group)
		}
		if r.preset != "" {
			r.preset = "`" + r.preset + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", Variable(r.name), r.preset, r.text)
	}
	b.WriteString("\n" + end)
	b.Write(after)
	return b.Bytes()
}

// good is the smallest environment the portal serves with.
func good() map[string]string {
	return map[string]string{
		"PERENNIAL_BASE_URL":           "https://certs.example.com/",
		"PERENNIAL_OIDC_ISSUER":        "https://login.example.com",
		"PERENNIAL_OIDC_CLIENT_ID":     "perennial",
		"PERENNIAL_OIDC_CLIENT_SECRET": "hunter2",
		"PERENNIAL_ACME_ACCEPT_TERMS":  "true",
		"PERENNIAL_DELEGATION_ZONE":    "acme.example.net",
		"PERENNIAL_DNS_PROVIDER":       "rfc2136",
		"PERENNIAL_RFC2136_SERVER":     "ns1.example.net:53",
		"PERENNIAL_RFC2136_KEY_NAME":   "perennial",
		"PERENNIAL_RFC2136_KEY":        "aHVudGVyMg==",
	}
}

func parse(env map[string]string, args ...string) (Command, Config, string, error) {
	var out bytes.Buffer
	cmd, c, err := Parse(args, func(k string) (string, bool) { v, ok := env[k]; return v, ok }, &out)
	return cmd, c, out.String(), err
}

func TestParse(t *testing.T) {
	env := good()
	env["PERENNIAL_LISTEN"] = ":9000"
	env["PERENNIAL_TRUSTED_PROXIES"] = "10.0.0.0/8, ::1"
	env["PERENNIAL_ACME_CONTACTS"] = "a@example.com,b@example.com"
	env["PERENNIAL_WORKERS"] = ""
	cmd, c, _, err := parse(env, "serve", "--listen=:9001", "--acme-orders=10/1m", "--log-level", "debug")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(cmd.Name, c.Listen, c.BaseURL, c.TrustedProxies, c.ACMEContacts, c.ACMEOrders, c.LogLevel, c.Workers, c.OIDCClientSecret, c.DSN())
	want := "serve:9001https://certs.example.com[10.0.0.0/8 ::1/128] [a@example.com b@example.com] {10 1m0s} DEBUG 32 [sealed]sqlite:perennial.db"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s := c.DNSSettings(); string(s["server"].Reveal()) != "ns1.example.net:53" || string(s["key"].Reveal()) != "aHVudGVyMg==" {
		t.Error("DNSSettings lost a setting")
	}
}

func TestCommands(t *testing.T) {
	tests := map[string]struct {
		args []string
		want Command
	}{
		"migrate needs only data": {[]string{"migrate"}, Command{Name: Migrate}},
		"version needs nothing":   {[]string{"version", "--database="}, Command{Name: Version}},
		"healthcheck":             {[]string{"healthcheck"}, Command{Name: Healthcheck}},
		"list":                    {[]string{"admin", "tenant", "list"}, Command{Name: TenantList}},
		"add":                     {[]string{"admin", "tenant", "add", "acme"}, Command{Name: TenantAdd, Slug: "acme", TenantName: "acme"}},
		"add with groups": {[]string{"admin", "tenant", "add", "acme", "--name", "Acme Retail", "--group=cn=ops,ou=it=admin", "--group=acme=viewer"},
			Command{TenantAdd, "acme", "Acme Retail", []tenants.Group{{Claim: "cn=ops,ou=it", Role: tenants.Admin}, {Claim: "acme", Role: tenants.Viewer}}}},
		"help": {[]string{"serve", "--help"}, Command{Name: Help}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cmd, _, _, err := parse(nil, tt.args...)
			if diff := cmp.Diff(tt.want, cmd); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

// TestOnlyWhatACommandReads: a variable that serve needs does not keep migrate from its work; one that it reads does.
func TestOnlyWhatACommandReads(t *testing.T) {
	env := map[string]string{"PERENNIAL_WORKERS": "many", "PERENNIAL_TRUSTED_PROXIES": "lan"}
	for _, args := range [][]string{{"migrate"}, {"version"}, {"healthcheck"}, {"admin", "tenant", "list"}} {
		if _, _, _, err := parse(env, args...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, _, _, err := parse(map[string]string{"PERENNIAL_LOG_LEVEL": "loud"}, "migrate"); err == nil {
		t.Error("migrate took a level that there is not")
	}
	if _, _, _, err := parse(nil, "migrate", "--workers=many"); err == nil {
		t.Error("migrate took a flag that it could not read")
	}
}

func TestHelpIsTheManual(t *testing.T) {
	_, _, out, err := parse(nil, "--help")
	if err != nil || !strings.Contains(out, "--delegation-zone") || !strings.Contains(out, "Address under which people") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDefaultIsWhatTheTagsSay(t *testing.T) {
	c := Default()
	if c.Listen != "127.0.0.1:8080" || c.DSN() != "sqlite:perennial.db" || c.Workers != 32 || c.ACMEFirstPoll.String() != "1s" || c.LogLevel != 0 {
		t.Errorf("%+v", c)
	}
}

func TestSecretFiles(t *testing.T) {
	path := t.TempDir() + "/secret"
	if err := os.WriteFile(path, []byte("from a file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := good()
	delete(env, "PERENNIAL_OIDC_CLIENT_SECRET")
	env["PERENNIAL_OIDC_CLIENT_SECRET_FILE"] = path
	_, c, _, err := parse(env, "serve")
	if err != nil || string(c.OIDCClientSecret.Reveal()) != "from a file" {
		t.Errorf("%v, %q", err, c.OIDCClientSecret.Reveal())
	}
}

// TestFaults changes one thing of a good environment and expects exactly one sentence about it.
func TestFaults(t *testing.T) {
	tests := []struct{ variable, value, want string }{
		{"LISTEN", "localhost", `"localhost" is not an address with a port. Write host:port`},
		{"LISTEN", ":99999", `":99999" is not an address with a port`},
		{"BASE_URL", "", "It is missing. Write the address under which people reach the portal"},
		{"BASE_URL", "certs.example.com", "It is not a web address. Write the address"},
		{"BASE_URL", "http://certs.example.com", "is not encrypted. Write https://certs.example.com"},
		{"BASE_URL", "https://example.com/certs", "Write only https://example.com."},
		{"TRUSTED_PROXIES", "10.0.0.0/8,lan", `"lan" is not a network`},
		{"DATABASE", "mysql://root:hunter2@db/x", "neither SQLite nor Postgres"},
		{"DATABASE", "sqlite:", "It names no file"},
		{"DATABASE", "postgres://u:hunter2%zz@db/x", "not a Postgres URL; special characters in a password are written as %XX. Write"},
		{"KEY_FILE", "", ""},
		{"OIDC_ISSUER", "http://login.example.com", "is not encrypted"},
		{"OIDC_ISSUER", "http://127.0.0.1:9000", ""},
		{"OIDC_CLIENT_ID", "", "It is missing. Write the client id"},
		{"OIDC_CLIENT_SECRET", "", "PERENNIAL_OIDC_CLIENT_SECRET_FILE"},
		{"OIDC_CLIENT_SECRET_FILE", "/tmp", "set twice"},
		{"DATABASE_FILE", "/does/not/exist", "cannot be read (open /does/not/exist: no such file or directory)"},
		{"OIDC_ORIGINS", "https://id.example.com/login", "without a path"},
		{"OIDC_ORIGINS", "https://id.example.com,http://x.example", "\"http://x.example\" is not an origin"},
		{"OIDC_ORIGINS", "https://id.example.com:8443", ""},
		{"ACME_DIRECTORY", "http://127.0.0.1/dir", "This one is plain http"},
		{"ACME_ACCEPT_TERMS", "maybe", `"maybe" is neither yes nor no`},
		{"ACME_ACCEPT_TERMS", "false", "Read them, then write true"},
		{"ACME_CONTACTS", "Ops <ops@example.com>", "Write only the address"},
		{"ACME_ROOT_FILE", "/does/not/exist", "It gives no root (open"},
		{"ACME_ROOT_FILE", "config.go", "no certificate in config.go"},
		{"ACME_EAB_KEY_ID", "kid", "The HMAC key is missing"},
		{"ACME_EAB_KEY", "hunter2hunter2hunter2hunter2hunter2hunter2ab", "Paste both, or neither"},
		{"ACME_ORDERS", "300", `"300" is not a limit`},
		{"ACME_ORDERS", "0/3h", "With a limit of none nothing would ever be issued"},
		{"ACME_ORDERS", "300/soon", "is not a length of time"},
		{"ACME_FIRST_POLL", "1", `"1" is not a length of time`},
		{"ACME_FIRST_POLL", "2h", "2h0m0s is out of range"},
		{"DELEGATION_ZONE", "", "is not the name of a zone"},
		{"DELEGATION_ZONE", "acme.example.net.", "without a dot at its end"},
		{"DNS_PROVIDER", "bind", `"bind" is not a provider. Write rfc2136 or route53.`},
		{"RFC2136_SERVER", "ns1.example.net", "Write host:port"},
		{"RFC2136_KEY_NAME", "", "TSIG key"},
		{"RFC2136_KEY_ALG", "hmac-md5", "not an algorithm"},
		{"RFC2136_KEY", "", "PERENNIAL_RFC2136_KEY_FILE"},
		{"RFC2136_KEY", "hunter2", "It is not base64"},
		{"RESOLVERS", "1.1.1.1", "is not an IP address with a port"},
		{"AUTHORITATIVE_ADDRESS", "localhost:53", "is not an IP address with a port"},
		{"WORKERS", "many", `"many" is not a number`},
		{"WORKERS", "0", "0 is out of range"},
		{"LOG_FORMAT", "xml", "Write text or json"},
		{"LOG_LEVEL", "loud", "Write debug, info, warn or error"},
	}
	for _, tt := range tests {
		t.Run(tt.variable+"="+tt.value, func(t *testing.T) {
			env := good()
			env["PERENNIAL_"+tt.variable] = tt.value
			_, _, _, err := parse(env, "serve")
			checkFault(t, err, tt.want)
		})
	}
}

func checkFault(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	faults, _ := err.(Faults)
	if len(faults) != 1 || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v\nwant one fault with %q", err, want)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is printed: %v", err)
	}
	if !strings.HasSuffix(err.Error(), ".") {
		t.Errorf("not a whole sentence: %v", err)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, _, _, err := parse(map[string]string{"PERENNIAL_WORKERS": "x", "PERENNIAL_LOG_FORMAT": "xml", "PERENNIAL_DNS_PROVIDER": "route53"}, "serve", "--acme-first-poll=soon")
	faults, _ := err.(Faults)
	var got []string
	for _, f := range faults {
		got = append(got, f.Setting)
	}
	want := []string{"acme-first-poll", "workers", "base-url", "oidc-issuer", "oidc-client-id", "oidc-client-secret", "acme-accept-terms",
		"delegation-zone", "route53-access-key-id", "route53-secret-access-key", "route53-hosted-zone-id", "log-format"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s", diff)
	}
	if !strings.HasPrefix(err.Error(), "12 settings need attention:\n  --acme-first-poll (PERENNIAL_ACME_FIRST_POLL): ") {
		t.Error(err)
	}
}

func TestCommandLineMistakes(t *testing.T) {
	for _, args := range [][]string{{}, {"server"}, {"serve", "--listn=:1"}, {"admin", "tenant", "add"}, {"serve", "--workers"}} {
		if _, _, _, err := parse(good(), args...); err == nil || !strings.HasSuffix(err.Error(), "See portal --help") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
