package tenants

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseLimit(t *testing.T) {
	name, limit, err := ParseLimit(" domain ", "500", "7d")
	if err != nil || name != CertificatesPerDomain || limit != (Limit{500, 7 * 24 * time.Hour}) {
		t.Errorf("%s %v %v", name, limit, err)
	}
	for _, c := range []struct{ name, count, per, field, says string }{
		{"order", "1", "3h", "limit", "“order” is not a limit we know. Choose orders, domain, names, failures, consecutive or accounts."},
		{"", "1", "3h", "limit", "An empty field is not a limit"},
		{"dns requests", "1", "3h", "limit", "is not a limit we know"},
		{"orders", "", "3h", "count", "There is no count"},
		{"orders", "many", "3h", "count", "“many” is not a whole number"},
		{"orders", "1.5", "3h", "count", "not a whole number"},
		{"orders", "0", "3h", "count", "nothing would ever be issued"},
		{"orders", "-3", "3h", "count", "nothing would ever be issued"},
		{"orders", "1000001", "3h", "count", "Type 1000000 or less"},
		{"orders", "99999999999999999999", "3h", "count", "Type 1000000 or less"},
		{"orders", "-99999999999999999999", "3h", "count", "nothing would ever be issued"},
		{"orders", "1", "", "per", "There is no period"},
		{"orders", "1", "3", "per", "“3” is not a length of time"},
		{"orders", "1", "a week", "per", "is not a length of time. Type a number and a unit, as in 3h or 7d."},
		{"orders", "1", "0s", "per", "Type 1s or more"},
		{"orders", "1", "-3h", "per", "Type 1s or more"},
		{"orders", "1", "1826d", "per", "Type 1825d or less"},
	} {
		_, _, err := ParseLimit(c.name, c.count, c.per)
		refused(t, err, map[string]string{c.field: c.says})
	}
	_, _, err = ParseLimit("x", "0", "x")
	refused(t, err, map[string]string{"limit": "", "count": "", "per": ""})
}

func TestWith(t *testing.T) {
	was := Limits{OrdersPerAccount: {300, time.Hour}, FailuresPerName: {5, time.Hour}}
	got := was.With(OrdersPerAccount, Limit{1500, time.Hour})
	if len(got) != 2 || got[OrdersPerAccount].Count != 1500 || was[OrdersPerAccount].Count != 300 {
		t.Errorf("%v from %v", got, was)
	}
	if got := Limits(nil).With(OrdersPerAccount, Limit{1, time.Hour}); len(got) != 1 {
		t.Errorf("from none: %v", got)
	}
}

const acmeSecret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA" // secret-secret-secret-secret-secret

func TestParseIssuer(t *testing.T) {
	i, err := ParseIssuer(IssuerForm{Directory: " https://acme.zerossl.com/v2/DV90 ", EABKeyID: "kid", EABKey: NewSecret([]byte(acmeSecret + "\n"))})
	if err != nil || i.Name != "ZeroSSL" || i.Directory != "https://acme.zerossl.com/v2/DV90" {
		t.Errorf("%+v %v", i, err)
	}
	i, err = ParseIssuer(IssuerForm{Directory: "https://ca.corp.example/dir", Name: " Internal CA "})
	if err != nil || i.Name != "Internal CA" || len(i.Limits) != 0 {
		t.Errorf("%+v %v", i, err)
	}
	for _, directory := range []string{"https://ACME-v02.api.LetsEncrypt.org/directory", "https://acme-v02.api.letsencrypt.org:443/directory", "HTTPS://acme-v02.api.letsencrypt.org./directory"} {
		i, err := ParseIssuer(IssuerForm{Directory: directory})
		if err != nil || i.Directory != exampleDirectory || i.Name != "Let’s Encrypt" || i.Limits[OrdersPerAccount].Unlimited() || !i.FreeARI {
			t.Errorf("%s is not known again: %+v %v", directory, i, err)
		}
		if p := ProfileOf(directory); p.Name != "Let’s Encrypt" { // the settings keep their spelling
			t.Errorf("%s has the profile of %s", directory, p.Name)
		}
	}
	if i, err := ParseIssuer(IssuerForm{Directory: "https://ca.corp.example:8443/Dir?x=Y"}); err != nil || i.Directory != "https://ca.corp.example:8443/Dir?x=Y" {
		t.Errorf("%+v %v", i, err)
	}
	for directory, says := range map[string]string{
		"":                               "An ACME directory is an https address such as https://acme-v02.api.letsencrypt.org/directory. Type the one",
		"http://ca.corp.example/dir":     "is plain http",
		"ca.corp.example/dir":            "with https:// in front",
		"https://":                       "with https:// in front",
		"ldap://ca.corp.example":         "with https:// in front",
		"https://ca.example/%zz":         "with https:// in front",
		"https://me:hush@ca.example/dir": "holds a user name",
		"https://ca.example/dir#x":       "has a # in it",
	} {
		_, err := ParseIssuer(IssuerForm{Directory: directory})
		refused(t, err, map[string]string{"directory": says})
		if strings.Contains(err.(*Error).Fields["directory"], "hush") {
			t.Errorf("%s: the password is repeated", directory)
		}
	}
}

