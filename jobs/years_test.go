package jobs_test

import (
	"crypto/x509"
	"testing"
	"time"

	"perennial/tenants"
)

// A 90-day certificate lives for two years on its own, with one CA outage of five days, without a gap in validity. In
// short mode, which the race detector runs in, it is four months.
func TestStoryTwoYears(t *testing.T) {
	days := 2 * 365
	if testing.Short() {
		days /= 6
	}
	for name, ari := range map[string]func(*x509.Certificate) (time.Time, time.Time){
		"without ARI": nil,
		"with ARI": func(leaf *x509.Certificate) (time.Time, time.Time) {
			third := leaf.NotAfter.Sub(leaf.NotBefore) / 3
			return leaf.NotAfter.Add(-third), leaf.NotAfter.Add(-third + 48*time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.ca.ari = ari
				id := w.register("shop.acme.example")
				w.status(id, tenants.Active)
				start := time.Now()
				outage := w.view(id).Certificate.Plan.At.Add(-24 * time.Hour)
				w.ca.down = func() bool { return time.Now().After(outage) && time.Now().Before(outage.Add(5*24*time.Hour)) }
				var last tenants.Version
				for time.Since(start) < time.Duration(days)*24*time.Hour {
					w.turn()
					v := w.view(id)
					if v.Current.ID != last.ID && last.ID != "" && last.NotAfter.Before(v.Current.NotBefore) {
						t.Fatalf("gap between %v and %v", last.NotAfter, v.Current.NotBefore)
					}
					if last = *v.Current; time.Now().After(last.NotAfter) {
						t.Fatalf("expired at %v: %s %+v", last.NotAfter, v.Domain.Status, v.Domain.Finding)
					}
					time.Sleep(max(time.Until(v.Domain.Next), 6*time.Hour))
				}
				if n, least := last.Number, days/75; n < least || n > least*2 {
					t.Errorf("%d versions in %d days", n, days)
				}
				w.settled(id, last.Number)
			})
		})
	}
}
