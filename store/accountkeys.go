package store

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"perennial/store/seal"
	"perennial/tenants"
)

func nextKeyPlace(id tenants.AccountID) seal.Place {
	return seal.Place{Table: "accounts", ID: string(id), Column: "next_key"}
}

// ChangeAccountKey gives an account another key. The new one is made and sealed here; the jobs then tell the authority, and
// until it has agreed both are known. Conflict while a change is under way already, or before the account was opened.
func (p *Platform) ChangeAccountKey(ctx context.Context, id tenants.AccountID) error {
	if err := p.may(ctx, tenants.ManageIssuers, string(id)); err != nil {
		return err
	}
	key, err := newPrivateKey(tenants.P256)
	if err != nil {
		return err
	}
	return p.db.write(ctx, func(t *tx) error {
		a, i, err := t.lockAccount(id)
		if err != nil {
			return err
		}
		switch {
		case a.URL == "":
			return conflict("This account at %s was not opened yet, so its key guards nothing. It is opened with the first order.", i.Name)
		case a.Changing:
			return conflict("A new key for this account is on its way to %s already. Wait until it has arrived.", i.Name)
		}
		sealed, err := t.db.seal(t.query, platform, key, nextKeyPlace(id))
		if err != nil {
			return err
		}
		t.record(p.actor, tenants.DidRollKey, string(i.ID), i.Name, "asked for a new key of the account "+a.URL+".")
		_, err = t.execIssuers(`update accounts set next_key = $2, next_type = $3 where id = $1`, id, sealed, tenants.P256)
		return err
	})
}

// NextAccountKey is the key that an account is to get. false: its key is not being changed.
func (s *System) NextAccountKey(ctx context.Context, id tenants.AccountID) (key tenants.Secret, ok bool, err error) {
	q := s.db.read(ctx)
	var blob []byte
	if err := q.one(`select next_key from accounts where id = $1`, []any{id}, &blob); err != nil {
		return key, false, orAbsent(err, "account")
	}
	if len(blob) == 0 {
		return key, false, nil
	}
	key, err = s.db.unseal(q, platform, blob, nextKeyPlace(id))
	return key, err == nil, err
}

const (
	takeNextKeySQL = `update accounts set private_key = $2, key_type = next_type, next_key = null, next_type = '', key_tries = 0 where id = $1`
	dropNextKeySQL = `update accounts set next_key = null, next_type = '', key_tries = 0 where id = $1`
	triedKeySQL    = `update accounts set key_tries = key_tries + 1, key_next_at = $2, key_cause = $3 where id = $1 and next_type <> ''`
)

// AccountKeyChanged says that the authority took the new key: the old one is forgotten. Nothing happens when no change is
// under way.
func (s *System) AccountKeyChanged(ctx context.Context, id tenants.AccountID) error {
	return s.endKeyChange(ctx, id, func(t *tx, a tenants.Account, i tenants.Issuer) error {
		var blob []byte
		if err := t.one(`select next_key from accounts where id = $1`, []any{id}, &blob); err != nil {
			return err
		}
		key, err := t.db.unseal(t.query, platform, blob, nextKeyPlace(id))
		if err != nil {
			return err
		}
		if blob, err = t.db.seal(t.query, platform, key, accountPlace(id)); err != nil {
			return err
		}
		t.record(tenants.System(platform), tenants.DidRollKey, string(i.ID), i.Name, "changed the key of the account "+a.URL+".")
		_, err = t.execIssuers(takeNextKeySQL, id, blob)
		return err
	})
}

// AccountKeyRefused says that the authority did not take the new key, which is forgotten: the old one stays.
func (s *System) AccountKeyRefused(ctx context.Context, id tenants.AccountID, why string) error {
	return s.endKeyChange(ctx, id, func(t *tx, a tenants.Account, i tenants.Issuer) error {
		t.enter(tenants.Entry{Actor: tenants.System(platform), Action: tenants.DidRollKey, Outcome: tenants.Broke, Object: string(i.ID),
			Subject: i.Name, Text: clip(fmt.Sprintf("could not change the key of the account %s, whose key stays. The authority says: %s", a.URL, why))})
		_, err := t.execIssuers(dropNextKeySQL, id)
		return err
	})
}

// AccountKeyDelayed says why a try to change the key came to nothing, and when the next one is due.
func (s *System) AccountKeyDelayed(ctx context.Context, id tenants.AccountID, cause tenants.Code, next time.Time) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		_, err := t.execIssuers(triedKeySQL, id, us(next), cause)
		return err
	})
}

func (s *System) endKeyChange(ctx context.Context, id tenants.AccountID, end func(*tx, tenants.Account, tenants.Issuer) error) error {
	return s.db.write(ctx, func(t *tx) error {
		a, i, err := t.lockAccount(id)
		if err != nil {
			return err
		}
		if !a.Changing {
			return errUnchanged
		}
		return end(t, a, i)
	})
}

// minPassphrase is how many characters guard an exported key. An attacker has the file, and all the time there is.
const minPassphrase = 12

// ExportAccountKey hands out the key of an account, for whoever moves the account elsewhere or keeps a copy apart: PKCS#8
// in PEM, encrypted under a passphrase (see encryptKey). Each request is an audit entry. The error is Invalid with a
// sentence for the field passphrase when that is too short.
func (p *Platform) ExportAccountKey(ctx context.Context, id tenants.AccountID, passphrase tenants.Secret) (pem tenants.Secret, err error) {
	if err := p.may(ctx, tenants.ManageIssuers, string(id)); err != nil {
		return pem, err
	}
	if utf8.RuneCount(passphrase.Reveal()) < minPassphrase {
		return pem, faults(map[string]string{"passphrase": fmt.Sprintf("The passphrase has fewer than %d characters. Type a longer one, and keep it apart from the file.", minPassphrase)})
	}
	key, made, err := p.db.System().AccountKey(ctx, id)
	if err != nil {
		return pem, err
	}
	if !made {
		return pem, conflict("This account has no key yet. It is made with the first order.")
	}
	if pem, err = seal.EncryptKey(key, passphrase); err != nil { // outside of the transaction: it takes a while on purpose
		return pem, err
	}
	err = p.db.write(ctx, func(t *tx) error {
		a, i, err := t.lockAccount(id)
		if err != nil {
			return err
		}
		t.record(p.actor, tenants.DidExportKey, string(i.ID), i.Name, fmt.Sprintf("exported the key of the account %s at %s, under a passphrase.", a.URL, i.Name))
		return nil
	})
	if err != nil {
		return tenants.Secret{}, err
	}
	return pem, nil
}
