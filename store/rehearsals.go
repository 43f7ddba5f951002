package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"perennial/tenants"
)

const (
	stageSQL = `update issuers set staging_of = $2, retired_at = 0 where id = $1`

	// What was once used for dry runs stays what it is, and is used no more.
	leaveStageSQL = `update issuers set retired_at = $3 where staging_of = $1 and id <> $2 and retired_at = 0`
)

// SaveStaging writes which directory the dry runs of an issuer go to. A zero staging means none.
func (s *System) SaveStaging(ctx context.Context, of tenants.IssuerID, staging tenants.Issuer) error {
	return s.db.housekeep(ctx, func(t *tx) (err error) {
		var id tenants.IssuerID
		if staging.Directory != "" {
			if id, err = t.saveIssuer(staging); err != nil {
				return err
			}
			if _, err = t.execIssuers(stageSQL, id, of); err != nil {
				return err
			}
		}
		_, err = t.execIssuers(leaveStageSQL, of, id, us(t.now))
		return err
	})
}

// stageOf is where dry runs of orders at an issuer go, with the account that works for the tenant; zero for nowhere.
func stageOf(all []Authority, issuer tenants.IssuerID, tenant tenants.TenantID) tenants.Issuer {
	for _, a := range all {
		if issuer != "" && a.StagingOf == issuer && !a.Retired {
			return a.For(tenant)
		}
	}
	return tenants.Issuer{}
}

// stage fills in where the dry run is or will be.
func stage(all []Authority, f *tenants.Facts) {
	if f.Rehearsal == nil {
		return
	}
	if o := f.Rehearsal.Order; o != nil {
		f.Rehearsal.Issuer = of(all, o.Issuer, o.Account)
		return
	}
	f.Rehearsal.Issuer = stageOf(all, f.Issuer.ID, f.Domain.Tenant)
}

const rehearsalSQL = `
select r.order_id, r.asked_at, r.asked_by, r.seen_at, r.ended_at, r.finding, r.tidied_at
from rehearsals r where r.tenant_id = $1 and r.domain_id = $2`

// rehearsal is the last dry run of a domain, nil for none. Its issuer is left out.
func (q query) rehearsal(d *domainRow) (*tenants.Rehearsal, error) {
	var r tenants.Rehearsal
	var order tenants.OrderID
	err := q.one(rehearsalSQL, []any{d.Tenant, d.ID}, &order, at(&r.Asked), &r.By, at(&r.Seen), at(&r.Ended), doc(&r.Finding), at(&r.Tidied))
	if errors.Is(err, errNone) {
		return nil, nil
	}
	if err == nil && order != "" {
		r.Order, err = q.rehearsed(d.Tenant, order)
	}
	return &r, err
}

func (q query) rehearsed(tenant tenants.TenantID, id tenants.OrderID) (*tenants.Order, error) {
	var o tenants.Order
	err := q.one(`select `+orderColumns+` from orders o where o.tenant_id = $1 and o.id = $2`, []any{tenant, id}, scanOrder(&o)...)
	if err == nil {
		o.Challenges, err = q.challenges(o)
	}
	return &o, err
}

// untidyRehearsal is the dry run that somebody still has to do something for.
func (q query) untidyRehearsal(d *domainRow) (*tenants.Rehearsal, error) {
	r, err := q.rehearsal(d)
	if r != nil && !r.Tidied.IsZero() {
		return nil, err
	}
	return r, err
}

// lastRehearsal fills in what the page of a domain shows: the last dry run, and who is or will be asked for an order, given the
// certificate, its current version and the open order. It returns where the next dry run would go.
func (q query) lastRehearsal(d *domainRow, f *tenants.Facts, now time.Time) (staging tenants.Issuer, err error) {
	if f.Rehearsal, err = q.rehearsal(d); err != nil {
		return staging, err
	}
	if err = q.rules(d.Tenant, f); err != nil {
		return staging, err
	}
	all, err := q.directories()
	if err != nil {
		return staging, err
	}
	err = q.issuers(all, f, now)
	return stageOf(all, f.Issuer.ID, d.Tenant), err
}

const askRehearsalSQL = `
insert into rehearsals (domain_id, tenant_id, asked_at, asked_by) values ($1, $2, $3, $4)
on conflict (domain_id) do update set asked_at = excluded.asked_at, asked_by = excluded.asked_by, order_id = '', seen_at = 0,
	ended_at = 0, finding = '', tidied_at = 0`

