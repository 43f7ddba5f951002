package store_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

func TestLoginIsGoodOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		login := store.Login{StateHash: sha256.Sum256([]byte("state")), CookieHash: sha256.Sum256([]byte("cookie")), Nonce: "nonce",
			Verifier: tenants.NewSecret([]byte("verifier")), ReturnTo: "/t/acme"}
		check(t, s.sys.CreateLogin(s.ctx, login))
		got := must[store.Login](t)(s.sys.TakeLogin(s.ctx, login.StateHash))
		if got.CookieHash != login.CookieHash || got.Nonce != "nonce" || string(got.Verifier.Reveal()) != "verifier" || got.ReturnTo != "/t/acme" {
			t.Errorf("login: %+v", got)
		}
		_, err := s.sys.TakeLogin(s.ctx, login.StateHash)
		wantKind(t, err, tenants.Unauthenticated)
		check(t, s.sys.CreateLogin(s.ctx, login))
		w.Clock.Advance(11 * time.Minute)
		_, err = s.sys.TakeLogin(s.ctx, login.StateHash)
		wantKind(t, err, tenants.Unauthenticated)
	})
}

func person(groups ...string) store.Identity {
	return store.Identity{Issuer: "https://login.example", Subject: "sub-1", Email: "ops@acme.example", Name: "Ops", Groups: groups,
		OIDCSession: "sid-1", IDToken: tenants.NewSecret([]byte("id.token")), Address: "198.51.100.7", RequestID: "req_1"}
}

func TestSession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		token, ms, err := s.sys.SignIn(s.ctx, person("acme-viewer", "acme-admin", "other"))
		check(t, err)
		if len(ms) != 1 || ms[0].Role != tenants.Admin || ms[0].Tenant.Slug != "acme" {
			t.Fatalf("memberships: %+v", ms)
		}
		got := must[store.Session](t)(s.sys.Session(s.ctx, token))
		if got.Email != "ops@acme.example" || got.Actor.Subject != "sub-1" || got.Actor.Kind != tenants.Person || len(got.Memberships) != 1 ||
			string(got.IDToken.Reveal()) != "id.token" {
			t.Errorf("session: %+v", got)
		}
		if e := s.lastEntry(w.Acme); e.Action != tenants.DidSignIn || e.Text != "signed in from 198.51.100.7." {
			t.Errorf("entry: %+v", e)
		}
		for range 5 {
			w.Clock.Advance(time.Hour) // each request keeps it alive
			must[store.Session](t)(s.sys.Session(s.ctx, token))
		}
		w.Clock.Advance(2*time.Hour + time.Second)
		_, err = s.sys.Session(s.ctx, token)
		wantKind(t, err, tenants.Unauthenticated)
		for _, bad := range []tenants.Secret{{}, tenants.NewSecret([]byte("x"))} {
			_, err = s.sys.Session(s.ctx, bad)
			wantKind(t, err, tenants.Unauthenticated)
		}
	})
}

func TestSessionEnds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		signIn := func() tenants.Secret {
			token, _, err := s.sys.SignIn(s.ctx, person("acme-viewer"))
			check(t, err)
			return token
		}
		long := signIn()
		for range 12 {
			w.Clock.Advance(59 * time.Minute)
			must[store.Session](t)(s.sys.Session(s.ctx, long))
		}
		w.Clock.Advance(13 * time.Minute)
		_, err := s.sys.Session(s.ctx, long)
		wantKind(t, err, tenants.Unauthenticated) // twelve hours, whatever happens

		a, b := signIn(), signIn()
		check(t, s.sys.EndSession(s.ctx, a, w.Actor(w.Acme, tenants.Viewer)))
		check(t, s.sys.EndSession(s.ctx, a, w.Actor(w.Acme, tenants.Viewer)))
		_, err = s.sys.Session(s.ctx, a)
		wantKind(t, err, tenants.Unauthenticated)
		must[store.Session](t)(s.sys.Session(s.ctx, b))
		for _, c := range []struct {
			subject, sid string
			want         int
		}{{"", "", 0}, {"sub-2", "", 0}, {"sub-1", "sid-2", 0}, {"", "sid-1", 2}, {"sub-1", "", 0}} {
			if n := must[int](t)(s.sys.EndSessionsOf(s.ctx, "https://login.example", c.subject, c.sid)); n != c.want {
				t.Errorf("%+v ended %d", c, n)
			}
		}
		_, err = s.sys.Session(s.ctx, b)
		wantKind(t, err, tenants.Unauthenticated)
		check(t, s.sys.Sweep(s.ctx))
	})
}

// A group that loses its role loses it for those who are signed in too, at once.
func TestRemovedGroupLosesAccess(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		token, _, err := s.sys.SignIn(s.ctx, person("acme-admin", "northwind-viewer"))
		check(t, err)
		check(t, w.Platform().SaveTenant(s.ctx, w.Acme.ID, store.TenantInput{Name: "Acme Retail", Groups: []store.GroupInput{{Claim: "acme-viewer", Role: tenants.Viewer}}}))
		got := must[store.Session](t)(s.sys.Session(s.ctx, token))
		if len(got.Memberships) != 1 || got.Memberships[0].Tenant.ID != w.Northwind.ID {
			t.Errorf("memberships: %+v", got.Memberships)
		}
	})
}

func TestNobodyIsTurnedAway(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		_, _, err := s.sys.SignIn(s.ctx, person("strangers"))
		wantKind(t, err, tenants.Denied)
		p := must[store.EntryPage](t)(w.Platform().Entries(s.ctx, store.EntryFilter{What: string(tenants.DidSignInDenied)}))
		if p.Total != 1 || p.Entries[0].Outcome != tenants.Refused || p.Entries[0].Actor.Name != "ops@acme.example" {
			t.Errorf("entries: %+v", p.Entries)
		}
		boss := person()
		boss.Platform = tenants.Operator
		token, ms, err := s.sys.SignIn(s.ctx, boss)
		check(t, err)
		if got := must[store.Session](t)(s.sys.Session(s.ctx, token)); len(ms) != 0 || got.Platform != tenants.Operator || got.Actor.Platform != tenants.Operator {
			t.Errorf("session: %+v", got)
		}
	})
}
