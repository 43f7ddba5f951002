package tenants

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParsePolicy(t *testing.T) {
	for _, c := range []struct {
		form PolicyForm
		want Policy
	}{
		{PolicyForm{}, Policy{}},
		{PolicyForm{RenewDays: " 30 "}, Policy{RenewDays: 30}},
		{PolicyForm{RenewPart: "0.25"}, Policy{RenewPart: 0.25}},
		{PolicyForm{RenewPart: "1/3"}, Policy{RenewPart: 1.0 / 3}},
		{PolicyForm{RenewPart: " 1 / 4 "}, Policy{RenewPart: 0.25}},
		{PolicyForm{RenewPart: "25 %"}, Policy{RenewPart: 0.25}},
		{PolicyForm{KeyTypes: []string{"RSA-3072", "P-384", "P-384"}, DefaultKey: "RSA-3072"}, Policy{KeyTypes: []KeyType{P384, RSA3072}, DefaultKey: RSA3072}},
		{PolicyForm{KeyTypes: []string{"P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096"}}, Policy{}},
		{PolicyForm{DefaultKey: "P-384"}, Policy{DefaultKey: P384}},
		{PolicyForm{ReuseKey: true, MaxKeyDays: "90", OwnCSR: true}, Policy{ReuseKey: true, MaxKeyDays: 90, OwnCSR: true}},
		{PolicyForm{Issuers: []string{"", "", ""}}, Policy{}},
		{PolicyForm{Issuers: []string{"iss_b", ""}}, Policy{Issuers: []IssuerID{"iss_b"}}},
		{PolicyForm{Issuers: []string{"iss_b", "iss_a", ""}, FailoverHours: " 8760"}, Policy{Issuers: []IssuerID{"iss_b", "iss_a"}, FailoverAfter: 8760}},
	} {
		got, err := ParsePolicy(c.form)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: %+v, %v, want %+v", c.form, got, err, c.want)
		}
	}
}

