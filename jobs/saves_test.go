package jobs_test

import (
	"testing"
	"time"

	"perennial/store"
	"perennial/tenants"
)

// Every save waits for the disk, and on SQLite all that are made share one writer. So what follows from the CA's answer
// alone, with no effect of ours in between, is one save, and what an act says of the facts is not read again.
func TestRenewalSavesNoMoreThanItMust(t *testing.T) {
	for _, test := range []struct {
		name         string
		thinks       time.Duration // the CA, over a certificate
		saves, reads int
	}{
		{"a CA that decides at once", 0, 11, 8},
		{"a CA that thinks", time.Second, 12, 8}, // finalized shows on the page meanwhile
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				id := w.register("shop.acme.example")
				w.status(id, tenants.Active)
				time.Sleep(2 * time.Minute) // the last look is too old to order on
				w.must(w.scope.RenewNow(w.ctx, id))
				w.ca.thinks = test.thinks
				saves, reads := 0, 0
				w.fail = func(m store.Moment) error {
					switch m {
					case store.Committed:
						saves++
					case store.Reading:
						reads++
					}
					return nil
				}
				w.tend(id)
				w.fail = nil
				if v := w.view(id); len(v.Versions) != 2 || len(w.dns.left()) != 0 {
					t.Fatalf("%d versions, %d values left in DNS", len(v.Versions), len(w.dns.left()))
				}
				if saves != test.saves || reads > test.reads {
					t.Errorf("%d saves and %d reads, want %d and no more than %d", saves, reads, test.saves, test.reads)
				}
			})
		})
	}
}
