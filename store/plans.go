package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"perennial/tenants"
)

// SaveCheck keeps what DNS answered, the finding that stands after it (tenants.Merge) and the status that follows from
// it (tenants.StatusAfter). The first check after which nothing stands in the way proves the claim. Answers
// unlike those on which the last order failed end its back-off.
func (s *System) SaveCheck(ctx context.Context, id tenants.DomainID, c tenants.Check, f tenants.Finding, status tenants.Status) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		d, err := t.anyDomain(id, t.db.engine.lock, t.now)
		if err != nil {
			return err
		}
		if d.Status == tenants.Released {
			return absent("domain")
		}
		if err := s.holds(d); err != nil {
			return err
		}
		d.looked(c)
		t.prove(d, f)
		t.turnTo(d, status, f)
		return t.saveDomain(d)
	})
}

// looked keeps what DNS answered.
func (d *domainRow) looked(c tenants.Check) {
	d.check = clean(enc(c))
	if now := c.Answers(); now != "" && d.failedOn != "" && now != d.failedOn {
		d.forgive() // somebody repaired something: no reason to wait any longer
	}
	if !c.At.Before(d.lookAsked) {
		d.lookAsked = time.Time{}
	}
}

// Seen is what was learned of a healthy domain and changes neither its finding and status (tenants.Facts.Unmoved) nor its
// plan (tenants.Facts.Stands). nil: nothing.
type Seen struct {
	Check *tenants.Check
	ARI   *tenants.RenewalInfo // of the current version
}

// SaveSeen keeps what was learned.
func (s *System) SaveSeen(ctx context.Context, id tenants.DomainID, seen Seen) error {
	if seen == (Seen{}) {
		return nil
	}
	return s.db.housekeep(ctx, func(t *tx) error {
		d, err := t.anyDomain(id, t.db.engine.lock, t.now)
		if err != nil {
			return err
		}
		if d.Status == tenants.Released {
			return absent("domain")
		}
		if err := s.holds(d); err != nil {
			return err
		}
		if err := t.see(d, seen); err != nil {
			return err
		}
		return t.saveDomain(d)
	})
}

func (t *tx) see(d *domainRow, seen Seen) error {
	if seen.Check != nil {
		d.looked(*seen.Check)
	}
	return t.keepARI(d.Tenant, d.ID, seen.ARI)
}

func (t *tx) keepARI(tenant tenants.TenantID, id tenants.DomainID, ari *tenants.RenewalInfo) error {
	if ari == nil {
		return nil
	}
	_, err := t.exec(`update certificates set ari = $3 where tenant_id = $1 and domain_id = $2`, tenant, id, enc(*ari))
	return err
}

// prove marks the first time that the delegation was right everywhere and nothing forbade an order.
func (t *tx) prove(d *domainRow, f tenants.Finding) {
	if !f.OK() || !d.Proved.IsZero() {
		return
	}
	d.Proved = t.now
	t.record(tenants.System(d.Tenant), tenants.DidProve, string(d.ID), d.Name,
		fmt.Sprintf("saw the record of %s at all of its name servers.", d.Name))
}

const savePlanSQL = `update certificates set ari = $3, plan = $4 where tenant_id = $1 and id = $2`

// SavePlan keeps what the authority said about renewal, and the plan that follows from the verdict of tenants.Due: its
// instant is chosen here (tenants.Settle), and it comes back. A zero verdict leaves the plan as it is. A new instant is
// audited.
func (s *System) SavePlan(ctx context.Context, id tenants.CertificateID, ari tenants.RenewalInfo, due tenants.Verdict) (plan tenants.Verdict, err error) {
	err = s.db.housekeep(ctx, func(t *tx) error {
		d, err := t.domainOf(id)
		if err != nil {
			return err
		}
		if err := s.holds(d); err != nil {
			return err
		}
		c, issuer, err := t.certificateOf(d.Tenant, d.ID)
		if err != nil {
			return err
		}
		v, err := t.currentVersion(c)
		if err != nil {
			return err
		}
		if plan = c.Plan; v != nil && !due.At.IsZero() {
			if plan, err = t.settle(d, c, *v, due, c.Plan); err != nil {
				return err
			}
			d.free = costless(issuer, c, *v, plan.Reason)
		}
		return t.putPlan(d, c, ari, plan)
	})
	return plan, err
}

