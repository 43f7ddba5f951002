package jobs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"sync"
	"time"

	"perennial/jobs/acme"
	"perennial/store"
	"perennial/tenants"
)

// authority is what this process knows of one issuer. Nothing of it is shared with another, so that one that is silent
// keeps nobody waiting who needs another.
type authority struct {
	CA
	id                  tenants.IssuerID
	staging             bool // for dry runs only
	validation, signing pace
	orders, windows     silence // as to orders, and to when to renew

	mu       sync.Mutex // held while the CA is asked: all who wait get the same answer
	read     time.Time  // when the CA's directory meta was asked for; zero: it was never read
	caa      []string
	accounts map[tenants.AccountID]acme.Account
	failed   map[tenants.AccountID]refused // the last introduction; under the empty id when it concerns them all
}

// refused is why an introduction failed, and when.
type refused struct {
	err error
	at  time.Time
}

// notAgain is how long a CA that could not even be introduced to is left alone: meanwhile all who need it get the
// same answer at once, instead of waiting for a time-out each.
const notAgain = 10 * time.Second

// authority returns what is known of an issuer. One that nobody asked for yet is read and connected to: so those that are
// added while the portal runs need no restart.
func (e *Engine) authority(ctx context.Context, id tenants.IssuerID) (*authority, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a := e.authorities[id]; a != nil {
		return a, nil
	}
	one, ca, err := e.connect(ctx, id)
	if err != nil {
		return nil, err
	}
	a := &authority{CA: ca, id: id, staging: one.StagingOf != "",
		accounts: map[tenants.AccountID]acme.Account{}, failed: map[tenants.AccountID]refused{}}
	e.authorities[id] = a
	return a, nil
}

// connect makes a client of an issuer with the binding that it has now.
func (e *Engine) connect(ctx context.Context, id tenants.IssuerID) (one store.Authority, ca CA, err error) {
	if one, err = e.sys.Authority(ctx, id); err != nil {
		return one, nil, fmt.Errorf("connect to authority %q: %w", id, err)
	}
	eab, err := e.sys.EAB(ctx, id)
	if err != nil {
		return one, nil, err
	}
	return one, e.Connect(one.Issuer, eab), nil
}

// forget lets the next turn connect to an issuer anew: its binding may have been mended meanwhile.
func (e *Engine) forget(a *authority) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.authorities[a.id] == a { // not the one that another worker connected to meanwhile
		delete(e.authorities, a.id)
	}
}

// turnTo makes an issuer the one that this turn speaks with.
func (t *turn) turnTo(ctx context.Context, id tenants.IssuerID) (err error) {
	if t.authority == nil || t.authority.id != id {
		t.authority, err = t.Engine.authority(ctx, id)
	}
	return err
}

// ready makes the facts' issuer and our account there ready to be asked.
func (t *turn) ready(ctx context.Context) (tenants.Issuer, acme.Account, error) {
	issuer := t.facts.Issuer
	account, err := t.introduce(ctx, issuer.ID, issuer.AccountID)
	if err != nil {
		return tenants.Issuer{}, acme.Account{}, err
	}
	issuer.CAA, issuer.Account = t.authority.caa, account.URL
	return issuer, account, nil
}

// introduce turns to an issuer and returns our account there, registering it if this is the first time.
func (t *turn) introduce(ctx context.Context, id tenants.IssuerID, account tenants.AccountID) (acme.Account, error) {
	if err := t.turnTo(ctx, id); err != nil {
		return acme.Account{}, err
	}
	a := t.authority
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.refusal(account); err != nil {
		return acme.Account{}, err
	}
	err := t.meet(ctx, a, account)
	if err != nil && ctx.Err() == nil {
		a.failed[concerned(account, err)] = refused{err, time.Now()}
	}
	return a.accounts[account], err
}

// concerned is whom a failed introduction concerns: a CA that is silent is so to all our accounts.
func concerned(account tenants.AccountID, err error) tenants.AccountID {
	if p := asProblem(err); p != nil && p.Code.NoAnswer() {
		return ""
	}
	return account
}

// refusal is the last failure, while it is too soon to try again.
func (a *authority) refusal(account tenants.AccountID) error {
	for _, id := range []tenants.AccountID{"", account} {
		if last := a.failed[id]; last.err != nil && time.Since(last.at) < notAgain {
			return last.err
		}
	}
	return nil
}

