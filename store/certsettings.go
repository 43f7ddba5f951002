package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"perennial/tenants"
)

// Facts is what is known of a domain, for pages that show what a change would cause.
func (s *Scope) Facts(ctx context.Context, id tenants.DomainID) (f tenants.Facts, err error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, string(id)); err != nil {
		return f, err
	}
	q, now := s.db.read(ctx), s.db.now()
	d, err := q.ownDomain(s.actor.Tenant, id, "", now)
	if err != nil {
		return f, err
	}
	return q.facts(d, now)
}

// SiblingDomain is the tenant's own domain for the other name that the record of this one proves; empty when there is none.
func (s *Scope) SiblingDomain(ctx context.Context, id tenants.DomainID) (sibling tenants.DomainID, err error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, string(id)); err != nil {
		return "", err
	}
	q := s.db.read(ctx)
	d, err := q.ownDomain(s.actor.Tenant, id, "", s.db.now())
	if err != nil {
		return "", err
	}
	err = q.one(`select id from domains where tenant_id = $1 and name = $2 and released_at = 0`, []any{s.actor.Tenant, tenants.Sibling(d.Name)}, &sibling)
	if errors.Is(err, errNone) {
		return "", nil
	}
	return sibling, err
}

// PreviewSettings says what other settings of a certificate would cause. Nothing is saved. Errors as of SaveSettings.
func (s *Scope) PreviewSettings(ctx context.Context, id tenants.DomainID, form tenants.SettingsForm) (e tenants.SettingsEffect, err error) {
	if err := s.db.may(ctx, s.actor, tenants.ChangeCertificate, string(id)); err != nil {
		return e, err
	}
	q, now := s.db.read(ctx), s.db.now()
	d, err := q.ownDomain(s.actor.Tenant, id, "", now)
	if err != nil {
		return e, err
	}
	_, e, err = q.settingsEffect(d, form, now)
	return e, err
}

// SaveSettings takes settings into use whose effect was shown: shown is the Token of that effect. When the effect is another
// by now, or nothing differs, nothing is saved, and saved is false. A version that differs from what there is is ordered at
// once. Invalid for what is typed wrong, Conflict for a name that was given up.
func (s *Scope) SaveSettings(ctx context.Context, id tenants.DomainID, form tenants.SettingsForm, shown string) (e tenants.SettingsEffect, saved bool, err error) {
	err = s.change(ctx, tenants.ChangeCertificate, id, func(t *tx, d *domainRow) error {
		var f tenants.Facts
		saved = false
		if f, e, err = t.settingsEffect(d, form, t.now); err != nil {
			return err
		}
		if e.NoneOf || e.Token != shown {
			return errUnchanged
		}
		saved = true
		return t.saveSettings(d, f, e, s.actor)
	})
	return e, saved && err == nil, err
}

// settingsEffect reads a form and judges it by the domain as it is.
func (q query) settingsEffect(d *domainRow, form tenants.SettingsForm, now time.Time) (f tenants.Facts, e tenants.SettingsEffect, err error) {
	if d.Status == tenants.Released || !d.releasing.IsZero() {
		return f, e, conflict("%s was given up, so nothing is ordered for it any more. Add it again to order in another way.", d.Name)
	}
	if f, err = q.facts(d, now); err != nil {
		return f, e, err
	}
	settings, err := f.ParseSettings(form)
	if err != nil {
		return f, e, err
	}
	served, err := q.servedBy(f.Certificate, settings.SPKI())
	if err != nil {
		return f, e, err
	}
	exposed, err := q.exposed(settings.SPKI())
	if err != nil {
		return f, e, err
	}
	e, err = f.SettingsEffect(settings, served, exposed, now)
	return f, e, err
}

// servedBy is the newest version of a lineage with that key; nil when there is none.
func (q query) servedBy(c tenants.Certificate, spki string) (*tenants.Version, error) {
	if spki == "" {
		return nil, nil
	}
	var v tenants.Version
	err := q.one(`select `+versionColumns+`
from versions v where v.tenant_id = $1 and v.certificate_id = $2 and v.spki = $3 order by v.number desc limit 1`,
		[]any{c.Tenant, c.ID, spki}, scanVersion(&v)...)
	if errors.Is(err, errNone) {
		return nil, nil
	}
	return &v, err
}

const saveSettingsSQL = `
update certificates set key_type = $3, strategy = $4, csr = $5, changed_at = $6, changed = $7, names = $8, profile = $9, prefers = $10
where tenant_id = $1 and id = $2`

func (t *tx) saveSettings(d *domainRow, f tenants.Facts, e tenants.SettingsEffect, by tenants.Actor) error {
	at, what := f.Changed(e, t.now)
	if _, err := t.exec(saveSettingsSQL, d.Tenant, f.Certificate.ID, e.After.KeyType, e.After.Strategy, clean(e.After.CSR), us(at), what,
		enc(e.After.Names), clean(e.After.Profile), e.After.Prefers); err != nil {
		return err
	}
	if err := t.planAnew(d, f.Order); err != nil {
		return err
	}
	if e.Renew {
		d.forgive() // what failed before may not fail in this way
	}
	t.due(d)
	var changes []tenants.Change
	for _, c := range e.Rows {
		if c.Before != c.After {
			changes = append(changes, c)
		}
	}
	t.record(by, tenants.DidChangeCert, string(d.ID), d.Name, fmt.Sprintf("changed what the certificate for %s is ordered with.", d.Name), changes...)
	return nil
}

// planAnew ends an open order of which nothing was sent, so that the next one is planned with the settings that are in use by
// then. A new name keeps its place among those that wait for budget.
func (t *tx) planAnew(d *domainRow, open *tenants.Order) error {
	if open == nil || !open.Unplaced() {
		return nil
	}
	rank := d.rank
	if err := t.cancelOrder(d, *open, "What the certificate is ordered with changed before it was placed."); err != nil {
		return err
	}
	d.rank = rank
	return nil
}
