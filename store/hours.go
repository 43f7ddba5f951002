package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"perennial/tenants"
)

// Hours are the tenant's renewal hours.
func (s *Scope) Hours(ctx context.Context) (tenants.Hours, error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, ""); err != nil {
		return tenants.Hours{}, err
	}
	var f tenants.Facts
	err := s.db.read(ctx).rules(s.actor.Tenant, &f)
	return f.Hours, err
}

// PreviewHours tells what other renewal hours would change. It changes nothing.
func (s *Scope) PreviewHours(ctx context.Context, h tenants.Hours) (tenants.Prospect, error) {
	if err := s.db.may(ctx, s.actor, tenants.ChangeHours, ""); err != nil {
		return tenants.Prospect{}, err
	}
	_, p, err := s.db.read(ctx).prospect(s.actor.Tenant, h, s.db.now())
	return p, err
}

// replanned is how many plans one transaction changes, so that others get their turn at the writer.
const replanned = 200

// SaveHours takes renewal hours into use and moves the renewals that they do not allow, and no others: those that
// PreviewHours names. Hours and audit entry are one transaction; plans follow in some more. What a crash leaves outside the
// hours moves when its domain is looked at next; what it leaves above the number per day, when the hours are saved again.
func (s *Scope) SaveHours(ctx context.Context, h tenants.Hours) (tenants.Prospect, error) {
	if err := s.db.may(ctx, s.actor, tenants.ChangeHours, ""); err != nil {
		return tenants.Prospect{}, err
	}
	err := s.db.write(ctx, func(t *tx) error {
		var was tenants.Hours
		if err := t.one(`select hours from tenants where id = $1`+t.db.engine.lock, []any{s.actor.Tenant}, doc(&was)); err != nil {
			return orAbsent(err, "tenant")
		}
		if was.String() == h.String() {
			return errUnchanged
		}
		t.record(s.actor, tenants.DidChangeHours, string(s.actor.Tenant), "", fmt.Sprintf("changed the renewal hours to %s.", h),
			tenants.Change{Field: "Renewal hours", Before: was.String(), After: h.String()})
		_, err := t.exec(`update tenants set hours = $2 where id = $1`, s.actor.Tenant, enc(h))
		return err
	})
	if err != nil {
		return tenants.Prospect{}, err
	}
	s.db.forecasts.forget()
	return s.moveRenewals(ctx, h)
}

// moveRenewals brings the plans in line with the hours that are in use.
func (s *Scope) moveRenewals(ctx context.Context, h tenants.Hours) (tenants.Prospect, error) {
	all, p, err := s.db.read(ctx).prospect(s.actor.Tenant, h, s.db.now())
	if err != nil {
		return p, err
	}
	var moved []move
	for i, r := range all {
		if !p.Plans[i].At.Equal(r.Plan.At) {
			moved = append(moved, move{r.Facts.ID, r.Plan, p.Plans[i]})
		}
	}
	for part := range slices.Chunk(moved, replanned) {
		if err := s.db.housekeep(ctx, func(t *tx) error { return t.moveAll(s.actor.Tenant, part) }); err != nil {
			return p, fmt.Errorf("move renewals: %w", err)
		}
	}
	return p, nil
}

// move is one plan and what takes its place.
type move struct {
	certificate tenants.CertificateID
	was, to     tenants.Verdict
}

func (t *tx) moveAll(tenant tenants.TenantID, moves []move) error {
	for _, m := range moves {
		d, err := t.domainOf(m.certificate)
		if err != nil {
			return err
		}
		c, _, err := t.certificateOf(tenant, d.ID)
		if err != nil {
			return err
		}
		if !c.Plan.At.Equal(m.was.At) { // planned anew meanwhile
			continue
		}
		if d.next.After(m.to.At) {
			d.next = m.to.At
		}
		if err := t.putPlan(d, c, c.ARI, m.to); err != nil {
			return err
		}
	}
	return nil
}

const plansSQL = `
select c.id, c.plan, c.issuer_id, v.serial, v.not_before, v.not_after
from domains d join certificates c on c.domain_id = d.id join versions v on v.id = c.current_version
where d.tenant_id = $1 and d.released_at = 0 and d.renew_at > 0 order by d.renew_at, d.id`

// prospect is the tenant's planned renewals and what h makes of them.
func (q query) prospect(tenant tenants.TenantID, h tenants.Hours, now time.Time) ([]tenants.Renewal, tenants.Prospect, error) {
	issuers := map[tenants.CertificateID]tenants.IssuerID{}
	all, err := collect(q, func(r rows) (p tenants.Renewal, err error) {
		var issuer tenants.IssuerID
		f := &p.Facts
		err = r.Scan(&f.ID, doc(&p.Plan), &issuer, &f.Serial, at(&f.NotBefore), at(&f.NotAfter))
		issuers[f.ID] = issuer
		return p, err
	}, plansSQL, tenant)
	if err != nil {
		return nil, tenants.Prospect{}, err
	}
	counts, err := q.allSlots()
	if err != nil {
		return nil, tenants.Prospect{}, err
	}
	return all, tenants.Preview(all, h, now, func(p tenants.Renewal, slots []tenants.Slot) tenants.Load {
		l, issuer := tenants.Load{Planned: make([]int, len(slots))}, issuers[p.Facts.ID]
		own, counted := p.Plan.Slot()
		for i, s := range slots {
			l.Planned[i] = counts[slotOf(issuer, s)]
			if counted && s == own {
				l.Planned[i]--
			}
		}
		return l
	}), nil
}

// allSlots reads every counter: some thousand at most, since old ones are swept.
func (q query) allSlots() (map[slot]int, error) {
	counts := map[slot]int{}
	return counts, q.each(func(r rows) error {
		var s slot
		var n int
		err := r.Scan(&s.issuer, &s.width, &s.start, &n)
		counts[s] = n
		return err
	}, `select issuer_id, width, start_at, n from slots where n <> 0`)
}
