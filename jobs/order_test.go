package jobs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"perennial/jobs"
	"perennial/jobs/acme"
	"perennial/store"
	"perennial/tenants"
)

func TestFirstCertificate(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		v := w.status(id, tenants.Active)
		if v.Current == nil || v.Current.Number != 1 || v.Current.Reason != tenants.FirstIssue {
			t.Fatalf("current version: %+v", v.Current)
		}
		if v.Certificate.Plan.At.Before(v.Current.NotBefore) || v.Certificate.Plan.At.After(v.Current.NotAfter) {
			t.Errorf("plan %v is outside of the lifetime", v.Certificate.Plan.At)
		}
		w.settled(id, 1)
	})
}

func TestHostileCA(t *testing.T) {
	stranger := func(chain []byte) []byte { // a certificate for somebody else's key
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return resign(chain, func(c *x509.Certificate) { c.PublicKey = key.Public() })
	}
	tests := []struct {
		name  string
		chain func([]byte) []byte
		code  tenants.Code
	}{
		{"another key", stranger, tenants.CABroken},
		{"other names", func(b []byte) []byte {
			return resign(b, func(c *x509.Certificate) { c.DNSNames = []string{"other.example"} })
		}, tenants.CABroken},
		{"expired", func(b []byte) []byte {
			return resign(b, func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
			})
		}, tenants.CABroken},
		{"not yet valid", func(b []byte) []byte {
			return resign(b, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
		}, tenants.CABroken},
		{"garbage", func([]byte) []byte { return []byte("hello") }, tenants.CABroken},
		{"nothing", func([]byte) []byte { return nil }, tenants.CABroken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.ca.chain = test.chain
				id := w.register("shop.acme.example")
				v := w.status(id, tenants.Failing)
				if v.Domain.Finding.Code != test.code || v.Current != nil || len(v.Versions) != 0 {
					t.Fatalf("finding %+v, versions %d", v.Domain.Finding, len(v.Versions))
				}
				w.ca.chain = nil // the CA is mended: it heals by itself
				v = w.status(id, tenants.Active)
				if !v.Domain.Finding.OK() {
					t.Errorf("finding %+v stayed", v.Domain.Finding)
				}
			})
		})
	}
}

// A portal whose clock is hours behind takes a certificate for not valid yet. It keeps it until then, where it once threw
// it away and ordered another, and another.
func TestClockBehind(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ca.skew, w.ca.backdate = 3*time.Hour, time.Hour
		begun := time.Now()
		id := w.register("shop.acme.example")
		if v := w.status(id, tenants.Failing); v.Domain.Finding.Code != tenants.CABroken {
			t.Fatalf("finding %+v", v.Domain.Finding)
		}
		w.status(id, tenants.Active)
		if took := time.Since(begun); took > 2*time.Hour+time.Minute {
			t.Errorf("valid after %v, taken after %v", 2*time.Hour, took)
		}
		w.settled(id, 1)
	})
}

// resign signs the leaf of a chain again, changed, by a key of its own.
func resign(chain []byte, change func(*x509.Certificate)) []byte {
	block, _ := pem.Decode(chain)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		panic(err)
	}
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	parent := &x509.Certificate{SerialNumber: big.NewInt(9), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-9 * time.Hour), NotAfter: time.Now().Add(9999 * time.Hour)}
	change(leaf)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: leaf.SerialNumber, DNSNames: leaf.DNSNames,
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter}, parent, leaf.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// What a killed process had sent can reach the CA after the next process has looked for it, which then once sent it again.
func TestOrderArrivesAfterItsProcessDied(t *testing.T) {
	for _, how := range []mode{killAfter, cancelAfter} {
		t.Run(string(how), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.ca.late = 15 * time.Second
				w.ca.arm(map[string]mode{"newOrder": how})
				id := w.register("shop.acme.example")
				w.status(id, tenants.Active)
				w.settled(id, 1)
			})
		})
	}
}

// A CA that cannot find the certificate to be replaced answers each such order with a server error, as Pebble does for
// one serial in 512: those of which DER begins with a zero. The renewal once went on asking until the certificate expired.
func TestRenewalOfForgottenCertificate(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		w.ca.forgets = true
		w.must(w.scope.RenewNow(w.ctx, id))
		w.until(time.Second, 10*time.Minute, func() bool { return len(w.view(id).Versions) == 2 })
		w.settled(id, 2)
	})
}

