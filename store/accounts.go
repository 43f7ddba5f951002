package store

import (
	"cmp"
	"context"
	"slices"

	"perennial/store/seal"
	"perennial/tenants"
)

const addAccountSQL = `
insert into accounts (id, issuer_id, shard, created_at) values ($1, $2, $3, $4) on conflict (issuer_id, shard) do nothing`

// ensureAccounts makes the rows of an issuer's first n accounts, those that are missing. Their keys are made, and they are
// registered, when they are first used.
func (t *tx) ensureAccounts(id tenants.IssuerID, n int) error {
	for shard := range n {
		if _, err := t.execIssuers(addAccountSQL, mintID[tenants.AccountID](t.now), id, shard, us(t.now)); err != nil {
			return err
		}
	}
	return nil
}

// Authority is an issuer with our accounts there.
type Authority struct {
	tenants.Issuer                   // Account is the first one's
	InUse          int               // of Accounts, how many new orders are spread over: the first ones
	Accounts       []tenants.Account // by shard
	Retired        bool              // takes no new orders
	StagingOf      tenants.IssuerID  // whose dry runs go here; then no certificate is ever ordered here
}

// For is the issuer with the account that works for a tenant.
func (a Authority) For(tenant tenants.TenantID) tenants.Issuer {
	account := tenants.AccountOf(tenant, a.Accounts[:min(max(a.InUse, 1), len(a.Accounts))])
	return a.With(account)
}

// With is the issuer with one of its accounts.
func (a Authority) With(account tenants.Account) tenants.Issuer {
	i := a.Issuer
	i.AccountID, i.Account = account.ID, account.URL
	return i
}

func (a Authority) forDryRuns() bool { return a.StagingOf != "" }

const (
	accountColumns = `a.id, a.issuer_id, a.shard, a.url, a.key_type, case when a.next_type = '' then 0 else 1 end,
	a.key_tries, a.key_next_at, a.key_cause, a.created_at`

	authoritiesSQL = `select ` + issuerColumns + `, i.accounts, case when i.retired_at > 0 then 1 else 0 end, i.staging_of, ` + accountColumns + `
from ` + issuerTables + ` join accounts a on a.issuer_id = i.id order by i.rank, i.id, a.shard`
)

func scanAccount(a *tenants.Account) []any {
	return []any{&a.ID, &a.Issuer, &a.Shard, &a.URL, &a.KeyType, flag{&a.Changing},
		&a.Tries.N, at(&a.Tries.Next), &a.Tries.Cause, at(&a.Created)}
}

// authorities lists the issuers that certificates are ordered from, in the operator's order of preference.
func (q query) authorities() ([]Authority, error) {
	all, err := q.directories()
	return slices.DeleteFunc(all, Authority.forDryRuns), err
}

// directories lists all issuers, those for dry runs among them.
func (q query) directories() (all []Authority, err error) {
	return all, q.each(func(r rows) error {
		var one Authority
		var account tenants.Account
		dest := slices.Concat(scanIssuer(&one.Issuer), []any{&one.InUse, flag{&one.Retired}, &one.StagingOf}, scanAccount(&account))
		if err := r.Scan(dest...); err != nil {
			return err
		}
		if last := len(all) - 1; last < 0 || all[last].ID != one.ID {
			all = append(all, one)
		}
		last := &all[len(all)-1]
		last.Accounts = append(last.Accounts, account)
		return nil
	}, authoritiesSQL)
}

// Authorities lists all issuers that the portal knows, retired ones included, in the operator's order of preference.
// Those that are for dry runs only are left out. What another process changed within the last second may be missing.
func (s *System) Authorities(ctx context.Context) ([]Authority, error) {
	all, err := s.db.known.authorities(s.db.read(ctx), s.db.now())
	return slices.DeleteFunc(slices.Clone(all), Authority.forDryRuns), err
}

