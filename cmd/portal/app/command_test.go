package app

import (
	"strings"
	"testing"
)

// TestWordsAboutMistakes: a mistake is named as it was typed, and no value is repeated, since it may be a secret.
func TestWordsAboutMistakes(t *testing.T) {
	tests := []struct{ line, want string }{
		{"", `expected one of "serve", "migrate", "admin", "version", "healthcheck".`},
		{"admin", `expected "tenant".`},
		{"admin tenant add", `expected "<slug>".`},
		{"admin tenant add a b", "unexpected argument b."},
		{"vers", `unexpected argument vers, did you mean "version"?`},
		{"serve --basurl=hunter2", `unknown flag --basurl, did you mean "--base-url"?`},
		{"serve -listen=hunter2", `unknown flag -listen, did you mean "--listen"?`},
		{"serve --name=a", "unknown flag --name."},
		{"admin --name=a tenant add b", "unknown flag --name."},
		{"serve --rfc2136-key", "--rfc2136-key: expected a value"},
		{"serve --rfc2136-key -hunter2", "--rfc2136-key: expected a value; one that begins with a hyphen is written --rfc2136-key=VALUE."},
		{"serve --help --nonsense", "unknown flag --nonsense."},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			_, _, _, err := parse(good(), strings.Fields(tt.line)...)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestFlagsAnywhere: flags stand before, between and after the words of a command, until "--".
func TestFlagsAnywhere(t *testing.T) {
	cmd, c, _, err := parse(nil, "--workers", "3", "admin", "--allow-special-use", "tenant", "add", "--acme-accept-terms=no", "--", "--help")
	if err != nil || cmd.Slug != "--help" || c.Workers != 3 || !c.AllowSpecialUse || c.ACMEAcceptTerms {
		t.Errorf("%+v %+v %v", cmd, c, err)
	}
}

// TestFlagWins also when it is empty or false.
func TestFlagWins(t *testing.T) {
	env := good()
	env["PERENNIAL_RESOLVERS"] = "10.0.0.53:53"
	env["PERENNIAL_LISTEN"] = "nowhere"
	env["PERENNIAL_RFC2136_KEY_FILE"] = "/does/not/exist"
	_, c, _, err := parse(env, "version", "--resolvers=", "--acme-accept-terms=false", "--listen=:1", "--rfc2136-key=a")
	if err != nil || len(c.Resolvers) != 0 || c.ACMEAcceptTerms || c.Listen != ":1" || string(c.RFC2136Key.Reveal()) != "a" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestHelpOfACommand(t *testing.T) {
	tests := map[string][]string{
		"":                 {"Usage: portal <command> [flags]\n\nPerennial: ", "\n\nDNS\n", "\n  admin tenant add <slug> [flags]\n    Add a tenant.\n", `Run "portal <command> --help"`},
		"admin tenant":     {"Usage: portal admin tenant <command> [flags]\n\nTenants.\n", "\nCommands:\n  admin tenant add <slug> [flags]\n"},
		"admin tenant add": {"\nArguments:\n  <slug>    Short name", "\n      --group=GROUP=ROLE    OIDC group and its role: ", "--listen=\"127.0.0.1:8080\"    Address"},
		"serve":            {"Usage: portal serve [flags]\n\nRun the portal.\n\nFlags:\n  -h, --help    Show"},
	}
	for command, want := range tests {
		_, _, out, err := parse(nil, append(strings.Fields(command), "-h")...)
		for _, w := range want {
			if err != nil || !strings.Contains(out, w) {
				t.Errorf("%s: %v, no %q in\n%s", command, err, w, out)
			}
		}
		for line := range strings.Lines(out) {
			if len([]rune(line)) > helpWidth+1 || strings.HasSuffix(line, " \n") {
				t.Errorf("%s: too long or ends in a blank: %q", command, line)
			}
		}
	}
}
