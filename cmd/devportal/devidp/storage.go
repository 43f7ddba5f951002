package devidp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// storage is what the protocol library reads and writes: people, clients, sign-ins under way, sessions. One lock
// is enough for a handful of people.
type storage struct {
	issuer string
	people []Person
	key    *ecdsa.PrivateKey
	keyID  string

	mu       sync.Mutex
	clients  []Client
	requests map[string]*request
	sessions map[string]session // by sid
	faults   Faults
}

// session is one sign-in of one person, shared by all clients of one browser.
type session struct {
	ID      string
	Person  Person
	Client  string
	Started time.Time
}

const (
	requestLife = 10 * time.Minute
	tokenLife   = 5 * time.Minute
)

var errGone = errors.New("not known here, or used already")

func newStorage(issuer string, people []Person, clients []Client) (*storage, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	return &storage{
		issuer: issuer, people: slices.Clone(people), clients: slices.Clone(clients), key: key, keyID: rand.Text()[:8],
		requests: map[string]*request{}, sessions: map[string]session{},
	}, nil
}

func (s *storage) edit(change func(*storage)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (p Person) subject() string {
	sum := sha256.Sum256([]byte(p.Email))
	return hex.EncodeToString(sum[:12])
}

func (s *storage) person(subject string) (Person, bool) {
	i := slices.IndexFunc(s.people, func(p Person) bool { return p.subject() == subject })
	if i < 0 {
		return Person{}, false
	}
	return s.people[i], true
}

func (s *storage) client(id string) (Client, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.clients, func(c Client) bool { return c.ID == id })
	if i < 0 {
		return Client{}, false
	}
	return s.clients[i], true
}

// choose ends a sign-in under way: the person is now known, and a session begins.
func (s *storage) choose(requestID string, p Person) (session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[requestID]
	if !ok {
		return session{}, errGone
	}
	started := session{ID: rand.Text(), Person: p, Client: r.ClientID, Started: time.Now()}
	r.person, r.sid, r.at = &p, started.ID, started.Started
	s.sessions[started.ID] = started
	return started, nil
}

func (s *storage) endSession(sid string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended, ok := s.sessions[sid]
	delete(s.sessions, sid)
	return ended, ok
}

func (s *storage) openSessions() []session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []session
	for _, one := range s.sessions {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b session) int { return b.Started.Compare(a.Started) })
	return all
}

func (s *storage) CreateAuthRequest(_ context.Context, ask *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, r := range s.requests {
		if now.Sub(r.created) > requestLife {
			delete(s.requests, id)
		}
	}
	r := &request{AuthRequest: *ask, id: rand.Text(), created: now}
	if s.faults.Nonce != "" {
		r.Nonce = s.faults.Nonce
	}
	s.requests[r.id] = r
	return *r, nil
}

// AuthRequestByID answers with a copy, so that the library never reads what choose writes.
func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok {
		return nil, errGone
	}
	return *r, nil
}

func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.ForgetCodes {
		return nil, errGone
	}
	for _, r := range s.requests {
		if r.code != "" && r.code == code {
			return *r, nil
		}
	}
	return nil, errGone
}

func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok {
		return errGone
	}
	r.code = code
	return nil
}

func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.edit(func(s *storage) { delete(s.requests, id) })
	return nil
}

func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c, ok := s.client(id)
	if !ok {
		return nil, errGone
	}
	return app{c}, nil
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	c, ok := s.client(id)
	if !ok || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return errGone
	}
	return nil
}

// SetUserinfoFromRequest puts the claims into the id token: the scopes decide about e-mail and name, the groups
// are always there.
func (s *storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, ask op.IDTokenRequest, scopes []string) error {
	p, ok := s.person(ask.GetSubject())
	if !ok {
		return errGone
	}
	fill(info, p, scopes)
	if r, ok := ask.(request); ok {
		info.AppendClaims("sid", r.sid)
	}
	return nil
}

func fill(info *oidc.UserInfo, p Person, scopes []string) {
	info.Subject = p.subject()
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email, info.EmailVerified = p.Email, true
	}
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.Name, info.PreferredUsername = p.Name, p.Email
	}
	info.AppendClaims("groups", p.Groups)
}

func (s *storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, _, subject, _ string) error {
	p, ok := s.person(subject)
	if !ok {
		return errGone
	}
	fill(info, p, []string{oidc.ScopeEmail, oidc.ScopeProfile})
	return nil
}

func (s *storage) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return rand.Text(), time.Now().Add(tokenLife), nil
}

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return signingKey{s}, nil }

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

func (s *storage) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s}}, nil }

func (s *storage) Health(context.Context) error { return nil }
