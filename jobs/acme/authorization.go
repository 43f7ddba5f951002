package acme

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"perennial/tenants"
)

// Authorization is the authority's question for one name (RFC 8555, section 7.1.4).
type Authorization struct {
	URL        string
	Status     Status // Pending, Valid, Invalid, Deactivated, Expired or Revoked
	Name       string // without "*."
	Wildcard   bool
	Challenge  DNS01         // always set while Pending
	RetryAfter time.Duration // when to ask again; zero: the authority named no time
}

// DNS01 is the challenge that a TXT record answers (RFC 8555, section 8.4).
type DNS01 struct {
	URL    string
	Status Status   // Pending, Processing, Valid or Invalid
	Value  string   // of the TXT record
	Error  *Problem // why it is Invalid, if the authority says so
}

// Authorization asks how an authorization stands. Whether its Name is one that was ordered is for the caller to
// check before anything is written for it.
func (c *Client) Authorization(ctx context.Context, a Account, url string) (z Authorization, err error) {
	header, err := c.do(ctx, a, maxBody, func(core *api.Core) error {
		got, err := core.Authorizations.Get(url)
		if err != nil {
			return err
		}
		z, err = c.readAuthorization(core, url, got)
		return err
	})
	z.RetryAfter = retryAfter(header, c.config.Now())
	return z, err
}

// Answer tells the authority that the TXT record is there. Told twice, some authorities refuse: ask for the
// Authorization first, it tells whether the first time arrived.
func (c *Client) Answer(ctx context.Context, a Account, challengeURL string) error {
	_, err := c.do(ctx, a, maxBody, func(core *api.Core) error {
		_, err := core.Challenges.New(challengeURL)
		return err
	})
	return err
}

// Deactivate gives an authorization up, so that no later order can rest on it (RFC 8555, section 7.5.2). One that
// has ended already, or is forgotten, is given up too.
func (c *Client) Deactivate(ctx context.Context, a Account, authzURL string) error {
	_, err := c.do(ctx, a, maxBody, func(core *api.Core) error {
		return core.Authorizations.Deactivate(authzURL)
	})
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Status < 400 || p.Status >= 500 || p.Code == tenants.CARateLimited {
		return err
	}
	// Authorities refuse this for authorizations that are neither pending nor valid; look which it is.
	z, lookErr := c.Authorization(ctx, a, authzURL)
	if isGone(lookErr) || lookErr == nil && z.Status != Pending && z.Status != Valid {
		return nil
	}
	return err
}

var (
	authzStatuses     = []Status{Pending, Valid, Invalid, Deactivated, Expired, Revoked}
	challengeStatuses = []Status{Pending, Processing, Valid, Invalid}
)

func (c *Client) readAuthorization(core *api.Core, url string, got acme.Authorization) (Authorization, error) {
	name := strings.ToLower(got.Identifier.Value)
	base, starred := strings.CutPrefix(name, "*.")
	z := Authorization{URL: url, Status: Status(got.Status), Name: base, Wildcard: got.Wildcard || starred}
	switch {
	case !slices.Contains(authzStatuses, z.Status):
		return Authorization{}, brokenf("The authorization has the unknown status %q.", got.Status)
	case got.Identifier.Type != "dns" || base == "" || len(base) > 255:
		return Authorization{}, brokenf("The authorization is not for a DNS name: %s %s", got.Identifier.Type, name)
	case len(got.Challenges) > maxNames:
		return Authorization{}, brokenf("The authorization has more than %d challenges.", maxNames)
	}
	for _, challenge := range got.Challenges {
		if challenge.Type == "dns-01" {
			var err error
			z.Challenge, err = c.readChallenge(core, challenge)
			return z, err
		}
	}
	if z.Status == Pending {
		return Authorization{}, brokenf("The authority offers no DNS-01 challenge for %s.", base)
	}
	return z, nil
}

func (c *Client) readChallenge(core *api.Core, got acme.Challenge) (DNS01, error) {
	if err := c.checkURL("the challenge", got.URL); err != nil {
		return DNS01{}, err
	}
	if !slices.Contains(challengeStatuses, Status(got.Status)) {
		return DNS01{}, brokenf("The challenge has the unknown status %q.", got.Status)
	}
	if got.Token == "" || len(got.Token) > 512 || strings.Trim(got.Token, base64url) != "" {
		return DNS01{}, brokenf("The challenge has no usable token.")
	}
	proof, err := core.GetKeyAuthorization(got.Token)
	if err != nil {
		return DNS01{}, err
	}
	sum := sha256.Sum256([]byte(proof))
	return DNS01{
		URL: got.URL, Status: Status(got.Status),
		Value: base64.RawURLEncoding.EncodeToString(sum[:]), Error: problemOf(got.Error),
	}, nil
}
