package store_test

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func TestNoOrderWithoutProof(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		_, err := s.sys.PlanOrder(s.ctx, id, tenants.FirstIssue, "")
		wantKind(t, err, tenants.Conflict)
		check(t, s.sys.SaveCheck(s.ctx, id, tenants.Check{At: w.Clock.Now()}, tenants.Finding{Code: tenants.DelegationMissing}, tenants.Waiting))
		_, err = s.sys.PlanOrder(s.ctx, id, tenants.FirstIssue, "")
		wantKind(t, err, tenants.Conflict)
		s.plan(id)
		_, err = s.sys.PlanOrder(s.ctx, id, tenants.FirstIssue, "")
		wantKind(t, err, tenants.Conflict) // one is open
		if n := len(s.view(w.Acme, id).Orders); n != 1 {
			t.Errorf("%d orders", n)
		}
	})
}

// A name that changed hands starts from nothing: the new tenant has to prove it again.
func TestProofDoesNotSurviveRelease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.issue(id, time.Hour)
		s.release(w.Acme, id)
		next := s.register(w.Northwind, "shop.example")
		_, err := s.sys.PlanOrder(s.ctx, next, tenants.FirstIssue, "")
		wantKind(t, err, tenants.Conflict)
		if f := s.begin(next); !f.Domain.Proved.IsZero() || f.Current != nil || len(f.Authz) != 0 {
			t.Errorf("facts of the new claim: %+v", f)
		}
	})
}

func TestOrderRevisions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		first := s.plan(id)
		first.Placing = w.Clock.Now()
		second := s.save(first, tenants.Planned)
		if second.Revision != first.Revision+1 {
			t.Fatalf("revision %d after %d", second.Revision, first.Revision)
		}
		first.State = tenants.Ordered
		_, err := s.sys.SaveOrder(s.ctx, first)
		wantKind(t, err, tenants.Conflict)
		wantKind(t, s.sys.FailOrder(s.ctx, first, tenants.Finding{Code: tenants.CASilent}, tenants.Failing), tenants.Conflict)
		_, err = s.sys.Issue(s.ctx, first, s.version(first, time.Hour), tenants.Verdict{})
		wantKind(t, err, tenants.Conflict)
		second.State = tenants.Finalized
		if _, err := s.sys.SaveOrder(s.ctx, second); err == nil {
			t.Error("a step was left out")
		}
		second.State = tenants.Issued
		if _, err := s.sys.SaveOrder(s.ctx, second); err == nil {
			t.Error("issued without a version")
		}
		if o := s.begin(id).Order; o.State != tenants.Planned || o.Placing.IsZero() || o.Revision != second.Revision {
			t.Errorf("order: %+v", o)
		}
	})
}

func TestOrderKeepsEverything(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "*.shop.example")
		o := s.plan(id)
		at := w.Clock.Now().UTC().Truncate(time.Microsecond)
		o.URL, o.FinalizeURL, o.ResultURL, o.Placing, o.Expires, o.Attempts = "u", "f", "r", at, at.Add(time.Hour), 3
		o.Finding = tenants.Finding{Code: tenants.CASilent, Raw: "raw", Args: map[string]string{"ca": "x"}}
		o.Challenges = []tenants.Challenge{{Authz: "a1", URL: "c1", Record: "rec", Zone: "zone", Value: "val", Presented: at, Seen: at, Answered: at, Valid: at}, {Authz: "a2"}}
		saved := s.save(o, tenants.Ordered)
		read := *s.begin(id).Order
		byID := func(a, b tenants.Challenge) int { return cmp.Compare(a.ID, b.ID) }
		slices.SortFunc(saved.Challenges, byID)
		if saved.Challenges[0].ID == "" || !slices.Equal(read.Challenges, saved.Challenges) {
			t.Fatalf("challenges: %+v, saved %+v", read.Challenges, saved.Challenges)
		}
		if read.Names[0] != "*.shop.example" || read.URL != "u" || read.ResultURL != "r" || !read.Expires.Equal(o.Expires) ||
			read.Finding.Args["ca"] != "x" || read.Attempts != 3 || read.Reached[tenants.Ordered].IsZero() || read.Reason != tenants.FirstIssue {
			t.Errorf("order: %+v", read)
		}
		read.Challenges[0].Cleaned = at
		again := s.save(read, tenants.Proving)
		if len(again.Challenges) != 2 || again.Challenges[0].Cleaned.IsZero() || again.Challenges[0].ID != read.Challenges[0].ID {
			t.Errorf("challenges after the second save: %+v", again.Challenges)
		}
	})
}

func TestKeysMoveToVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		o := s.finalize(id)
		key := must[tenants.Secret](t)(s.sys.OrderKey(s.ctx, o.ID))
		parsed := must[any](t)(x509.ParsePKCS8PrivateKey(key.Reveal()))
		if _, ok := parsed.(*ecdsa.PrivateKey); !ok {
			t.Fatalf("key is %T", parsed)
		}
		must[tenants.VersionID](t)(s.sys.Issue(s.ctx, o, s.version(o, time.Hour), tenants.Verdict{At: w.Clock.Now()}))
		_, err := s.sys.OrderKey(s.ctx, o.ID)
		wantKind(t, err, tenants.Conflict)

		failed := s.plan(id)
		check(t, s.sys.FailOrder(s.ctx, failed, tenants.Finding{Code: tenants.CARefuses}, tenants.Failing))
		_, err = s.sys.OrderKey(s.ctx, failed.ID)
		wantKind(t, err, tenants.Conflict)
	})
}

