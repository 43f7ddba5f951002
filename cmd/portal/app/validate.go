package app

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"perennial/tenants"
)

// Validate reports everything that keeps the portal from serving, as Faults.
func (c Config) Validate() error { return c.check(Serve).err() }

// check looks at what a command needs.
func (c Config) check(command string) Faults {
	var f Faults
	switch command {
	case Serve:
		c.checkWeb(&f)
		c.checkData(&f)
		c.checkSignIn(&f)
		c.checkAuthority(&f)
		c.checkDNS(&f)
		c.checkProcess(&f)
	case Migrate, TenantAdd, TenantList:
		c.checkData(&f)
	case Healthcheck:
		c.checkListen(&f)
	}
	return f
}

func (c Config) checkWeb(f *Faults) {
	c.checkListen(f)
	checkURL(f, "base-url", c.BaseURL, "the address under which people reach the portal, such as https://certs.example.com")
	if u, err := url.Parse(c.BaseURL); err == nil && u.Host != "" && strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		f.add("base-url", "%q goes on after the host name, but the portal needs a host name of its own. Write only %s://%s.", c.BaseURL, u.Scheme, u.Host)
	}
}

func (c Config) checkListen(f *Faults) {
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil || !isPort(port, 0) {
		f.add("listen", "%q is not an address with a port. Write host:port, such as 127.0.0.1:8080, or :8080 for all addresses.", c.Listen)
	}
}

// checkData never repeats the database: it may hold a password.
func (c Config) checkData(f *Faults) {
	const say = "Write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE."
	kind, rest, _ := strings.Cut(c.DSN(), ":")
	switch kind {
	case "sqlite":
		if rest == "" {
			f.add("database", "It names no file. Write sqlite:PATH, such as sqlite:/data/perennial.db.")
		}
	case "postgres", "postgresql":
		if _, err := url.Parse(c.DSN()); err != nil || !strings.HasPrefix(rest, "//") {
			f.add("database", "It is not a Postgres URL; special characters in a password are written as %%XX. "+say)
		}
	default:
		f.add("database", "It is neither SQLite nor Postgres. "+say)
	}
	if c.KeyFile == "" {
		f.add("key-file", "It is missing. Write the path of the file with the sealing key; the portal makes it on its first start.")
	}
}

func (c Config) checkSignIn(f *Faults) {
	checkURL(f, "oidc-issuer", c.OIDCIssuer, "the issuer URL of your OpenID Provider, such as https://login.example.com")
	required(f, "oidc-client-id", c.OIDCClientID, "Write the client id that the provider gave the portal.")
	required(f, "oidc-client-secret", c.OIDCClientSecret.Reveal(), "Put the client secret into a file and name it in PERENNIAL_OIDC_CLIENT_SECRET_FILE.")
	required(f, "oidc-groups-claim", c.OIDCGroupsClaim, "Write the claim that lists a person's groups, usually groups.")
	for _, origin := range c.OIDCOrigins {
		if u, err := url.Parse(origin); err != nil || u.Scheme != "https" || u.Hostname() == "" || origin != "https://"+u.Host {
			f.add("oidc-origins", "%q is not an origin. Write https:// and the host without a path, such as https://id.example.com.", origin)
		}
	}
	if c.OperatorGroup != "" && c.OperatorGroup == c.AuditorGroup {
		f.add("auditor-group", "It is the operator group %q too, but auditors change nothing. Write another group.", c.AuditorGroup)
	}
}

func (c Config) checkAuthority(f *Faults) {
	_, err := tenants.ParseIssuer(tenants.IssuerForm{Directory: c.ACMEDirectory, EABKeyID: c.ACMEEABKeyID, EABKey: c.ACMEEABKey})
	f.addFields(err, map[string]string{"directory": "acme-directory", "eab_key_id": "acme-eab-key-id", "eab_key": "acme-eab-key"})
	c.checkStaging(f)
	if !c.ACMEAcceptTerms {
		f.add("acme-accept-terms", "The authority's terms of service are not agreed to. Read them, then write true.")
	}
	for _, contact := range c.ACMEContacts {
		if a, err := mail.ParseAddress(contact); err != nil || a.Address != contact {
			f.add("acme-contacts", "%q is not an e-mail address. Write only the address, such as ops@example.com.", contact)
		}
	}
	if _, err := c.Roots(); err != nil {
		f.add("acme-root-file", "It gives no root (%v). Name a PEM file with at least one CERTIFICATE block.", err)
	}
	if c.ACMEFirstPoll <= 0 || c.ACMEFirstPoll > time.Minute {
		f.add("acme-first-poll", "%v is out of range. Write a length of time up to 1m, such as 1s.", c.ACMEFirstPoll)
	}
}

