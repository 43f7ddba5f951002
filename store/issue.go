package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"perennial/tenants"
)

// Issue turns an order that was finalized, whether that was saved or not, into a version, in one transaction: the order is issued, the version takes the next
// number and the order's key, the version before is replaced, the domain is active and its next renewal planned: due is
// what tenants.Due says of v, and its instant is chosen here.
// v needs what was read from the chain; what belongs to the lineage is filled in here. Conflict as in SaveOrder.
func (s *System) Issue(ctx context.Context, o tenants.Order, v tenants.Version, due tenants.Verdict) (id tenants.VersionID, err error) {
	err = s.db.write(ctx, func(t *tx) error {
		d, was, err := t.lockOrder(o.ID)
		if err != nil {
			return err
		}
		if err := sameRevision(was, o.Revision); err != nil {
			return err
		}
		if !was.State.May(tenants.Issued) || was.Dry() {
			return fmt.Errorf("issue order %s: from %s to %s is not a step", o.ID, was.State, tenants.Issued)
		}
		id, err = t.issue(d, was, o, v, due)
		return err
	})
	return id, err
}

func (t *tx) issue(d *domainRow, was, o tenants.Order, v tenants.Version, plan tenants.Verdict) (tenants.VersionID, error) {
	c, _, err := t.certificateOf(d.Tenant, d.ID)
	if err != nil {
		return "", err
	}
	issuer, err := t.issuer(was.Issuer)
	if err != nil {
		return "", err
	}
	v.IssuerID, v.Account, d.issuer = was.Issuer, was.Account, was.Issuer
	v.ID, v.Tenant, v.Certificate, v.Order, v.Reason, v.Issued = mintID[tenants.VersionID](t.now), d.Tenant, c.ID, o.ID, was.Reason, t.now
	if v.Number, err = t.nextNumber(c); err != nil {
		return "", err
	}
	if v.KeyCreated, err = t.keyCreated(c, v.SPKI, was.Created); err != nil {
		return "", err
	}
	v.OwnKey = was.CSR != ""
	if err := t.addVersion(v, d.lead(t.now)); err != nil {
		return "", err
	}
	if plan, err = t.settle(d, c, v, plan, tenants.Verdict{}); err != nil {
		return "", err
	}
	if err := t.succeed(c, was, v, plan); err != nil {
		return "", err
	}
	if err := t.proveAll(issuer.ID, was.Names); err != nil {
		return "", err
	}
	o.State, o.Ended, o.Finding, o.Attempts = tenants.Issued, t.now, tenants.Finding{}, 0
	d.certify(v, plan)
	d.free = costless(issuer, c, v, plan.Reason)
	t.turnTo(d, tenants.Active, tenants.Finding{})
	if !d.working {
		d.next = plan.At
	}
	t.record(tenants.Actor{Kind: tenants.CAActor, Name: v.Issuer, Tenant: d.Tenant}, tenants.DidIssue, string(d.ID), d.Name,
		fmt.Sprintf("issued version %d of %s.", v.Number, d.Name))
	_, err = t.saveOrder(d, o, was)
	return v.ID, err
}

const (
	addVersionSQL = `
insert into versions (id, tenant_id, certificate_id, order_id, issuer_id, account_id, number, names, serial, issuer, not_before, not_after, key_type,
	spki, fingerprint, ari_cert_id, chain, private_key, reason, issued_at, key_created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`

	takeKeySQL = `update orders set private_key = null, lead = $3 where tenant_id = $1 and id = $2`
)

// lead is how long the current version has left, less than nothing when it is over, and nothing when there is none.
func (d *domainRow) lead(now time.Time) time.Duration {
	if !d.hasVersion {
		return 0
	}
	return d.notAfter.Sub(now)
}

// addVersion writes the version and moves the key from the order to it. The order keeps how long the version before it had
// left.
func (t *tx) addVersion(v tenants.Version, lead time.Duration) error {
	blob, err := t.versionBlob(v)
	if err != nil {
		return err
	}
	if _, err := t.exec(addVersionSQL, v.ID, v.Tenant, v.Certificate, v.Order, v.IssuerID, v.Account, v.Number, enc(v.Names), v.Serial,
		clean(v.Issuer), us(v.NotBefore), us(v.NotAfter), v.KeyType, v.SPKI, v.Fingerprint, v.ARICertID, clean(v.Chain),
		blob, v.Reason, us(v.Issued), us(v.KeyCreated)); err != nil {
		return fmt.Errorf("add version: %w", err)
	}
	_, err = t.exec(takeKeySQL, v.Tenant, v.Order, lead.Microseconds())
	return err
}

// versionBlob is the order's key, sealed anew for its new place; nil for one that only the customer has.
func (t *tx) versionBlob(v tenants.Version) (blob []byte, err error) {
	if v.OwnKey {
		return nil, nil
	}
	if err := t.one(`select private_key from orders where tenant_id = $1 and id = $2`, []any{v.Tenant, v.Order}, &blob); err != nil {
		return nil, err
	}
	return t.reseal(v.Tenant, blob, orderKey(v.Order), versionKey(v.ID))
}

// keyCreated is when a key was made: for one that served a version of the lineage before, as that one says, otherwise with
// its order.
func (t *tx) keyCreated(c tenants.Certificate, spki string, ordered time.Time) (made time.Time, err error) {
	err = t.one(`select key_created_at from versions where tenant_id = $1 and certificate_id = $2 and spki = $3 order by number limit 1`,
		[]any{c.Tenant, c.ID, spki}, at(&made))
	if errors.Is(err, errNone) {
		return ordered, nil
	}
	return made, err
}

