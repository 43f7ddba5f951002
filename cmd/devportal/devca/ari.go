package devca

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// SetRenewalInfo says when a certificate shall be renewed (RFC 9773). The certificate is the first one of a PEM
// chain. explanation is a URL for people, or empty.
func (a *CA) SetRenewalInfo(chainPEM []byte, start, end time.Time, explanation string) error {
	return a.SetRenewalInfoRaw(chainPEM, window(start, end, explanation))
}

// SetRenewalInfoRaw makes any text the answer, well formed or not.
func (a *CA) SetRenewalInfoRaw(chainPEM []byte, answer string) error {
	block, _ := pem.Decode(chainPEM)
	if block == nil {
		return errors.New("set renewal info: the chain holds no PEM block")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("set renewal info: %w", err)
	}
	a.exchange.Lock() // Pebble reads the answer without a lock
	defer a.exchange.Unlock()
	if err := a.store.SetARIResponse(leaf.SerialNumber, answer); err != nil {
		return fmt.Errorf("set renewal info: %w", err)
	}
	return nil
}
