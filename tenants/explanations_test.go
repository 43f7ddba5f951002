package tenants

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// codes reads the constants from the source, so that a new Code without an explanation fails here.
func codes(t *testing.T) (list []Code) {
	file, err := parser.ParseFile(token.NewFileSet(), "finding.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.CONST {
			for _, spec := range gen.Specs {
				v := spec.(*ast.ValueSpec)
				if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Code" {
					text, _ := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
					list = append(list, Code(text))
				}
			}
		}
	}
	if len(list) < 20 {
		t.Fatalf("found only %d codes", len(list))
	}
	return list
}

func TestEveryCodeIsExplained(t *testing.T) {
	known := codes(t)
	for _, c := range known {
		if _, ok := explanations[c]; !ok {
			t.Errorf("%s has no explanation", c)
		}
	}
	for key := range explanations {
		code, _, _ := strings.Cut(string(key), "/")
		if !slices.Contains(known, Code(code)) {
			t.Errorf("the explanation %s belongs to no code", key)
		}
	}
	for _, kase := range []string{caseNoCSR, caseForbidden, caseWrongCSR, caseOldKey, caseExposed} {
		if _, ok := explanations[KeyNeeded+"/"+Code(kase)]; !ok {
			t.Errorf("case %s has no explanation", kase)
		}
	}
	for _, kase := range []string{caseNobody, caseAccount, caseMethod, caseCritical} {
		if _, ok := explanations[CAAForbids+"/"+Code(kase)]; !ok {
			t.Errorf("case %s has no explanation", kase)
		}
	}
}

// fullArgs are what findings bring in practice.
var fullArgs = map[string]string{
	"name": "shop.acme.example", "record": "_acme-challenge.shop.acme.example", "target": "k3x9t2.dcv.portal.example",
	"zone": "acme.example", "server": "ns1.acme.example", "got": "old.example", "ca": "Let’s Encrypt", "at": "acme.example",
	"tag": "tbs", "line": `acme.example. CAA 0 issue "ca.example"`, "until": "12:08 UTC", "act": "renew", "seen": "1", "asked": "2",
	"limit": "90 days", "made": "3 Jan 2027, 10:00 UTC", "why": "The policy allows no P-256 keys.",
}

func TestExplanationsKeepTheRulesOfWriting(t *testing.T) {
	for key := range explanations {
		code, kase, _ := strings.Cut(string(key), "/")
		for _, args := range []map[string]string{nil, fullArgs} {
			f := Finding{Code: Code(code), Args: args}.With("case", kase)
			e := Explain(f)
			if got := f.Short(); got != e.Short {
				t.Errorf("%s: in a list %q, explained %q", key, got, e.Short)
			}
			for _, s := range []string{e.Why, e.Do} {
				if !strings.HasSuffix(s, ".") {
					t.Errorf("%s: %q is not a sentence", key, s)
				}
			}
			for _, s := range []string{e.Short, e.Happened} {
				if strings.HasSuffix(s, ".") {
					t.Errorf("%s: %q ends with a full stop, but is a label", key, s)
				}
			}
			for _, s := range []string{e.Short, e.Happened, e.Why, e.Do} {
				checkWords(t, key, s)
			}
			if n := utf8.RuneCountInString(e.Short); n > 40 {
				t.Errorf("%s: %q has %d characters, too many for a list", key, e.Short, n)
			}
			if !slices.Contains([]Who{Customer, OperatorDo, CADo, DNSHost, Nobody}, e.Who) {
				t.Errorf("%s: nobody named %q", key, e.Who)
			}
			if e.Who == Nobody && !e.Heals {
				t.Errorf("%s does not heal, and nobody is to act", key)
			}
		}
	}
}