func (e *Engine) meet(ctx context.Context, a *authority, account tenants.AccountID) error {
	if err := e.readMeta(ctx, a); err != nil {
		return err
	}
	if _, known := a.accounts[account]; known {
		return nil
	}
	return e.register(ctx, a, account)
}

// metaLife is for how long what the CA says about itself is believed.
const metaLife = time.Hour

// readMeta learns which CAA identities the CA answers to (RFC 8555, section 7.1.1), and which profiles it offers. What is
// known serves on while the CA does not answer.
func (e *Engine) readMeta(ctx context.Context, a *authority) error {
	if time.Since(a.read) < metaLife {
		return nil
	}
	meta, err := a.Meta(ctx)
	if err != nil && !a.read.IsZero() && asProblem(err) != nil {
		a.read = time.Now() // whoever is silent is not asked for this with every order
		return nil
	}
	if err != nil {
		return err
	}
	if err := e.sys.SaveMeta(ctx, a.id, meta.CAAIdentities, meta.Profiles); err != nil {
		return err
	}
	a.read, a.caa = time.Now(), meta.CAAIdentities
	return nil
}

// identities are the CAA identities of a CA that we may have no account at yet.
func (e *Engine) identities(ctx context.Context, a *authority) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.refusal(""); err != nil {
		return nil, err
	}
	err := e.readMeta(ctx, a)
	if err != nil && ctx.Err() == nil {
		a.failed[""] = refused{err, time.Now()}
	}
	return a.caa, err
}

// register makes an account known to the CA, unless its row says that this was done. The account's key
// is saved before it is registered: newAccount answers with the same account for the same key (RFC 8555, section
// 7.3.1), so a crash in between costs nothing.
func (e *Engine) register(ctx context.Context, a *authority, id tenants.AccountID) error {
	row, err := e.sys.Account(ctx, id)
	if err != nil {
		return err
	}
	key, err := e.accountKey(ctx, id)
	if err != nil {
		return err
	}
	if row.URL == "" {
		if row.URL, err = e.open(ctx, a, id, key); err != nil {
			return err
		}
	}
	a.accounts[id] = acme.Account{Key: key, URL: row.URL}
	return nil
}

func (e *Engine) open(ctx context.Context, a *authority, id tenants.AccountID, key crypto.Signer) (url string, err error) {
	_, ca, err := e.connect(ctx, a.id) // a's client may be of before the binding was replaced
	if err != nil {
		return "", err
	}
	if url, err = ca.Register(ctx, key); err != nil {
		return "", err
	}
	return url, e.sys.SaveAccount(ctx, id, store.NewKey{}, url)
}

// accountFault is when to try again after the CA refused our account. One that it does not know, as after a restore
// on its side, is registered again with the same key; anything else only the operator can mend.
func (t *turn) accountFault(ctx context.Context, id tenants.AccountID, p *acme.Problem) time.Time {
	if p.Kind() != "accountDoesNotExist" {
		t.forget(t.authority)
		return time.Now().Add(parked)
	}
	a := t.authority
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.accounts[id]
	delete(a.accounts, id)
	url, err := t.open(ctx, a, id, known.Key)
	if err != nil {
		t.Log.Error("registering the account again failed", "account", id, "error", err)
		return time.Now().Add(parked)
	}
	a.accounts[id] = acme.Account{Key: known.Key, URL: url}
	return time.Now()
}

// accountKey loads an account's key, making it first if there is none. Two processes that start together may
// both make one; the row keeps the first, and both then load that.
func (e *Engine) accountKey(ctx context.Context, id tenants.AccountID) (crypto.Signer, error) {
	sealed, ok, err := e.sys.AccountKey(ctx, id)
	if err == nil && !ok {
		if err = e.makeAccountKey(ctx, id); err == nil {
			sealed, _, err = e.sys.AccountKey(ctx, id)
		}
	}
	if err != nil {
		return nil, err
	}
	return parseKey(sealed)
}

func (e *Engine) makeAccountKey(ctx context.Context, id tenants.AccountID) error {
	fresh, err := newAccountKey()
	if err != nil {
		return err
	}
	return e.sys.SaveAccount(ctx, id, fresh, "")
}

func newAccountKey() (store.NewKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return store.NewKey{}, fmt.Errorf("make account key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return store.NewKey{}, fmt.Errorf("encode account key: %w", err)
	}
	return store.NewKey{Type: tenants.P256, Key: tenants.NewSecret(der)}, nil
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
