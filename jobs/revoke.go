package jobs

import (
	"context"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// revoke tells the CA that a version is not to be trusted any more. That it is to be revoked was saved when a person asked,
// and a CA that is told twice says so, which is success: a crash before or after the call costs nothing. What the
// CA answers never ends the turn; when to try again is saved with the version, and what else is due goes on.
func (t *turn) revoke(ctx context.Context, id tenants.VersionID) error {
	i := slices.IndexFunc(t.facts.Revoking, func(v tenants.Version) bool { return v.ID == id })
	v := t.facts.Revoking[i]
	reason, err := t.tellRevocation(ctx, v)
	if err == nil {
		t.heard(ctx)
		return t.sys.SaveRevoked(ctx, v.ID, reason)
	}
	p := asProblem(err)
	if p == nil {
		return err
	}
	t.unheard(ctx, p)
	why := t.explain(p)
	next := time.Now().Add(tenants.RetryRevocation(v.Revocation.Tries+1, why, string(v.ID)))
	if p.Code == tenants.CAAccount {
		next = later(next, t.accountFault(ctx, v.Account, p))
	}
	return t.sys.SaveRevocationTry(ctx, v.ID, why, later(retryAt(p), next))
}

// tellRevocation returns the reason that the CA took. One that does not take the person's is told none: that the version
// goes matters more than why.
func (t *turn) tellRevocation(ctx context.Context, v tenants.Version) (tenants.RevocationReason, error) {
	block, _ := pem.Decode([]byte(v.Chain))
	if block == nil {
		return "", fmt.Errorf("revoke version %s: its chain is no PEM", v.ID)
	}
	reason := v.Revocation.Reason
	err := t.as(ctx, v.IssuerID, v.Account, func(account acme.Account) error {
		err := t.CA.Revoke(ctx, account, block.Bytes, reason.Code())
		if p := asProblem(err); p != nil && p.Kind() == acme.BadRevocationReason && reason.Code() != 0 {
			reason = tenants.RevokeUnspecified
			err = t.CA.Revoke(ctx, account, block.Bytes, reason.Code())
		}
		return err
	})
	return reason, err
}
