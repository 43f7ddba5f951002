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
// renews within days, plans follow the new rule, and orders that wait for an authority's budget leave one that may not be
// asked any more. Invalid, with a sentence for the field of
// the issuer (tenants.IssuerField), when it lists one that is not in use.
func (s *Scope) SavePolicy(ctx context.Context, p tenants.Policy) error {
	if err := s.db.may(ctx, s.actor, tenants.ChangePolicy, ""); err != nil {
		return err
	}
	return s.db.write(ctx, func(t *tx) error {
		var was tenants.Policy
		if err := t.one(`select policy from tenants where id = $1`+t.db.engine.lock, []any{s.actor.Tenant}, doc(&was)); err != nil {
			return orAbsent(err, "tenant")
		}
		all, err := t.authorities()
		if err != nil {
			return err
		}
		if err := knownIssuers(all, p.Issuers); err != nil {
			return err
		}
		changes := tenants.PolicyChanges(was, p, namesOf(all))
		if len(changes) == 0 {
			return errUnchanged
		}
		t.record(s.actor, tenants.DidChangePolicy, string(s.actor.Tenant), "", "changed the policy for certificates.", changes...)
		if _, err := t.exec(`update tenants set policy = $2, policy_at = $3 where id = $1`, s.actor.Tenant, enc(p), us(t.now)); err != nil {
			return err
		}
		if !slices.Equal(was.Issuers, p.Issuers) {
			if _, err := t.exec(reconsiderSQL, s.actor.Tenant, us(t.now)); err != nil {
				return fmt.Errorf("reconsider what waits: %w", err)
			}
		}
		return t.lookAtAll(s.actor.Tenant)
	})
}

// Orders that wait for an authority's budget may have to leave it, or need not wait at another.
const reconsiderSQL = `
update agenda set next_action_at = $2 where tenant_id = $1 and awaiting_budget <> '' and next_action_at > $2 and lease_owner = ''`

// knownIssuers refuses a policy that lists an issuer that is not in use.
func knownIssuers(all []Authority, ids []tenants.IssuerID) error {
	wrong := map[string]string{}
	for n, id := range ids {
		known := slices.ContainsFunc(all, func(a Authority) bool { return a.ID == id && !a.Retired })
		if !known || slices.Contains(ids[:n], id) {
			wrong[tenants.IssuerField(n)] = "This authority takes no orders any more, or stands there twice. Choose another one."
		}
	}
	return faults(wrong)
}

func namesOf(all []Authority) map[tenants.IssuerID]string {
	names := map[tenants.IssuerID]string{}
	for _, a := range all {
		names[a.ID] = a.Name
	}
	return names
}

// IssuerChoice is an issuer that a policy may list.
type IssuerChoice struct {
	ID      tenants.IssuerID
	Name    string
	Default bool // where certificates come from when the policy lists none
	Retired bool // it takes no orders: only a policy from before lists it
}

// PolicyIssuers lists the issuers that a policy may list, in the operator's order of preference.
func (s *Scope) PolicyIssuers(ctx context.Context) (choices []IssuerChoice, err error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, ""); err != nil {
		return nil, err
	}
	q := s.db.read(ctx)
	all, err := q.authorities()
	for _, a := range all {
		choices = append(choices, IssuerChoice{ID: a.ID, Name: a.Name, Default: a.Directory == q.home, Retired: a.Retired})
	}
	return choices, err
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