func checkWords(t *testing.T, key Code, s string) {
	t.Helper()
	first, _ := utf8.DecodeRuneInString(s)
	if s == "" || strings.ContainsAny(s, "!{}|'") || strings.Contains(s, "  ") || strings.Contains(s, " .") || !unicode.IsUpper(first) && !startsWithArg(s) {
		t.Errorf("%s: %q breaks the rules of writing", key, s)
	}
	for _, banned := range []string{"pending", "please", "successful", "oops", "invalid", "provision", "entity"} {
		if strings.Contains(strings.ToLower(s), banned) {
			t.Errorf("%s: %q says %q", key, s, banned)
		}
	}
}

func startsWithArg(s string) bool {
	for v := range maps.Values(fullArgs) {
		if strings.HasPrefix(s, v) {
			return true
		}
	}
	return false
}

func TestExplainOneOfEach(t *testing.T) {
	f := Finding{Code: DelegationMissing, Args: fullArgs}
	if got, want := Explain(f).Do, "Add the CNAME record _acme-challenge.shop.acme.example with the target k3x9t2.dcv.portal.example. We notice it by ourselves."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := Explain(f.After(epoch)).Short, "DNS record was removed"; got != want {
		t.Errorf("after proof: %q, want %q", got, want)
	}
	if got := Explain(f.After(time.Time{})).Short; got != "Add 1 DNS record" {
		t.Errorf("never proved: %q", got)
	}
	if got, want := Explain(Finding{Code: CASilent, Args: fullArgs}).Short, "Order waits for Let’s Encrypt"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	silent := Finding{Code: DNSSilent}
	if got := silent.After(epoch); got.Args["case"] != "" {
		t.Errorf("a server that does not answer has removed nothing: %v", got)
	}
}

func TestExplainUnknownCodesAndNothing(t *testing.T) {
	if e := Explain(Finding{Code: "moon.eclipse"}); e.Why != "Its code is moon.eclipse." || e.Who != OperatorDo || e.Do == "" {
		t.Errorf("%+v", e)
	}
	if e := Explain(Finding{Code: CASilent}.With("case", "of a later version")); e.Short != "Order waits for the authority" {
		t.Errorf("%+v", e)
	}
	if e := Explain(Finding{}); e != (Explanation{}) {
		t.Errorf("nothing is wrong, but %+v", e)
	}
}

func TestExplainDoesNotReadArgumentsAsTemplates(t *testing.T) {
	f := Finding{Code: CASilent, Args: map[string]string{"ca": "{until|x} $1"}}
	if got, want := Explain(f).Short, "Order waits for {until|x} $1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWithLeavesTheOriginalAlone(t *testing.T) {
	f := Finding{Code: CASilent, Args: map[string]string{"ca": "x"}}
	if g := f.With("ca", "y"); f.Args["ca"] != "x" || g.Args["ca"] != "y" || !strings.Contains(g.String(), "ca:y") {
		t.Errorf("%v, %v", f, g)
	}
}

// Limits of some authorities refill over days, so that the clock alone would name an instant long before.
func TestWithUntilNamesTheDayWhenItIsAnother(t *testing.T) {
	now := time.Date(2026, 11, 22, 23, 0, 0, 0, time.FixedZone("", 3600))
	for at, want := range map[time.Time]string{
		now.Add(time.Hour):                   "used up until 23:00 UTC.",
		now.Add(2*time.Hour - 1):             "used up until 23:59 UTC.",
		now.Add(2 * time.Hour):               "used up until 23 Nov 2026, 00:00 UTC.",
		now.Add(34 * time.Hour).Local():      "used up until 24 Nov 2026, 08:00 UTC.",
		now.AddDate(1, 0, 0).Add(-time.Hour): "used up until 22 Nov 2027, 21:00 UTC.",
	} {
		if got := Explain(Finding{Code: CARateLimited}.WithUntil(at, now)).Why; !strings.HasSuffix(got, want) {
			t.Errorf("%v: %q, want %q", at, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range []Who{Customer, OperatorDo, CADo, DNSHost, Nobody} {
		seen[w.Words()] = true
	}
	if len(seen) != 5 {
		t.Errorf("five who can act have the words %v", seen)
	}
}
