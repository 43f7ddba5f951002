package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"perennial/store/seal"
	"perennial/tenants"
)

// platform is the tenant of what belongs to no tenant: accounts at authorities, sessions, platform audit entries.
const platform tenants.TenantID = ""

// keyring opens tenants' keys and keeps them open.
type keyring struct {
	kek  seal.KEK
	open sync.Map // tenants.TenantID → *seal.Box
}

var canaryText, canaryPlace = []byte("perennial"), []byte("canary")

// openKeys asks for the key-encryption key and checks that it belongs to this database. Only a database that never
// sealed anything may have a new one made.
func openKeys(ctx context.Context, db *DB) (*keyring, error) {
	if db.cfg.Key == nil {
		return nil, errors.New("open database: no sealing key is configured")
	}
	var sealed []byte
	err := db.read(ctx).one(`select sealed from canary`, nil, &sealed)
	if err != nil && !errors.Is(err, errNone) {
		return nil, fmt.Errorf("read canary: %w", err)
	}
	fresh := err != nil
	kek, err := db.cfg.Key(fresh)
	if err != nil {
		return nil, err
	}
	if fresh {
		return &keyring{kek: kek}, db.housekeep(ctx, func(t *tx) error { return t.firstKeys(kek) })
	}
	if _, err := kek.Decrypt(sealed, canaryPlace); err != nil {
		return nil, fmt.Errorf("the sealing key does not belong to this database, whose secrets were sealed with another; configure that one: %w", err)
	}
	return &keyring{kek: kek}, nil
}

func (t *tx) firstKeys(kek seal.KEK) error {
	sealed, err := kek.Encrypt(canaryText, canaryPlace)
	if err != nil {
		return fmt.Errorf("seal canary: %w", err)
	}
	if _, err := t.exec(`insert into canary (id, sealed) values (1, $1)`, sealed); err != nil {
		return err
	}
	return t.newKeyset(kek, platform)
}

// newKeyset makes a tenant's own key.
func (t *tx) newKeyset(kek seal.KEK, tenant tenants.TenantID) error {
	_, wrapped, err := seal.NewBox(kek, tenant)
	if err != nil {
		return err
	}
	_, err = t.exec(`insert into keysets (tenant_id, wrapped, created_at) values ($1, $2, $3)`, tenant, wrapped, us(t.now))
	return err
}

// box opens a tenant's key. It reads through q, because inside a transaction nothing else may be asked.
func (k *keyring) box(q query, tenant tenants.TenantID) (*seal.Box, error) {
	if b, ok := k.open.Load(tenant); ok {
		return b.(*seal.Box), nil
	}
	var wrapped []byte
	if err := q.one(`select wrapped from keysets where tenant_id = $1`, []any{tenant}, &wrapped); err != nil {
		return nil, fmt.Errorf("read keyset: %w", err)
	}
	b, err := seal.OpenBox(k.kek, tenant, wrapped)
	if err != nil {
		return nil, err
	}
	k.open.Store(tenant, b)
	return b, nil
}

func (db *DB) seal(q query, tenant tenants.TenantID, s tenants.Secret, p seal.Place) ([]byte, error) {
	b, err := db.keys.box(q, tenant)
	if err != nil {
		return nil, err
	}
	return b.Seal(s, p)
}

func (db *DB) unseal(q query, tenant tenants.TenantID, blob []byte, p seal.Place) (tenants.Secret, error) {
	b, err := db.keys.box(q, tenant)
	if err != nil {
		return tenants.Secret{}, err
	}
	return b.Open(blob, p)
}
