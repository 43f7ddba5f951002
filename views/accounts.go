package views

import (
	"strconv"
	"time"

	"perennial/tenants"
)

// IssuerAccount is one of our accounts at an authority.
type IssuerAccount struct {
	ID       tenants.AccountID
	Shard    int             // from 0
	URL      string          // empty before it is registered
	KeyType  tenants.KeyType // empty before its key is made
	Changing bool            // its key is being changed
	Tries    tenants.KeyTries
	InUse    bool       // new orders are placed with it
	Orders   BudgetLine // Count is 0 when they are not limited
}

// AccountKeyPage is about the key of one of our accounts. It has no field for a passphrase: that is never sent back.
type AccountKeyPage struct {
	Page
	Issuer
	Account IssuerAccount
	Errors  map[string]string // field → sentence: passphrase, again
	Error   string            // a refusal that belongs to no field
}

func (p AccountKeyPage) url() string { return AccountURL(p.ID, p.Account.ID) }

// name names the account.
func (a IssuerAccount) name() string { return "Account " + strconv.Itoa(a.Shard+1) }

func (a IssuerAccount) state() string {
	switch {
	case !a.InUse:
		return "gets no new orders"
	case a.URL == "":
		return "registered at the first order"
	}
	return "takes new orders"
}

// delay says why the new key has not arrived yet; empty before the first try.
func (a IssuerAccount) delay(ca string, now time.Time) string {
	if a.Tries.N == 0 {
		return ""
	}
	why := tenants.Explain(tenants.Finding{Code: a.Tries.Cause}.With("ca", ca))
	return why.Happened + ". We try again " + when(now, a.Tries.Next) + "."
}

// subject says which account it is.
func (a IssuerAccount) subject() string { return orElse(a.URL, "It was not opened yet.") }
