package acme_test

import (
	"encoding/pem"
	"testing"

	"perennial/jobs/acme"
	"perennial/tenants"
)

func leafOf(v tenants.Version) []byte {
	block, _ := pem.Decode([]byte(v.Chain))
	return block.Bytes
}

func TestRevoke(t *testing.T) {
	w := newWorld(t, nil).registered(t)
	c := w.client()
	for _, reason := range tenants.RevocationReasons {
		leaf := leafOf(w.mustIssue(t, w.attempt(t, "shop.acme.example")))
		for range 2 { // the second time it is revoked already
			if err := c.Revoke(t.Context(), w.account, leaf, reason.Code()); err != nil {
				t.Fatalf("%s: %v", reason, err)
			}
		}
	}
}

func TestRevokeIsRefused(t *testing.T) {
	w := newWorld(t, nil).registered(t)
	c := w.client()
	leaf := leafOf(w.mustIssue(t, w.attempt(t, "shop.acme.example")))

	p := problem(t, c.Revoke(t.Context(), w.account, leaf, 7), tenants.RevocationRefused) // RFC 5280: 7 is not used
	if p.Kind() != acme.BadRevocationReason {
		t.Errorf("the reason is refused as %q", p.Kind())
	}
	problem(t, c.Revoke(t.Context(), w.account, leaf[:len(leaf)-1], 1), tenants.RevocationRefused)

	stranger := acme.Account{Key: newKey(t)}
	stranger.URL = must[string](t)(c.Register(t.Context(), stranger.Key))
	p = problem(t, c.Revoke(t.Context(), stranger, leaf, 1), tenants.RevocationRefused)
	if p.Kind() != "unauthorized" {
		t.Errorf("another account is refused as %q", p.Kind())
	}
	unknown := acme.Account{Key: newKey(t), URL: w.account.URL + "0"}
	if p := problem(t, c.Revoke(t.Context(), unknown, leaf, 1), tenants.CAAccount); p.Kind() != "accountDoesNotExist" {
		t.Error(p)
	}
	if err := c.Revoke(t.Context(), w.account, leaf, 1); err != nil {
		t.Errorf("after all refusals: %v", err)
	}
}
