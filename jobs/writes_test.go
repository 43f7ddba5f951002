package jobs_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"perennial/tenants"
)

// The zone is written as fast as the DNS provider allows and no faster, and everybody comes to be written.
func TestZoneWritesAreLimited(t *testing.T) {
	for _, limit := range []tenants.Limit{{Count: 2, Per: 20 * time.Second}, {Count: 1, Per: time.Second}} {
		t.Run(fmt.Sprint(limit.Count), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.issuer.Limits = tenants.Limits{tenants.ZoneWrites: limit}
				w.start()
				var writes []time.Time
				w.dns.wrote = func() { writes = append(writes, time.Now()) }
				var ids []tenants.DomainID
				for _, name := range names(6) {
					ids = append(ids, w.register(name))
				}
				w.until(time.Second, 20*time.Minute, func() bool {
					return len(w.dns.left()) == 0 && !slices.ContainsFunc(ids, func(id tenants.DomainID) bool { return w.view(id).Domain.Status != tenants.Active })
				})
				if len(writes) != 12 {
					t.Errorf("%d writes for 6 names", len(writes))
				}
				for n := limit.Count; n < len(writes); n++ {
					if took := writes[n].Sub(writes[n-limit.Count]); took < limit.Every() {
						t.Errorf("%d writes within %v", limit.Count+1, took)
					}
				}
			})
		})
	}
}
