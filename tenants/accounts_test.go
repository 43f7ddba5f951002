package tenants

import (
	"fmt"
	"testing"
)

func accountsNamed(n int) (all []Account) {
	for i := range n {
		all = append(all, Account{ID: AccountID(fmt.Sprintf("acc_%d", i)), Shard: i})
	}
	return all
}

// With one account more, tenants move to it or stay where they are, and all accounts have about the same number.
func TestAccountOf(t *testing.T) {
	const people = 6000
	for n := 1; n < 6; n++ {
		before, after := accountsNamed(n), accountsNamed(n+1)
		moved, load := 0, map[AccountID]int{}
		for i := range people {
			tenant := TenantID(fmt.Sprintf("ten_%d", i))
			was, is := AccountOf(tenant, before), AccountOf(tenant, after)
			load[is.ID]++
			if was.ID == is.ID {
				continue
			}
			if moved++; is.Shard != n {
				t.Fatalf("%s moved from %s to %s, which is not the new one", tenant, was.ID, is.ID)
			}
		}
		fair := people / (n + 1)
		if moved < fair*8/10 || moved > fair*12/10 {
			t.Errorf("%d of %d moved to account %d, want about %d", moved, people, n+1, fair)
		}
		for id, got := range load {
			if got < fair*8/10 || got > fair*12/10 {
				t.Errorf("%s has %d tenants of %d, want about %d", id, got, people, fair)
			}
		}
	}
}

// The choice is the same whatever the order in which the accounts are listed.
func TestAccountOfAnyOrder(t *testing.T) {
	all := accountsNamed(3)
	for i := range 50 {
		tenant := TenantID(fmt.Sprintf("ten_%d", i))
		if a, b := AccountOf(tenant, all), AccountOf(tenant, []Account{all[2], all[0], all[1]}); a != b {
			t.Fatalf("%s: %s or %s", tenant, a.ID, b.ID)
		}
	}
}
