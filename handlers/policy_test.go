package handlers_test

import (
	"net/http"
	"net/url"
	"reflect"
	"testing"

	"perennial/tenants"
	"perennial/views"
)

// TestPolicyKeepsWhatHasNoField: saving the form does not take back what was set another way.
func TestPolicyKeepsWhatHasNoField(t *testing.T) {
	w := newWorld(t)
	if err := w.Scope(w.Acme).SavePolicy(soon(t), tenants.Policy{ReuseKey: true, OwnCSR: true, RenewPart: 1.0 / 3}); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"key_types": {"P-384"}, "renewal": {views.ByDays}, "renew_days": {" 20 "}, "renew_part": {"1/3"}}
	resp, err := w.quickSession(t, "admin").PostForm(w.url+views.PolicyURL("acme"), form)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want := tenants.Policy{RenewDays: 20, KeyTypes: []tenants.KeyType{tenants.P384}, ReuseKey: true, OwnCSR: true}
	if got, err := w.Scope(w.Acme).Policy(soon(t)); resp.StatusCode != http.StatusSeeOther || err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("status %d, then %+v, %v, want %+v", resp.StatusCode, got, err, want)
	}
}
