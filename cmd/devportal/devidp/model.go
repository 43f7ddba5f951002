package devidp

import (
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// request is one sign-in under way, from the client's authorization request to the exchange of its code.
type request struct {
	oidc.AuthRequest
	id      string
	created time.Time
	person  *Person // nil until somebody was chosen
	sid     string
	at      time.Time
	code    string
}

func (r request) GetID() string          { return r.id }
func (r request) GetACR() string         { return "" }
func (r request) GetAMR() []string       { return nil }
func (r request) GetAudience() []string  { return []string{r.ClientID} }
func (r request) GetAuthTime() time.Time { return r.at }
func (r request) GetClientID() string    { return r.ClientID }
func (r request) GetNonce() string       { return r.Nonce }
func (r request) GetRedirectURI() string { return r.RedirectURI }
func (r request) GetState() string       { return r.State }
func (r request) GetScopes() []string    { return r.Scopes }
func (r request) Done() bool             { return r.person != nil }

func (r request) GetResponseType() oidc.ResponseType { return r.ResponseType }
func (r request) GetResponseMode() oidc.ResponseMode { return r.ResponseMode }

func (r request) GetSubject() string {
	if r.person == nil {
		return ""
	}
	return r.person.subject()
}

func (r request) GetCodeChallenge() *oidc.CodeChallenge {
	if r.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}

// app is a Client as the library wants to see it.
type app struct{ Client }

func (a app) GetID() string                       { return a.ID }
func (a app) RedirectURIs() []string              { return a.Client.RedirectURIs }
func (a app) PostLogoutRedirectURIs() []string    { return a.LogoutURIs }
func (a app) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (a app) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodBasic }
func (a app) ResponseTypes() []oidc.ResponseType  { return []oidc.ResponseType{oidc.ResponseTypeCode} }
func (a app) GrantTypes() []oidc.GrantType        { return []oidc.GrantType{oidc.GrantTypeCode} }
func (a app) LoginURL(id string) string           { return "/login?id=" + id }
func (a app) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }
func (a app) IDTokenLifetime() time.Duration      { return tokenLife }
func (a app) DevMode() bool                       { return true }
func (a app) IsScopeAllowed(scope string) bool    { return scope == "groups" }
func (a app) ClockSkew() time.Duration            { return 0 }

// IDTokenUserinfoClaimsAssertion puts e-mail and name into the id token itself, as the large providers do.
func (a app) IDTokenUserinfoClaimsAssertion() bool { return true }

func (a app) RestrictAdditionalIdTokenScopes() func([]string) []string     { return allScopes }
func (a app) RestrictAdditionalAccessTokenScopes() func([]string) []string { return allScopes }

func allScopes(scopes []string) []string { return scopes }

type signingKey struct{ s *storage }

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k signingKey) Key() any                                    { return k.s.key }
func (k signingKey) ID() string                                  { return k.s.keyID }

type publicKey struct{ s *storage }

func (k publicKey) ID() string                         { return k.s.keyID }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.s.key.PublicKey }
