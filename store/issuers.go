package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"

	"perennial/tenants"
)

// An issuer is read together with its first account, which every issuer has.
const (
	issuerColumns = `i.id, i.name, i.directory, i.profile, b.id, b.url, i.caa, i.profiles, i.limits, i.overrides, i.free_ari`
	issuerTables  = `issuers i join accounts b on b.issuer_id = i.id and b.shard = 0`
)

func scanIssuer(i *tenants.Issuer) []any {
	return []any{&i.ID, &i.Name, &i.Directory, &i.Profile, &i.AccountID, &i.Account, doc(&i.CAA), doc(&i.Profiles), doc(&i.Limits),
		overriding{&i.Limits}, flag{&i.FreeARI}}
}

// overriding scans the operator's own limits and puts them over those that were scanned before.
type overriding struct{ limits *tenants.Limits }

func (o overriding) Scan(v any) error {
	var own map[tenants.LimitName]Override
	if err := doc(&own).Scan(v); err != nil || len(own) == 0 {
		return err
	}
	limits := maps.Clone(*o.limits)
	if limits == nil {
		limits = tenants.Limits{}
	}
	for name, override := range own {
		limits[name] = override.Limit
	}
	*o.limits = limits
	return nil
}

func (q query) issuer(id tenants.IssuerID) (i tenants.Issuer, err error) {
	err = q.one(`select `+issuerColumns+` from `+issuerTables+` where i.id = $1`, []any{id}, scanIssuer(&i)...)
	return i, orAbsent(err, "authority")
}

func (q query) issuerAt(directory string) (i tenants.Issuer, err error) {
	err = q.one(`select `+issuerColumns+` from `+issuerTables+` where i.directory = $1`, []any{directory}, scanIssuer(&i)...)
	return i, orAbsent(err, "authority")
}

// Issuer reads the issuer of a directory.
func (s *System) Issuer(ctx context.Context, directory string) (tenants.Issuer, error) {
	return s.db.read(ctx).issuerAt(directory)
}

const saveIssuerSQL = `
insert into issuers (id, name, directory, profile, caa, limits, free_ari, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (directory) do update set name = excluded.name, profile = excluded.profile,
	caa = case excluded.caa when 'null' then issuers.caa else excluded.caa end,
	limits = excluded.limits, free_ari = excluded.free_ari, staging_of = '', retired_at = 0
returning id`

// SaveIssuer writes what is configured of a directory, which identifies the issuer: name, profile, CAA identities and
// limits; one that was retired is in use again. The accounts and the operator's own limits stay as they are, and so do the CAA identities when i.CAA is nil. It
// returns the issuer as it is stored, whatever i.ID says.
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
	t.reissued = true
	err = t.one(saveIssuerSQL, []any{mintID[tenants.IssuerID](t.now), cmp.Or(i.Name, i.Directory), i.Directory,
		i.Profile, enc(i.CAA), enc(i.Limits), bit(i.FreeARI), us(t.now)}, &id)
	if err != nil {
		return "", fmt.Errorf("save issuer: %w", err)
	}
	return id, t.ensureAccounts(id, 1)
}

const saveMetaSQL = `update issuers set caa = $2, profiles = $3 where id = $1 and (caa <> $2 or profiles <> $3)`

// SaveMeta keeps what the issuer's directory says: which identities a CAA record may name to allow it, and which profiles it
// offers, by name, with what it says of them.
func (s *System) SaveMeta(ctx context.Context, id tenants.IssuerID, identities []string, profiles map[string]string) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		_, err := t.execIssuers(saveMetaSQL, id, clean(enc(append([]string{}, identities...))), encProfiles(profiles))
		return err
	})
}

func encProfiles(profiles map[string]string) string {
	known := map[string]string{} // none is not unknown
	maps.Copy(known, profiles)
	return clean(enc(known))
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
