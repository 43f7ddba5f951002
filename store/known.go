package store

import (
	"sync"
	"time"

	"perennial/tenants"
)

// knownFor is how long the issuers are taken for what they were when they were read. A write of this process ends it at
// once.
const knownFor = time.Second

// known are the issuers as they were read last, for those who only want to know what to do next: every turn and every
// scan asks, and they hardly ever change.
//
// What another process wrote is seen up to knownFor later, which is as if the turn or the scan had begun that much sooner.
// Whoever plans an order, spends or writes to an issuer reads them in the transaction that does it.
type known struct {
	mu     sync.Mutex
	all    []Authority
	read   time.Time
	writes int // of this process
}

// authorities are all issuers, those for dry runs among them. Nobody may change what comes back.
func (k *known) authorities(q query, now time.Time) ([]Authority, error) {
	k.mu.Lock()
	all, read, writes := k.all, k.read, k.writes
	k.mu.Unlock()
	if all != nil && now.Sub(read).Abs() < knownFor {
		return all, nil
	}
	all, err := q.directories()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.writes == writes { // else this may be from before the write
		k.all, k.read = all, now
	}
	return all, nil
}

func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all, k.writes = nil, k.writes+1
}

// execIssuers is exec for what changes issuers or their accounts.
func (t *tx) execIssuers(text string, args ...any) (int64, error) {
	t.reissued = true
	return t.exec(text, args...)
}

// withFirst finds an issuer, with its first account.
func withFirst(all []Authority, id tenants.IssuerID) tenants.Issuer {
	for _, one := range all {
		if one.ID == id {
			return one.Issuer
		}
	}
	return tenants.Issuer{}
}
