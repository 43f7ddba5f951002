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
	answered_at = excluded.answered_at, valid_at = excluded.valid_at, cleaned_at = excluded.cleaned_at
returning id`

// saveChallenge returns the challenge with its id.
func (t *tx) saveChallenge(d *domainRow, c tenants.Challenge) (tenants.Challenge, error) {
	err := t.one(saveChallengeSQL, []any{cmp.Or(c.ID, mintID[tenants.ChallengeID](t.now)), d.Tenant, d.ID, c.Order,
		clean(c.Authz), clean(c.URL), clean(c.Record), clean(c.Zone), clean(c.Value), us(c.Presented), us(c.Seen),
		us(c.Answered), us(c.Valid), us(c.Cleaned)}, &c.ID)
	return c, err
}

const cleanedSQL = `
update challenges set cleaned_at = $3 where order_id = $1 and authz = $2 returning tenant_id, domain_id`

// SaveCleaned notes since when challenges' TXT values are gone from DNS. Their orders may have ended.
func (s *System) SaveCleaned(ctx context.Context, cs []tenants.Challenge) error {
	if len(cs) == 0 {
		return nil
	}
	return s.db.housekeep(ctx, func(t *tx) error {
		for _, c := range cs {
			var what topic
			if err := t.one(cleanedSQL, []any{c.Order, clean(c.Authz), us(c.Cleaned)}, &what.tenant, &what.domain); err != nil {
				return orAbsent(err, "challenge")
			}
			t.touch(what.tenant, what.domain)
		}
		return nil
	})
}
