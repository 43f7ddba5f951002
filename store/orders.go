package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"perennial/store/seal"
	"perennial/tenants"
)

const orderColumns = `o.id, o.tenant_id, o.domain_id, o.certificate_id, o.issuer_id, o.account_id, o.state, o.revision, o.names, o.profile, o.reason, o.detour,
o.replaces, o.placing_at, o.url, o.finalize_url, o.result_url, o.expires_at, o.finding, o.attempts, o.cost, o.reached,
o.created_at, o.ended_at, o.csr`

func scanOrder(o *tenants.Order) []any {
	return []any{&o.ID, &o.Tenant, &o.Domain, &o.Certificate, &o.Issuer, &o.Account, &o.State, &o.Revision, doc(&o.Names), &o.Profile, &o.Reason, &o.Detour,
		&o.Replaces, at(&o.Placing), &o.URL, &o.FinalizeURL, &o.ResultURL, at(&o.Expires), doc(&o.Finding), &o.Attempts, doc(&o.Cost),
		doc(&o.Reached), at(&o.Created), at(&o.Ended), &o.CSR}
}

func readOrder(r rows) (o tenants.Order, err error) { return o, r.Scan(scanOrder(&o)...) }

// orders lists a domain's orders, newest first, without challenges and without dry runs.
func (q query) orders(tenant tenants.TenantID, id tenants.DomainID, limit int) ([]tenants.Order, error) {
	return collect(q, readOrder, `select `+orderColumns+`
from orders o where o.tenant_id = $1 and o.domain_id = $2 and o.reason <> $3 order by o.id desc`+top(limit), tenant, id, tenants.InRehearsal)
}

const lockOrderSQL = `select` + domainColumns + `, ` + orderColumns + `
from domains d join agenda a on a.domain_id = d.id join delegations g on g.id = d.delegation_id
	join orders o on o.domain_id = d.id where o.id = $1`

// lockOrder loads an order and its domain under lock, without challenges.
func (t *tx) lockOrder(id tenants.OrderID) (*domainRow, tenants.Order, error) {
	var d domainRow
	var o tenants.Order
	lock := ""
	if t.db.engine.lock != "" {
		lock = " for update of d, a, o" // in this order, as every writer does
	}
	if err := t.one(lockOrderSQL+lock, []any{id}, append(scanDomain(&d), scanOrder(&o)...)...); err != nil {
		return nil, o, orAbsent(err, "order")
	}
	d.settled(t.now)
	return &d, o, nil
}

func orderKey(id tenants.OrderID) seal.Place {
	return seal.Place{Table: "orders", ID: string(id), Column: "private_key"}
}

// OrderKey is the private key of an open order, in PKCS#8 (DER).
func (s *System) OrderKey(ctx context.Context, id tenants.OrderID) (tenants.Secret, error) {
	q := s.db.read(ctx)
	var tenant tenants.TenantID
	var blob []byte
	if err := q.one(`select tenant_id, private_key from orders where id = $1`, []any{id}, &tenant, &blob); err != nil {
		return tenants.Secret{}, orAbsent(err, "order")
	}
	if len(blob) == 0 {
		return tenants.Secret{}, conflict("The order has ended. Plan a new one.")
	}
	return s.db.unseal(q, tenant, blob, orderKey(id))
}

func sameRevision(o tenants.Order, rev int) error {
	if o.Revision != rev {
		return conflict("Somebody else saved order %s at the same moment. Read it again, then go on from there.", o.ID)
	}
	return nil
}

// SaveOrder writes what happened to an order, its challenges included. o.Revision must be that of the row (Conflict
// otherwise, and nothing is saved); the order that comes back has the next one. A change of state must be a legal one, and
// its time is kept in Reached. That an order was placed is audited; the steps after it are its own history. Issued and Failed are reached through Issue and FailOrder only.
// Challenges are known by (order, authorization): an ID is made when it is empty. Those left out stay as they are, and come
// back from none. Authorizations that were valid
// already must be among them, so that a release can deactivate them.
func (s *System) SaveOrder(ctx context.Context, o tenants.Order) (saved tenants.Order, err error) {
	err = s.db.housekeep(ctx, func(t *tx) error {
		d, was, err := t.lockOrder(o.ID)
		if err != nil {
			return err
		}
		saved, err = t.stepOrder(d, was, o)
		return err
	})
	return saved, err
}

