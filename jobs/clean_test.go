package jobs_test

import (
	"testing"
	"time"

	"perennial/jobs/dns"
	"perennial/tenants"
)

// A record that cannot be removed is tried again ever more rarely, also by the next process; a person who asks gets a try
// at once; and when it is gone the domain is well.
func TestCleaningAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.dns.wrote = func() { w.dns.refuse = &dns.Fault{Code: tenants.WriteRefused, Raw: "REFUSED"} }
		id := w.register("shop.acme.example")
		w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Finding.Code == tenants.WriteRefused })
		begun, tries := time.Now(), w.dns.count["remove"]
		for time.Since(begun) < 12*time.Hour {
			w.start()
			w.turn()
			w.sleep(w.view(id))
		}
		if n := w.dns.count["remove"] - tries; n > 50 || n < 15 {
			t.Errorf("%d tries in twelve hours", n)
		}
		tries = w.dns.count["remove"]
		w.must(w.scope.CheckNow(w.ctx, id))
		w.turn()
		if w.dns.count["remove"] != tries+1 {
			t.Error("a person has to wait")
		}
		w.dns.refuse, w.dns.wrote = nil, nil
		w.must(w.scope.CheckNow(w.ctx, id))
		w.turn()
		if v := w.view(id); !v.Domain.Finding.OK() || v.Domain.Status != tenants.Active || len(w.dns.left()) > 0 {
			t.Errorf("%s, finding %+v, left %v", v.Domain.Status, v.Domain.Finding, w.dns.left())
		}
	})
}

// An authority whose directory is broken is asked ever more rarely.
func TestBrokenDirectory(t *testing.T) {
	inWorld(t, func(w *world) {
		asked := 0
		w.ca.meta = func() error { asked++; return broken("meta") }
		id := w.register("shop.acme.example")
		w.until(time.Minute, 12*time.Hour, func() bool { return time.Until(w.view(id).Domain.Next) > 29*time.Minute })
		if asked > 60 {
			t.Errorf("asked %d times", asked)
		}
		w.ca.meta = nil
		w.status(id, tenants.Active)
	})
}
