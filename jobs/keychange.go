package jobs

import (
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

// ChangeKeys goes on with every change of an account's key that was asked for. One that fails is tried again at the next
// call; it keeps no other waiting but by the time it takes.
func (e *Engine) ChangeKeys(ctx context.Context) error {
	all, err := e.sys.Authorities(ctx)
	if err != nil {
		return err
	}
	for _, issuer := range all {
		for _, account := range issuer.Accounts {
			if !account.Changing {
				continue
			}
			if err := e.changeKey(ctx, account); err != nil {
				e.Log.Warn("account key not changed yet", "account", account.ID, "error", err)
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
	known, err := knows(ctx, a, row, next)
	if err == nil && !known {
		if err = a.ChangeKey(ctx, acme.Account{Key: old, URL: row.URL}, next); err == nil {
			known, err = knows(ctx, a, row, next)
		}
	}
	if p := asProblem(err); p != nil && p.Status >= 400 && p.Status < 500 && p.Code != tenants.CARateLimited {
		return e.sys.AccountKeyRefused(ctx, row.ID, p.Error())
	}
	if err != nil {
		return err
	}
	if !known {
		return e.sys.AccountKeyRefused(ctx, row.ID, "it took the new key and does not know it")
	}
	return e.sys.AccountKeyChanged(ctx, row.ID)
}

func knows(ctx context.Context, a *authority, row tenants.Account, key crypto.Signer) (bool, error) {
	url, found, err := a.FindAccount(ctx, key)
	return found && url == row.URL, err
}

// keyChanged reports whether the key that a CA refused is not the account's any more: another process changed it.
func (t *turn) keyChanged(ctx context.Context) bool {
	id := t.facts.Issuer.AccountID
	t.authority.mu.Lock()
	used, cached := t.authority.accounts[id]
	t.authority.mu.Unlock()
	key, err := t.accountKey(ctx, id)
	if err != nil || !cached { // uncached: the change was here, and just now
		return err == nil
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && !public.Equal(used.Key.Public())
}
