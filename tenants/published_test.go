package tenants

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPublished holds the file against what its sources say: a slip of the pen would be a budget that is not ours.
func TestPublished(t *testing.T) {
	for _, c := range []struct {
		directory string
		limit     LimitName
		want      Limit
		every     time.Duration // as the source says, rounded to its unit
	}{
		{"https://acme-v02.api.letsencrypt.org/directory", OrdersPerAccount, Limit{300, 3 * time.Hour}, 36 * time.Second},
		{"https://acme-v02.api.letsencrypt.org/directory", CertificatesPerDomain, Limit{50, 168 * time.Hour}, 202 * time.Minute},
		{"https://acme-v02.api.letsencrypt.org/directory", CertificatesPerSet, Limit{5, 168 * time.Hour}, 34 * time.Hour},
		{"https://acme-v02.api.letsencrypt.org/directory", FailuresPerName, Limit{5, time.Hour}, 12 * time.Minute},
		{"https://acme-v02.api.letsencrypt.org/directory", ConsecutiveFailures, Limit{1152, 1152 * 24 * time.Hour}, 24 * time.Hour},
		{"https://acme-v02.api.letsencrypt.org/directory", AccountsPerAddress, Limit{10, 3 * time.Hour}, 18 * time.Minute},
		{"https://acme-staging-v02.api.letsencrypt.org/directory", OrdersPerAccount, Limit{1500, 3 * time.Hour}, 7200 * time.Millisecond},
		{"https://acme-staging-v02.api.letsencrypt.org/directory", CertificatesPerDomain, Limit{30000, time.Second}, time.Second / 30000},
	} {
		got := ProfileOf(c.directory).Rule(c.limit).Allows
		if got != c.want || (got.Every()-c.every).Abs() > c.every/30 {
			t.Errorf("%s, %s: %v, one every %v; want %v, one every %v", c.directory, c.limit, got, got.Every(), c.want, c.every)
		}
	}
	rule := DNSProfileOf("route53").Rules[0]
	if rule.Allows != (Limit{50, 5 * time.Second}) || rule.Key != PerProviderAccount {
		t.Errorf("Route 53: %+v", rule)
	}
}

