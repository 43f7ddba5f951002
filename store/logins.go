package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"perennial/store/seal"
	"perennial/tenants"
)

// loginLife is how long somebody may take at the provider.
const loginLife = 10 * time.Minute

func verifierPlace(state [32]byte) seal.Place {
	return seal.Place{Table: "logins", ID: hex.EncodeToString(state[:]), Column: "verifier"}
}

// CreateLogin keeps a sign-in while its person is at the provider.
func (s *System) CreateLogin(ctx context.Context, l Login) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		sealed, err := t.db.seal(t.query, platform, l.Verifier, verifierPlace(l.StateHash))
		if err != nil {
			return err
		}
		_, err = t.exec(`insert into logins (state_hash, cookie_hash, nonce, verifier, return_to, created_at) values ($1, $2, $3, $4, $5, $6)`,
			l.StateHash[:], l.CookieHash[:], l.Nonce, sealed, clean(l.ReturnTo), us(t.now))
		return err
	})
}

// TakeLogin returns a sign-in and forgets it: a state is good once, and for ten minutes.
func (s *System) TakeLogin(ctx context.Context, stateHash [32]byte) (l Login, err error) {
	l.StateHash = stateHash
	var cookie, sealed []byte
	var created time.Time
	err = s.db.housekeep(ctx, func(t *tx) error {
		err := t.one(`delete from logins where state_hash = $1 returning cookie_hash, nonce, verifier, return_to, created_at`,
			[]any{stateHash[:]}, &cookie, &l.Nonce, &sealed, &l.ReturnTo, at(&created))
		if err != nil {
			return err
		}
		copy(l.CookieHash[:], cookie)
		l.Verifier, err = t.db.unseal(t.query, platform, sealed, verifierPlace(stateHash))
		return err
	})
	if errors.Is(err, errNone) || err == nil && s.db.now().Sub(created) > loginLife {
		return Login{}, tenants.Errorf(tenants.Unauthenticated, "This sign-in was used already or took longer than %d minutes. Sign in again.", loginLife/time.Minute)
	}
	if err != nil {
		return Login{}, fmt.Errorf("take login: %w", err)
	}
	return l, nil
}

// Sweep forgets what is over: logins, sessions, counters of nothing. It forgets no domain: what a clock that was wrong made
// due in a time far off is due at once.
func (s *System) Sweep(ctx context.Context) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		_, err1 := t.exec(`delete from logins where created_at < $1`, us(t.now.Add(-loginLife)))
		_, err2 := t.exec(`delete from sessions where expires_at < $1`, us(t.now))
		_, err3 := t.exec(`delete from tallies where n = 0`)
		_, err4 := t.exec(`delete from slots where n = 0`)
		return errors.Join(err1, err2, err3, err4, t.remember())
	})
}
