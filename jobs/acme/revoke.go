package acme

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"perennial/tenants"
)

// Kinds of [Problem] that matter to whoever revokes.
const (
	alreadyRevoked      = "alreadyRevoked"
	BadRevocationReason = "badRevocationReason" // the authority revokes, but not for this reason
)

// Revoke tells the authority that a certificate (DER) is not to be trusted any more, and why (RFC 5280, section 5.3.1;
// 0 is sent as no reason at all). The request is signed by the account that ordered the certificate (RFC 8555, section
// 7.6). One that is revoked already is no error, so that the step can be repeated after a crash.
//
// A refusal has the code [tenants.RevocationRefused], unless it is about the account itself.
func (c *Client) Revoke(ctx context.Context, a Account, certDER []byte, reason uint) error {
	message := acme.RevokeCertMessage{Certificate: base64.RawURLEncoding.EncodeToString(certDER)}
	if reason != 0 {
		message.Reason = &reason
	}
	_, err := c.do(ctx, a, maxBody, func(core *api.Core) error { return core.Certificates.Revoke(message) })
	p, ok := errors.AsType[*Problem](err)
	switch {
	case !ok || p.Status < http.StatusBadRequest || p.Status >= http.StatusInternalServerError:
		return err
	case p.Kind() == alreadyRevoked:
		return nil
	case p.Code == tenants.CABroken || p.Kind() == "unauthorized": // it does not know the certificate, or not as ours
		p.Code = tenants.RevocationRefused
	}
	return err
}