// TestPublishedRules repeats on the whole file what it may not lack, apart from the code that reads it.
func TestPublishedRules(t *testing.T) {
	names := map[string]bool{}
	for _, p := range published.Issuers {
		if names[p.Name] {
			t.Errorf("%s stands twice", p.Name)
		}
		names[p.Name] = true
		facts := append(slices.Clone(p.Notes), p.About, p.EAB.Fact, p.Replacing.Fact, p.SameSet.Fact)
		for _, r := range p.Rules {
			facts = append(facts, r.Fact)
			if r.Allows.Count <= 0 || r.Allows.Per <= 0 {
				t.Errorf("%s, %s: %+v", p.Name, r.Name, r.Allows)
			}
		}
		for _, f := range facts {
			if !strings.HasPrefix(f.Source, "https://") || f.Read.Year() < 2026 || !strings.HasSuffix(f.Says, ".") {
				t.Errorf("%s: %+v", p.Name, f)
			}
		}
		if p.Staging != "" && ProfileOf(p.Staging).About.Source == "" {
			t.Errorf("%s: nothing is known of its staging", p.Name)
		}
	}
	for _, name := range []string{"Let’s Encrypt", "Let’s Encrypt staging", "Google Trust Services", "ZeroSSL", "SSL.com"} {
		if !names[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestExemptions: renewals that say what they replace meet no limit at Let's Encrypt; those that only have the same
// names still meet two.
func TestExemptions(t *testing.T) {
	p := ProfileOf("https://acme-v02.api.letsencrypt.org/directory")
	for _, name := range IssuerLimits {
		if !p.Replacing.Exempts(name) {
			t.Errorf("%s counts renewals that name what they replace", name)
		}
	}
	for name, exempt := range map[LimitName]bool{OrdersPerAccount: true, CertificatesPerDomain: true, CertificatesPerSet: false, FailuresPerName: false} {
		if p.SameSet.Exempts(name) != exempt {
			t.Errorf("%s exempts renewals of the same set: %v", name, !exempt)
		}
	}
	if ProfileOf("https://dv.acme-v02.api.pki.goog/directory").Replacing.Exempts(OrdersPerAccount) {
		t.Error("Google documents no exemption")
	}
}

func TestNewIssuer(t *testing.T) {
	i := NewIssuer("https://acme-v02.api.letsencrypt.org/directory")
	if i.Name != "Let’s Encrypt" || !i.FreeARI || len(i.Limits) != 5 || i.Limits[OrdersPerAccount] != (Limit{300, 3 * time.Hour}) {
		t.Errorf("Let's Encrypt: %+v", i)
	}
	i = NewIssuer("https://acme.zerossl.com/v2/DV90")
	if i.Name != "ZeroSSL" || i.FreeARI || len(i.Limits) != 0 {
		t.Errorf("ZeroSSL: %+v", i)
	}
	i = NewIssuer("https://ca.corp.example:9000/acme/directory")
	if i.Name != "ca.corp.example" || i.FreeARI || len(i.Limits) != 0 {
		t.Errorf("an unknown authority: %+v", i)
	}
}

func TestReadPublishedRefuses(t *testing.T) {
	for name, edit := range map[string][2]string{
		"an unknown field":           {`"eab": {`, `"lifetime": 90, "eab": {`},
		"an unknown field of a rule": {`"count": 300,`, `"count": 300, "burst": 5,`},
		"an unknown limit":           {`"limit": "orders"`, `"limit": "order"`},
		"a limit twice":              {`"limit": "names"`, `"limit": "domain"`},
		"a limit of nothing":         {`"count": 300`, `"count": 0`},
		"a period of nothing":        {`"per": "3h"`, `"per": "0h"`},
		"a period that is none":      {`"per": "3h"`, `"per": "3 hours"`},
		"an unknown kind of key":     {`"key": "account"`, `"key": "person"`},
		"a fact without source":      {`"source": "https://letsencrypt.org/docs/rate-limits/#new-orders-per-account", `, ``},
		"a plain source":             {`"source": "https://letsencrypt.org/docs/rate-limits/#new-orders-per-account"`, `"source": "http://letsencrypt.org"`},
		"a fact without its day":     {`, "read": "2026-11-22"`, ``},
		"a day that is none":         {`"read": "2026-11-22"`, `"read": "22 Nov 2026"`},
		"read before its edition":    {`"edition": "2026-08-05"`, `"edition": "2027-08-05"`},
		"a fact that says nothing":   {`"says": "50 new accounts in 3 hours from one IP address."`, `"says": ""`},
		"a name twice":               {`"name": "ZeroSSL"`, `"name": "SSL.com"`},
		"a host twice":               {`["https://acme.zerossl.com/v2/DV90"]`, `["https://acme.ssl.com/x"]`},
		"two hosts":                  {`"https://acme.ssl.com/sslcom-dv-rsa"`, `"https://acme.example.com/rsa"`},
		"a plain directory":          {`"https://acme.zerossl.com/v2/DV90"`, `"http://acme.zerossl.com/v2/DV90"`},
		"no directory":               {`["https://acme.zerossl.com/v2/DV90"]`, `[]`},
		"an unknown exemption":       {`"from": ["orders", "domain"]`, `"from": ["order"]`},
		"a nameless DNS provider":    {`"provider": "route53"`, `"provider": ""`},
		"an issuer's limit of DNS":   {`"limit": "dns requests"`, `"limit": "orders"`},
	} {
		changed := bytes.Replace(issuersJSON, []byte(edit[0]), []byte(edit[1]), 1)
		if bytes.Equal(changed, issuersJSON) {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := readPublished(changed); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := readPublished(append(slices.Clone(issuersJSON), "{}"...)); err == nil {
		t.Error("a second value was taken")
	}
}

func TestParsePeriod(t *testing.T) {
	for text, want := range map[string]time.Duration{"3h": 3 * time.Hour, "2d": 48 * time.Hour, "1h30m": 90 * time.Minute, "65535d": 65535 * 24 * time.Hour} {
		if got, err := parsePeriod(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "3", "h", "70000d", "1d2h"} {
		if got, err := parsePeriod(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A write at Route 53 is a listing and a change, so there are half as many as requests.
func TestZoneWrites(t *testing.T) {
	if got := DNSProfileOf("route53").Writes(); got != (Limit{25, 5 * time.Second}) {
		t.Errorf("Route 53 takes %v", got)
	}
	if got := DNSProfileOf("rfc2136").Writes(); !got.Unlimited() {
		t.Errorf("a name server of our own takes only %v", got)
	}
}
