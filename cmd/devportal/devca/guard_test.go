package devca

import (
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"
)

// A certificate is named by its serial number as DER has it, with a zero before a first bit that is set.
func TestOrdersAreFoundBySerial(t *testing.T) {
	a := &CA{store: db.NewMemoryStore()}
	for _, serial := range []string{"80a1b2c3d4e5f6", "7fa1b2c3d4e5f607"} {
		n, _ := new(big.Int).SetString(serial, 16)
		cert := &core.Certificate{ID: hex.EncodeToString(n.Bytes()), Cert: &x509.Certificate{SerialNumber: n}}
		order := &core.Order{ID: serial, AccountID: "me", CertificateObject: cert}
		if err := a.store.AddOrderByIssuedSerial(order); err != nil {
			t.Fatal(err)
		}
		a.name(order, cert)
		der := n.Bytes()
		if der[0]&0x80 != 0 {
			der = append([]byte{0}, der...)
		}
		if got, err := a.store.GetOrderByIssuedSerial(hex.EncodeToString(der)); err != nil || got.ID != serial || got.AccountID != "me" {
			t.Errorf("%x: %+v, %v", der, got, err)
		}
	}
}
