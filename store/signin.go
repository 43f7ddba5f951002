package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"perennial/store/seal"
	"perennial/tenants"
)

// maxClaims bounds how many groups of one person are kept.
const maxClaims = 1000

func idTokenPlace(id tenants.SessionID) seal.Place {
	return seal.Place{Table: "sessions", ID: string(id), Column: "id_token"}
}

func (who Identity) actor(tenant tenants.TenantID) tenants.Actor {
	return tenants.Actor{Kind: tenants.Person, Name: who.Email, Issuer: who.Issuer, Subject: who.Subject, Tenant: tenant,
		Platform: who.Platform, Address: who.Address, RequestID: who.RequestID}
}

// SignIn begins a session for a person whom the provider vouches for, with the roles that their groups have now. Who
// has none, in no tenant and not on the platform, is denied, and that is audited. The token is the only copy.
func (s *System) SignIn(ctx context.Context, who Identity) (token tenants.Secret, ms []Membership, err error) {
	who = who.cleaned()
	var denied error
	err = s.db.write(ctx, func(t *tx) error {
		denied = nil
		member, err := t.saveMember(who)
		if err != nil {
			return err
		}
		if ms, err = t.memberships(member); err != nil {
			return err
		}
		if len(ms) == 0 && who.Platform == "" {
			denied = t.turnAway(who)
			return nil
		}
		token, err = t.addSession(who, member)
		t.recordSignIn(who, ms)
		return err
	})
	if err == nil {
		err = denied
	}
	if err != nil {
		return tenants.Secret{}, nil, err
	}
	return token, ms, nil
}

func (who Identity) cleaned() Identity {
	who.Email, who.Name = clip(who.Email), clip(who.Name)
	who.Issuer, who.Subject, who.OIDCSession = clip(who.Issuer), clip(who.Subject), clip(who.OIDCSession)
	var groups []string
	for _, g := range who.Groups[:min(len(who.Groups), maxClaims)] {
		groups = append(groups, clip(g))
	}
	slices.Sort(groups)
	who.Groups = slices.Compact(groups)
	return who
}

func (t *tx) turnAway(who Identity) error {
	t.enter(tenants.Entry{Actor: who.actor(platform), Tenant: platform, Action: tenants.DidSignInDenied, Outcome: tenants.Refused,
		Subject: who.Email, Text: "tried to sign in. No group of theirs has a role here."})
	return tenants.Errorf(tenants.Denied, "You are signed in as %s, but none of your groups has a role here. Ask the portal's operator to map one of them.", who.Email)
}

const saveMemberSQL = `
insert into members (id, issuer, subject, email, name, created_at, seen_at) values ($1, $2, $3, $4, $5, $6, $6)
on conflict (issuer, subject) do update set email = excluded.email, name = excluded.name, seen_at = excluded.seen_at
returning id`

// saveMember keeps a person, whom issuer and subject identify and never the e-mail address, and the groups of now.
func (t *tx) saveMember(who Identity) (id tenants.MemberID, err error) {
	err = t.one(saveMemberSQL, []any{mintID[tenants.MemberID](t.now), who.Issuer, who.Subject, who.Email, who.Name, us(t.now)}, &id)
	if err != nil {
		return "", fmt.Errorf("save member: %w", err)
	}
	if _, err := t.exec(`delete from member_groups where member_id = $1`, id); err != nil {
		return "", err
	}
	for _, g := range who.Groups {
		if _, err := t.exec(`insert into member_groups (member_id, claim) values ($1, $2)`, id, g); err != nil {
			return "", err
		}
	}
	return id, nil
}

const membershipsSQL = `
select ` + tenantColumns + `, g.role
from member_groups mg join groups g on g.claim = mg.claim join tenants t on t.id = g.tenant_id
where mg.member_id = $1 order by t.name, t.id`

// memberships are the tenants of a person; of several roles in one, the strongest.
func (q query) memberships(id tenants.MemberID) (ms []Membership, err error) {
	err = q.each(func(r rows) error {
		var m Membership
		if err := r.Scan(append(scanTenant(&m.Tenant), &m.Role)...); err != nil {
			return err
		}
		if k := len(ms) - 1; k >= 0 && ms[k].Tenant.ID == m.Tenant.ID {
			ms[k].Role = stronger(ms[k].Role, m.Role)
			return nil
		}
		ms = append(ms, m)
		return nil
	}, membershipsSQL, id)
	return ms, err
}

func stronger(a, b tenants.Role) tenants.Role {
	if slices.Index(tenants.Roles, a) >= slices.Index(tenants.Roles, b) {
		return a
	}
	return b
}

const addSessionSQL = `
insert into sessions (id, token_hash, member_id, platform, oidc_session, address, id_token, started_at, seen_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)`

func (t *tx) addSession(who Identity, member tenants.MemberID) (tenants.Secret, error) {
	token := newToken()
	id, hash := mintID[tenants.SessionID](t.now), hashOf(token)
	hint, err := t.db.seal(t.query, platform, who.IDToken, idTokenPlace(id))
	if err != nil {
		return tenants.Secret{}, err
	}
	_, err = t.exec(addSessionSQL, id, hash, member, who.Platform, who.OIDCSession, clip(who.Address), hint, us(t.now),
		us(t.now.Add(sessionLife)))
	return token, err
}

// newToken is 256 random bits in base64url.
func newToken() tenants.Secret {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return tenants.NewSecret([]byte(base64.RawURLEncoding.EncodeToString(b[:])))
}

// hashOf is what is stored of a token. It needs no salt, because tokens are random.
func hashOf(token tenants.Secret) []byte {
	h := sha256.Sum256(token.Reveal())
	return h[:]
}

// recordSignIn writes into the log of every tenant that the person can now enter.
func (t *tx) recordSignIn(who Identity, ms []Membership) {
	text := "signed in" + from(who.Address) + "."
	for _, m := range ms {
		by := who.actor(m.Tenant.ID)
		by.Role = m.Role
		t.record(by, tenants.DidSignIn, "", who.Email, text)
	}
	if who.Platform != "" {
		t.record(who.actor(platform), tenants.DidSignIn, "", who.Email, text)
	}
}

func from(address string) string {
	if address = strings.TrimSpace(address); address == "" {
		return ""
	}
	return " from " + clip(address)
}