// Rehearse asks for a dry run: an order at the staging directory of the issuer, of which nothing is kept. Conflict while
// something real is done, while another dry run is not over, and where there is no staging directory.
func (s *Scope) Rehearse(ctx context.Context, id tenants.DomainID) error {
	return s.change(ctx, tenants.RenewCertificate, id, func(t *tx, d *domainRow) error {
		staging, err := t.rehearsable(d)
		if err != nil {
			return err
		}
		if _, err := t.exec(askRehearsalSQL, d.ID, d.Tenant, us(t.now), s.actor.Name); err != nil {
			return err
		}
		d.lookAsked = t.now // it begins with a look of its own
		t.due(d)
		t.record(s.actor, tenants.DidAskRehearsal, string(d.ID), d.Name, fmt.Sprintf("asked for a dry run of %s at %s.", d.Name, staging.Name))
		return nil
	})
}

// rehearsable returns where a dry run would go, or why there can be none now.
func (t *tx) rehearsable(d *domainRow) (staging tenants.Issuer, err error) {
	f, err := t.facts(d, t.now)
	if err != nil {
		return staging, err
	}
	staging, err = t.lastRehearsal(d, &f, t.now)
	last := f.Rehearsal
	switch {
	case err != nil:
		return staging, err
	case !d.releasing.IsZero():
		return staging, conflict("%s is being given up. Add it again if you want to keep it.", d.Name)
	case d.Proved.IsZero():
		return staging, conflict("The record of %s was never seen. Set it first; then a dry run can show the rest.", d.Name)
	case d.orderState != "":
		return staging, conflict("An order for %s is under way, which shows more than a dry run. Follow it on the page of the domain.", d.Name)
	case staging.ID == "":
		return staging, conflict("%s", f.Issuer.NoStaging())
	case last != nil && last.Ended.IsZero():
		return staging, conflict("A dry run of %s is under way already. Follow it on the page of the domain.", d.Name)
	case last != nil && last.Tidied.IsZero():
		return staging, conflict("The last dry run of %s is being tidied up. Ask again in a minute.", d.Name)
	}
	return staging, nil
}

const (
	addRehearsedSQL = `
insert into orders (id, tenant_id, domain_id, certificate_id, issuer_id, account_id, state, revision, names, profile, reason,
	replaces, private_key, reached, created_at)
values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, '', $11, $12, $13)`

	beginRehearsalSQL = `update rehearsals set order_id = $3, seen_at = $4 where tenant_id = $1 and domain_id = $2`
)

const keyWantedSQL = `
select c.key_type, n.policy from certificates c join tenants n on n.id = c.tenant_id where c.domain_id = $1`

// keyWanted makes a key as the next order needs it, outside of any transaction: RSA takes a while.
func (s *System) keyWanted(ctx context.Context, id tenants.DomainID) (key tenants.Secret, err error) {
	var wanted tenants.KeyType
	var policy tenants.Policy
	if err := s.db.read(ctx).one(keyWantedSQL, []any{id}, &wanted, doc(&policy)); err != nil {
		return key, orAbsent(err, "certificate")
	}
	return newPrivateKey(policy.KeyFor(wanted))
}

// PlanRehearsal begins the order of a dry run that was asked for at asked: its own key, its own row, at the staging
// directory. seen is when the record was right. Nothing happens when the dry run is over or has begun already.
func (s *System) PlanRehearsal(ctx context.Context, id tenants.DomainID, asked, seen time.Time) error {
	key, err := s.keyWanted(ctx, id)
	if err != nil {
		return err
	}
	return s.db.housekeep(ctx, func(t *tx) error {
		d, r, err := t.lockRehearsal(id, asked)
		if err != nil {
			return err
		}
		if r.Order != nil {
			return errUnchanged
		}
		f, err := t.facts(d, t.now)
		if err != nil {
			return err
		}
		return t.planRehearsal(d, f, key, seen)
	})
}

// lockRehearsal loads a domain under lock, and the dry run that was asked for at that instant.
func (t *tx) lockRehearsal(id tenants.DomainID, asked time.Time) (*domainRow, *tenants.Rehearsal, error) {
	d, err := t.anyDomain(id, t.db.engine.lock, t.now)
	if err != nil {
		return nil, nil, err
	}
	r, err := t.rehearsal(d)
	if err == nil && (r == nil || !r.Ended.IsZero() || !r.Asked.Equal(asked)) {
		return nil, nil, errUnchanged
	}
	return d, r, err
}

func (t *tx) planRehearsal(d *domainRow, f tenants.Facts, key tenants.Secret, seen time.Time) error {
	staging, id := f.Rehearsal.Issuer, mintID[tenants.OrderID](t.now)
	if staging.ID == "" || d.orderState != "" {
		return conflict("There is no room for a dry run of %s now. Read the domain again.", d.Name)
	}
	sealed, err := t.db.seal(t.query, d.Tenant, key, orderKey(id))
	if err != nil {
		return err
	}
	reached := map[tenants.OrderState]time.Time{tenants.Planned: t.now}
	if _, err := t.exec(addRehearsedSQL, id, d.Tenant, d.ID, f.Certificate.ID, staging.ID, staging.AccountID, tenants.Planned,
		enc(f.Certificate.Names), f.ProfileAt(staging), tenants.InRehearsal, sealed, enc(reached), us(t.now)); err != nil {
		return err
	}
	t.touch(d.Tenant, d.ID)
	_, err = t.exec(beginRehearsalSQL, d.Tenant, d.ID, id, us(seen))
	return err
}

