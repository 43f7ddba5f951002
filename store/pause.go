package store

import (
	"context"
	"fmt"
	"time"

	"perennial/tenants"
)

const pauseSQL = `
update certificates set paused_until = $3, paused_by = $4, paused_why = $5 where tenant_id = $1 and domain_id = $2`

// Pause holds the renewals of a domain back until an instant before its safety line. Emergencies and whoever asks for a
// renewal are not held back. Conflict where there is nothing to hold back (tenants.Facts.MayPause), Invalid for what is typed
// wrong.
func (s *Scope) Pause(ctx context.Context, id tenants.DomainID, form tenants.PauseForm) error {
	return s.change(ctx, tenants.PauseRenewals, id, func(t *tx, d *domainRow) error {
		f, err := t.facts(d, t.now)
		if err != nil {
			return err
		}
		if err := f.MayPause(t.now); err != nil {
			return err
		}
		p, err := f.ParsePause(form, t.now)
		if err != nil {
			return err
		}
		if _, err := t.exec(pauseSQL, d.Tenant, d.ID, us(p.Until), s.actor.Name, clean(p.Why)); err != nil {
			return err
		}
		d.pausedUntil = p.Until
		t.due(d)
		t.record(s.actor, tenants.DidPause, string(d.ID), d.Name,
			fmt.Sprintf("paused the renewals of %s until %s UTC: %s.", d.Name, p.Until.UTC().Format("2 Jan 2006, 15:04"), clean(p.Why)))
		return nil
	})
}

// Resume ends a pause. Nothing happens when there is none.
func (s *Scope) Resume(ctx context.Context, id tenants.DomainID) error {
	return s.change(ctx, tenants.PauseRenewals, id, func(t *tx, d *domainRow) error {
		if d.pausedUntil.IsZero() {
			return errUnchanged
		}
		if _, err := t.exec(pauseSQL, d.Tenant, d.ID, 0, "", ""); err != nil {
			return err
		}
		d.pausedUntil = time.Time{}
		t.due(d)
		t.record(s.actor, tenants.DidResume, string(d.ID), d.Name, fmt.Sprintf("resumed the renewals of %s.", d.Name))
		return nil
	})
}
