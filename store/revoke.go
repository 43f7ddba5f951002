package store

import (
	"context"
	"fmt"
	"time"

	"perennial/tenants"
)

// revocationColumns are those of tenants.Revocation.
const revocationColumns = `v.revoke_asked_at, v.revoke_by, v.revoke_reason, v.revoke_wait, v.revoke_at, v.revoke_tries, v.revoke_next_at,
v.revoke_finding, v.revoked_at`

func scanRevocation(r *tenants.Revocation) []any {
	return []any{at(&r.Asked), &r.By, &r.Reason, seconds{&r.Wait}, at(&r.At), &r.Tries, at(&r.Next), doc(&r.Finding), at(&r.Done)}
}

// revoking lists the versions of a domain's lineage that somebody asked to revoke and that are not revoked yet.
func (q query) revoking(d *domainRow) ([]tenants.Version, error) {
	return collect(q, readVersion, `select `+versionColumns+`
from versions v join certificates c on c.id = v.certificate_id
where v.tenant_id = $1 and c.domain_id = $2 and v.revoke_asked_at > 0 and v.revoked_at = 0 order by v.number`, d.Tenant, d.ID)
}

// Revoke asks for a version to be revoked. typedName must be the domain's name, so that nobody revokes another one. When
// it is the current version its successor is ordered at once. A leaked key takes all versions with it that used it.
//
// What is asked for is saved here and done by the jobs. It may be asked for again, for another reason or sooner.
func (s *Scope) Revoke(ctx context.Context, id tenants.DomainID, version tenants.VersionID, r tenants.RevocationRequest, typedName string) error {
	return s.change(ctx, tenants.RevokeCertificate, id, func(t *tx, d *domainRow) error {
		c, v, err := t.versionOf(d, version)
		if err != nil {
			return err
		}
		if err := t.revocable(d, c, v, r); err != nil {
			return err
		}
		if !sameName(typedName, d.Name) {
			text := fmt.Sprintf("This is not the name. Type %s to revoke its version %d.", d.Name, v.Number)
			return &tenants.Error{Kind: tenants.Invalid, Text: text, Fields: map[string]string{"name": text}}
		}
		if err := t.replace(d, c, v, r, s.actor.Name); err != nil {
			return err
		}
		t.due(d)
		t.record(s.actor, tenants.DidAskRevoke, string(d.ID), d.Name, askedWords(d, v, r))
		return t.askRevocations(c, v, r, s.actor.Name)
	})
}

// versionOf is a version of the domain and its lineage.
func (t *tx) versionOf(d *domainRow, id tenants.VersionID) (c tenants.Certificate, v tenants.Version, err error) {
	if c, _, err = t.certificateOf(d.Tenant, d.ID); err != nil {
		return c, v, err
	}
	if v, err = t.version(d.Tenant, id); err == nil && v.Certificate != c.ID {
		err = absent("version")
	}
	return c, v, err
}

func (t *tx) revocable(d *domainRow, c tenants.Certificate, v tenants.Version, r tenants.RevocationRequest) error {
	switch {
	case !d.releasing.IsZero():
		return conflict("%s is being given up, which also ends what was asked for. Add it again if you want to keep it.", d.Name)
	case !v.Revocation.Done.IsZero():
		return conflict("Version %d of %s is revoked already. There is nothing left to do.", v.Number, d.Name)
	case !t.now.Before(v.NotAfter):
		return conflict("Version %d of %s has ended by itself. There is nothing left to revoke.", v.Number, d.Name)
	}
	if c.Current == v.ID || r.Reason != tenants.RevokeKeyCompromise {
		return nil
	}
	current, err := t.currentVersion(c)
	if err == nil && current != nil && current.SPKI == v.SPKI {
		return conflict("Version %d of %s has the same key and is in use. Revoke that one, and version %d goes with it.", current.Number, d.Name, v.Number)
	}
	return err
}

const compromisedSQL = `update certificates set compromised_at = $3, compromised_by = $4 where tenant_id = $1 and id = $2`

