package acme_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
	"perennial/jobs/acme"
	"perennial/tenants"
)

// world is a real authority (Pebble, with its bad nonces left on) and the DNS that it asks.
type world struct {
	*devca.CA
	dns     *devdns.Server
	config  acme.Config
	account acme.Account
}

func newWorld(t *testing.T, change func(*devca.Config)) *world {
	t.Helper()
	dns := must[*devdns.Server](t)(devdns.Start(t.Context(), devdns.Config{Zones: []devdns.Zone{{Apex: "acme.example"}}}))
	config := devca.Config{Resolver: dns.Addr, AuthzReuse: -1}
	if change != nil {
		change(&config)
	}
	w := &world{CA: must[*devca.CA](t)(devca.Start(t.Context(), config)), dns: dns}
	t.Cleanup(func() { errors.Join(w.Close(), dns.Close()) })
	w.config = acme.Config{
		Directory: w.Directory, Roots: w.Roots(), UserAgent: "perennial-test", Contact: []string{"ops@acme.example"},
		Timeout: 10 * time.Second,
	}
	w.account.Key = newKey(t)
	return w
}

func (w *world) registered(t *testing.T) *world {
	t.Helper()
	w.account.URL = must[string](t)(w.client().Register(t.Context(), w.account.Key))
	return w
}

func (w *world) client() *acme.Client { return acme.New(w.config) }

// saved is what an engine would have in its database about one attempt.
type saved struct {
	request acme.OrderRequest
	key     *ecdsa.PrivateKey
	placing time.Time // saved before the order is placed
	order   acme.Order
	polls   int // requests that only waited
	version tenants.Version
}

func (w *world) attempt(t *testing.T, names ...string) *saved {
	return &saved{request: acme.OrderRequest{Names: names}, key: newKey(t)}
}

// issue takes an attempt to its end. Every request's outcome is saved before the next, so that calling it again
// after an error is what a restart does.
func (w *world) issue(ctx context.Context, c *acme.Client, s *saved) (err error) {
	if s.order.URL == "" {
		if err := w.place(ctx, c, s); err != nil {
			return err
		}
	} else if s.order, err = c.Order(ctx, w.account, s.order.URL); err != nil {
		return err
	}
	if s.order.Status == acme.Pending {
		if err := w.prove(ctx, c, s); err != nil {
			return err
		}
		s.order.Status = acme.Ready
	}
	if s.order.Status == acme.Ready {
		csr, err := acme.CSR(s.key, s.request.Names)
		if err != nil {
			return err
		}
		if _, err := c.Finalize(ctx, w.account, s.order.Finalize, csr); err != nil {
			return err
		}
	}
	return w.collect(ctx, c, s)
}

func (w *world) place(ctx context.Context, c *acme.Client, s *saved) (err error) {
	if !s.placing.IsZero() {
		found := false
		if s.order, found, err = c.FindOrder(ctx, w.account, acme.LostOrder{Names: s.request.Names, Since: s.placing}); err != nil || found {
			return err
		}
	}
	s.placing = time.Now()
	s.order, err = c.NewOrder(ctx, w.account, s.request)
	return err
}

func (w *world) prove(ctx context.Context, c *acme.Client, s *saved) error {
	for _, url := range s.order.Authorizations {
		z, err := c.Authorization(ctx, w.account, url)
		if err != nil {
			return err
		}
		if z.Status == acme.Pending && z.Challenge.Status == acme.Pending {
			if err := w.dns.Add("_acme-challenge."+z.Name, "TXT", z.Challenge.Value); err != nil {
				return err
			}
			if err := c.Answer(ctx, w.account, z.Challenge.URL); err != nil {
				return err
			}
		}
		if z, err = w.settled(ctx, c, s, z); err != nil {
			return err
		}
		if z.Status != acme.Valid {
			return fmt.Errorf("authorization %s: %w", z.Status, z.Challenge.Error)
		}
	}
	return nil
}

