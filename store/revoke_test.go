package store_test

import (
	"strings"
	"testing"
	"time"

	"perennial/store/storetest"
	"perennial/tenants"
)

var (
	leaked1h  = tenants.RevocationRequest{Way: tenants.RevokeAfter, Reason: tenants.RevokeKeyCompromise, Wait: time.Hour}
	oldOne    = tenants.RevocationRequest{Way: tenants.RevokeAfter, Reason: tenants.RevokeSuperseded}
	outAtOnce = tenants.RevocationRequest{Way: tenants.RevokeAtOnce, Reason: tenants.RevokeSuperseded}
	theyDid   = tenants.RevocationRequest{Way: tenants.RevokedByThem}
)

// issueKey gives a domain a version with that key.
func (s story) issueKey(id tenants.DomainID, key string) tenants.VersionID {
	s.Helper()
	o := s.finalize(id)
	v := s.version(o, 90*24*time.Hour)
	v.SPKI = key
	made := must[tenants.VersionID](s)(s.sys.Issue(s.ctx, o, v, tenants.Verdict{}))
	check(s, s.sys.Rest(s.ctx, id, owner, time.Time{}, tenants.Finding{}, tenants.Active))
	return made
}

func (s story) revocation(in tenants.Tenant, id tenants.DomainID, number int) tenants.Revocation {
	s.Helper()
	for _, v := range s.view(in, id).Versions {
		if v.Number == number {
			return v.Revocation
		}
	}
	s.Fatalf("no version %d", number)
	return tenants.Revocation{}
}

func (s story) revoke(id tenants.DomainID, v tenants.VersionID, r tenants.RevocationRequest) error {
	return s.w.Scope(s.w.Acme).Revoke(s.ctx, id, v, r, "Shop.example")
}

// A leaked key takes the older version that used it along, waits for a version with another key, and then its time.
func TestRevokeAfterTheSuccessor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		s.issueKey(id, "k1")
		s.issueKey(id, "k2")
		v := s.issueKey(id, "k2")
		check(t, s.revoke(id, v, leaked1h))
		if e := s.lastEntry(w.Acme); e.Action != tenants.DidAskRevoke || !strings.Contains(e.Text, "1 h after the next version is issued: the key may be known") {
			t.Errorf("entry %+v", e)
		}
		f := s.begin(id)
		if f.Certificate.Compromised.IsZero() || f.Certificate.CompromisedBy == "" || len(f.Revoking) != 2 {
			t.Errorf("facts: compromised %v, %d to revoke", f.Certificate.Compromised, len(f.Revoking))
		}
		check(t, s.sys.Rest(s.ctx, id, owner, time.Time{}, tenants.Finding{}, tenants.Active))
		wantKind(t, w.Scope(w.Acme).RevokeNow(s.ctx, id, v), tenants.Conflict) // nothing could take its place

		s.issueKey(id, "k2") // an order that was under way with the leaked key is no successor
		if r := s.revocation(w.Acme, id, 3); !r.At.IsZero() {
			t.Errorf("revoked at %v, though the key is still in use", r.At)
		}
		s.issueKey(id, "k3")
		for number, asked := range map[int]bool{1: false, 2: true, 3: true} {
			r := s.revocation(w.Acme, id, number)
			if asked != !r.At.IsZero() || asked && r.At.Sub(w.Clock.Now()).Round(time.Minute) != time.Hour {
				t.Errorf("version %d is revoked at %v", number, r.At)
			}
		}
		check(t, w.Scope(w.Acme).RevokeNow(s.ctx, id, v))
		if r := s.revocation(w.Acme, id, 3); r.At.After(w.Clock.Now()) {
			t.Errorf("the person said now, planned is %v", r.At)
		}
		check(t, w.Scope(w.Acme).RevokeNow(s.ctx, id, v)) // twice changes nothing
		check(t, s.sys.SaveRevoked(s.ctx, v, tenants.RevokeKeyCompromise))
		if e := s.lastEntry(w.Acme); e.Action != tenants.DidRevoke || e.Actor.Kind != tenants.CAActor {
			t.Errorf("entry %+v", e)
		}
		check(t, s.sys.SaveRevoked(s.ctx, v, tenants.RevokeSuperseded))
		if r := s.revocation(w.Acme, id, 3); r.Done.IsZero() || r.Reason != tenants.RevokeKeyCompromise {
			t.Errorf("told twice: %+v", r)
		}
		if c := s.view(w.Acme, id).Certificate; !c.Revoked.IsZero() {
			t.Error("the current version counts as revoked because an older one is")
		}
		if f := s.begin(id); len(f.Revoking) != 1 || f.Revoking[0].Number != 2 {
			t.Errorf("left to revoke: %+v", f.Revoking)
		}
	})
}