// Authority reads one issuer, whatever it is for.
func (s *System) Authority(ctx context.Context, id tenants.IssuerID) (Authority, error) {
	all, err := s.db.read(ctx).directories()
	if i := slices.IndexFunc(all, func(a Authority) bool { return a.ID == id }); i >= 0 {
		return all[i], err
	}
	return Authority{}, orAbsent(cmp.Or(err, errNone), "authority")
}

// of finds the issuer that an order was placed with, with the account that was used.
func of(all []Authority, id tenants.IssuerID, account tenants.AccountID) tenants.Issuer {
	for _, one := range all {
		for _, a := range one.Accounts {
			if one.ID == id && a.ID == account {
				return one.With(a)
			}
		}
	}
	return tenants.Issuer{}
}

// accountAt is the account that works for a tenant at an issuer.
func (q query) accountAt(id tenants.IssuerID, tenant tenants.TenantID) (tenants.AccountID, error) {
	accounts, err := collect(q, func(r rows) (a tenants.Account, err error) { return a, r.Scan(scanAccount(&a)...) },
		`select `+accountColumns+` from accounts a join issuers i on i.id = a.issuer_id
where i.id = $1 and a.shard < i.accounts order by a.shard`, id)
	if err != nil {
		return "", err
	}
	if len(accounts) == 0 {
		return "", absent("authority")
	}
	return tenants.AccountOf(tenant, accounts).ID, nil
}

// Account reads one of our accounts.
func (s *System) Account(ctx context.Context, id tenants.AccountID) (tenants.Account, error) {
	return s.db.read(ctx).account(id)
}

func (q query) account(id tenants.AccountID) (a tenants.Account, err error) {
	err = q.one(`select `+accountColumns+` from accounts a where a.id = $1`, []any{id}, scanAccount(&a)...)
	return a, orAbsent(err, "account")
}

func eabPlace(id tenants.IssuerID) seal.Place {
	return seal.Place{Table: "issuers", ID: string(id), Column: "eab_key"}
}

// EAB is the external account binding that was given with an issuer; zero for none.
func (s *System) EAB(ctx context.Context, id tenants.IssuerID) (eab tenants.EAB, err error) {
	q := s.db.read(ctx)
	var blob []byte
	if err := q.one(`select eab_key_id, eab_key from issuers where id = $1`, []any{id}, &eab.KeyID, &blob); err != nil {
		return eab, orAbsent(err, "authority")
	}
	if len(blob) > 0 {
		eab.Key, err = s.db.unseal(q, platform, blob, eabPlace(id))
	}
	return eab, err
}

const bindingSQL = `select eab_key_id, accounts from issuers where id = $1`

// bind makes room for accounts under the binding with that key id, and returns the one before. An account stays bound as it was
// opened (RFC 8555, section 7.3.4), so those that were opened get no new orders when it is another. They keep what they have: what
// they ordered is finished, and revoked, by them.
func (t *tx) bind(id tenants.IssuerID, keyID string) (was string, err error) {
	var inUse int
	if err := t.one(bindingSQL+t.db.engine.lock, []any{id}, &was, &inUse); err != nil || keyID == "" || keyID == was {
		return was, orAbsent(err, "authority")
	}
	if _, err := t.execIssuers(setAsideSQL, id, maxAccounts); err != nil {
		return was, err
	}
	return was, t.ensureAccounts(id, inUse)
}

// setAsideSQL moves accounts behind all that are ever in use, and behind those that were moved before.
const setAsideSQL = `
update accounts set shard = shard + (select max(a.shard) + cast($2 as bigint) from accounts a where a.issuer_id = $1)
where issuer_id = $1 and shard < $2 and url <> ''`

