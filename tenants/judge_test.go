package tenants

import (
	"fmt"
	"strings"
	"testing"
)

var (
	testNames      = []string{"shop.acme.example"}
	testDelegation = Delegation{Base: "shop.acme.example", Label: "k3x9t2", Zone: "dcv.portal.example"}
	testIssuer     = Issuer{Name: "Example CA", Account: "https://ca.example/acct/1", CAA: []string{"ca.example", "ca2.example"}}
)

// answers reads "right missing:NXDOMAIN": one name server per word.
func answers(s string) (asked []Asked) {
	for i, word := range strings.Fields(s) {
		result, got, _ := strings.Cut(word, ":")
		asked = append(asked, Asked{Server: fmt.Sprintf("ns%d.acme.example", i+1), Got: got, Result: Answer(result)})
	}
	return asked
}

func TestJudgeDelegation(t *testing.T) {
	for _, c := range []struct {
		zone, answers string
		want          Code
		server        string
	}{
		{"acme.example", "right", "", ""},
		{"acme.example", "right right right", "", ""},
		{"acme.example", "", DNSSilent, ""},
		{"", "", DNSSilent, ""},
		{"acme.example", "missing", DelegationMissing, "ns1.acme.example"},
		{"acme.example", "missing:NXDOMAIN missing:NXDOMAIN", DelegationMissing, "ns1.acme.example"},
		{"acme.example", "silent:timeout missing", DelegationMissing, "ns2.acme.example"},
		{"acme.example", "differs:old.example", DelegationDiffers, "ns1.acme.example"},
		{"acme.example", "missing differs:old.example", DelegationDiffers, "ns2.acme.example"},
		{"acme.example", "right missing", DelegationPartial, "ns2.acme.example"},
		{"acme.example", "right differs:old.example", DelegationPartial, "ns2.acme.example"},
		{"acme.example", "right missing silent", DelegationPartial, "ns2.acme.example"},
		{"acme.example", "right silent:timeout", DNSSilent, "ns2.acme.example"},
		{"acme.example", "right silent:SERVFAIL", DNSBroken, "ns2.acme.example"},
		{"acme.example", "silent:SERVFAIL silent:SERVFAIL", DNSBroken, "ns1.acme.example"},
		{"acme.example", "silent:SERVFAIL silent:timeout", DNSSilent, "ns1.acme.example"},
		{"acme.example", "silent:REFUSED", DNSSilent, "ns1.acme.example"},
		{"acme.example", "right nonsense", DNSSilent, ""},
		{"", "missing:NXDOMAIN", DomainMissing, ""},
		{"", "silent:SERVFAIL", DNSBroken, ""},
	} {
		f := Judge(testDelegation, testIssuer, testNames, Check{Zone: c.zone, Delegation: answers(c.answers)})
		if f.Code != c.want || f.Args["server"] != c.server {
			t.Errorf("zone %q, %q: %v, want %q at %q", c.zone, c.answers, f, c.want, c.server)
		}
		if !f.OK() && (f.Args["record"] != "_acme-challenge.shop.acme.example" || f.Args["target"] != "k3x9t2.dcv.portal.example") {
			t.Errorf("%q: args %v", c.answers, f.Args)
		}
	}
}

// No order is placed unless every server that was asked answered with our record, whatever the others say.
func TestJudgeWantsEveryServer(t *testing.T) {
	for _, a := range []string{"missing", "differs", "silent", ""} {
		for _, b := range []string{"right", "missing", "differs", "silent"} {
			for _, order := range []string{a + " " + b, b + " " + a, "right " + a + " " + b} {
				words := strings.Fields(order)
				all := strings.Count(order, "right") == len(words)
				if got := Judge(testDelegation, testIssuer, testNames, Check{Zone: "acme.example", Delegation: answers(order)}).OK(); got != all {
					t.Errorf("%q may be ordered: %v", order, got)
				}
			}
		}
	}
}

