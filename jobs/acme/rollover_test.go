package acme_test

import (
	"fmt"
	"net/http"
	"testing"

	"perennial/cmd/devportal/devca"
	"perennial/jobs/acme"
	"perennial/tenants"
)

// The account keeps its URL with the new key, and the old one opens nothing any more.
func TestChangeKey(t *testing.T) {
	w := newWorld(t, nil).registered(t)
	c, next := w.client(), newKey(t)
	if _, found, err := c.FindAccount(t.Context(), next); found || err != nil {
		t.Fatalf("a key that nobody knows: %v, %v", found, err)
	}
	if err := c.ChangeKey(t.Context(), w.account, next); err != nil {
		t.Fatal(err)
	}
	if url, found, err := c.FindAccount(t.Context(), next); url != w.account.URL || !found || err != nil {
		t.Errorf("the new key is that of %q: %v, %v", url, found, err)
	}
	if _, found, err := c.FindAccount(t.Context(), w.account.Key); found || err != nil {
		t.Errorf("the old key: %v, %v", found, err)
	}
	old := w.account
	if _, err := c.NewOrder(t.Context(), old, acme.OrderRequest{Names: []string{"a.acme.example"}}); err == nil {
		t.Error("the old key orders")
	}
	w.account.Key = next
	w.mustIssue(t, w.attempt(t, "a.acme.example"))
}

// The connection is cut, once before the authority has acted and once after: which key counts is known from asking.
func TestChangeKeyAfterCrash(t *testing.T) {
	for _, applied := range []bool{false, true} {
		t.Run(fmt.Sprintf("applied %v", applied), func(t *testing.T) {
			w := newWorld(t, nil).registered(t)
			c, next := w.client(), newKey(t)
			w.Break(devca.KeyChange, devca.Fault{Drop: true, Applied: applied, Times: 1})
			if p := problem(t, c.ChangeKey(t.Context(), w.account, next), tenants.CASilent); !p.Reached {
				t.Error("the authority may have acted")
			}
			_, found, err := w.client().FindAccount(t.Context(), next)
			if found != applied || err != nil {
				t.Errorf("the new key is known: %v (%v), want %v", found, err, applied)
			}
			if !found {
				err = w.client().ChangeKey(t.Context(), w.account, next)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A refusal, such as of a key that is another account's (RFC 8555, section 7.3.5), is told apart from silence.
func TestChangeKeyRefused(t *testing.T) {
	w := newWorld(t, nil).registered(t)
	w.Break(devca.KeyChange, devca.Fault{Status: http.StatusConflict, Type: "malformed", Times: 1})
	err := w.client().ChangeKey(t.Context(), w.account, newKey(t))
	if p := problem(t, err, tenants.CABroken); p.Status != http.StatusConflict {
		t.Errorf("status %d: %v", p.Status, p)
	}
	w.mustIssue(t, w.attempt(t, "a.acme.example"))
}