// PassRehearsal ends the dry run that was asked for at asked after its last step: its certificate was checked and thrown
// away. Its key is destroyed. Nothing happens when it is over already. What it wrote to DNS is among the leftovers from
// then on.
func (s *System) PassRehearsal(ctx context.Context, id tenants.DomainID, asked time.Time) error {
	return s.closeRehearsal(ctx, id, asked, tenants.Finding{})
}

// EndRehearsal is PassRehearsal for one that failed because of f, at whatever step.
func (s *System) EndRehearsal(ctx context.Context, id tenants.DomainID, asked time.Time, f tenants.Finding) error {
	if f.OK() {
		return fmt.Errorf("end dry run of %s: no finding says why", id)
	}
	return s.closeRehearsal(ctx, id, asked, f)
}

func (s *System) closeRehearsal(ctx context.Context, id tenants.DomainID, asked time.Time, f tenants.Finding) error {
	return s.db.write(ctx, func(t *tx) error {
		d, r, err := t.lockRehearsal(id, asked)
		if err != nil {
			return err
		}
		return t.endRehearsal(d, *r, f)
	})
}

// NoteRehearsal keeps what stands in the way of the dry run that was asked for at asked, zero for nothing, while it runs.
func (s *System) NoteRehearsal(ctx context.Context, id tenants.DomainID, asked time.Time, f tenants.Finding) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		d, _, err := t.lockRehearsal(id, asked)
		if err != nil {
			return err
		}
		t.touch(d.Tenant, d.ID)
		_, err = t.exec(`update rehearsals set finding = $3 where tenant_id = $1 and domain_id = $2`, d.Tenant, d.ID, encFinding(f))
		return err
	})
}

const endRehearsalSQL = `update rehearsals set ended_at = $3, finding = $4, tidied_at = $5 where tenant_id = $1 and domain_id = $2`

func (t *tx) endRehearsal(d *domainRow, r tenants.Rehearsal, f tenants.Finding) error {
	tidied := t.now // without an order there is nothing to give back
	if r.Order != nil {
		tidied = time.Time{}
		if err := t.endRehearsed(d, *r.Order, f); err != nil {
			return err
		}
	}
	e := tenants.Entry{Actor: tenants.System(d.Tenant), Tenant: d.Tenant, Action: tenants.DidPassRehearsal, Outcome: tenants.Done,
		Object: string(d.ID), Subject: d.Name, Text: fmt.Sprintf("passed the dry run of %s. Nothing of it was kept.", d.Name)}
	if !f.OK() {
		e.Action, e.Outcome = tenants.DidFailRehearsal, tenants.Broke
		e.Text = fmt.Sprintf("ended the dry run of %s without success. %s.", d.Name, headline(f))
	}
	t.enter(e)
	t.touch(d.Tenant, d.ID)
	_, err := t.exec(endRehearsalSQL, d.Tenant, d.ID, us(t.now), encFinding(f), us(tidied))
	return err
}

func (t *tx) endRehearsed(d *domainRow, o tenants.Order, f tenants.Finding) error {
	was := o
	o.State, o.Ended, o.Finding = tenants.Issued, t.now, f
	if !f.OK() {
		o.State = tenants.Failed
	}
	if !was.State.May(o.State) {
		return fmt.Errorf("end dry run %s: from %s to %s is not a step", o.ID, was.State, o.State)
	}
	if _, err := t.exec(takeKeySQL, d.Tenant, o.ID, 0); err != nil {
		return err
	}
	_, err := t.saveOrder(d, o, was)
	return err
}

// dropRehearsal ends a dry run because its domain is given up.
func (t *tx) dropRehearsal(d *domainRow) error {
	r, err := t.rehearsal(d)
	if err != nil || r == nil || !r.Ended.IsZero() {
		return err
	}
	return t.endRehearsal(d, *r, tenants.Finding{Code: tenants.RehearsalOvertaken, Args: map[string]string{"case": "released"}})
}

// TidyRehearsal notes that nothing of the dry run that was asked for at asked is left at the authority.
func (s *System) TidyRehearsal(ctx context.Context, id tenants.DomainID, asked time.Time) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		_, err := t.exec(`update rehearsals set tidied_at = $3 where domain_id = $1 and asked_at = $2 and ended_at > 0 and tidied_at = 0`,
			id, us(asked), us(t.now))
		return err
	})
}
