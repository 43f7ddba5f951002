package jobs_test

import (
	"fmt"
	"testing"

	"perennial/store"
	"perennial/tenants"
)

// A name is not given up before its authorizations are, whatever the store does meanwhile: once, one that could not say
// which account is ours counted as an authority that refuses.
func TestReleaseWaitsForTheStore(t *testing.T) {
	for n := range 20 {
		t.Run(fmt.Sprint("moment ", n), func(t *testing.T) {
			inWorld(t, func(w *world) {
				id := w.register("shop.acme.example")
				w.status(id, tenants.Active)
				w.start() // a process that does not know the account yet
				w.must(w.scope.Release(w.ctx, id, "shop.acme.example"))
				left := n
				w.fail = func(store.Moment) error {
					if !w.tending {
						return nil
					}
					if left--; left == -1 {
						return errStore
					}
					return nil
				}
				w.status(id, tenants.Released)
				if len(w.ca.gone) == 0 {
					t.Error("the authorization lives on")
				}
			})
		})
	}
}
