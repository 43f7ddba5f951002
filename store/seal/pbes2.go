package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"

	"perennial/tenants"
)

// rounds is what one guess of a passphrase costs (OWASP, Password Storage Cheat Sheet, 2023, for PBKDF2-HMAC-SHA256).
const rounds = 600_000

var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// The structures of RFC 8018, appendix A, and RFC 5958, section 3.
type (
	encryptedKey struct {
		Algorithm pbes2Algorithm
		Data      []byte
	}
	pbes2Algorithm struct {
		ID     asn1.ObjectIdentifier
		Params pbes2Params
	}
	pbes2Params struct {
		Derivation pbkdf2Algorithm
		Cipher     cipherAlgorithm
	}
	pbkdf2Algorithm struct {
		ID     asn1.ObjectIdentifier
		Params pbkdf2Params
	}
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		PRF        pkix.AlgorithmIdentifier
	}
	cipherAlgorithm struct {
		ID asn1.ObjectIdentifier
		IV []byte
	}
)

// EncryptKey writes a PKCS#8 key (DER) as ENCRYPTED PRIVATE KEY in PEM, which openssl and every other tool reads: PBES2 with
// PBKDF2-HMAC-SHA256 and AES-256-CBC (RFC 8018, section 6.2). The standard library has the parts and not the format.
func EncryptKey(der, passphrase tenants.Secret) (tenants.Secret, error) {
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	_, _ = rand.Read(iv)
	key, err := pbkdf2.Key(sha256.New, string(passphrase.Reveal()), salt, rounds, 32)
	if err != nil {
		return tenants.Secret{}, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return tenants.Secret{}, fmt.Errorf("encrypt key: %w", err)
	}
	pad := aes.BlockSize - len(der.Reveal())%aes.BlockSize // PKCS#7: always some, and each byte says how many
	data := append(bytes.Clone(der.Reveal()), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	out, err := asn1.Marshal(encryptedKey{Data: data, Algorithm: pbes2Algorithm{oidPBES2, pbes2Params{
		Derivation: pbkdf2Algorithm{oidPBKDF2, pbkdf2Params{salt, rounds, pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue}}},
		Cipher:     cipherAlgorithm{oidAES256CBC, iv},
	}}})
	if err != nil {
		return tenants.Secret{}, fmt.Errorf("encode key: %w", err)
	}
	return tenants.NewSecret(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: out})), nil
}