func TestKeyTypes(t *testing.T) {
	w := storetest.New(t)
	s := tell(t, w)
	for _, kind := range tenants.KeyTypes {
		name := strings.ToLower(string(kind)) + ".example"
		id := must[tenants.DomainID](t)(w.Scope(w.Acme).RegisterDomain(s.ctx, name, store.RegisterOptions{KeyType: kind, Profile: "short"}))
		o := s.plan(id)
		parsed := must[any](t)(x509.ParsePKCS8PrivateKey(must[tenants.Secret](t)(s.sys.OrderKey(s.ctx, o.ID)).Reveal()))
		if got := kindOf(parsed); got != kind || o.Profile != "short" {
			t.Errorf("%s: the key is %s, profile %q", kind, got, o.Profile)
		}
	}
}

func kindOf(key any) tenants.KeyType {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		return tenants.KeyType(k.Curve.Params().Name)
	case *rsa.PrivateKey:
		return tenants.KeyType(fmt.Sprintf("RSA-%d", k.N.BitLen()))
	}
	return ""
}

func TestFailuresInARow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		for i := range 4 {
			check(t, s.sys.FailOrder(s.ctx, s.plan(id), tenants.Finding{Code: tenants.ChallengeInvalid}, tenants.Failing))
			if f := s.begin(id); f.Failures != i+1 || f.LastFailed.IsZero() || f.Order != nil {
				t.Fatalf("facts after failure %d: %+v", i+1, f)
			}
		}
		s.issue(id, time.Hour)
		if f := s.begin(id); f.Failures != 0 || !f.Domain.Finding.OK() || f.Domain.Status != tenants.Active {
			t.Errorf("facts after success: %+v", f)
		}
	})
}

func TestPlans(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.issue(id, 30*24*time.Hour)
		at := w.Clock.Now().UTC().Truncate(time.Microsecond).Add(24 * time.Hour)
		ari := tenants.RenewalInfo{Start: at, End: at.Add(time.Hour), Fetched: w.Clock.Now(), Next: at}
		plan := tenants.Verdict{At: at, Start: at, End: at.Add(time.Hour), NoLater: at.Add(48 * time.Hour), Reason: tenants.InWindow, Text: "x"}
		certificate := s.view(w.Acme, id).Certificate.ID
		for range 2 {
			settled := must[tenants.Verdict](t)(s.sys.SavePlan(s.ctx, certificate, ari, plan))
			if at = settled.At; at.Before(plan.Start) || !at.Before(plan.End) {
				t.Fatalf("settled at %v, outside of the window", at)
			}
		}
		must[tenants.Verdict](t)(s.sys.SavePlan(s.ctx, certificate, ari, tenants.Verdict{})) // keeps the plan
		c := s.view(w.Acme, id).Certificate
		if !c.Plan.At.Equal(at) || !c.ARI.End.Equal(ari.End) {
			t.Errorf("certificate: %+v", c)
		}
		if n := must[store.EntryPage](t)(w.Scope(w.Acme).Entries(s.ctx, store.EntryFilter{What: string(tenants.DidPlanRenewal)})).Total; n != 1 {
			t.Errorf("%d entries", n)
		}
		r := must[store.Renewals](t)(w.Scope(w.Acme).Renewals(s.ctx, 30))
		if r.Next[0].Free || r.Days[0].Costly+r.Days[1].Costly != 1 {
			t.Errorf("free where the authority does not say so: %+v", r.Next[0])
		}
		issuer := s.view(w.Acme, id).Issuer
		issuer.FreeARI = true
		must[tenants.Issuer](t)(s.sys.SaveIssuer(s.ctx, issuer))
		must[tenants.Verdict](t)(s.sys.SavePlan(s.ctx, certificate, ari, plan))
		r = must[store.Renewals](t)(w.Scope(w.Acme).Renewals(s.ctx, 30))
		if r.Total != 1 || len(r.Days) != 30 || r.Days[0].Free+r.Days[1].Free != 1 || len(r.Next) != 1 || !r.Next[0].Free || !r.Next[0].At.Equal(at) {
			t.Errorf("renewals: %+v", r)
		}
	})
}

// Of an account's orders those are known that were placed since an instant and whose URL came.
func TestOrderURLs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		var since time.Time
		for i, url := range []string{"https://ca.example/order/0", "https://ca.example/order/1", ""} {
			o := s.plan(s.register(w.Acme, name(i)))
			w.Clock.Advance(time.Minute)
			if i == 1 {
				since = w.Clock.Now()
			}
			o.Placing, o.URL = w.Clock.Now(), url
			o = must[tenants.Order](t)(s.sys.SaveOrder(s.ctx, o))
			if i == 2 {
				known := must[map[string]bool](t)(s.sys.OrderURLs(s.ctx, o.Account, since))
				if len(known) != 1 || !known["https://ca.example/order/1"] {
					t.Errorf("known are %v", known)
				}
				if known := must[map[string]bool](t)(s.sys.OrderURLs(s.ctx, "acc_other", since)); len(known) != 0 {
					t.Errorf("of another account %v", known)
				}
			}
		}
	})
}
