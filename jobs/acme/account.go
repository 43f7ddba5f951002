package acme

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"perennial/tenants"
)

// Register makes the account of key, or finds it: for a key that the authority knows, newAccount answers with
// the account that exists (RFC 8555, section 7.3), so the step can be repeated after a crash. It agrees to the
// authority's terms of service.
func (c *Client) Register(ctx context.Context, key crypto.Signer) (url string, err error) {
	request := acme.Account{TermsOfServiceAgreed: true, Contact: contacts(c.config.Contact)}
	secret, err := c.eabKey()
	if err != nil {
		return "", err
	}
	_, err = c.do(ctx, Account{Key: key}, maxBody, func(core *api.Core) error {
		got, err := register(core, request, c.config.EABKeyID, secret)
		if err != nil {
			return err
		}
		switch got.Status {
		case "", acme.StatusValid:
		case acme.StatusDeactivated, acme.StatusRevoked:
			return &Problem{Code: tenants.CAAccount, Detail: "The account is " + got.Status + "."}
		default:
			return brokenf("The account has the unknown status %q.", got.Status)
		}
		url = got.Location
		return c.checkURL("the account", url)
	})
	if err != nil {
		return "", err
	}
	return url, nil
}

func register(core *api.Core, request acme.Account, id, secret string) (acme.ExtendedAccount, error) {
	if id == "" {
		return core.Accounts.New(request)
	}
	return core.Accounts.NewEAB(request, id, secret)
}

// eabKey checks the key here, so that a typing error is named instead of refused by the authority.
func (c *Client) eabKey() (string, error) {
	if c.config.EABKeyID == "" {
		return "", nil
	}
	key := strings.TrimRight(strings.TrimSpace(string(c.config.EABKey.Reveal())), "=")
	raw, err := base64.RawURLEncoding.DecodeString(key)
	switch {
	case err != nil:
		return "", &Problem{Code: tenants.CAAccount, Detail: "The key of the external account binding is not base64url text."}
	case len(raw) < sha256.Size: // RFC 7518, section 3.2
		return "", &Problem{Code: tenants.CAAccount, Detail: "The key of the external account binding is shorter than 32 bytes."}
	}
	return key, nil
}

func contacts(given []string) []string {
	urls := make([]string, 0, len(given))
	for _, contact := range given {
		if !strings.Contains(contact, ":") {
			contact = "mailto:" + contact
		}
		urls = append(urls, contact)
	}
	return urls
}
