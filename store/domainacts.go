package store

import (
	"context"
	"fmt"

	"perennial/tenants"
)

// change is what all acts on one domain share: authorise, load under lock, act, save.
func (s *Scope) change(ctx context.Context, p tenants.Permission, id tenants.DomainID, act func(*tx, *domainRow) error) error {
	if err := s.db.may(ctx, s.actor, p, string(id)); err != nil {
		return err
	}
	return s.db.write(ctx, func(t *tx) error {
		d, err := t.ownDomain(s.actor.Tenant, id, t.db.engine.lock, t.now)
		if err != nil {
			return err
		}
		if d.Status == tenants.Released {
			return absent("domain")
		}
		if err := act(t, d); err != nil {
			return err
		}
		return t.saveDomain(d)
	})
}

// CheckNow asks for a look at the domain's DNS at once.
func (s *Scope) CheckNow(ctx context.Context, id tenants.DomainID) error {
	return s.change(ctx, tenants.CheckDomain, id, func(t *tx, d *domainRow) error {
		d.lookAsked = t.now
		t.due(d)
		t.record(s.actor, tenants.DidCheck, string(d.ID), d.Name, fmt.Sprintf("asked to check the record of %s now.", d.Name))
		return nil
	})
}

// RenewNow asks for the next version at once, whatever the plan says.
func (s *Scope) RenewNow(ctx context.Context, id tenants.DomainID) error {
	return s.change(ctx, tenants.RenewCertificate, id, func(t *tx, d *domainRow) error {
		switch {
		case !d.releasing.IsZero():
			return conflict("%s is being given up. Add it again if you want to keep it.", d.Name)
		case !d.hasVersion:
			return conflict("There is no certificate for %s to renew yet. The first one comes by itself once the record is right.", d.Name)
		case d.orderState != "":
			return conflict("An order for %s is under way already. Follow it on the page of the domain.", d.Name)
		}
		if err := t.askRenewal(d, s.actor.Name); err != nil {
			return err
		}
		t.due(d)
		t.record(s.actor, tenants.DidAskRenewal, string(d.ID), d.Name, fmt.Sprintf("asked to renew %s now.", d.Name))
		return nil
	})
}

func (t *tx) askRenewal(d *domainRow, by string) error {
	_, err := t.exec(`update certificates set renew_now_at = $3, renewed_by = $4 where tenant_id = $1 and domain_id = $2`,
		d.Tenant, d.ID, us(t.now), by)
	return err
}

// Release gives a name up. The portal then removes what it wrote and takes its leave of the authority; the name is
// free for everybody when that is done. typedName must be the name, so that nobody gives up the wrong one.
func (s *Scope) Release(ctx context.Context, id tenants.DomainID, typedName string) error {
	return s.change(ctx, tenants.ReleaseDomain, id, func(t *tx, d *domainRow) error {
		if !sameName(typedName, d.Name) {
			text := fmt.Sprintf("This is not the name. Type %s to give it up.", d.Name)
			return &tenants.Error{Kind: tenants.Invalid, Text: text, Fields: map[string]string{"name": text}}
		}
		if !d.releasing.IsZero() {
			return errUnchanged
		}
		d.releasing = t.now
		t.due(d)
		t.record(s.actor, tenants.DidRelease, string(d.ID), d.Name, fmt.Sprintf("gave up %s.", d.Name))
		return nil
	})
}

// sameName compares leniently in what people cannot see: case, a last dot, white space, the two forms of an
// internationalised name.
func sameName(typed, name string) bool {
	parsed, err := tenants.ParseName(typed, tenants.NameRules{AllowSpecialUse: true})
	return err == nil && parsed.String() == name
}