// replace makes the next version necessary when the current one is to go.
func (t *tx) replace(d *domainRow, c tenants.Certificate, v tenants.Version, r tenants.RevocationRequest, by string) error {
	switch {
	case c.Current != v.ID:
		return nil
	case r.Way == tenants.RevokedByThem:
		return t.lostTrust(v)
	case r.Reason == tenants.RevokeKeyCompromise:
		_, err := t.exec(compromisedSQL, c.Tenant, c.ID, us(t.now), by)
		return err
	}
	return t.askRenewal(d, by)
}

const lostTrustSQL = `update certificates set revoked_at = $4 where tenant_id = $1 and id = $2 and current_version = $3 and revoked_at = 0`

// lostTrust remembers that the current version is revoked. For an older one it does nothing.
func (t *tx) lostTrust(v tenants.Version) error {
	_, err := t.exec(lostTrustSQL, v.Tenant, v.Certificate, v.ID, us(t.now))
	return err
}

const sameKeySQL = `select ` + versionColumns + `
from versions v where v.tenant_id = $1 and v.certificate_id = $2 and v.spki = $3 and v.id <> $4 and v.not_after > $5 and v.revoked_at = 0`

// askRevocations saves what is asked of a version, and of those that share a key which others may know.
func (t *tx) askRevocations(c tenants.Certificate, v tenants.Version, r tenants.RevocationRequest, by string) error {
	all := []tenants.Version{v}
	if r.Reason == tenants.RevokeKeyCompromise {
		if err := t.expose(v.SPKI); err != nil {
			return err
		}
		others, err := collect(t.query, readVersion, sameKeySQL, c.Tenant, c.ID, v.SPKI, v.ID, us(t.now))
		if err != nil {
			return err
		}
		all = append(all, others...)
	}
	for _, one := range all {
		if err := t.saveRevocation(one, r.Plan(one, c.Current == v.ID, by, t.now)); err != nil {
			return err
		}
	}
	return nil
}

// expose remembers a key that others may know.
func (t *tx) expose(spki string) error {
	_, err := t.exec(`insert into exposed_keys (spki, reported_at) values ($1, $2) on conflict (spki) do nothing`, spki, us(t.now))
	return err
}

// exposed reports whether anybody reported a key, in whichever tenant.
func (q query) exposed(spki string) (yes bool, err error) {
	if spki == "" {
		return false, nil
	}
	err = q.one(`select case when exists (select 1 from exposed_keys where spki = $1) then 1 else 0 end`, []any{spki}, flag{&yes})
	return yes, err
}

const saveRevocationSQL = `
update versions set revoke_asked_at = $3, revoke_by = $4, revoke_reason = $5, revoke_wait = $6, revoke_at = $7, revoke_tries = $8,
	revoke_next_at = $9, revoke_finding = $10, revoked_at = $11
where tenant_id = $1 and id = $2`

func (t *tx) saveRevocation(v tenants.Version, r tenants.Revocation) error {
	_, err := t.exec(saveRevocationSQL, v.Tenant, v.ID, us(r.Asked), clip(r.By), r.Reason, int64(r.Wait/time.Second), us(r.At), r.Tries,
		us(r.Next), encFinding(r.Finding), us(r.Done))
	return err
}

func askedWords(d *domainRow, v tenants.Version, r tenants.RevocationRequest) string {
	switch r.Way {
	case tenants.RevokedByThem:
		return fmt.Sprintf("said that the authority revoked version %d of %s.", v.Number, d.Name)
	case tenants.RevokeAtOnce:
		return fmt.Sprintf("asked to revoke version %d of %s at once: %s.", v.Number, d.Name, r.Reason.Words())
	}
	return fmt.Sprintf("asked to replace version %d of %s and to revoke it %s: %s.", v.Number, d.Name, r.WaitWords(), r.Reason.Words())
}