// stepOrder checks that o is a next step of was, and saves it.
func (t *tx) stepOrder(d *domainRow, was, o tenants.Order) (tenants.Order, error) {
	if err := sameRevision(was, o.Revision); err != nil {
		return o, err
	}
	if was.State != o.State && (!was.State.May(o.State) || !o.State.Open()) {
		return o, fmt.Errorf("save order %s: from %s to %s is not a step", o.ID, was.State, o.State)
	}
	if !was.State.Open() {
		return o, conflict("Order %s has ended. Read the domain again.", o.ID)
	}
	if was.State != o.State && o.State == tenants.Ordered && !o.Dry() {
		t.record(tenants.System(d.Tenant), tenants.DidPlaceOrder, string(d.ID), d.Name, fmt.Sprintf("placed an order for %s.", d.Name))
	}
	return t.saveOrder(d, o, was)
}

const saveOrderSQL = `
update orders set state = $3, revision = $4, placing_at = $5, url = $6, finalize_url = $7, result_url = $8, expires_at = $9,
	finding = $10, attempts = $11, reached = $12, ended_at = $13, cost = $14, replaces = $15
where tenant_id = $1 and id = $2`

func encCost(c []tenants.Charge) string {
	if len(c) == 0 {
		return ""
	}
	return clean(enc(c))
}

// saveOrder writes the row, its challenges and the domain's copy of the state. It returns the order as it now is.
func (t *tx) saveOrder(d *domainRow, o, was tenants.Order) (tenants.Order, error) {
	o.Revision++
	if o.Reached = maps.Clone(o.Reached); o.Reached == nil {
		o.Reached = map[tenants.OrderState]time.Time{}
	}
	if was.State != o.State {
		o.Reached[o.State] = t.now
	}
	if _, err := t.exec(saveOrderSQL, d.Tenant, o.ID, o.State, o.Revision, us(o.Placing), clean(o.URL),
		clean(o.FinalizeURL), clean(o.ResultURL), us(o.Expires), encFinding(o.Finding), o.Attempts, enc(o.Reached),
		us(o.Ended), encCost(o.Cost), o.Replaces); err != nil {
		return o, err
	}
	o.Challenges = slices.Clone(o.Challenges)
	for i, c := range o.Challenges {
		c.Order = o.ID
		var err error
		if o.Challenges[i], err = t.saveChallenge(d, c); err != nil {
			return o, err
		}
	}
	if was.Flying() && !o.Flying() && len(o.Cost) > 0 {
		if err := t.landed(was.Issuer, was.Cost); err != nil {
			return o, err
		}
	}
	if o.State == tenants.Failed && was.Unsigned() {
		if err := t.unsigned(was, o.Cost); err != nil {
			return o, err
		}
	}
	if o.Dry() { // the domain does not notice
		t.touch(d.Tenant, d.ID)
		return o, nil
	}
	if d.orderState = o.State; !o.State.Open() {
		d.orderState, d.rank = "", 0
	}
	d.refresh(t.now)
	return o, t.saveDomain(d)
}

const orderURLsSQL = `
select o.url from orders o where o.account_id = $1 and o.placing_at >= $2 and o.placing_at > 0 and o.url <> ''`

// OrderURLs are the orders that were placed with an account since an instant and whose URLs are known.
func (s *System) OrderURLs(ctx context.Context, id tenants.AccountID, since time.Time) (map[string]bool, error) {
	urls, err := collect(s.db.read(ctx), scanOne[string], orderURLsSQL, id, us(since))
	known := make(map[string]bool, len(urls))
	for _, url := range urls {
		known[url] = true
	}
	return known, err
}

// EndOrder ends an open order that another issuer's will follow. It is no failure of the domain's. Nothing happens when
// the order has ended already.
func (s *System) EndOrder(ctx context.Context, id tenants.OrderID, why string) error {
	return s.db.write(ctx, func(t *tx) error {
		d, o, err := t.lockOrder(id)
		if err != nil {
			return err
		}
		if !o.State.Open() {
			return errUnchanged
		}
		if err := s.holds(d); err != nil {
			return err
		}
		return t.cancelOrder(d, o, why)
	})
}

// cancelOrder ends an order without a version and destroys its key. It keeps what kept it from being placed; when its name
// is being given up it has no finding, for then it did not fail but was not wanted any more.
func (t *tx) cancelOrder(d *domainRow, o tenants.Order, why string) error {
	was := o
	switch o.State, o.Ended = tenants.Failed, t.now; {
	case !d.releasing.IsZero():
		o.Finding = tenants.Finding{}
	case o.Finding.OK():
		o.Finding = d.Finding
	}
	if _, err := t.exec(takeKeySQL, d.Tenant, o.ID, 0); err != nil {
		return err
	}
	t.record(tenants.System(d.Tenant), tenants.DidFailOrder, string(d.ID), d.Name, fmt.Sprintf("ended the order for %s. %s", d.Name, why))
	_, err := t.saveOrder(d, o, was)
	return err
}
