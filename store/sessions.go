package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"perennial/tenants"
)

const (
	sessionLife  = 12 * time.Hour // whatever happens
	sessionIdle  = 2 * time.Hour  // without a request
	sessionTouch = time.Minute    // how often a request is noted
)

const sessionSQL = `
select s.id, s.member_id, s.platform, s.id_token, s.started_at, s.seen_at, s.expires_at, m.issuer, m.subject, m.email, m.name
from sessions s join members m on m.id = s.member_id where s.token_hash = $1`

// sessionRow is a session as stored.
type sessionRow struct {
	Session
	member tenants.MemberID
	hint   []byte
	seen   time.Time
}

func (q query) session(token tenants.Secret) (s sessionRow, err error) {
	a := &s.Actor
	a.Kind = tenants.Person
	err = q.one(sessionSQL, []any{hashOf(token)}, &s.ID, &s.member, &s.Platform, &s.hint, at(&s.Started), at(&s.seen),
		at(&s.Expires), &a.Issuer, &a.Subject, &s.Email, &s.Name)
	a.Name, a.Platform = s.Email, s.Platform
	return s, err
}

func errSignedOut() error {
	return tenants.Errorf(tenants.Unauthenticated, "You are signed out. Sign in again to go on.")
}

// Session is the session of a token with the roles its person has now. A session ends twelve hours after it began or
// two hours after the last request.
func (s *System) Session(ctx context.Context, token tenants.Secret) (Session, error) {
	if token.Empty() {
		return Session{}, errSignedOut()
	}
	q, now := s.db.read(ctx), s.db.now()
	found, err := q.session(token)
	if errors.Is(err, errNone) || err == nil && (now.After(found.Expires) || now.Sub(found.seen) > sessionIdle) {
		return Session{}, errSignedOut()
	}
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", err)
	}
	if found.Memberships, err = q.memberships(found.member); err != nil {
		return Session{}, fmt.Errorf("read memberships: %w", err)
	}
	if found.IDToken, err = s.db.unseal(q, platform, found.hint, idTokenPlace(found.ID)); err != nil {
		return Session{}, err
	}
	if now.Sub(found.seen) >= sessionTouch {
		err = s.db.housekeep(ctx, func(t *tx) error {
			_, err := t.exec(`update sessions set seen_at = $2 where id = $1`, found.ID, us(t.now))
			return err
		})
	}
	return found.Session, err
}

// EndSession signs out. actor is who did it, as the request knew them. A token that is not known is signed out already.
func (s *System) EndSession(ctx context.Context, token tenants.Secret, actor tenants.Actor) error {
	return s.db.write(ctx, func(t *tx) error {
		n, err := t.exec(`delete from sessions where token_hash = $1`, hashOf(token))
		if err != nil {
			return err
		}
		if n == 0 {
			return errUnchanged
		}
		actor.Tenant = t.homeOf(actor)
		t.record(actor, tenants.DidSignOut, "", actor.Name, "signed out.")
		return nil
	})
}

const sessionsOfSQL = `
delete from sessions where member_id in (select id from members where issuer = $1 and ($2 = '' or subject = $2))
	and ($3 = '' or oidc_session = $3)`

// EndSessionsOf ends sessions because the provider said so (OpenID Connect Back-Channel Logout 1.0): those of a
// subject, of one provider session (sid), or of both. It returns how many ended.
func (s *System) EndSessionsOf(ctx context.Context, issuer, subject, sid string) (ended int, err error) {
	if subject == "" && sid == "" {
		return 0, nil
	}
	err = s.db.write(ctx, func(t *tx) error {
		n, err := t.exec(sessionsOfSQL, clip(issuer), clip(subject), clip(sid))
		if err != nil {
			return err
		}
		if ended = int(n); ended == 0 {
			return errUnchanged
		}
		t.record(tenants.Actor{Kind: tenants.SystemActor, Name: "Perennial"}, tenants.DidSignOut, "", clip(subject),
			fmt.Sprintf("ended %d sessions, because the sign-in provider said so.", ended))
		return nil
	})
	return ended, err
}
