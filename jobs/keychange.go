package jobs

import (
	"cmp"
	"context"
	"crypto"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// keyPeriod is how often keys to be changed are looked for.
const keyPeriod = 10 * time.Second

// keyLoop changes account keys apart from everything else, because a silent CA may take its time.
func (e *Engine) keyLoop(ctx context.Context) {
	tick := time.NewTicker(keyPeriod)
	defer tick.Stop()
	for {
		if err := e.ChangeKeys(ctx); err != nil && ctx.Err() == nil {
			e.Log.Error("changing account keys failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ChangeKeys goes on with every change of an account's key that was asked for and is due. One that fails is tried again, in ever
// longer pauses; it keeps no other waiting but by the time it takes.
func (e *Engine) ChangeKeys(ctx context.Context) error {
	all, err := e.sys.Authorities(ctx)
	if err != nil {
		return err
	}
	for _, issuer := range all {
		for _, account := range issuer.Accounts {
			if !account.Changing || !due(account.Tries, time.Now()) {
				continue
			}
			if err := e.changeKey(ctx, account); err != nil {
				e.Log.Warn("account key not changed yet", "account", account.ID, "error", err)
				if err := e.delayed(ctx, account, err); err != nil {
					return err
				}
			}
		}
	}
	return ctx.Err()
}

// changeKey takes one change to its end. Both keys are saved, so whatever happened before, the CA is asked first which of
// them counts. Meanwhile nobody else speaks with the CA: requests that the old key signed would cross the change.
func (e *Engine) changeKey(ctx context.Context, row tenants.Account) error {
	a, err := e.authority(ctx, row.Issuer)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	sealed, pending, err := e.sys.NextAccountKey(ctx, row.ID)
	if err != nil || !pending { // another process was faster
		delete(a.accounts, row.ID)
		return err
	}
	next, err := parseKey(sealed)
	if err != nil {
		return err
	}
	old, err := e.accountKey(ctx, row.ID)
	if err != nil {
		return err
	}
	delete(a.accounts, row.ID) // whoever comes next reads which key counts
	refused, err := tellKey(ctx, a, row, old, next)
	switch {
	case err != nil:
		return err
	case refused != nil:
		return e.sys.AccountKeyRefused(ctx, row.ID, refused.Error())
	}
	return e.sys.AccountKeyChanged(ctx, row.ID)
}

// due reports whether the next try may go out. One that is further away than any pause was put there by a clock that was wrong.
func due(t tenants.KeyTries, now time.Time) bool {
	return t.N == 0 || !now.Before(t.Next) || t.Next.Sub(now) > acme.MaxRetryAfter
}

// delayed notes what the CA had against a change, for the page and the pause. A fault of our own is in the log.
func (e *Engine) delayed(ctx context.Context, row tenants.Account, err error) error {
	p := asProblem(err)
	if p == nil || ctx.Err() != nil {
		return nil
	}
	next := time.Now().Add(tenants.Retry(row.Tries.N+1, string(row.ID)))
	return e.sys.AccountKeyDelayed(ctx, row.ID, p.Code, later(next, retryAt(p)))
}

// tellKey asks the CA to take the next key, and returns why it does not. That is only so where it says that the old one is
// the account's: a request that was not answered may arrive late, and a CA may be slow to know what it did. A key that
// is forgotten although it counts takes the account with it.
func tellKey(ctx context.Context, a *authority, row tenants.Account, old, next crypto.Signer) (refused *acme.Problem, err error) {
	known, err := knows(ctx, a, row, next)
	if err == nil && !known {
		if err = a.ChangeKey(ctx, acme.Account{Key: old, URL: row.URL}, next); err == nil {
			if known, err = knows(ctx, a, row, next); err == nil && !known {
				return nil, &acme.Problem{Code: tenants.CABroken, Detail: "It took the new key and does not know it.", Reached: true}
			}
		}
	}
	if refused = asRefusal(err); refused == nil {
		return nil, err
	}
	if known, err = knows(ctx, a, row, next); known || err != nil && asRefusal(err) == nil {
		return nil, err
	}
	if known, err = knows(ctx, a, row, old); known {
		return refused, nil
	}
	return nil, cmp.Or[error](err, &acme.Problem{Code: tenants.CAAccount, Detail: "It knows neither the old key nor the new one.", Reached: true})
}

func knows(ctx context.Context, a *authority, row tenants.Account, key crypto.Signer) (bool, error) {
	url, found, err := a.FindAccount(ctx, key)
	return found && url == row.URL, err
}

// as does what one of our accounts has to sign. What is refused because another process changed the account's key meanwhile
// is done once more, with that one.
func (t *turn) as(ctx context.Context, id tenants.IssuerID, account tenants.AccountID, do func(acme.Account) error) error {
	known, err := t.introduce(ctx, id, account)
	if err != nil {
		return err
	}
	if err = do(known); asRefusal(err) == nil || !t.outdated(ctx, account, known.Key) {
		return err
	}
	if known, err = t.introduce(ctx, id, account); err != nil {
		return err
	}
	return do(known)
}

// outdated reports whether the key that signed what a CA refused is not the account's any more. Then whoever comes next
// reads the one that is. Authorities call such a signature malformed, so the answer alone does not tell.
func (t *turn) outdated(ctx context.Context, id tenants.AccountID, used crypto.Signer) bool {
	key, err := t.accountKey(ctx, id)
	if err != nil || same(key, used) {
		return false
	}
	a := t.authority
	a.mu.Lock()
	defer a.mu.Unlock()
	if cached, ok := a.accounts[id]; ok && !same(key, cached.Key) {
		delete(a.accounts, id)
	}
	return true
}

func same(a, b crypto.Signer) bool {
	public, ok := a.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(b.Public())
}
