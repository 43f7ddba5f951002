package auth

import (
	"slices"
	"strings"
	"testing"

	"perennial/tenants"
)

func TestLocalPath(t *testing.T) {
	for typed, want := range map[string]string{
		"/t/acme/domains?status=failing": "/t/acme/domains?status=failing",
		"/":                              "/",
		"":                               "/",
		"https://evil.example/":          "/",
		"//evil.example/":                "/",
		"///evil.example":                "/",
		`/\evil.example`:                 "/",
		`\\evil.example`:                 "/",
		"/%5cevil.example":               "/",
		"/\tevil":                        "/",
		"/%09/evil.example":              "/",
		"/.//evil.example":               "/",
		"/t//evil.example":               "/",
		"javascript:alert(1)":            "/",
		"/t/a\r\nSet-Cookie: x=y":        "/",
		"/%0d%0aSet-Cookie: x":           "/",
		"/signin?return_to=/signin":      "/",
		"/signout":                       "/",
		"evil":                           "/",
		"/" + strings.Repeat("a", 2000):  "/",
		"/t/acme/domains#fragment":       "/t/acme/domains",
	} {
		if got := LocalPath(typed); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestGroupsAreAnArrayOrAString(t *testing.T) {
	for _, c := range []struct {
		claim any
		want  []string
	}{
		{[]any{"b", "a", "b", 7.0, ""}, []string{"a", "b"}},
		{"one", []string{"one"}},
		{"b,a", []string{"a", "b"}},
		{nil, nil},
		{map[string]any{"a": true}, nil},
	} {
		if got := list(c.claim); !slices.Equal(got, c.want) {
			t.Errorf("list(%v) = %v, want %v", c.claim, got, c.want)
		}
	}
}

func TestOperatorWinsOverAuditor(t *testing.T) {
	a := &Auth{config: Config{OperatorGroups: []string{"ops"}, AuditorGroups: []string{"sec", "ops2"}}}
	for group, want := range map[string]tenants.PlatformRole{"ops": tenants.Operator, "sec": tenants.PlatformAuditor, "": "",
		"other": ""} {
		if got := a.platform([]string{group}); got != want {
			t.Errorf("group %q gives %q, want %q", group, got, want)
		}
	}
	if got := a.platform([]string{"sec", "ops"}); got != tenants.Operator {
		t.Errorf("both groups give %q", got)
	}
}

func TestConfigurationFaultsAreNamedAtOnce(t *testing.T) {
	_, err := New(Config{BaseURL: "ftp://x/y", Issuer: "no url"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"base URL must be", "must not have a path", "issuer must be", "client id"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

func TestCookieNames(t *testing.T) {
	for base, want := range map[string]string{"https://certs.example.com": "__Host-perennial_session", "http://127.0.0.1:8080": "perennial_session"} {
		a, err := New(Config{BaseURL: base, Issuer: "https://login.example.com", ClientID: "c"})
		if err != nil {
			t.Fatal(err)
		}
		c := a.sessionCookie(tenants.NewSecret([]byte("v")))
		if c.Name != want || c.Secure != strings.HasPrefix(base, "https") || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s: cookie %+v", base, c)
		}
	}
}
