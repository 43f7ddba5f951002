package acme

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"perennial/tenants"
)

// Status is the state of an order, an authorization or a challenge at the authority (RFC 8555, section 7.1.6).
type Status string

const (
	Pending     Status = "pending"
	Ready       Status = "ready"
	Processing  Status = "processing"
	Valid       Status = "valid"
	Invalid     Status = "invalid"
	Deactivated Status = "deactivated"
	Expired     Status = "expired"
	Revoked     Status = "revoked"
)

// maxNames bounds every list that the authority sends. Let's Encrypt allows 100 names in a certificate.
const maxNames = 100

// OrderRequest is what is asked for.
type OrderRequest struct {
	Names    []string // canonical, A-labels; may begin with "*."
	Profile  string   // empty: the authority's default
	Replaces string   // ARI certificate id of the certificate to be replaced (RFC 9773, section 5); empty: none
}

// Order is an order as the authority sees it (RFC 8555, section 7.1.3). Its URLs lie on the directory's server.
type Order struct {
	URL            string // where to ask again; empty after Finalize when the authority does not repeat it
	Status         Status // Pending, Ready, Processing, Valid or Invalid
	Names          []string
	Profile        string
	Replaces       string // as accepted: only with it does the order count as a renewal; set by NewOrder
	Finalize       string
	Certificate    string // set when Valid
	Authorizations []string
	Expires        time.Time     // zero: unknown
	RetryAfter     time.Duration // when to ask again while Processing; zero: the authority named no time
	Error          *Problem      // why it is Invalid, if the authority says so
}

// NewOrder places an order. When the authority refuses Replaces, the order is placed without it: a renewal must
// not fail because its predecessor is unknown there, or has been replaced.
func (c *Client) NewOrder(ctx context.Context, a Account, r OrderRequest) (Order, error) {
	if err := c.checkProfile(ctx, r.Profile); err != nil {
		return Order{}, err
	}
	o, err := c.newOrder(ctx, a, r)
	if p, ok := errors.AsType[*Problem](err); ok && r.Replaces != "" && refusesReplaces(p) {
		r.Replaces = ""
		if o, err = c.newOrder(ctx, a, r); errors.As(err, &p) {
			p.Unreplaced = true
		}
	}
	return o, err
}

func refusesReplaces(p *Problem) bool {
	switch p.Kind() {
	case "alreadyReplaced", "malformed", "unauthorized":
		return true
	}
	return p.Status == http.StatusNotFound || p.Status == http.StatusConflict
}

// checkProfile names a wrong profile together with the right ones, which authorities do not.
func (c *Client) checkProfile(ctx context.Context, profile string) error {
	dir, err := c.directory(ctx)
	if err != nil {
		return err
	}
	if _, known := dir.Meta.Profiles[profile]; known || profile == "" {
		return nil
	}
	offered := slices.Sorted(maps.Keys(dir.Meta.Profiles))
	p := brokenf("The authority does not offer the profile %q; it offers %q.", profile, offered)
	p.Code, p.Type = tenants.CAProfile, errorNamespace+"invalidProfile"
	return p
}

func (c *Client) newOrder(ctx context.Context, a Account, r OrderRequest) (o Order, err error) {
	_, err = c.do(ctx, a, maxBody, func(core *api.Core) error {
		got, err := core.Orders.NewWithOptions(r.Names, &api.OrderOptions{Profile: r.Profile, ReplacesCertID: r.Replaces})
		if err != nil {
			return err
		}
		if err := c.checkURL("the order", got.Location); err != nil {
			return err
		}
		o, err = c.readOrder(got.Location, got.Order)
		if core.GetDirectory().RenewalInfo != "" {
			o.Replaces = r.Replaces
		}
		return err
	})
	return o, err
}

// Order asks how an order stands.
func (c *Client) Order(ctx context.Context, a Account, url string) (o Order, err error) {
	header, err := c.do(ctx, a, maxBody, func(core *api.Core) error {
		got, err := core.Orders.Get(url)
		if err != nil {
			return err
		}
		o, err = c.readOrder(url, got.Order)
		return err
	})
	o.RetryAfter = retryAfter(header, c.config.Now())
	return o, err
}