// TestPolicyForm: what the form shows of a policy is that policy, to the last digit.
func TestPolicyForm(t *testing.T) {
	for part, typed := range map[float64]string{0: "", 0.25: "25%", 0.07: "7%", 1.0 / 3: "1/3", 5.0 / 7: "5/7", 0.3141: "0.3141", 1e-9: "0.000000001"} {
		p := Policy{RenewPart: part, KeyTypes: []KeyType{P384, RSA2048}, DefaultKey: RSA2048, ReuseKey: true, MaxKeyDays: 400, OwnCSR: true}
		form := p.Form()
		if again, err := ParsePolicy(form); form.RenewPart != typed || err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%v is shown as %q and read as %+v, %v", part, form.RenewPart, again, err)
		}
	}
	for _, p := range []Policy{{}, {RenewDays: 30}, {Issuers: []IssuerID{"iss_b"}}, {Issuers: []IssuerID{"iss_b", "iss_a"}, FailoverAfter: 6}} {
		if again, err := ParsePolicy(p.Form()); err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%+v becomes %+v, %v", p, again, err)
		}
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	for _, c := range []struct {
		form PolicyForm
		want map[string]string // field → a part of its sentence
	}{
		{PolicyForm{RenewDays: "0"}, map[string]string{"renew_days": "0 is not a number of whole days from 1 to 365."}},
		{PolicyForm{RenewDays: "366"}, map[string]string{"renew_days": "366 is not"}},
		{PolicyForm{RenewDays: "a month"}, map[string]string{"renew_days": "a month is not"}},
		{PolicyForm{RenewPart: "0"}, map[string]string{"renew_part": "0 is not a part between 0 and 1."}},
		{PolicyForm{RenewPart: "1"}, map[string]string{"renew_part": "1 is not"}},
		{PolicyForm{RenewPart: "30"}, map[string]string{"renew_part": "30 is not"}},
		{PolicyForm{RenewPart: "1/0"}, map[string]string{"renew_part": "1/0 is not"}},
		{PolicyForm{RenewPart: "0/0"}, map[string]string{"renew_part": "0/0 is not"}},
		{PolicyForm{RenewPart: "NaN"}, map[string]string{"renew_part": "NaN is not"}},
		{PolicyForm{RenewPart: "-1/-3/2"}, map[string]string{"renew_part": "is not"}},
		{PolicyForm{RenewDays: "30", RenewPart: "1/3"}, map[string]string{"renew_part": "Leave one of the two empty."}},
		{PolicyForm{KeyTypes: []string{"P-256", "DSA", "Ed25519"}}, map[string]string{"key_types": "No such key type: DSA and Ed25519. Choose among P-256, P-384, RSA-2048, RSA-3072 and RSA-4096."}},
		{PolicyForm{DefaultKey: "P-521"}, map[string]string{"default_key": "No such key type: P-521."}},
		{PolicyForm{KeyTypes: []string{"P-384"}, DefaultKey: "P-256"}, map[string]string{"default_key": "P-256 is not among the allowed key types."}},
		{PolicyForm{MaxKeyDays: "0.5"}, map[string]string{"max_key_days": "0.5 is not a number of whole days from 1 to 3,650."}},
		{PolicyForm{ReuseKey: true}, map[string]string{"max_key_days": "Type a number of days, such as 365."}},
		{PolicyForm{ReuseKey: true, MaxKeyDays: " "}, map[string]string{"max_key_days": "the longest use of one is missing"}},
		{PolicyForm{ReuseKey: true, MaxKeyDays: "0"}, map[string]string{"max_key_days": "0 is not"}},
		{PolicyForm{MaxKeyDays: "99999999999999999999"}, map[string]string{"max_key_days": "is not"}},
		{PolicyForm{Issuers: []string{"", "iss_a"}, FailoverHours: "6"}, map[string]string{"issuer1": "missing before the next one"}},
		{PolicyForm{Issuers: []string{"iss_a", "", "iss_b"}, FailoverHours: "6"}, map[string]string{"issuer2": "missing before the next one"}},
		{PolicyForm{Issuers: []string{"iss_a", "iss_a"}, FailoverHours: "6"}, map[string]string{"issuer2": "twice"}},
		{PolicyForm{Issuers: []string{"iss_a", "iss_a"}, FailoverHours: "8761"}, map[string]string{"issuer2": "twice", "failover_hours": "8761 is not a number of whole hours from 1 to 8,760."}},
		{PolicyForm{Issuers: []string{"iss_a", "iss_b"}, FailoverHours: "0"}, map[string]string{"failover_hours": "0 is not"}},
		{PolicyForm{Issuers: []string{"iss_a", "iss_b"}}, map[string]string{"failover_hours": "Without hours"}},
		{PolicyForm{Issuers: []string{"iss_a"}, FailoverHours: "6"}, map[string]string{"failover_hours": "no next authority"}},
		{PolicyForm{FailoverHours: "6"}, map[string]string{"failover_hours": "no next authority"}},
		{PolicyForm{RenewDays: "-1", RenewPart: "2", KeyTypes: []string{"X"}, DefaultKey: "Y", MaxKeyDays: "0"},
			map[string]string{"renew_days": "", "renew_part": "", "key_types": "", "default_key": "", "max_key_days": ""}},
	} {
		_, err := ParsePolicy(c.form)
		wantFaults(t, err, c.want)
	}
}

// wantFaults checks that err names exactly these fields, each with a sentence that holds the wanted words.
func wantFaults(t *testing.T, err error, want map[string]string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != Invalid || !strings.HasSuffix(e.Text, ".") {
		t.Errorf("got %v, want faults in %v", err, slices.Sorted(maps.Keys(want)))
		return
	}
	if len(e.Fields) != len(want) {
		t.Errorf("faults %v, want %v", e.Fields, want)
	}
	for field, words := range want {
		if got := e.Fields[field]; !strings.Contains(got, words) || !strings.HasSuffix(got, ".") {
			t.Errorf("%s: %q, want %q in it", field, got, words)
		}
	}
}

