package jobs_test

import (
	"fmt"
	"testing"
	"time"

	"perennial/tenants"
)

// A name that failed four times in an hour waits: a fifth failure would shut it out at the CA.
func TestFifthFailureIsNotBurnt(t *testing.T) {
	inWorld(t, func(w *world) {
		const base = "shop.acme.example"
		w.issuer.Limits = tenants.Limits{tenants.FailuresPerName: {Count: 5, Per: time.Hour}}
		w.start()
		w.ca.refuse = true
		id, begun := w.register(base), time.Now()
		w.until(time.Second, 50*time.Minute, func() bool {
			// Somebody tries one change after the other, and each ends the back-off.
			w.dns.caa = map[string][]tenants.CAA{base: {{Tag: "issue", Value: "ca.test"}, {Tag: "iodef", Value: fmt.Sprintf("mailto:%d@acme.example", len(w.ca.orders))}}}
			return w.view(id).Domain.Finding.Code == tenants.FailedTooOften
		})
		if n := len(w.ca.orders); n != 4 {
			t.Errorf("waits after %d orders", n)
		}
		time.Sleep(time.Until(begun.Add(11 * time.Minute)))
		w.turn()
		if n := len(w.ca.orders); n != 4 {
			t.Errorf("%d orders before another failure is allowed", n)
		}
		w.ca.refuse = false
		w.status(id, tenants.Active)
	})
}

// DNS is looked at during a long back-off, and a change ends it.
func TestChangedDNSEndsTheBackoff(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ca.refuse = true
		id := w.register("shop.acme.example")
		w.until(10*time.Second, time.Hour, func() bool { return len(w.ca.orders) == 3 })
		w.ca.refuse = false
		time.Sleep(30 * time.Minute)
		w.turn()
		if n := len(w.ca.orders); n != 3 {
			t.Fatalf("%d orders, but nothing changed", n)
		}
		w.dns.caa = map[string][]tenants.CAA{"shop.acme.example": {{Tag: "issue", Value: "ca.test"}}}
		w.until(10*time.Second, 11*time.Minute, func() bool { return len(w.view(id).Versions) == 1 })
	})
}