func TestRevokeTheCurrentVersion(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		v := s.issueKey(id, "k1")
		wantKind(t, w.Scope(w.Acme).Revoke(s.ctx, id, v, outAtOnce, "other.example"), tenants.Invalid)
		check(t, s.revoke(id, v, oldOne))
		if c := s.view(w.Acme, id).Certificate; c.RenewNow.IsZero() || !c.Compromised.IsZero() {
			t.Errorf("certificate %+v", c)
		}
		check(t, s.revoke(id, v, outAtOnce)) // asked for again, sooner
		if r := s.revocation(w.Acme, id, 1); r.At.IsZero() || r.At.After(w.Clock.Now()) {
			t.Errorf("revocation %+v", r)
		}
		check(t, s.sys.SaveRevocationTry(s.ctx, v, tenants.Finding{Code: tenants.CASilent}, w.Clock.Now().Add(time.Minute)))
		check(t, s.sys.SaveRevocationTry(s.ctx, v, tenants.Finding{Code: tenants.CASilent}, w.Clock.Now().Add(time.Hour)))
		if r := s.revocation(w.Acme, id, 1); r.Tries != 2 || r.Finding.Code != tenants.CASilent || r.Next.IsZero() {
			t.Errorf("revocation %+v", r)
		}
		failures := 0
		for _, e := range s.view(w.Acme, id).Entries {
			if e.Action == tenants.DidFailRevoke {
				failures++
			}
		}
		if failures != 1 {
			t.Errorf("%d entries for one cause", failures)
		}
		check(t, s.sys.SaveRevoked(s.ctx, v, tenants.RevokeSuperseded))
		if c := s.view(w.Acme, id).Certificate; c.Revoked.IsZero() {
			t.Error("nobody knows that the current version is revoked")
		}
		wantKind(t, s.revoke(id, v, outAtOnce), tenants.Conflict)
		s.issueKey(id, "k2")
		if c := s.view(w.Acme, id).Certificate; !c.Revoked.IsZero() || !c.RenewNow.IsZero() {
			t.Errorf("the new version inherits it: %+v", c)
		}
	})
}

func TestRevokedByTheAuthority(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id := s.register(w.Acme, "shop.example")
		check(t, s.revoke(id, s.issueKey(id, "k1"), theyDid))
		if f := s.begin(id); f.Certificate.Revoked.IsZero() || len(f.Revoking) != 0 {
			t.Errorf("facts: revoked %v, to revoke %d", f.Certificate.Revoked, len(f.Revoking))
		}
	})
}

func TestWhatCannotBeRevoked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		id, other := s.register(w.Acme, "shop.example"), s.register(w.Acme, "other.example")
		old, foreign := s.issueKey(id, "k1"), s.issueKey(other, "k9")
		s.issueKey(id, "k1")
		wantKind(t, s.revoke(id, foreign, outAtOnce), tenants.NotFound) // of another domain of the same tenant
		wantKind(t, s.revoke(id, old, leaked1h), tenants.Conflict)      // its key is in use
		check(t, s.revoke(id, old, oldOne))
		if r := s.revocation(w.Acme, id, 1); r.At.IsZero() {
			t.Error("an older version waits for a successor that is there")
		}
		w.Clock.Advance(91 * 24 * time.Hour)
		wantKind(t, s.revoke(id, old, outAtOnce), tenants.Conflict) // over
		check(t, w.Scope(w.Acme).Release(s.ctx, other, "other.example"))
		wantKind(t, w.Scope(w.Acme).Revoke(s.ctx, other, foreign, outAtOnce, "other.example"), tenants.Conflict)
	})
}

// What the authority refuses to revoke reaches the operator, until it is revoked or has ended; what it only did not answer does not.
func TestRefusedRevocationsOnTheOverview(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		ask := func(name string, code tenants.Code) tenants.VersionID {
			id := s.register(w.Acme, name)
			v := s.issue(id, 30*days)
			check(t, w.Scope(w.Acme).Revoke(s.ctx, id, v, tenants.RevocationRequest{Way: tenants.RevokeAtOnce, Reason: tenants.RevokeSuperseded}, name))
			if code != "" {
				check(t, s.sys.SaveRevocationTry(s.ctx, v, tenants.Finding{Code: code, Raw: `{"Code":"x"}`}, w.Clock.Now().Add(time.Hour)))
			}
			w.Clock.Advance(time.Minute)
			return v
		}
		first := ask("first.example", tenants.RevocationRefused)
		ask("silent.example", tenants.CASilent)
		ask("fresh.example", "")
		for n := range 11 {
			ask(name(n), tenants.RevocationRefused)
		}
		o := s.overview(time.Hour)
		if o.Refusals != 12 || len(o.Refused) != 10 {
			t.Fatalf("%d refused, %d shown", o.Refusals, len(o.Refused))
		}
		if r := o.Refused[0]; r.Name != "first.example" || r.Number != 1 || r.Tenant.Slug != w.Acme.Slug || r.Asked.IsZero() || r.Next.Sub(r.Asked).Round(time.Minute) != time.Hour {
			t.Errorf("first: %+v", r)
		}
		check(t, s.sys.SaveRevoked(s.ctx, first, tenants.RevokeSuperseded))
		if o := s.overview(time.Hour); o.Refusals != 11 || o.Refused[0].Name == "first.example" {
			t.Errorf("after the first was revoked: %d, %+v", o.Refusals, o.Refused[0])
		}
		w.Clock.Advance(31 * days)
		if o := s.overview(time.Hour); o.Refusals != 0 || len(o.Refused) != 0 {
			t.Errorf("of versions that have ended, %d are refused", o.Refusals)
		}
	})
}