func (w *world) settled(ctx context.Context, c *acme.Client, s *saved, z acme.Authorization) (_ acme.Authorization, err error) {
	for first := true; z.Status == acme.Pending; first = false {
		if !first {
			s.polls++
		}
		if z, err = c.Authorization(ctx, w.account, z.URL); err != nil {
			return z, err
		}
	}
	return z, nil
}

func (w *world) collect(ctx context.Context, c *acme.Client, s *saved) (err error) {
	for s.order.Status != acme.Valid {
		if s.order.Status == acme.Processing {
			s.polls++
		}
		if s.order, err = c.Order(ctx, w.account, s.order.URL); err != nil {
			return err
		}
		if s.order.Status == acme.Invalid {
			return fmt.Errorf("order: %w", s.order.Error)
		}
	}
	chain, err := c.Certificate(ctx, w.account, s.order.Certificate)
	if err != nil {
		return err
	}
	s.version, err = acme.CheckChain(chain, s.key.Public(), s.request.Names, time.Now())
	return err
}

func (w *world) mustIssue(t *testing.T, s *saved) tenants.Version {
	t.Helper()
	if err := w.issue(t.Context(), w.client(), s); err != nil {
		t.Fatal(err)
	}
	return s.version
}

func TestIssue(t *testing.T) {
	profiles := map[string]time.Duration{"short": 10 * time.Minute, "long": time.Hour}
	w := newWorld(t, func(c *devca.Config) { c.Profiles = profiles }).registered(t)
	for profile, life := range profiles {
		s := w.attempt(t, "shop.acme.example", "*.shop.acme.example")
		s.request.Profile = profile
		v := w.mustIssue(t, s)
		if got := v.Lifetime().Round(time.Minute); got != life || s.order.Profile != profile {
			t.Errorf("profile %s: %s, %s", profile, got, s.order.Profile)
		}
		if strings.Join(v.Names, " ") != "*.shop.acme.example shop.acme.example" || v.KeyType != tenants.P256 {
			t.Errorf("%+v", v)
		}
	}
	if url := must[string](t)(w.client().Register(t.Context(), w.account.Key)); url != w.account.URL {
		t.Errorf("registered twice: %s and %s", url, w.account.URL)
	}
	_, err := w.client().NewOrder(t.Context(), w.account, acme.OrderRequest{Names: []string{"a.acme.example"}, Profile: "none"})
	problem(t, err, tenants.CAProfile)
}

func TestExternalAccountBinding(t *testing.T) {
	secret := "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"
	w := newWorld(t, func(c *devca.Config) { c.EAB = map[string]string{"kid-1": secret} })
	_, err := w.client().Register(t.Context(), w.account.Key)
	problem(t, err, tenants.CAAccount)
	if !must[acme.Meta](t)(w.client().Meta(t.Context())).EABRequired {
		t.Error("EAB is required")
	}
	w.config.EABKeyID, w.config.EABKey = "kid-1", tenants.NewSecret([]byte(strings.Repeat("d3Jvbmc", 8)))
	_, err = w.client().Register(t.Context(), w.account.Key)
	problem(t, err, tenants.CAAccount)
	w.config.EABKey = tenants.NewSecret([]byte(" " + secret + "=\n"))
	w.registered(t).mustIssue(t, w.attempt(t, "eab.acme.example"))
}

