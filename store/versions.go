package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"perennial/store/seal"
	"perennial/tenants"
)

const versionColumns = `v.id, v.tenant_id, v.certificate_id, v.order_id, v.issuer_id, v.account_id, v.number, v.names,
(select o.profile from orders o where o.id = v.order_id), v.serial, v.issuer, v.not_before,
v.not_after, v.key_type, v.spki, v.fingerprint, v.ari_cert_id, v.chain, v.reason, v.issued_at, v.replaced_at, v.key_created_at,
case when v.private_key is null then 1 else 0 end, ` + revocationColumns

func readVersion(r rows) (v tenants.Version, err error) { return v, r.Scan(scanVersion(&v)...) }

func scanVersion(v *tenants.Version) []any {
	return append([]any{&v.ID, &v.Tenant, &v.Certificate, &v.Order, &v.IssuerID, &v.Account, &v.Number, doc(&v.Names), &v.Profile, &v.Serial, &v.Issuer, at(&v.NotBefore),
		at(&v.NotAfter), &v.KeyType, &v.SPKI, &v.Fingerprint, &v.ARICertID, &v.Chain, &v.Reason, at(&v.Issued), at(&v.Replaced), at(&v.KeyCreated),
		flag{&v.OwnKey}}, scanRevocation(&v.Revocation)...)
}

func (q query) version(tenant tenants.TenantID, id tenants.VersionID) (v tenants.Version, err error) {
	err = q.one(`select `+versionColumns+` from versions v where v.tenant_id = $1 and v.id = $2`, []any{tenant, id}, scanVersion(&v)...)
	return v, orAbsent(err, "version")
}

// newest is a number above every version's.
const newest = math.MaxInt32

// versions lists a lineage below a number, newest first.
func (q query) versions(c tenants.Certificate, before, limit int) ([]tenants.Version, error) {
	return collect(q, readVersion, `select `+versionColumns+`
from versions v where v.tenant_id = $1 and v.certificate_id = $2 and v.number < $3 order by v.number desc`+top(limit), c.Tenant, c.ID, before)
}

// Versions lists versions of a domain's certificate, newest first and at most limit: those with a number below before, or the
// newest for 0.
func (s *Scope) Versions(ctx context.Context, id tenants.DomainID, before, limit int) ([]tenants.Version, error) {
	q, c, err := s.lineage(ctx, id)
	if err != nil {
		return nil, err
	}
	return q.versions(c, cmp.Or(before, newest), limit)
}

// Version is one version of a domain's certificate, however old.
func (s *Scope) Version(ctx context.Context, domain tenants.DomainID, id tenants.VersionID) (tenants.Version, error) {
	q, c, err := s.lineage(ctx, domain)
	if err != nil {
		return tenants.Version{}, err
	}
	v, err := q.version(s.actor.Tenant, id)
	if err == nil && v.Certificate != c.ID {
		err = absent("version")
	}
	if err != nil {
		return tenants.Version{}, err
	}
	return v, nil
}

func (s *Scope) lineage(ctx context.Context, id tenants.DomainID) (query, tenants.Certificate, error) {
	if err := s.db.may(ctx, s.actor, tenants.ReadDomains, string(id)); err != nil {
		return query{}, tenants.Certificate{}, err
	}
	q := s.db.read(ctx)
	c, _, err := q.certificateOf(s.actor.Tenant, id)
	return q, c, err
}

func versionKey(id tenants.VersionID) seal.Place {
	return seal.Place{Table: "versions", ID: string(id), Column: "private_key"}
}

// DownloadChain hands out the chain of a version. Every download is an audit entry.
func (s *Scope) DownloadChain(ctx context.Context, id tenants.VersionID) (name string, v tenants.Version, err error) {
	err = s.download(ctx, tenants.DownloadCertificate, id, func(t *tx, d *domainRow, found tenants.Version) error {
		name, v = d.Name, found
		t.record(s.actor, tenants.DidDownload, string(d.ID), d.Name,
			fmt.Sprintf("downloaded version %d of %s.", found.Number, d.Name))
		return nil
	})
	return name, v, err
}

// DownloadKey hands out the private key of a version, in PKCS#8 (PEM). Every download is an audit entry.
func (s *Scope) DownloadKey(ctx context.Context, id tenants.VersionID) (name string, key tenants.Secret, err error) {
	err = s.download(ctx, tenants.DownloadKey, id, func(t *tx, d *domainRow, found tenants.Version) error {
		if found.OwnKey {
			return tenants.Errorf(tenants.NotFound, "The key of version %d is yours; it never reached us. Look for it where its CSR was made.", found.Number)
		}
		var blob []byte
		if err := t.one(`select private_key from versions where tenant_id = $1 and id = $2`, []any{d.Tenant, id}, &blob); err != nil {
			return orAbsent(err, "version")
		}
		der, err := t.db.unseal(t.query, d.Tenant, blob, versionKey(id))
		if err != nil {
			return err
		}
		name, key = d.Name, asPEM(der)
		t.record(s.actor, tenants.DidDownloadKey, string(d.ID), d.Name,
			fmt.Sprintf("downloaded the private key of version %d of %s.", found.Number, d.Name))
		return nil
	})
	return name, key, err
}

func (s *Scope) download(ctx context.Context, p tenants.Permission, id tenants.VersionID,
	hand func(*tx, *domainRow, tenants.Version) error) error {
	if err := s.db.may(ctx, s.actor, p, string(id)); err != nil {
		return err
	}
	return s.db.write(ctx, func(t *tx) error {
		v, err := t.version(s.actor.Tenant, id)
		if err != nil {
			return err
		}
		var domain tenants.DomainID
		err = t.one(`select domain_id from certificates where tenant_id = $1 and id = $2`, []any{s.actor.Tenant, v.Certificate}, &domain)
		if err != nil {
			return orAbsent(err, "version")
		}
		d, err := t.ownDomain(s.actor.Tenant, domain, "", t.now)
		if err != nil {
			return err
		}
		if d.Status == tenants.Released {
			return absent("version")
		}
		return hand(t, d, v)
	})
}

// nextNumber is the number of a lineage's next version.
func (t *tx) nextNumber(c tenants.Certificate) (n int, err error) {
	err = t.one(`select number + 1 from versions where tenant_id = $1 and certificate_id = $2 order by number desc limit 1`,
		[]any{c.Tenant, c.ID}, &n)
	if errors.Is(err, errNone) {
		return 1, nil
	}
	return n, err
}