func TestParseIssuerBinding(t *testing.T) {
	raw := []byte{0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff}
	for i := range 30 {
		raw = append(raw, byte(i))
	}
	for _, c := range []struct {
		directory, id, key string
		want               map[string]string
	}{
		{"https://ca.corp.example/dir", "kid", "", map[string]string{"eab_key": "is missing"}},
		{"https://ca.corp.example/dir", "", acmeSecret, map[string]string{"eab_key_id": "both, or neither"}},
		{"https://acme.zerossl.com/v2/DV90", "", "", map[string]string{"eab_key_id": "ZeroSSL opens accounts only for its customers", "eab_key": "is missing"}},
		{"https://ca.corp.example/dir", "kid", base64.StdEncoding.EncodeToString(raw), map[string]string{"eab_key": "Write - for each + and _ for each /"}},
		{"https://ca.corp.example/dir", "kid", acmeSecret[:20] + " " + acmeSecret[20:], map[string]string{"eab_key": "a space or a line break inside"}},
		{"https://ca.corp.example/dir", "kid", "key=" + acmeSecret, map[string]string{"eab_key": "has = inside"}},
		{"https://ca.corp.example/dir", "kid", acmeSecret[:45], map[string]string{"eab_key": "one character too few or too many"}},
		{"https://ca.corp.example/dir", "kid", acmeSecret[:20], map[string]string{"eab_key": "shorter than 32 bytes"}},
		{"https://ca.corp.example/dir", "kid", "*" + acmeSecret[1:], map[string]string{"eab_key": "is not base64url"}},
	} {
		_, err := ParseIssuer(IssuerForm{Directory: c.directory, EABKeyID: c.id, EABKey: NewSecret([]byte(c.key))})
		refused(t, err, c.want)
		for field, sentence := range err.(*Error).Fields {
			if len(c.key) > 8 && (strings.Contains(sentence, c.key[:8]) || strings.Contains(sentence, c.key[len(c.key)-8:])) {
				t.Errorf("%s repeats the key: %s", field, sentence)
			}
		}
	}
	for _, key := range []string{acmeSecret, acmeSecret + "==", " " + acmeSecret + "\n", base64.RawURLEncoding.EncodeToString(raw)} {
		if _, err := ParseIssuer(IssuerForm{Directory: "https://ca.corp.example/dir", EABKeyID: "kid", EABKey: NewSecret([]byte(key))}); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// refused wants an Invalid error with exactly these fields, and these words in them.
func refused(t *testing.T, err error, want map[string]string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != Invalid {
		t.Fatalf("error %v, want one about %v", err, want)
	}
	if got := slices.Sorted(maps.Keys(e.Fields)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("fields %v, want %v", e.Fields, want)
	}
	for field, says := range want {
		if !strings.Contains(e.Fields[field], says) {
			t.Errorf("%s: %q, want %q", field, e.Fields[field], says)
		}
	}
}
