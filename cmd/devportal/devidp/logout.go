package devidp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Sessions lists the open sessions' ids of the person with this e-mail address, newest first.
func (p *Provider) Sessions(email string) []string {
	var ids []string
	for _, s := range p.storage.openSessions() {
		if s.Person.Email == email {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// SignOutEverywhere ends a session here and tells its client through the back channel (OpenID Connect
// Back-Channel Logout 1.0).
func (p *Provider) SignOutEverywhere(ctx context.Context, sid string) error {
	ended, ok := p.storage.endSession(sid)
	if !ok {
		return nil
	}
	c, ok := p.storage.client(ended.Client)
	if !ok || c.BackChannel == "" {
		return nil
	}
	token, err := p.LogoutToken(ended.Client, ended.Person.subject(), sid)
	if err != nil {
		return err
	}
	return postLogout(ctx, c.BackChannel, token)
}

// LogoutToken signs a logout token; subject or sid may be empty.
func (p *Provider) LogoutToken(clientID, subject, sid string) (string, error) {
	claims := oidc.NewLogoutTokenClaims(p.Issuer, subject, oidc.Audience{clientID}, time.Now().Add(2*time.Minute),
		rand.Text(), sid, 0)
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode logout token: %w", err)
	}
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.storage.key, KeyID: p.storage.keyID}}
	signer, err := jose.NewSigner(key, new(jose.SignerOptions).WithType("logout+jwt"))
	if err != nil {
		return "", fmt.Errorf("make signer: %w", err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		return "", fmt.Errorf("sign logout token: %w", err)
	}
	return signed.CompactSerialize()
}

func postLogout(ctx context.Context, to, token string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	form := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, form)
	if err != nil {
		return fmt.Errorf("build back-channel request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("post logout token: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("post logout token: %s answered %s", to, resp.Status)
	}
	return nil
}

type browserKey struct{}

// rememberBrowser lets the sign-out find the browser's session when the client sends no id token.
func (p *Provider) rememberBrowser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie(cookieName); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), browserKey{}, c.Value))
		}
		next.ServeHTTP(w, r)
	})
}

// TerminateSessionFromRequest is RP-initiated logout. The client that asked has ended its own session already.
func (s *storage) TerminateSessionFromRequest(ctx context.Context, r *op.EndSessionRequest) (string, error) {
	sid, _ := ctx.Value(browserKey{}).(string)
	if r.IDTokenHintClaims != nil {
		if hinted, ok := r.IDTokenHintClaims.Claims["sid"].(string); ok {
			sid = hinted
		}
	}
	s.endSession(sid)
	return r.RedirectURI, nil
}

// addIssuer adds the iss parameter to every answer of the authorization endpoint that goes to a client (RFC 9207).
func (p *Provider) addIssuer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/authorize") {
			w = &issuerWriter{ResponseWriter: w, p: p}
		}
		next.ServeHTTP(w, r)
	})
}

type issuerWriter struct {
	http.ResponseWriter
	p *Provider
}

func (w *issuerWriter) WriteHeader(status int) {
	to, err := url.Parse(w.Header().Get("Location"))
	if err == nil && to.IsAbs() {
		q := to.Query()
		q.Set("iss", w.p.issuerParameter())
		to.RawQuery = q.Encode()
		w.Header().Set("Location", to.String())
	}
	w.ResponseWriter.WriteHeader(status)
}

func (p *Provider) issuerParameter() (iss string) {
	p.storage.edit(func(s *storage) { iss = s.faults.Issuer })
	if iss == "" {
		return p.Issuer
	}
	return iss
}
