package store

import "perennial/tenants"

// refusedShown is how many refused revocations the overview lists: enough to see what they have in common.
const refusedShown = 10

// The first conditions are those of the index versions_revoking. A finding is written with its code first.
const refusedSQL = `
from versions v join certificates c on c.id = v.certificate_id join domains d on d.id = c.domain_id
	join tenants t on t.id = v.tenant_id join issuers i on i.id = v.issuer_id
where v.revoke_asked_at > 0 and v.revoked_at = 0 and v.not_after > $1 and v.revoke_finding like '{"Code":"` + string(tenants.RevocationRefused) + `"%'`

// refused lists what the authorities refuse to revoke. It needs o.At.
func (q query) refused(o *PlatformOverview) (err error) {
	if err := q.one(`select count(*)`+refusedSQL, []any{us(o.At)}, &o.Refusals); err != nil || o.Refusals == 0 {
		return err
	}
	o.Refused, err = collect(q, readRefused, `
select d.id, d.name, v.number, i.name, v.revoke_asked_at, v.revoke_next_at, `+tenantColumns+refusedSQL+`
order by v.revoke_asked_at, v.id`+limitTo(refusedShown-1), us(o.At))
	return err
}

func readRefused(r rows) (v RefusedRevocation, err error) {
	return v, r.Scan(append([]any{&v.ID, &v.Name, &v.Number, &v.Issuer, at(&v.Asked), at(&v.Next)}, scanTenant(&v.Tenant)...)...)
}