// After an outage of new orders alone a renewal still names what it replaces, which spares the budget.
func TestStoryRenewalAfterOutageReplaces(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		back := time.Now().Add(3 * time.Hour)
		w.ca.limit = func() *acme.Problem {
			if time.Now().After(back) {
				return nil
			}
			return &acme.Problem{Code: tenants.CASilent, Status: 503, Detail: "Service busy; retry later.", Reached: true}
		}
		w.must(w.scope.RenewNow(w.ctx, id))
		w.until(10*time.Second, 6*time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
		if o := w.ca.orders[1]; o.replaces == "" {
			t.Error("the order does not name what it replaces")
		}
		w.settled(id, 2)
	})
}

func TestEndlessProcessing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ca.stuck = true
		id := w.register("shop.acme.example")
		v := w.status(id, tenants.Failing)
		if v.Domain.Finding.Code != tenants.CAStuck {
			t.Fatalf("finding %+v", v.Domain.Finding)
		}
		w.ca.stuck = false
		w.status(id, tenants.Active)
	})
}

func TestChallengeRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ca.refuse = true
		id := w.register("shop.acme.example")
		v := w.status(id, tenants.Failing)
		if v.Domain.Finding.Code != tenants.ChallengeInvalid {
			t.Fatalf("finding %+v", v.Domain.Finding)
		}
		w.until(time.Second, time.Minute, func() bool { return len(w.dns.left()) == 0 })
		placed := len(w.ca.orders)
		time.Sleep(30 * time.Second)
		w.turn()
		if len(w.ca.orders) != placed {
			t.Error("a failing name was ordered again without a pause")
		}
		w.ca.refuse = false
		w.status(id, tenants.Active)
	})
}

// A 429 is obeyed to the second, and costs one order attempt, not a stream of them.
func TestRateLimited(t *testing.T) {
	inWorld(t, func(w *world) {
		until := time.Now().Add(20 * time.Minute)
		asked := 0
		w.ca.limit = func() *acme.Problem {
			if asked++; time.Now().Before(until) {
				return &acme.Problem{Code: tenants.CARateLimited, Status: 429, RetryAfter: time.Until(until), Reached: true, Detail: "too many new orders recently"}
			}
			return nil
		}
		id := w.register("shop.acme.example")
		v := w.status(id, tenants.Active)
		if v.Current.Issued.Before(until) || asked != 2 {
			t.Errorf("issued %v, asked %d times", v.Current.Issued, asked)
		}
	})
}

// What lasts for days is said with the day, by the CA's word as by our own.
func TestWaitsForDaysSayTheDay(t *testing.T) {
	for code, begin := range map[tenants.Code]func(*world){
		tenants.CARateLimited: func(w *world) {
			w.ca.limit = func() *acme.Problem {
				return &acme.Problem{Code: tenants.CARateLimited, Status: 429, RetryAfter: 34 * time.Hour, Reached: true, Detail: "too many new orders recently"}
			}
		},
		tenants.BudgetSpent: func(w *world) {
			w.issuer.Limits = tenants.Limits{tenants.CertificatesPerDomain: {Count: 1, Per: 34 * time.Hour}}
			w.start()
			w.status(w.register("first.acme.example"), tenants.Active)
		},
	} {
		t.Run(string(code), func(t *testing.T) {
			inWorld(t, func(w *world) {
				begin(w)
				id := w.register("shop.acme.example")
				w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Finding.Code == code })
				day := time.Now().Add(34 * time.Hour).UTC().Format("2 Jan 2006")
				if why := tenants.Explain(w.view(id).Domain.Finding).Why; !strings.Contains(why, day) {
					t.Errorf("%q does not name %s", why, day)
				}
			})
		})
	}
}

// The customer's record decides: no order before it, failing when it goes, healing when it comes back.
func TestRecordRemovedAndBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.dns.set("shop.acme.example", tenants.Missing)
		id := w.register("shop.acme.example")
		for range 50 {
			w.turn()
			time.Sleep(time.Second)
		}
		if v := w.view(id); v.Domain.Status != tenants.Waiting || len(w.ca.orders) != 0 {
			t.Fatalf("%s, %d orders without a record", v.Domain.Status, len(w.ca.orders))
		}
		w.dns.set("shop.acme.example", tenants.Right)
		w.status(id, tenants.Active)

		w.dns.set("shop.acme.example", tenants.Missing)
		w.must(w.scope.CheckNow(w.ctx, id))
		v := w.status(id, tenants.Failing)
		if v.Domain.Finding.Code != tenants.DelegationMissing {
			t.Errorf("finding %+v", v.Domain.Finding)
		}
		w.dns.set("shop.acme.example", tenants.Right)
		w.status(id, tenants.Active)

		w.dns.set("shop.acme.example", tenants.Silent) // could not ask is not wrong
		w.must(w.scope.CheckNow(w.ctx, id))
		w.turn()
		if v := w.view(id); v.Domain.Status != tenants.Active || v.Domain.Finding.Code != tenants.DNSSilent {
			t.Errorf("%s, finding %+v", v.Domain.Status, v.Domain.Finding)
		}
		w.settled(id, 1)
	})
}