func TestRenewal(t *testing.T) {
	w := newWorld(t, nil).registered(t)
	first := w.mustIssue(t, w.attempt(t, "shop.acme.example"))
	start := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	if err := w.SetRenewalInfo([]byte(first.Chain), start, start.Add(time.Hour), "https://ca.example/why"); err != nil {
		t.Fatal(err)
	}
	info := must[tenants.RenewalInfo](t)(w.client().RenewalInfo(t.Context(), first.ARICertID))
	if !info.Start.Equal(start) || info.Next.Sub(info.Fetched) != 6*time.Hour || info.ExplanationURL == "" {
		t.Errorf("%+v", info)
	}

	renewal := w.attempt(t, "shop.acme.example")
	renewal.request.Replaces = first.ARICertID
	placed := must[acme.Order](t)(w.client().NewOrder(t.Context(), w.account, renewal.request))
	if placed.Replaces != first.ARICertID {
		t.Errorf("replaces %q", placed.Replaces)
	}
	renewal.order = placed
	second := w.mustIssue(t, renewal)
	if second.Serial == first.Serial {
		t.Error("the same certificate")
	}
	// A renewal must not fail because its predecessor is unknown. (One that has been replaced already is tested
	// without Pebble, which marks it in the background and races with whoever asks.)
	third := acme.OrderRequest{Names: renewal.request.Names, Replaces: "YWI.AQI"}
	if o := must[acme.Order](t)(w.client().NewOrder(t.Context(), w.account, third)); o.Replaces != "" {
		t.Errorf("replaces %q", o.Replaces)
	}
	if err := w.SetRenewalInfoRaw([]byte(second.Chain), "{not JSON"); err != nil {
		t.Fatal(err)
	}
	_, err := w.client().RenewalInfo(t.Context(), second.ARICertID)
	problem(t, err, tenants.CABroken)
}

func TestWrongRecord(t *testing.T) {
	w := newWorld(t, nil).registered(t)
	c, s := w.client(), w.attempt(t, "wrong.acme.example")
	if err := w.place(t.Context(), c, s); err != nil {
		t.Fatal(err)
	}
	z := must[acme.Authorization](t)(c.Authorization(t.Context(), w.account, s.order.Authorizations[0]))
	if err := c.Answer(t.Context(), w.account, z.Challenge.URL); err != nil {
		t.Fatal(err)
	}
	z = must[acme.Authorization](t)(w.settled(t.Context(), c, s, z))
	if z.Status != acme.Invalid || z.Challenge.Status != acme.Invalid {
		t.Fatalf("%+v", z)
	}
	problem(t, z.Challenge.Error, tenants.ChallengeInvalid)
	s.order = must[acme.Order](t)(c.Order(t.Context(), w.account, s.order.URL))
	if s.order.Status != acme.Invalid {
		t.Errorf("%+v", s.order)
	}
	if err := c.Deactivate(t.Context(), w.account, z.URL); err != nil {
		t.Errorf("deactivate an invalid one: %v", err)
	}
}

// With the authority reusing authorizations, only deactivating them makes it ask for proof again.
func TestDeactivate(t *testing.T) {
	w := newWorld(t, func(c *devca.Config) { c.AuthzReuse = 100 }).registered(t)
	c, s := w.client(), w.attempt(t, "shop.acme.example")
	w.mustIssue(t, s)
	again := must[acme.Order](t)(c.NewOrder(t.Context(), w.account, s.request))
	if again.Status != acme.Ready {
		t.Fatalf("not reused: %+v", again)
	}
	for range 2 {
		if err := c.Deactivate(t.Context(), w.account, s.order.Authorizations[0]); err != nil {
			t.Fatal(err)
		}
	}
	again = must[acme.Order](t)(c.NewOrder(t.Context(), w.account, s.request))
	if again.Status != acme.Pending {
		t.Errorf("no proof is asked for: %+v", again)
	}
}

func TestUnknownAccount(t *testing.T) {
	w := newWorld(t, nil).registered(t)
	w.account.Key, w.account.URL = newKey(t), w.account.URL+"0"
	_, err := w.client().NewOrder(t.Context(), w.account, acme.OrderRequest{Names: []string{"a.acme.example"}})
	if p := problem(t, err, tenants.CAAccount); p.Kind() != "accountDoesNotExist" {
		t.Error(p)
	}
}

func TestForeignKeyInCertificate(t *testing.T) {
	w := newWorld(t, nil).registered(t)
	v := w.mustIssue(t, w.attempt(t, "shop.acme.example"))
	var other crypto.Signer = newKey(t)
	_, err := acme.CheckChain([]byte(v.Chain), other.Public(), v.Names, time.Now())
	problem(t, err, tenants.CABroken)
}