// putPlan writes a plan to the certificate and its domain. A new instant is audited.
func (t *tx) putPlan(d *domainRow, c tenants.Certificate, ari tenants.RenewalInfo, plan tenants.Verdict) error {
	if !plan.At.Equal(c.Plan.At) {
		t.record(tenants.System(d.Tenant), tenants.DidPlanRenewal, string(d.ID), d.Name,
			fmt.Sprintf("planned the renewal of %s for %s UTC.", d.Name, plan.At.UTC().Format("2 Jan 2006, 15:04")))
	}
	if _, err := t.exec(savePlanSQL, d.Tenant, c.ID, enc(ari), enc(plan)); err != nil {
		return err
	}
	d.planned(plan)
	return t.saveDomain(d)
}

// domainOf loads the domain of a certificate under lock.
func (t *tx) domainOf(id tenants.CertificateID) (*domainRow, error) {
	var domain tenants.DomainID
	if err := t.one(`select domain_id from certificates where id = $1`, []any{id}, &domain); err != nil {
		return nil, orAbsent(err, "certificate")
	}
	return t.anyDomain(domain, t.db.engine.lock, t.now)
}

// Expire says that the current version is past its end. Nothing happens when it is not, or was said.
func (s *System) Expire(ctx context.Context, id tenants.DomainID) error {
	return s.db.write(ctx, func(t *tx) error {
		d, err := t.anyDomain(id, t.db.engine.lock, t.now)
		if err != nil {
			return err
		}
		if !d.hasVersion || t.now.Before(d.notAfter) || d.Status == tenants.Expired || d.Status == tenants.Released {
			return errUnchanged
		}
		d.setStatus(tenants.Expired, t.now)
		t.record(tenants.System(d.Tenant), tenants.DidExpire, string(d.ID), d.Name,
			fmt.Sprintf("saw the last version of %s expire.", d.Name))
		return t.saveDomain(d)
	})
}

// FinishRelease ends a claim: the name is free, its label stays used up. Conflict while a TXT value of ours may still
// be in DNS, because afterwards nobody would remember it. An open order ends with it.
func (s *System) FinishRelease(ctx context.Context, id tenants.DomainID) error {
	return s.db.write(ctx, func(t *tx) error {
		d, err := t.anyDomain(id, t.db.engine.lock, t.now)
		if err != nil {
			return err
		}
		if d.Status == tenants.Released {
			return errUnchanged
		}
		if d.releasing.IsZero() && (!d.Proved.IsZero() || t.now.Before(d.Reserved)) {
			return conflict("Nobody gave %s up. Read the domain again.", d.Name)
		}
		if err := errors.Join(t.endOrder(d, "The name is given up."), t.dropRehearsal(d)); err != nil {
			return err
		}
		if left, err := t.leftover(d); err != nil || len(left) > 0 {
			return errors.Join(err, dirty(d, len(left)))
		}
		return t.release(d)
	})
}

func dirty(d *domainRow, n int) error {
	if n == 0 {
		return nil
	}
	return conflict("%d challenge records of %s are still in DNS. Remove them first.", n, d.Name)
}

// endOrder ends the open order, if any.
func (t *tx) endOrder(d *domainRow, why string) error {
	o, err := t.openOrder(d)
	if err != nil || o == nil {
		return err
	}
	return t.cancelOrder(d, *o, why)
}

const freeSQL = `
update delegations set released = $3 where tenant_id = $1 and id = $2
	and not exists (select 1 from domains d where d.delegation_id = $2 and d.released_at = 0)`

func (t *tx) release(d *domainRow) error {
	text := fmt.Sprintf("set %s free. Its record can be removed.", d.Name)
	if d.releasing.IsZero() {
		d.Finding = tenants.Finding{Code: tenants.ReservationOver, Args: map[string]string{"name": d.Name}}
		text = fmt.Sprintf("ended the reservation of %s. Its record never came.", d.Name)
	}
	d.setStatus(tenants.Released, t.now)
	d.Released, d.releasing = t.now, t.now
	d.orderState, d.awaiting, d.silent = "", "", ""
	t.giveUp(d, t.now)
	t.record(tenants.System(d.Tenant), tenants.DidRelease, string(d.ID), d.Name, text)
	if err := t.leaveEvents(d); err != nil {
		return err
	}
	if err := t.lockDelegation(d); err != nil {
		return err
	}
	if err := t.saveDomain(d); err != nil {
		return err
	}
	_, err := t.exec(freeSQL, d.Tenant, d.Delegation.ID, us(t.now))
	return err
}

// lockDelegation keeps a registration from sharing a delegation that is being set free.
func (t *tx) lockDelegation(d *domainRow) error {
	var id tenants.DelegationID
	return t.one(`select id from delegations where tenant_id = $1 and id = $2`+t.db.engine.lock,
		[]any{d.Tenant, d.Delegation.ID}, &id)
}
