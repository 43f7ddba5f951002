package jobs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// notAgain is how long a CA that could not even be introduced to is left alone: meanwhile all who need it get the
// same answer at once, instead of waiting for a time-out each.
const notAgain = 10 * time.Second

// ready returns the issuer and the account to use, registering it if this is the first time. The account's key
// is saved before it is registered: newAccount answers with the same account for the same key (RFC 8555, section
// 7.3.1), so a crash in between costs nothing.
func (e *Engine) ready(ctx context.Context) (tenants.Issuer, acme.Account, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.unready != nil && time.Since(e.tried) < notAgain {
		return tenants.Issuer{}, acme.Account{}, e.unready
	}
	if err := e.introduce(ctx); err != nil {
		if ctx.Err() == nil {
			e.unready, e.tried = err, time.Now()
		}
		return tenants.Issuer{}, acme.Account{}, err
	}
	e.unready = nil
	return e.issuer, *e.account, nil
}

func (e *Engine) introduce(ctx context.Context) error {
	if err := e.readMeta(ctx); err != nil || e.account != nil {
		return err
	}
	return e.register(ctx)
}

// readMeta learns once which CAA identities the CA answers to (RFC 8555, section 7.1.1).
func (e *Engine) readMeta(ctx context.Context) error {
	if e.asked {
		return nil
	}
	meta, err := e.CA.Meta(ctx)
	if err != nil {
		return err
	}
	issuer := e.issuer
	issuer.CAA = meta.CAAIdentities
	if err := e.keepIssuer(ctx, issuer); err != nil {
		return err
	}
	e.asked = true
	return nil
}

func (e *Engine) register(ctx context.Context) error {
	key, err := e.accountKey(ctx)
	if err != nil {
		return err
	}
	url := e.issuer.Account
	if url == "" {
		if url, err = e.CA.Register(ctx, key); err != nil {
			return err
		}
		if err := e.sys.SaveAccount(ctx, e.issuer.ID, tenants.Secret{}, url); err != nil {
			return err
		}
		e.issuer.Account = url
	}
	e.account = &acme.Account{Key: key, URL: url}
	return nil
}

// accountFault is when to try again after the CA refused our account. One that it does not know, as after a restore
// on its side, is registered again with the same key; anything else only the operator can mend.
func (e *Engine) accountFault(ctx context.Context, p *acme.Problem) time.Time {
	if p.Kind() != "accountDoesNotExist" {
		return time.Now().Add(parked)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.account, e.issuer.Account = nil, ""
	if err := e.register(ctx); err != nil {
		e.Log.Error("registering the account again failed", "error", err)
		return time.Now().Add(parked)
	}
	return time.Now()
}

// accountKey loads the account's key, making it first if there is none. Two processes that start together may
// both make one; the row keeps the first, and both then load that.
func (e *Engine) accountKey(ctx context.Context) (crypto.Signer, error) {
	sealed, ok, err := e.sys.AccountKey(ctx, e.issuer.ID)
	if err == nil && !ok {
		if err = e.makeAccountKey(ctx); err == nil {
			sealed, _, err = e.sys.AccountKey(ctx, e.issuer.ID)
		}
	}
	if err != nil {
		return nil, err
	}
	return parseKey(sealed)
}

func (e *Engine) makeAccountKey(ctx context.Context) error {
	fresh, err := newAccountKey()
	if err != nil {
		return err
	}
	return e.sys.SaveAccount(ctx, e.issuer.ID, fresh, "")
}

func newAccountKey() (tenants.Secret, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tenants.Secret{}, fmt.Errorf("make account key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tenants.Secret{}, fmt.Errorf("encode account key: %w", err)
	}
	return tenants.NewSecret(der), nil
}

func parseKey(s tenants.Secret) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(s.Reveal())
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("read key: %T cannot sign", key)
	}
	return signer, nil
}
