package store

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"perennial/tenants"
)

// newPrivateKey makes a key in PKCS#8 (DER).
func newPrivateKey(kind tenants.KeyType) (tenants.Secret, error) {
	key, err := generate(kind)
	if err != nil {
		return tenants.Secret{}, fmt.Errorf("make %s key: %w", kind, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tenants.Secret{}, fmt.Errorf("encode %s key: %w", kind, err)
	}
	return tenants.NewSecret(der), nil
}

// rsaKeys bounds how many RSA keys are made at the same time: one takes a core for up to seconds.
var rsaKeys = make(chan struct{}, 2)

func generateRSA(bits int) (crypto.PrivateKey, error) {
	rsaKeys <- struct{}{}
	defer func() { <-rsaKeys }()
	return rsa.GenerateKey(rand.Reader, bits)
}

// isSlow reports whether making such a key takes too long for a transaction, which on SQLite keeps everybody else waiting.
func isSlow(kind tenants.KeyType) bool {
	return kind != tenants.P256 && kind != tenants.P384
}

func generate(kind tenants.KeyType) (crypto.PrivateKey, error) {
	switch kind {
	case tenants.P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case tenants.P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case tenants.RSA2048:
		return generateRSA(2048)
	case tenants.RSA3072:
		return generateRSA(3072)
	case tenants.RSA4096:
		return generateRSA(4096)
	}
	return nil, fmt.Errorf("there is no such key type")
}

// asPEM is a PKCS#8 key as files hold it.
func asPEM(der tenants.Secret) tenants.Secret {
	return tenants.NewSecret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der.Reveal()}))
}