// climb reads "shop: | acme: 0 issue ca.example, 0 iodef x | …", one name per bar; "!" is a failed lookup.
func climb(s string) (asked []AskedCAA) {
	for part := range strings.SplitSeq(s, "|") {
		name, records, _ := strings.Cut(strings.TrimSpace(part), ":")
		a := AskedCAA{Name: name + ".example"}
		for r := range strings.SplitSeq(records, " // ") {
			f := strings.SplitN(strings.TrimSpace(r), " ", 3)
			switch {
			case f[0] == "!":
				a.Failed = "SERVFAIL"
			case len(f) == 3:
				var flags uint8
				fmt.Sscan(f[0], &flags)
				a.Records = append(a.Records, CAA{flags, f[1], f[2]})
			}
		}
		asked = append(asked, a)
	}
	return asked
}

func TestJudgeCAA(t *testing.T) {
	for _, c := range []struct {
		climb    string
		wildcard bool
		want     string // code, slash, case; "" for allowed
	}{
		{"shop.acme: | acme: | example:", false, ""},
		{"acme: 0 issue ca.example", false, ""},
		{"acme: 0 issue CA2.Example", false, ""},
		{"acme: 0 Issue ca.example", false, ""},
		{"acme: 0 issue  ca.example ", false, ""},
		{"acme: 128 issue ca.example", false, ""},
		{"acme: 0 issue old-ca.example // 0 issue ca.example", false, ""},
		{"acme: 0 issue ; // 0 issue ca.example", false, ""},
		{"acme: 0 iodef mailto:a@acme.example", false, ""},
		{"acme: 0 unknown x", false, ""},
		{"acme: 0 issuewild old-ca.example", false, ""},
		{"acme: 0 issue old-ca.example", false, "dns.caa.forbidden/"},
		{"acme: 0 issue ca.example.evil.example", false, "dns.caa.forbidden/"},
		{"acme: 0 issue ;", false, "dns.caa.forbidden/nobody"},
		{"acme: 0 issue ca.example; nonsense", false, "dns.caa.forbidden/nobody"},
		{"acme: 0 issue ca.example; a=b; a=b", false, "dns.caa.forbidden/nobody"},
		{"acme: 0 issue ca.example; =b", false, "dns.caa.forbidden/nobody"},
		{"acme: 0 issue ; // 0 issue old-ca.example", false, "dns.caa.forbidden/"},
		{"acme: 128 tbs x // 0 issue ca.example", false, "dns.caa.forbidden/critical"},
		// the first name with records decides
		{"shop.acme: 0 issue ca.example | acme: 0 issue old-ca.example", false, ""},
		{"shop.acme: 0 issue old-ca.example | acme: 0 issue ca.example", false, "dns.caa.forbidden/"},
		{"shop.acme: 0 iodef x | acme: 0 issue old-ca.example", false, ""},
		// a failed lookup forbids, but only on the way up to the first records
		{"shop.acme: ! | acme: 0 issue ca.example", false, "dns.caa.servfail/"},
		{"shop.acme: | acme: !", false, "dns.caa.servfail/"},
		{"shop.acme: 0 issue ca.example | acme: !", false, ""},
		// wildcards
		{"acme: 0 issue ca.example", true, ""},
		{"acme: 0 issue old-ca.example", true, "dns.caa.forbidden/"},
		{"acme: 0 issue old-ca.example // 0 issuewild ca.example", true, ""},
		{"acme: 0 issue ca.example // 0 issuewild old-ca.example", true, "dns.caa.forbidden/"},
		{"acme: 0 issue ca.example // 0 issuewild ;", true, "dns.caa.forbidden/nobody"},
		{"acme: 0 issuewild ca.example", true, ""},
		// RFC 8657
		{"acme: 0 issue ca.example; accounturi=https://ca.example/acct/1", false, ""},
		{"acme: 0 issue ca.example; accounturi=https://ca.example/acct/2", false, "dns.caa.forbidden/account"},
		{"acme: 0 issue ca.example; validationmethods=http-01,dns-01", false, ""},
		{"acme: 0 issue ca.example; validationmethods=http-01", false, "dns.caa.forbidden/method"},
		{"acme: 0 issue ca.example;accounturi=https://ca.example/acct/1;validationmethods=dns-01", false, ""},
		{"acme: 0 issue ca.example; unknown=x", false, ""},
		{"acme: 0 issue ca.example;", false, ""},
		{"acme: 0 issue old-ca.example // 0 issue ca.example; validationmethods=http-01", false, "dns.caa.forbidden/method"},
	} {
		name := "shop.acme.example"
		if c.wildcard {
			name = Sibling(name)
		}
		f := Judge(testDelegation, testIssuer, []string{name}, Check{Zone: "acme.example", Delegation: answers("right"), CAA: climb(c.climb)})
		got := string(f.Code)
		if !f.OK() {
			got += "/" + f.Args["case"]
		}
		if got != c.want {
			t.Errorf("%s (wildcard %v): %q, want %q", c.climb, c.wildcard, got, c.want)
		}
	}
}

