package store_test

import (
	"strings"
	"testing"
	"time"

	"perennial/store/storetest"
	"perennial/tenants"
)

// sabotage is what no transaction of ours does, and what the check of the whole database then says.
var sabotage = []struct{ does, says string }{
	{`drop index orders_open; update orders set ended_at = 0, state = 'planned'`, "one open order at most"},
	{`update orders set state = 'planned' where ended_at > 0`, "has ended when its state says so"},
	{`update orders set url = ''`, "has its URL"},
	{`update orders set tenant_id = (select id from tenants where slug = 'northwind')`, "belong together"},
	{`update certificates set current_version = ''`, "the newest of its lineage"},
	{`update versions set number = number + 10`, "numbered from 1 without gaps"},
	{`update versions set replaced_at = 1`, "but the current one are replaced"},
	{`update orders set state = 'failed' where state = 'issued'`, "has one version and no other order has any"},
	{`update versions set names = '["other.example"]'`, "the names and the reason of its order"},
	{`update orders set private_key = null`, "holds a key while it is open"},
	{`update orders set private_key = $1`, "holds a key while it is open"},
	{`update versions set private_key = $1`, "every version has its key"},
	{`update challenges set presented_at = 1; update domains set released_at = 1, status = 'released'`, "leaves no TXT value"},
	{`update challenges set presented_at = 1; update agenda set next_action_at = next_action_at * 2`, "comes back soon"},
	{`update challenges set presented_at = 1, value = ''`, "has a place and a value"},
	{`update domains set not_after = not_after + 1`, "copies its current version"},
	{`update domains set has_version = 0`, "copies its current version"},
	{`update domains set order_state = 'ready'`, "copies the state of its open order"},
	{`update domains set renew_at = renew_at + 1`, "copies its plan"},
	{`update domains set no_later = no_later + 1`, "copies its plan"},
	{`update domains set status = 'released'`, "is released when its status says so"},
	{`update delegations set released = 1`, "held as long as a domain needs it"},
	{`update tallies set n = n + 1`, "tallies count"},
	{`delete from tallies`, "tallies count"},
	{`update slots set n = n - 1`, "slots count"},
	{`update slots set n = -1`, "below zero"},
	{`update entry_heads set n = n + 1`, "without gaps, up to its head"},
	{`delete from entries where number = 2`, "without gaps, up to its head"},
	{`update entries set action = 'certificate.download' where action = 'certificate.issue'`, "one line in the audit log"},
	{`update agenda set next_action_at = 0`, "on the agenda until it is released"},
	{`delete from agenda`, "on the agenda until it is released"},
	{`update agenda set working = 1`, "has an owner and an end"},
	{`update agenda set lease_owner = 'x', lease_until = next_action_at * 2`, "held for ever"},
	{`update agenda set awaiting_budget = (select id from issuers)`, "planned and not placed"},
	{`insert into buckets (issuer_id, limit_name, bucket, tat) select id, 'orders', 'x', 9000000000000000 from issuers`, "owes no more"},
	{`insert into buckets (issuer_id, limit_name, bucket, tat) select id, 'orders', 'x', -1 from issuers`, "owes no more"},
}

// The check that ends every story of crashes and faults finds each kind of damage, and none where there is none.
func TestConsistentFindsDamage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		open := s.register(w.Acme, "open.shop.example")
		s.plan(open)
		check(t, s.sys.Rest(s.ctx, open, owner, w.Clock.Now().Add(time.Minute), tenants.Finding{}, tenants.Renewing))
		shop := s.register(w.Acme, "issued.shop.example")
		s.issue(shop, life)
		w.Clock.Advance(50 * 24 * time.Hour)
		s.issue(shop, life)
		s.release(w.Northwind, s.register(w.Northwind, "gone.shop.example"))
		storetest.Consistent(t, w.DSN, w.Clock.Now())
		db := s.raw()
		for _, b := range sabotage {
			tx, err := db.BeginTx(s.ctx, nil)
			check(t, err)
			for text := range strings.SplitSeq(b.does, ";") {
				var args []any
				if strings.Contains(text, "$1") {
					args = append(args, []byte{})
				}
				_, err := tx.ExecContext(s.ctx, text, args...)
				check(t, err)
			}
			found, err := storetest.BrokenIn(s.ctx, tx, w.Clock.Now())
			check(t, err)
			if !strings.Contains(strings.Join(found, "\n"), b.says) {
				t.Errorf("after %q it says %q, and not %q", b.does, found, b.says)
			}
			check(t, tx.Rollback())
		}
	})
}
