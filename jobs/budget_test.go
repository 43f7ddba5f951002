package jobs

import (
	"strings"
	"testing"

	"perennial/tenants"
)

// The words of a 429 say which bucket is empty. A name that failed too often must not stop the whole account.
func TestLimited(t *testing.T) {
	buckets := []tenants.Charge{
		{Limit: tenants.OrdersPerAccount, Key: "https://ca.test/acct/1"},
		{Limit: tenants.CertificatesPerSet, Key: "a.example,www.b.example"},
		{Limit: tenants.CertificatesPerDomain, Key: "a.example"},
		{Limit: tenants.CertificatesPerDomain, Key: "b.example"},
		{Limit: tenants.FailuresPerName, Key: "a.example"},
		{Limit: tenants.FailuresPerName, Key: "www.b.example"},
	}
	for words, want := range map[string]int{
		"":          0,
		"who knows": 0,
		"too many new orders (300) from this account in the last 3h0m0s":                                                 0,
		"too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s":                1,
		`too many certificates (50) already issued for "b.example" in the last 168h0m0s`:                                 3,
		`too many certificates already issued for: a.example`:                                                            2,
		`too many failed authorizations (5) for "www.b.example" in the last 1h0m0s, retry after 2026-11-22 12:00:00 UTC`: 5,
		"Your account is temporarily prevented from requesting certificates for www.b.example":                           4,
		"too many failed authorizations recently":                                                                        4,
	} {
		if got := limited(words, buckets); got != buckets[want] {
			t.Errorf("%q means %v, want %v", words, got, buckets[want])
		}
	}
}

// Only what the CA counts is spent: nothing for what names its predecessor, the set alone for the same names again.
func TestCharges(t *testing.T) {
	const letsEncrypt, unknown = "https://acme-v02.api.letsencrypt.org/directory", "https://ca.test/dir"
	names := []string{"*.shop.example", "shop.example"}
	same := &tenants.Version{Names: []string{"shop.example", "*.shop.example"}}
	fewer := &tenants.Version{Names: names[1:]}
	tests := []struct {
		name, directory string
		current         *tenants.Version
		replaces        string
		want            string
	}{
		{"first", letsEncrypt, nil, "", "orders names domain failures consecutive"},
		{"same set", letsEncrypt, same, "", "names failures consecutive"},
		{"other names", letsEncrypt, fewer, "", "orders names domain failures consecutive"},
		{"replacing", letsEncrypt, same, "aki.serial", ""},
		{"same set, unknown authority", unknown, same, "", "orders names domain failures consecutive"},
		{"replacing, unknown authority", unknown, same, "aki.serial", "orders names domain failures consecutive"},
	}
	for _, test := range tests {
		issuer := tenants.NewIssuer(test.directory)
		i := &issuance{turn: &turn{facts: tenants.Facts{Issuer: issuer, Current: test.current}}, order: tenants.Order{Names: names, Replaces: test.replaces}}
		var got []string
		for _, c := range i.charges() {
			got = append(got, string(c.Limit))
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s: charges %q, want %q", test.name, text, test.want)
		}
	}
}