// RevokeNow says that the successor of a version is in place, so that nothing is waited for any longer.
func (s *Scope) RevokeNow(ctx context.Context, id tenants.DomainID, version tenants.VersionID) error {
	return s.change(ctx, tenants.RevokeCertificate, id, func(t *tx, d *domainRow) error {
		_, v, err := t.versionOf(d, version)
		if err != nil {
			return err
		}
		r := v.Revocation
		switch {
		case !v.Revoking(t.now):
			return conflict("Version %d of %s is revoked already, or nobody asked for it. The page of the certificate says which.", v.Number, d.Name)
		case r.At.IsZero():
			return conflict("The version that replaces version %d of %s is not there yet. Wait for it, or revoke at once.", v.Number, d.Name)
		case !r.At.After(t.now):
			return errUnchanged
		}
		r.At = t.now
		t.due(d)
		t.record(s.actor, tenants.DidAskRevoke, string(d.ID), d.Name,
			fmt.Sprintf("said that the new version of %s is in place, and asked to revoke version %d now.", d.Name, v.Number))
		return t.saveRevocation(v, r)
	})
}

// A key that others may know is not replaced by a version with the same key.
const successorSQL = `
update versions set revoke_at = $4 + revoke_wait * 1000000
where tenant_id = $1 and certificate_id = $2 and id <> $3 and revoke_asked_at > 0 and revoke_at = 0 and revoked_at = 0
	and (revoke_reason <> '` + string(tenants.RevokeKeyCompromise) + `' or spki <> $5)`

// appoint names the time for versions that waited for v, their successor.
func (t *tx) appoint(c tenants.Certificate, v tenants.Version) error {
	_, err := t.exec(successorSQL, c.Tenant, c.ID, v.ID, us(t.now), v.SPKI)
	return err
}

// lockVersion loads a version with its domain, which is locked.
func (t *tx) lockVersion(id tenants.VersionID) (d *domainRow, v tenants.Version, err error) {
	var certificate tenants.CertificateID
	if err := t.one(`select certificate_id from versions where id = $1`, []any{id}, &certificate); err != nil {
		return nil, v, orAbsent(err, "version")
	}
	if d, err = t.domainOf(certificate); err != nil {
		return nil, v, err
	}
	v, err = t.version(d.Tenant, id)
	return d, v, err
}

// SaveRevoked keeps that the authority revoked a version, or had done so before, and the reason it was given. When it is
// the current version, the domain needs the next one at once. Saying it twice changes nothing.
func (s *System) SaveRevoked(ctx context.Context, id tenants.VersionID, reason tenants.RevocationReason) error {
	return s.db.write(ctx, func(t *tx) error {
		d, v, err := t.lockVersion(id)
		if err != nil {
			return err
		}
		r := v.Revocation
		if !r.Done.IsZero() {
			return errUnchanged
		}
		r.Done, r.Reason, r.Tries, r.Next, r.Finding = t.now, reason, 0, time.Time{}, tenants.Finding{}
		if err := t.saveRevocation(v, r); err != nil {
			return err
		}
		if err := t.lostTrust(v); err != nil {
			return err
		}
		t.record(tenants.Actor{Kind: tenants.CAActor, Name: v.Issuer, Tenant: d.Tenant}, tenants.DidRevoke, string(d.ID), d.Name,
			fmt.Sprintf("revoked version %d of %s: %s.", v.Number, d.Name, reason.Words()))
		return t.saveDomain(d)
	})
}

// SaveRevocationTry keeps that a version could not be revoked, why, and when to try again. The first failure for a cause is
// audited. What a person asked for meanwhile stays.
func (s *System) SaveRevocationTry(ctx context.Context, id tenants.VersionID, why tenants.Finding, next time.Time) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		d, v, err := t.lockVersion(id)
		if err != nil {
			return err
		}
		r := v.Revocation
		if !r.Done.IsZero() {
			return errUnchanged
		}
		if r.Finding.Code != why.Code {
			t.enter(tenants.Entry{Actor: tenants.System(d.Tenant), Tenant: d.Tenant, Action: tenants.DidFailRevoke, Outcome: tenants.Broke,
				Object: string(d.ID), Subject: d.Name,
				Text: fmt.Sprintf("could not get version %d of %s revoked. %s.", v.Number, d.Name, tenants.Explain(why).Happened)})
		}
		r.Tries, r.Finding, r.Next = r.Tries+1, why, next
		if err := t.saveRevocation(v, r); err != nil {
			return err
		}
		return t.saveDomain(d)
	})
}