const (
	replaceSQL = `update versions set replaced_at = $3 where tenant_id = $1 and certificate_id = $2 and replaced_at = 0 and id <> $4`

	succeedSQL = `
update certificates set current_version = $3, plan = $4, ari = '', renew_now_at = 0, renewed_by = '', revoked_at = 0, key_refused_at = 0,
	changed_at = $5, changed = $6, compromised_at = $7, compromised_by = $8, issuer_id = $9
where tenant_id = $1 and id = $2`
)

// succeed makes a version the current one of its lineage.
func (t *tx) succeed(c tenants.Certificate, o tenants.Order, v tenants.Version, plan tenants.Verdict) error {
	before, err := t.currentVersion(c)
	if err != nil {
		return err
	}
	c = c.Succeeded(o, before, v)
	if _, err := t.exec(replaceSQL, c.Tenant, c.ID, us(t.now), v.ID); err != nil {
		return err
	}
	if err := t.appoint(c, v); err != nil {
		return err
	}
	if _, err = t.exec(succeedSQL, c.Tenant, c.ID, v.ID, enc(plan), us(c.Changed), c.Change, us(c.Compromised), c.CompromisedBy, v.IssuerID); err != nil {
		return err
	}
	return t.replaced(c, v)
}

const provedSQL = `update buckets set tat = 0 where issuer_id = $1 and limit_name = $2 and bucket = $3`

// proveAll ends the count of failures in a row of names whose proof the authority accepted.
func (t *tx) proveAll(id tenants.IssuerID, names []string) error {
	for _, name := range names {
		if _, err := t.exec(provedSQL, id, tenants.ConsecutiveFailures, strings.TrimPrefix(name, "*.")); err != nil {
			return err
		}
	}
	return nil
}

// certify copies what lists show of a version and its plan.
func (d *domainRow) certify(v tenants.Version, plan tenants.Verdict) {
	d.hasVersion, d.notBefore, d.notAfter = true, v.NotBefore, v.NotAfter
	d.orderState = ""
	d.forgive()
	d.planned(plan)
}

// costless reports whether the authority will not count the next order against the account: not one in its own window that
// names what it replaces, and not one of the same names again, each where it says so.
func costless(i tenants.Issuer, c tenants.Certificate, v tenants.Version, why tenants.Reason) bool {
	next := tenants.Order{Names: c.Names}
	if why == tenants.InWindow || why == tenants.Recalled {
		next.Replaces = "current" // whose window was heard has an id to be named with
	}
	return !i.Counts(tenants.OrdersPerAccount, next, &v)
}

// planned copies the plan.
func (d *domainRow) planned(p tenants.Verdict) {
	d.renewAt, d.windowStart, d.windowEnd, d.noLater, d.slotWidth = p.At, p.Start, p.End, p.NoLater, 0
	if s, counted := p.Slot(); counted {
		d.slotWidth = s.Width
	}
	if d.orderState == "" || p.Reason.Emergency() {
		d.reason = p.Reason
	}
}

// FailOrder ends an order without a version and destroys its key. The domain shows f and gets the status that follows
// from it (tenants.StatusAfter). With CARefusesKey, the next order gets another key. Conflict as in SaveOrder.
func (s *System) FailOrder(ctx context.Context, o tenants.Order, f tenants.Finding, status tenants.Status) error {
	return s.db.write(ctx, func(t *tx) error {
		d, was, err := t.lockOrder(o.ID)
		if err != nil {
			return err
		}
		if err := sameRevision(was, o.Revision); err != nil {
			return err
		}
		if !was.State.May(tenants.Failed) {
			return conflict("Order %s has ended. Read the domain again.", o.ID)
		}
		if err := t.blame(d); err != nil {
			return err
		}
		if f.Code == tenants.CARefusesKey {
			if _, err := t.exec(keyRefusedSQL, d.Tenant, was.Certificate, us(t.now)); err != nil {
				return err
			}
		}
		return t.failOrder(d, was, o, f, status)
	})
}

const keyRefusedSQL = `update certificates set key_refused_at = $3 where tenant_id = $1 and id = $2`

// blame counts a failure, and remembers on which answers of DNS the order was placed.
func (t *tx) blame(d *domainRow) error {
	d.failures, d.failedAt, d.failedOn = d.failures+1, t.now, ""
	c, err := d.lastCheck()
	if c != nil {
		d.failedOn = c.Answers()
	}
	return err
}

// forgive ends the count of failures in a row.
func (d *domainRow) forgive() { d.failures, d.failedAt, d.failedOn = 0, time.Time{}, "" }

func (t *tx) failOrder(d *domainRow, was, o tenants.Order, f tenants.Finding, status tenants.Status) error {
	o.State, o.Ended, o.Finding = tenants.Failed, t.now, f
	if _, err := t.exec(takeKeySQL, d.Tenant, o.ID, 0); err != nil {
		return err
	}
	t.enter(tenants.Entry{Actor: tenants.System(d.Tenant), Tenant: d.Tenant, Action: tenants.DidFailOrder, Outcome: tenants.Broke,
		Object: string(d.ID), Subject: d.Name, Text: fmt.Sprintf("could not get a certificate for %s. %s.", d.Name, headline(f))})
	d.orderState = ""
	t.turnTo(d, status, f)
	_, err := t.saveOrder(d, o, was)
	return err
}