// Roots are the roots of ACMERootFile, nil for the system's.
func (c Config) Roots() (*x509.CertPool, error) {
	if c.ACMERootFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.ACMERootFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", c.ACMERootFile)
	}
	return pool, nil
}

var zoneName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$`)

func (c Config) checkDNS(f *Faults) {
	// 26 characters of a label and its dot still have to fit in front of the zone.
	if !zoneName.MatchString(c.DelegationZone) || len(c.DelegationZone) > 253-27 {
		f.add("delegation-zone", "%q is not the name of a zone. Write a zone that only the portal writes to, in lower case and without a dot at its end, such as acme.example.net.", c.DelegationZone)
	}
	switch c.DNSProvider {
	case "rfc2136":
		c.checkRFC2136(f)
	case "route53":
		required(f, "route53-access-key-id", c.Route53AccessKeyID, "Write the access key id of a user that may change only the delegation zone.")
		required(f, "route53-secret-access-key", c.Route53SecretAccessKey.Reveal(), "Put the secret access key into a file and name it in PERENNIAL_ROUTE53_SECRET_ACCESS_KEY_FILE.")
		required(f, "route53-region", c.Route53Region, "Write a region such as us-east-1.")
		required(f, "route53-hosted-zone-id", c.Route53HostedZoneID, "Write the id of the delegation zone's hosted zone, such as Z0123456789ABC.")
	default:
		f.add("dns-provider", "%q is not a provider. Write rfc2136 or route53.", c.DNSProvider)
	}
	for _, r := range c.Resolvers {
		checkAddress(f, "resolvers", r, "10.0.0.53:53")
	}
	if c.AuthoritativeAddress != "" {
		checkAddress(f, "authoritative-address", c.AuthoritativeAddress, "127.0.0.1:5353")
	}
}

func (c Config) checkRFC2136(f *Faults) {
	if host, port, err := net.SplitHostPort(c.RFC2136Server); err != nil || host == "" || !isPort(port, 1) {
		f.add("rfc2136-server", "%q is not a server with a port. Write host:port, such as ns1.example.net:53.", c.RFC2136Server)
	}
	required(f, "rfc2136-key-name", c.RFC2136KeyName, "Write the name under which the server knows the TSIG key.")
	if algs := []string{"hmac-sha256", "hmac-sha384", "hmac-sha512"}; !slices.Contains(algs, c.RFC2136KeyAlg) {
		f.add("rfc2136-key-alg", "%q is not an algorithm the portal signs with. Write %s.", c.RFC2136KeyAlg, "hmac-sha256, hmac-sha384 or hmac-sha512")
	}
	required(f, "rfc2136-key", c.RFC2136Key.Reveal(), "Put the TSIG key into a file and name it in PERENNIAL_RFC2136_KEY_FILE.")
	if _, err := base64.StdEncoding.DecodeString(string(c.RFC2136Key.Reveal())); err != nil {
		f.add("rfc2136-key", "It is not base64. Copy the key as the name server's configuration shows it.")
	}
}

func (c Config) checkProcess(f *Faults) {
	if c.Workers < 1 || c.Workers > 1000 {
		f.add("workers", "%d is out of range. Write a number from 1 to 1000.", c.Workers)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		f.add("log-format", "%q is not a format. Write text or json.", c.LogFormat)
	}
}

func required[T ~string | ~[]byte](f *Faults, setting string, value T, say string) {
	if len(value) == 0 {
		f.add(setting, "It is missing. %s", say)
	}
}

// checkURL wants https, or http to this machine.
func checkURL(f *Faults, setting, value, what string) {
	u, err := url.Parse(value)
	switch {
	case value == "":
		f.add(setting, "It is missing. Write %s.", what)
	case err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http":
		f.add(setting, "It is not a web address. Write %s.", what)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		f.add(setting, "%q is not encrypted. Write https://%s; plain http is allowed only on this machine.", value, u.Host)
	}
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func checkAddress(f *Faults, setting, value, example string) {
	if a, err := netip.ParseAddrPort(value); err != nil || a.Port() == 0 {
		f.add(setting, "%q is not an IP address with a port. Write one such as %s.", value, example)
	}
}

func isPort(s string, least int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= least && n <= 65535
}
