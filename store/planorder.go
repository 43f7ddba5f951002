package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"perennial/store/seal"
	"perennial/tenants"
)

// errSlowKey ends a transaction that would have to make a key for so long that nobody else could write meanwhile.
var errSlowKey = errors.New("the key takes too long for a transaction")

// spareKey is a key made outside of the transaction, for whoever may need one.
type spareKey struct {
	wanted tenants.KeyType // by the transaction that had to end for it
	kind   tenants.KeyType // of key
	key    tenants.Secret
}

// PlanOrder begins an order: it decides where the key comes from (tenants.Facts.NextKey), makes and seals it or takes over
// that of the current version, which keeps its own copy, and writes the row, in state planned. replaces is the ARI
// certificate id of the version to be replaced, or empty; an issuer that does not know it is not told of it. Conflict when an order is open, when the claim was never
// proved, when it is being given up, when a person has paused such renewals meanwhile, or when only the customer can bring
// the key.
func (s *System) PlanOrder(ctx context.Context, id tenants.DomainID, why tenants.Reason, replaces string) (order tenants.Order, err error) {
	var spare spareKey
	for range tries { // more than twice only if somebody changes the key type at the same moment
		err = s.db.write(ctx, func(t *tx) error {
			d, err := t.anyDomain(id, t.db.engine.lock, t.now)
			if err != nil {
				return err
			}
			if err := s.holds(d); err != nil {
				return err
			}
			if err := orderable(d); err != nil {
				return err
			}
			order, err = t.planOrder(d, why, replaces, &spare)
			return err
		})
		if !errors.Is(err, errSlowKey) {
			return order, err
		}
		spare.kind = spare.wanted
		if spare.key, err = newPrivateKey(spare.kind); err != nil {
			return order, err
		}
	}
	return order, err
}

func orderable(d *domainRow) error {
	switch {
	case d.Status == tenants.Released || !d.releasing.IsZero():
		return conflict("%s is being given up. Add it again to order for it.", d.Name)
	case d.Proved.IsZero():
		return conflict("The record of %s was never seen. Set it first; the order follows by itself.", d.Name)
	case d.orderState != "":
		return conflict("An order for %s is open already. It goes on by itself.", d.Name)
	}
	return nil
}

const addOrderSQL = `
insert into orders (id, tenant_id, domain_id, certificate_id, issuer_id, account_id, state, revision, names, profile, reason,
	detour, replaces, private_key, csr, reached, created_at)
values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

// planOrder decides on the rows as they are under lock: whoever changes the settings or pauses comes before this order, or
// after it.
func (t *tx) planOrder(d *domainRow, why tenants.Reason, replaces string, spare *spareKey) (o tenants.Order, err error) {
	f, err := t.facts(d, t.now)
	if err != nil {
		return o, err
	}
	if f.HeldBack(why, t.now) {
		return o, conflict("The renewals of %s are paused. They go on by themselves.", d.Name)
	}
	next, lacks := f.NextKey(t.now)
	if !lacks.OK() {
		return o, conflict("%s. %s", headline(lacks), tenants.Explain(lacks).Do)
	}
	o = tenants.Order{ID: mintID[tenants.OrderID](t.now), Tenant: d.Tenant, Domain: d.ID, Certificate: f.Certificate.ID,
		State: tenants.Planned, Revision: 1, Names: f.Certificate.Names, Reason: why, CSR: next.CSR, Replaces: replaces, Created: t.now,
		Reached: map[tenants.OrderState]time.Time{tenants.Planned: t.now}}
	issuer, detour := tenants.Choose(f, t.now)
	o.Issuer, o.Account, o.Detour, o.Profile = issuer.ID, issuer.AccountID, detour, f.ProfileAt(issuer)
	if issuer.ID != f.Signer.ID { // nobody else knows the version
		o.Replaces = ""
	}
	if err := t.addOrder(o, f.Certificate, next, spare); err != nil {
		return o, err
	}
	d.orderState, d.reason = tenants.Planned, why
	d.refresh(t.now)
	t.record(tenants.System(d.Tenant), tenants.DidPlanOrder, string(d.ID), d.Name,
		strings.TrimSpace(fmt.Sprintf("planned an order for %s at %s. %s", d.Name, issuer.Name, o.Detour)))
	return o, t.saveDomain(d)
}

// addOrder writes the row of a planned order together with its key.
func (t *tx) addOrder(o tenants.Order, c tenants.Certificate, next tenants.NextKey, spare *spareKey) error {
	sealed, err := t.orderBlob(c, o.ID, next, spare)
	if err != nil {
		return err
	}
	_, err = t.exec(addOrderSQL, o.ID, o.Tenant, o.Domain, o.Certificate, o.Issuer, o.Account, o.State, enc(o.Names), o.Profile, o.Reason, o.Detour,
		o.Replaces, sealed, o.CSR, enc(o.Reached), us(o.Created))
	return err
}

// orderBlob is the sealed key of a new order; nil for one that only the customer has.
func (t *tx) orderBlob(c tenants.Certificate, id tenants.OrderID, next tenants.NextKey, spare *spareKey) (blob []byte, err error) {
	switch {
	case next.CSR != "":
		return nil, nil
	case next.Reuse != "":
		if err := t.one(`select private_key from versions where tenant_id = $1 and id = $2`, []any{c.Tenant, next.Reuse}, &blob); err != nil {
			return nil, err
		}
		return t.reseal(c.Tenant, blob, versionKey(next.Reuse), orderKey(id))
	}
	key, err := spare.of(next.Make)
	if err != nil {
		return nil, err
	}
	return t.db.seal(t.query, c.Tenant, key, orderKey(id))
}

// of is a key of that type: the spare one, or one that is made in no time.
func (k *spareKey) of(kind tenants.KeyType) (tenants.Secret, error) {
	switch {
	case k.kind == kind:
		return k.key, nil
	case isSlow(kind):
		k.wanted = kind
		return tenants.Secret{}, errSlowKey
	}
	return newPrivateKey(kind)
}

// reseal moves a sealed key from one place to another.
func (t *tx) reseal(tenant tenants.TenantID, blob []byte, from, to seal.Place) ([]byte, error) {
	key, err := t.db.unseal(t.query, tenant, blob, from)
	if err != nil {
		return nil, err
	}
	return t.db.seal(t.query, tenant, key, to)
}