func TestPolicyAllows(t *testing.T) {
	for _, k := range KeyTypes {
		if !(Policy{}).AllowsKey(k) {
			t.Errorf("the default policy refuses %s", k)
		}
	}
	strict := Policy{KeyTypes: []KeyType{P384, RSA4096}}
	if (Policy{}).AllowsKey("P-521") || strict.AllowsKey(P256) || !strict.AllowsKey(RSA4096) {
		t.Error("the wrong key types are allowed")
	}
	for s, want := range map[KeyStrategy][2]bool{"": {true, true}, RotateKey: {true, true}, ReuseKey: {false, true}, OwnCSR: {false, true}, "magic": {false, false}} {
		if (Policy{}).AllowsStrategy(s) != want[0] || (Policy{ReuseKey: true, OwnCSR: true}).AllowsStrategy(s) != want[1] {
			t.Errorf("strategy %q", s)
		}
	}
}

// The next key always heals what the policy finds wrong, or renewals for the policy's sake would never end.
func TestKeyForIsAlwaysAllowed(t *testing.T) {
	for _, p := range []Policy{{}, {DefaultKey: RSA3072}, {KeyTypes: []KeyType{RSA4096}}, {KeyTypes: []KeyType{P384, RSA3072}, DefaultKey: RSA3072}, {KeyTypes: []KeyType{P384}, DefaultKey: P256}} {
		for _, wanted := range append([]KeyType{"", "P-521"}, KeyTypes...) {
			got := p.KeyFor(wanted)
			if !p.AllowsKey(got) || p.AllowsKey(wanted) && got != wanted {
				t.Errorf("%+v gives %s for %q", p, got, wanted)
			}
		}
	}
	if got := (Policy{}).KeyFor(""); got != P256 {
		t.Errorf("without a wish the key is %s", got)
	}
	if got := (Policy{DefaultKey: P384}).KeyFor(""); got != P384 {
		t.Errorf("without a wish the key is %s, the default is P-384", got)
	}
}

func TestPolicyAsJSON(t *testing.T) {
	for _, p := range []Policy{{}, {RenewDays: 30, KeyTypes: []KeyType{P384}, DefaultKey: P384, ReuseKey: true, MaxKeyDays: 90, OwnCSR: true}, {RenewPart: 1.0 / 3}} {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back Policy
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("%s gives %+v, %v", text, back, err)
		}
	}
	if got := (Policy{MaxKeyDays: 1 << 60}).MaxKeyAge(); got <= 0 || got > 3650*24*time.Hour {
		t.Errorf("a policy of nonsense keeps keys for %v", got)
	}
}

// A policy that was saved before reuse needed a number reuses keys for as long as can be typed, and its form shows that number: saving
// it changes nothing.
func TestReuseWithoutNumber(t *testing.T) {
	old := Policy{ReuseKey: true}
	again, err := ParsePolicy(old.Form())
	if err != nil || again.MaxKeyDays != 3650 || len(PolicyChanges(old, again, nil)) > 0 {
		t.Errorf("read as %+v, %v", again, err)
	}
	f := RenewalFacts{Policy: old, Strategy: ReuseKey, KeyType: P256, KeyWanted: P256, KeyCreated: epoch}
	if f.NewKey(epoch.Add(3640*day)) || !f.NewKey(epoch.Add(3650*day)) {
		t.Error("the key is not used for ten years, or for longer")
	}
}

// An entry of the log names authorities as people do, also one that is gone from the list of names.
func TestPolicyChangesNameIssuers(t *testing.T) {
	after := Policy{Issuers: []IssuerID{"iss_b", "iss_a"}, FailoverAfter: 6}
	got := PolicyChanges(Policy{Issuers: []IssuerID{"iss_z"}}, after, map[IssuerID]string{"iss_a": "First", "iss_b": "Second"})
	want := []Change{{Field: "Authorities", Before: "iss_z", After: "Second, then First"}, {Field: "Another authority", Before: "never", After: "after 6 hours"}}
	if !slices.Equal(got, want) {
		t.Errorf("changes %+v, want %+v", got, want)
	}
	if words := (Policy{}).IssuerWords(nil); words != "the portal's own" {
		t.Errorf("no issuers are %q", words)
	}
}
