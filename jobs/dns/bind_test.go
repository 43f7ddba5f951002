package dns_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"perennial/jobs/dns"
	"perennial/tenants"
)

const (
	bindKey = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvbmx5ISE="

	bindConfig = `
options {
	directory "%[1]s";
	listen-on port %[2]s { 127.0.0.1; };
	listen-on-v6 { none; };
	pid-file none;
	session-keyfile none;
	recursion no;
	dnssec-validation no;
	allow-transfer { none; };
	notify no;
};
controls { };
key "perennial" { algorithm hmac-sha256; secret "` + bindKey + `"; };
zone "certs.portal.example" {
	type primary;
	file "zone";
	update-policy { grant perennial zonesub TXT; };
};
`
	bindZone = `$TTL 60
@	IN SOA ns1 hostmaster 1 60 60 3600 1
@	IN NS ns1
@	IN NS ns2
ns1	IN A 127.0.0.1
ns2	IN A 127.0.0.1
`
)

// startBIND runs BIND 9 with our delegation zone, which only the TSIG key may write TXT into.
func startBIND(t *testing.T) string {
	t.Helper()
	named, err := exec.LookPath("named")
	if err != nil {
		named, err = exec.LookPath("/usr/sbin/named") // not on everybody's path
	}
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("BIND 9 is not installed. Install the package bind9.")
	}
	if err != nil {
		t.Skip("SKIPPED: BIND 9 is not installed, so writing to a foreign name server was not tried. Install the package bind9.")
	}
	dir := t.TempDir()
	address := freePort(t)
	_, port, _ := net.SplitHostPort(address)
	conf := filepath.Join(dir, "named.conf")
	must(t, os.WriteFile(filepath.Join(dir, "zone"), []byte(bindZone), 0o600))
	must(t, os.WriteFile(conf, fmt.Appendf(nil, bindConfig, dir, port), 0o600))
	cmd := exec.Command(named, "-g", "-n", "1", "-c", conf)
	log, err := cmd.StderrPipe()
	must(t, err)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	awaitBIND(t, log)
	return address
}

// awaitBIND reads the log until the server says that it runs, and goes on reading so that it never blocks.
func awaitBIND(t *testing.T, log io.Reader) {
	t.Helper()
	var said []string
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if said = append(said, lines.Text()); strings.HasSuffix(lines.Text(), " running") {
			go io.Copy(io.Discard, log)
			return
		}
	}
	t.Fatalf("BIND 9 did not start:\n%s", strings.Join(said, "\n"))
}

// freePort is an address that is free for TCP and UDP at this moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, p := samePort(t)
	defer l.Close()
	defer p.Close()
	return l.Addr().String()
}

// The same calls as against our own server, with the most common server on the other side.
func TestBIND(t *testing.T) {
	address := startBIND(t)
	open := func(key string) *dns.Writer {
		w, err := dns.OpenWriter("rfc2136", secrets(map[string]string{"server": address, "key_name": "Perennial.", "key": key}))
		must(t, err)
		return w
	}
	r := dns.NewResolver(dns.ResolverConfig{Servers: []string{address}, Authority: func(string) []string { return []string{address} }})
	visible := func(value string, want int) {
		t.Helper()
		seen, asked, err := r.Visible(t.Context(), shop.Target(), value)
		if err != nil || asked != 2 || seen != want {
			t.Errorf("%s: seen %d of %d, %v; want %d of 2", value, seen, asked, err, want)
		}
	}
	w := open(bindKey)
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "one"))
	for _, v := range []string{"one", "two", "one"} {
		must(t, w.Present(t.Context(), shop.Zone, shop.Target(), v))
	}
	visible("one", 2)
	visible("two", 2)
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "one"))
	visible("one", 0)
	visible("two", 2)
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "two"))
	visible("two", 0)

	wantFault(t, open("d3Jvbmc=").Present(t.Context(), shop.Zone, shop.Target(), "x"), tenants.WriteRefused, "")
	wantFault(t, w.Present(t.Context(), "other.example", "x.other.example", "x"), tenants.WriteRefused, "")
}
