// Package seal keeps secrets at rest.
//
// Every tenant has a key of its own (a Tink keyset), which is stored wrapped by one key-encryption key, the [KEK].
// Every blob is bound to the place it was sealed for: a blob moved to another tenant, table, row or column does
// not open. The KEK never enters the database; losing it loses every secret, on purpose.
//
// What leaves the portal is sealed otherwise, under a passphrase, so that it opens elsewhere: see [EncryptKey].
package seal

import (
	"bytes"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"perennial/tenants"
)

// KEK wraps the tenants' keys. It has the shape of Tink's tink.AEAD, so that a key management service fits in.
// Both methods must be safe for concurrent use.
type KEK interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Source yields the KEK. create is true only while nothing was ever sealed with it: with create false a source
// must fail rather than make a new key, because a new key opens nothing.
type Source func(create bool) (KEK, error)

// Fixed is the source of a KEK that exists already.
func Fixed(k KEK) Source { return func(bool) (KEK, error) { return k, nil } }

// Box seals and opens the secrets of one tenant. It is safe for concurrent use.
type Box struct {
	tenant tenants.TenantID
	aead   tink.AEAD
}

// Place is where a blob is stored. It is part of what is authenticated.
type Place struct{ Table, ID, Column string }

func (b *Box) bound(p Place) []byte {
	return []byte(string(b.tenant) + "|" + p.Table + "|" + p.ID + "|" + p.Column)
}

// NewBox makes a tenant's key. wrapped is what OpenBox needs and may be stored beside the data.
func NewBox(k KEK, tenant tenants.TenantID) (box *Box, wrapped []byte, err error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	var out bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), k, wrapping(tenant)); err != nil {
		return nil, nil, fmt.Errorf("wrap key: %w", err)
	}
	box, err = newBox(tenant, handle)
	return box, out.Bytes(), err
}

// OpenBox unwraps a tenant's key.
func OpenBox(k KEK, tenant tenants.TenantID, wrapped []byte) (*Box, error) {
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(wrapped)), k, wrapping(tenant))
	if err != nil {
		return nil, fmt.Errorf("unwrap key: %w", err)
	}
	return newBox(tenant, handle)
}

// wrapping binds a wrapped key to its tenant, so that tenants' keys cannot be exchanged in the database.
func wrapping(tenant tenants.TenantID) []byte { return []byte("keyset|" + tenant) }

func newBox(tenant tenants.TenantID, handle *keyset.Handle) (*Box, error) {
	a, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use key: %w", err)
	}
	return &Box{tenant, a}, nil
}

// Seal encrypts a secret for one place.
func (b *Box) Seal(s tenants.Secret, p Place) ([]byte, error) {
	blob, err := b.aead.Encrypt(s.Reveal(), b.bound(p))
	if err != nil {
		return nil, fmt.Errorf("seal %s %s: %w", p.Table, p.Column, err)
	}
	return blob, nil
}

// Open decrypts what was sealed for the same tenant and place, and fails for anything else.
func (b *Box) Open(blob []byte, p Place) (tenants.Secret, error) {
	plain, err := b.aead.Decrypt(blob, b.bound(p))
	if err != nil {
		return tenants.Secret{}, fmt.Errorf("open %s %s of %s: %w", p.Table, p.Column, p.ID, err)
	}
	return tenants.NewSecret(plain), nil
}
