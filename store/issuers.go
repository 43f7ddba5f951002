package store

import (
	"cmp"
	"context"
	"fmt"

	"perennial/store/seal"
	"perennial/tenants"
)

const issuerColumns = `i.id, i.name, i.directory, i.profile, i.account, i.caa, i.limits, i.free_ari`

func scanIssuer(i *tenants.Issuer) []any {
	return []any{&i.ID, &i.Name, &i.Directory, &i.Profile, &i.Account, doc(&i.CAA), doc(&i.Limits), flag{&i.FreeARI}}
}

func (q query) issuer(id tenants.IssuerID) (i tenants.Issuer, err error) {
	err = q.one(`select `+issuerColumns+` from issuers i where i.id = $1`, []any{id}, scanIssuer(&i)...)
	return i, orAbsent(err, "authority")
}

func (q query) issuerAt(directory string) (i tenants.Issuer, err error) {
	err = q.one(`select `+issuerColumns+` from issuers i where i.directory = $1`, []any{directory}, scanIssuer(&i)...)
	return i, orAbsent(err, "authority")
}

// Issuer reads the issuer of a directory.
func (s *System) Issuer(ctx context.Context, directory string) (tenants.Issuer, error) {
	return s.db.read(ctx).issuerAt(directory)
}

const saveIssuerSQL = `
insert into issuers (id, name, directory, profile, account, caa, limits, free_ari, created_at)
values ($1, $2, $3, $4, '', $5, $6, $7, $8)
on conflict (directory) do update set name = excluded.name, profile = excluded.profile, 
	caa = case excluded.caa when 'null' then issuers.caa else excluded.caa end,
	limits = excluded.limits, free_ari = excluded.free_ari
returning id`

// SaveIssuer writes what is configured or was read of a directory, which identifies the issuer: name, profile, CAA
// identities and limits. The account stays as it is, and so do the CAA identities when i.CAA is nil. It returns the issuer as it is stored, whatever i.ID says.
func (s *System) SaveIssuer(ctx context.Context, i tenants.Issuer) (saved tenants.Issuer, err error) {
	err = s.db.housekeep(ctx, func(t *tx) error {
		id, err := t.saveIssuer(i)
		if err != nil {
			return err
		}
		saved, err = t.issuer(id)
		return err
	})
	return saved, err
}

func (t *tx) saveIssuer(i tenants.Issuer) (id tenants.IssuerID, err error) {
	err = t.one(saveIssuerSQL, []any{mintID[tenants.IssuerID](t.now), cmp.Or(i.Name, i.Directory), i.Directory,
		i.Profile, enc(i.CAA), enc(i.Limits), bit(i.FreeARI), us(t.now)}, &id)
	if err != nil {
		return "", fmt.Errorf("save issuer: %w", err)
	}
	return id, nil
}

// defaultIssuer is the issuer of new certificates. Its row exists before the authority was ever reached.
func (t *tx) defaultIssuer() (tenants.IssuerID, error) {
	directory := t.db.cfg.Directory
	i, err := t.issuerAt(directory)
	if tenants.KindOf(err) != tenants.NotFound {
		return i.ID, err
	}
	return t.saveIssuer(tenants.NewIssuer(directory))
}

func accountPlace(id tenants.IssuerID) seal.Place {
	return seal.Place{Table: "issuers", ID: string(id), Column: "account_key"}
}

// AccountKey is the key of our account at an issuer, as SaveAccount was given it. false: none was made yet.
func (s *System) AccountKey(ctx context.Context, id tenants.IssuerID) (key tenants.Secret, ok bool, err error) {
	q := s.db.read(ctx)
	var blob []byte
	if err := q.one(`select account_key from issuers where id = $1`, []any{id}, &blob); err != nil {
		return key, false, orAbsent(err, "authority")
	}
	if len(blob) == 0 {
		return key, false, nil
	}
	key, err = s.db.unseal(q, platform, blob, accountPlace(id))
	return key, err == nil, err
}

// SaveAccount keeps the account at an issuer. Its key is saved before the account is registered, with an empty URL, and
// once more with the URL afterwards: a crash in between registers the same key again, which is the same account
// (RFC 8555, section 7.3.1). A key that is there already stays: of two processes that start together one wins, and both
// read the key with AccountKey afterwards. An empty key leaves the key as it is.
func (s *System) SaveAccount(ctx context.Context, id tenants.IssuerID, key tenants.Secret, url string) error {
	return s.db.write(ctx, func(t *tx) error {
		i, fresh, err := t.lockAccount(id, key)
		if err != nil {
			return err
		}
		if fresh {
			err = t.saveAccountKey(i, key)
		}
		if err == nil && url != "" && url != i.Account {
			return t.saveAccountURL(i, url)
		}
		if err == nil && !fresh {
			return errUnchanged
		}
		return err
	})
}

// lockAccount loads an issuer under lock. fresh says that key is its first.
func (t *tx) lockAccount(id tenants.IssuerID, key tenants.Secret) (i tenants.Issuer, fresh bool, err error) {
	var sealed []byte
	if err := t.one(`select account_key from issuers where id = $1`+t.db.engine.lock, []any{id}, &sealed); err != nil {
		return i, false, orAbsent(err, "authority")
	}
	i, err = t.issuer(id)
	return i, len(sealed) == 0 && !key.Empty(), err
}

func (t *tx) saveAccountKey(i tenants.Issuer, key tenants.Secret) error {
	sealed, err := t.db.seal(t.query, platform, key, accountPlace(i.ID))
	if err != nil {
		return err
	}
	_, err = t.exec(`update issuers set account_key = $2 where id = $1`, i.ID, sealed)
	t.record(tenants.System(platform), tenants.DidAccount, string(i.ID), i.Name, "made a key for an account at "+i.Name+".")
	return err
}

func (t *tx) saveAccountURL(i tenants.Issuer, url string) error {
	_, err := t.exec(`update issuers set account = $2 where id = $1`, i.ID, clean(url))
	t.record(tenants.System(platform), tenants.DidAccount, string(i.ID), i.Name, "opened an account at "+i.Name+".")
	return err
}
