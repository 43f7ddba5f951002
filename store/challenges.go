package store

import (
	"cmp"
	"context"

	"perennial/tenants"
)

const challengeColumns = `c.id, c.order_id, c.authz, c.url, c.record, c.zone, c.value, c.presented_at, c.seen_at,
c.answered_at, c.valid_at, c.cleaned_at`

func readChallenge(r rows) (c tenants.Challenge, err error) {
	return c, r.Scan(&c.ID, &c.Order, &c.Authz, &c.URL, &c.Record, &c.Zone, &c.Value, at(&c.Presented), at(&c.Seen),
		at(&c.Answered), at(&c.Valid), at(&c.Cleaned))
}

func (q query) challenges(o tenants.Order) ([]tenants.Challenge, error) {
	return collect(q, readChallenge, `select `+challengeColumns+`
from challenges c where c.tenant_id = $1 and c.order_id = $2 order by c.id`, o.Tenant, o.ID)
}

const saveChallengeSQL = `
insert into challenges (id, tenant_id, domain_id, order_id, authz, url, record, zone, value, presented_at, seen_at,
	answered_at, valid_at, cleaned_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (order_id, authz) do update set url = excluded.url, record = excluded.record, zone = excluded.zone,
	value = excluded.value, presented_at = excluded.presented_at, seen_at = excluded.seen_at,
	answered_at = excluded.answered_at, valid_at = excluded.valid_at, cleaned_at = excluded.cleaned_at`

func (t *tx) saveChallenge(d *domainRow, c tenants.Challenge) error {
	_, err := t.exec(saveChallengeSQL, cmp.Or(c.ID, mintID[tenants.ChallengeID](t.now)), d.Tenant, d.ID, c.Order,
		clean(c.Authz), clean(c.URL), clean(c.Record), clean(c.Zone), clean(c.Value), us(c.Presented), us(c.Seen),
		us(c.Answered), us(c.Valid), us(c.Cleaned))
	return err
}

// SaveChallenges writes challenges whose orders may have ended: that their TXT values are gone from DNS.
func (s *System) SaveChallenges(ctx context.Context, cs []tenants.Challenge) error {
	if len(cs) == 0 {
		return nil
	}
	return s.db.housekeep(ctx, func(t *tx) error {
		for _, c := range cs {
			d, _, err := t.lockOrder(c.Order)
			if err != nil {
				return err
			}
			if err := t.saveChallenge(d, c); err != nil {
				return err
			}
			t.touch(d.Tenant, d.ID)
		}
		return nil
	})
}
