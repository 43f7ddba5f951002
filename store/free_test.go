package store

import (
	"testing"

	"perennial/tenants"
)

// A renewal is free when the authority counts no order for it: in its own window, or for the same names again.
func TestCostless(t *testing.T) {
	const letsEncrypt, unknown = "https://acme-v02.api.letsencrypt.org/directory", "https://ca.test/dir"
	v := tenants.Version{Names: []string{"shop.example"}, ARICertID: "aki.serial"}
	for _, test := range []struct {
		name, directory string
		names           []string
		freeARI         bool
		why             tenants.Reason
		want            bool
	}{
		{"same names", letsEncrypt, v.Names, true, tenants.LastThird, true},
		{"other names", letsEncrypt, []string{"www.shop.example"}, true, tenants.LastThird, false},
		{"other names in the window", letsEncrypt, []string{"www.shop.example"}, true, tenants.InWindow, true},
		{"other names, recalled", letsEncrypt, []string{"www.shop.example"}, true, tenants.Recalled, true},
		{"unknown authority", unknown, v.Names, false, tenants.InWindow, false},
		{"unknown authority that exempts its window", unknown, v.Names, true, tenants.InWindow, true},
		{"unknown authority, outside of the window", unknown, v.Names, true, tenants.LastThird, false},
	} {
		i := tenants.Issuer{Directory: test.directory, FreeARI: test.freeARI}
		if got := costless(i, tenants.Certificate{Names: test.names}, v, test.why); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