func TestReleaseDeactivatesAuthorizations(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		label := w.view(id).Domain.Delegation.Label
		w.must(w.scope.Release(w.ctx, id, "shop.acme.example"))
		w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Status == tenants.Released })
		if len(w.ca.gone) != 1 {
			t.Errorf("%d authorizations were deactivated", len(w.ca.gone))
		}
		// The other tenant claims the name without its own record: no order, whatever the CA would reuse.
		w.dns.set("shop.acme.example", tenants.Differs)
		theirs, err := w.other.RegisterDomains(w.ctx, []string{"shop.acme.example"})
		w.must(err)
		for range 30 {
			w.turn()
			time.Sleep(time.Second)
		}
		v, err := w.other.Domain(w.ctx, theirs.IDs[0])
		w.must(err)
		if v.Domain.Delegation.Label == label || v.Domain.Status != tenants.Waiting || len(w.ca.orders) != 1 {
			t.Errorf("status %s, %d orders, same label %v", v.Domain.Status, len(w.ca.orders), v.Domain.Delegation.Label == label)
		}
	})
}

func TestStoryReservationRunsOut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.dns.set("shop.acme.example", tenants.Missing)
		id := w.register("shop.acme.example")
		w.until(10*time.Minute, 8*24*time.Hour, func() bool { return w.view(id).Domain.Status == tenants.Released })
	})
}

// The version says which key was certified, not which key the certificate asks for by now.
func TestOrderKeyTypes(t *testing.T) {
	for _, kind := range tenants.KeyTypes {
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, func(w *world) {
				id, err := w.scope.RegisterDomain(w.ctx, "shop.acme.example", store.RegisterOptions{KeyType: kind})
				w.must(err)
				if v := w.status(id, tenants.Active); v.Current == nil || v.Current.KeyType != kind {
					t.Errorf("current version %+v", v.Current)
				}
			})
		})
	}
}

// A process stands still while it looks at DNS, for longer than its lease, and another renews meanwhile. The first one's
// decision to renew is then about a version that is replaced: it orders nothing.
func TestLostLeaseOrdersNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		time.Sleep(time.Hour)
		w.must(w.scope.RenewNow(w.ctx, id))
		stalled := w.engine
		w.dns.looked = func() {
			time.Sleep(jobs.Lease + time.Second)
			w.start()
			w.until(time.Second, time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
		}
		if err := stalled.Tend(w.ctx, id); tenants.KindOf(err) != tenants.Conflict {
			t.Errorf("who lost the lease: %v", err)
		}
		time.Sleep(time.Minute)
		w.turn()
		w.settled(id, 2)
	})
}

// An order was about to be placed when the clock was wrong, so it seems. It does not wait for that time.
func TestPlacedByAWrongClock(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ca.arm(map[string]mode{"newOrder": killBefore})
		id := w.register("shop.acme.example")
		w.turn()
		o := *w.view(id).Order
		o.Placing = time.Now().Add(100 * 24 * time.Hour)
		_, err := w.db.System().SaveOrder(w.ctx, o)
		w.must(err)
		w.until(time.Second, time.Hour, func() bool { return w.view(id).Domain.Status == tenants.Active })
		w.settled(id, 1)
	})
}

// The store says that the version was not kept, and yet it was, as when the connection breaks at the commit. What the CA was
// blamed for before is over all the same.
func TestVersionKeptDespiteAnError(t *testing.T) {
	inWorld(t, func(w *world) {
		down := true
		w.ca.down = func() bool { return down }
		id := w.register("shop.acme.example")
		w.until(time.Second, time.Hour, func() bool { return w.view(id).Domain.Finding.Code == tenants.CASilent })
		down = false
		looks, failed := false, false
		w.fail = func(m store.Moment) error {
			if m != store.Committed || looks || failed {
				return nil
			}
			looks = true
			failed = len(w.view(id).Versions) == 1
			looks = false
			if failed {
				return errStore
			}
			return nil
		}
		w.until(time.Second, time.Hour, func() bool { return failed })
		if v := w.view(id); v.Domain.Status != tenants.Active || !v.Domain.Finding.OK() {
			t.Errorf("%s, %+v", v.Domain.Status, v.Domain.Finding)
		}
	})
}
