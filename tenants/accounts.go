package tenants

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Account is an account of ours at an issuer (RFC 8555, section 7.1.2). Several of them share an issuer's work, because an
// authority counts orders by the account.
type Account struct {
	ID       AccountID
	Issuer   IssuerID
	Shard    int     // 0 for the first
	URL      string  // empty before it is registered
	KeyType  KeyType // empty before its key is made
	Changing bool    // its key is being changed
	Tries    KeyTries
	Created  time.Time
}

// KeyTries are the tries to change an account's key that came to nothing so far.
type KeyTries struct {
	N     int
	Next  time.Time // when the next one is due
	Cause Code      // of the last one
}

// EAB is an external account binding (RFC 8555, section 7.3.4): the leave of an authority's customer to open accounts.
// The zero EAB is none.
type EAB struct {
	KeyID string
	Key   Secret // base64url text, as the authority gives it
}

// AccountOf chooses which of the accounts at an issuer works for a tenant. The choice depends on the ids alone: it is the
// same in every process, and one account more takes over its share of the tenants and moves nobody else (rendezvous
// hashing). accounts must not be empty.
func AccountOf(tenant TenantID, accounts []Account) Account {
	best := accounts[0]
	for _, a := range accounts[1:] {
		if a.weight(tenant) > best.weight(tenant) {
			best = a
		}
	}
	return best
}

func (a Account) weight(tenant TenantID) uint64 {
	sum := sha256.Sum256([]byte(string(a.ID) + " " + string(tenant)))
	return binary.BigEndian.Uint64(sum[:8])
}
