package app

import "testing"

func TestStaging(t *testing.T) {
	const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"
	tests := []struct{ directory, staging, want, name string }{
		{letsEncrypt, "", "https://acme-staging-v02.api.letsencrypt.org/directory", "Let’s Encrypt staging"},
		{letsEncrypt, "none", "", ""},
		{"https://dv.acme-v02.api.pki.goog/directory", "", "", ""}, // its staging directory wants a binding of its own
		{"https://ca.example/directory", "", "", ""},
		{"https://ca.example/directory", "https://test.ca.example/directory", "https://test.ca.example/directory", "ca.example staging"},
	}
	for _, test := range tests {
		c := Default()
		c.ACMEDirectory, c.ACMEStagingDirectory, c.ACMEProfile = test.directory, test.staging, "tlsserver"
		var f Faults
		c.checkStaging(&f)
		i := staging(c)
		if i.Directory != test.want || i.Name != test.name || i.Directory != "" && i.Profile != "tlsserver" || len(f) > 0 {
			t.Errorf("dry runs of %s with %q: %+v, %v", test.directory, test.staging, i, f)
		}
	}
	for _, wrong := range []string{"http://test.ca.example/directory", "nothing", letsEncrypt, "https://dv.acme-v02.test-api.pki.goog/directory"} {
		c := Default()
		c.ACMEDirectory, c.ACMEStagingDirectory = letsEncrypt, wrong
		var f Faults
		if c.checkStaging(&f); len(f) != 1 {
			t.Errorf("%s: %v", wrong, f)
		}
	}
}