// Finalize sends the CSR (RFC 8555, section 7.4). Sent a second time after a crash, it is refused with Kind
// "orderNotReady": ask for the Order first, it tells whether the CSR arrived.
func (c *Client) Finalize(ctx context.Context, a Account, finalizeURL string, csrDER []byte) (o Order, err error) {
	header, err := c.do(ctx, a, maxBody, func(core *api.Core) error {
		got, err := core.Orders.UpdateForCSR(finalizeURL, csrDER)
		if err != nil {
			return finalizeError(err)
		}
		o, err = c.readOrder("", got.Order)
		return err
	})
	if p, ok := errors.AsType[*Problem](err); ok && p.Kind() == "unauthorized" {
		ours := *p
		ours.Code, err = tenants.ChallengeInvalid, &ours // an authorization ran out, or the CSR asks for other names
	}
	if url := header.Get("Location"); url != "" && c.checkURL("the order", url) == nil {
		o.URL = url
	}
	o.RetryAfter = retryAfter(header, c.config.Now())
	return o, err
}

// finalizeError puts lego's words for an order that the CSR made invalid into a Problem.
func finalizeError(err error) error {
	if d, ok := errors.AsType[*acme.ProblemDetails](err); ok {
		return problemOf(d)
	}
	if strings.HasPrefix(err.Error(), "invalid order") {
		return brokenf("The order became invalid when the CSR was sent, and the authority does not say why.")
	}
	return err
}

// Certificate fetches the chain of a valid order. It is not to be trusted before [CheckChain] has agreed.
func (c *Client) Certificate(ctx context.Context, a Account, url string) (chainPEM []byte, err error) {
	_, err = c.do(ctx, a, maxChain, func(core *api.Core) error {
		chainPEM, _, err = core.Certificates.Get(url, true)
		return err
	})
	return chainPEM, err
}

var orderStatuses = []Status{Pending, Ready, Processing, Valid, Invalid}

// readOrder accepts what the authority says of an order, or refuses it as broken.
func (c *Client) readOrder(url string, got acme.Order) (Order, error) {
	o := Order{
		URL: url, Status: Status(got.Status), Profile: clean(got.Profile, 100), Finalize: got.Finalize,
		Certificate: got.Certificate, Authorizations: got.Authorizations, Error: problemOf(got.Error),
	}
	if !slices.Contains(orderStatuses, o.Status) {
		return Order{}, brokenf("The order has the unknown status %q.", got.Status)
	}
	if len(got.Identifiers) > maxNames || len(got.Authorizations) > maxNames {
		return Order{}, brokenf("The order has more than %d names or authorizations.", maxNames)
	}
	for _, id := range got.Identifiers {
		if id.Type != "dns" || len(id.Value) > 255 {
			return Order{}, brokenf("The order is for something that is not a DNS name: %s %s", id.Type, id.Value)
		}
		o.Names = append(o.Names, strings.ToLower(id.Value))
	}
	if got.Expires != "" {
		at, err := time.Parse(time.RFC3339, got.Expires)
		if err != nil {
			return Order{}, brokenf("The order's expiry is not a time: %q", got.Expires)
		}
		o.Expires = at.UTC()
	}
	return o, c.checkOrderURLs(o)
}

func (c *Client) checkOrderURLs(o Order) error {
	for _, url := range o.Authorizations {
		if err := c.checkURL("an authorization", url); err != nil {
			return err
		}
	}
	if o.Finalize != "" || o.Status == Pending || o.Status == Ready {
		if err := c.checkURL("finalize", o.Finalize); err != nil {
			return err
		}
	}
	if o.Certificate != "" || o.Status == Valid {
		if err := c.checkURL("the certificate", o.Certificate); err != nil {
			return err
		}
	}
	if o.Status == Pending && len(o.Authorizations) == 0 {
		return brokenf("The order waits for authorizations but lists none.")
	}
	return nil
}
