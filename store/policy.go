package store

import (
	"context"
	"fmt"
	"slices"

	"perennial/tenants"
)

// Policy is what the tenant set for its certificates.
func (s *Scope) Policy(ctx context.Context) (tenants.Policy, error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, ""); err != nil {
		return tenants.Policy{}, err
	}
	var f tenants.Facts
	err := s.db.read(ctx).rules(s.actor.Tenant, &f)
	return f.Policy, err
}

// SavePolicy takes a policy into use. Every certificate of the tenant is looked at soon: what the policy no longer allows
// renews within days, and plans follow the new rule. Invalid, with a sentence for the field issuers, when it lists an issuer
// that is not in use.
func (s *Scope) SavePolicy(ctx context.Context, p tenants.Policy) error {
	if err := s.db.may(ctx, s.actor, tenants.ChangePolicy, ""); err != nil {
		return err
	}
	return s.db.write(ctx, func(t *tx) error {
		var was tenants.Policy
		if err := t.one(`select policy from tenants where id = $1`+t.db.engine.lock, []any{s.actor.Tenant}, doc(&was)); err != nil {
			return orAbsent(err, "tenant")
		}
		if err := t.knownIssuers(p.Issuers); err != nil {
			return err
		}
		changes := tenants.PolicyChanges(was, p)
		if len(changes) == 0 {
			return errUnchanged
		}
		t.record(s.actor, tenants.DidChangePolicy, string(s.actor.Tenant), "", "changed the policy for certificates.", changes...)
		if _, err := t.exec(`update tenants set policy = $2, policy_at = $3 where id = $1`, s.actor.Tenant, enc(p), us(t.now)); err != nil {
			return err
		}
		return t.lookAtAll(s.actor.Tenant)
	})
}

// knownIssuers refuses a policy that lists an issuer that is not in use.
func (t *tx) knownIssuers(ids []tenants.IssuerID) error {
	if len(ids) == 0 {
		return nil
	}
	all, err := t.authorities()
	if err != nil {
		return err
	}
	for n, id := range ids {
		known := slices.ContainsFunc(all, func(a Authority) bool { return a.ID == id && !a.Retired })
		if !known || slices.Contains(ids[:n], id) {
			return faults(map[string]string{"issuers": "An authority is listed twice, or is not one of the portal's any more. Choose each from the list once."})
		}
	}
	return nil
}

const lookAtAllSQL = `
update agenda set next_action_at = $2
where next_action_at > $2 and lease_owner = '' and awaiting_budget = ''
	and domain_id in (select d.id from domains d where d.tenant_id = $1 and d.released_at = 0 and d.has_version = 1)`

// lookAtAll makes every certificate of a tenant due. Whoever works on one reads the rules anew before the next act.
func (t *tx) lookAtAll(tenant tenants.TenantID) error {
	if _, err := t.exec(lookAtAllSQL, tenant, us(t.now)); err != nil {
		return fmt.Errorf("look at all domains: %w", err)
	}
	return nil
}