// SaveBinding notes the key id of the binding that the settings have for their issuer, empty for none; its key stays there. The
// first one that is noted may be that of the accounts that are open already. Another one gets new accounts, as in AddIssuer.
func (s *System) SaveBinding(ctx context.Context, id tenants.IssuerID, keyID string) error {
	keyID = clean(keyID)
	return s.db.write(ctx, func(t *tx) error {
		var was string
		var inUse int
		if err := t.one(bindingSQL, []any{id}, &was, &inUse); err != nil {
			return orAbsent(err, "authority")
		}
		if keyID == "" || keyID == was {
			return errUnchanged
		}
		if was != "" {
			if _, err := t.bind(id, keyID); err != nil {
				return err
			}
		}
		i, err := t.issuer(id)
		if err != nil {
			return err
		}
		t.record(tenants.System(platform), tenants.DidChangeIssuer, string(id), i.Name, "took over the external account binding of the settings.",
			tenants.Change{Field: "Key id of the binding", Before: was, After: keyID})
		_, err = t.execIssuers(`update issuers set eab_key_id = $2 where id = $1`, id, keyID)
		return err
	})
}

func accountPlace(id tenants.AccountID) seal.Place {
	return seal.Place{Table: "accounts", ID: string(id), Column: "private_key"}
}

// AccountKey is the key of an account, as SaveAccount was given it. false: none was made yet.
func (s *System) AccountKey(ctx context.Context, id tenants.AccountID) (key tenants.Secret, ok bool, err error) {
	q := s.db.read(ctx)
	var blob []byte
	if err := q.one(`select private_key from accounts where id = $1`, []any{id}, &blob); err != nil {
		return key, false, orAbsent(err, "account")
	}
	if len(blob) == 0 {
		return key, false, nil
	}
	key, err = s.db.unseal(q, platform, blob, accountPlace(id))
	return key, err == nil, err
}

// NewKey is a key for an account, in PKCS#8 (DER).
type NewKey struct {
	Type tenants.KeyType
	Key  tenants.Secret
}

// SaveAccount keeps an account. Its key is saved before the account is registered, with an empty URL, and
// once more with the URL afterwards: a crash in between registers the same key again, which is the same account
// (RFC 8555, section 7.3.1). A key that is there already stays: of two processes that start together one wins, and both
// read the key with AccountKey afterwards. The zero key leaves the key as it is.
func (s *System) SaveAccount(ctx context.Context, id tenants.AccountID, key NewKey, url string) error {
	return s.db.write(ctx, func(t *tx) error {
		a, i, err := t.lockAccount(id)
		if err != nil {
			return err
		}
		fresh := a.KeyType == "" && !key.Key.Empty()
		if fresh {
			err = t.saveAccountKey(a, i, key)
		}
		if err == nil && url != "" && url != a.URL {
			return t.saveAccountURL(a, i, url)
		}
		if err == nil && !fresh {
			return errUnchanged
		}
		return err
	})
}

// lockAccount loads an account under lock, and its issuer.
func (t *tx) lockAccount(id tenants.AccountID) (a tenants.Account, i tenants.Issuer, err error) {
	if err = t.one(`select `+accountColumns+` from accounts a where a.id = $1`+t.db.engine.lock, []any{id}, scanAccount(&a)...); err != nil {
		return a, i, orAbsent(err, "account")
	}
	i, err = t.issuer(a.Issuer)
	return a, i, err
}

func (t *tx) saveAccountKey(a tenants.Account, i tenants.Issuer, key NewKey) error {
	sealed, err := t.db.seal(t.query, platform, key.Key, accountPlace(a.ID))
	if err != nil {
		return err
	}
	_, err = t.execIssuers(`update accounts set private_key = $2, key_type = $3 where id = $1`, a.ID, sealed, key.Type)
	t.record(tenants.System(platform), tenants.DidAccount, string(i.ID), i.Name, "made a key for an account at "+i.Name+".")
	return err
}

func (t *tx) saveAccountURL(a tenants.Account, i tenants.Issuer, url string) error {
	_, err := t.execIssuers(`update accounts set url = $2 where id = $1`, a.ID, clean(url))
	t.record(tenants.System(platform), tenants.DidAccount, string(i.ID), i.Name, "opened an account at "+i.Name+".")
	return err
}