// A name and its wildcard need both properties to allow them.
func TestJudgeCAAForBothNames(t *testing.T) {
	both := WithSibling.Of("shop.acme.example")
	for climbed, want := range map[string]string{
		"shop.acme: | acme: | example:":                                    "",
		"acme: 0 issue ca.example":                                         "",
		"acme: 0 issue ca.example // 0 issuewild ca.example":               "",
		"acme: 0 issue ca.example // 0 issuewild ;":                        `acme.example. CAA 0 issuewild "ca.example"`,
		"acme: 0 issue old-ca.example // 0 issuewild ca.example":           `acme.example. CAA 0 issue "ca.example"`,
		"shop.acme: 0 issuewild old-ca.example | acme: 0 issue ca.example": `shop.acme.example. CAA 0 issuewild "ca.example"`,
	} {
		f := Judge(testDelegation, testIssuer, both, Check{Zone: "acme.example", Delegation: answers("right"), CAA: climb(climbed)})
		if got := f.Args["line"]; got != want || f.OK() != (want == "") {
			t.Errorf("%s: %v, want %q", climbed, f, want)
		}
	}
}

func TestJudgeCAAOffersTheRecordToAdd(t *testing.T) {
	look := Check{Zone: "acme.example", Delegation: answers("right"), CAA: climb("shop.acme: | acme: 0 issue old-ca.example")}
	f := Judge(testDelegation, testIssuer, testNames, look)
	if got, want := f.Args["line"], `acme.example. CAA 0 issue "ca.example"`; got != want {
		t.Errorf("line %s, want %s", got, want)
	}
	if got, want := f.Raw, `acme.example. CAA 0 issue "old-ca.example"`; got != want {
		t.Errorf("raw %s, want %s", got, want)
	}
	e := Explain(f.With("act", "renew"))
	if e.Happened != "Example CA refuses to renew" || e.Why != "A CAA record at acme.example names only another authority." {
		t.Errorf("explained as %+v", e)
	}
	look.CAA = climb("acme: 0 issuewild old-ca.example")
	if got, want := Judge(testDelegation, testIssuer, []string{"*.shop.acme.example"}, look).Args["line"], `acme.example. CAA 0 issuewild "ca.example"`; got != want {
		t.Errorf("line %s, want %s", got, want)
	}
}

func TestJudgeComesToDelegationFirst(t *testing.T) {
	look := Check{Zone: "acme.example", Delegation: answers("missing"), CAA: climb("acme: !")}
	if f := Judge(testDelegation, testIssuer, testNames, look); f.Code != DelegationMissing {
		t.Errorf("%v", f)
	}
}

func TestJudgeLeavesCAAToTheIssuerThatPublishesNone(t *testing.T) {
	for _, c := range []string{"acme: !", "acme: 0 issue old-ca.example", "acme: 128 tbs x"} {
		if f := Judge(testDelegation, Issuer{Name: "Pebble"}, testNames, Check{Zone: "acme.example", Delegation: answers("right"), CAA: climb(c)}); !f.OK() {
			t.Errorf("%s: %v", c, f)
		}
	}
}
