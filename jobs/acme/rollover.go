package acme

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
	"github.com/go-jose/go-jose/v4"
)

// FindAccount asks whether the authority knows a key, and as which account (RFC 8555, section 7.3.1). It makes none.
func (c *Client) FindAccount(ctx context.Context, key crypto.Signer) (url string, found bool, err error) {
	_, err = c.do(ctx, Account{Key: key}, maxBody, func(core *api.Core) error {
		got, err := core.Accounts.New(acme.Account{OnlyReturnExisting: true})
		if err != nil {
			return err
		}
		url = got.Location
		return c.checkURL("the account", url)
	})
	if p, ok := errors.AsType[*Problem](err); ok && p.Kind() == "accountDoesNotExist" {
		return "", false, nil
	}
	return url, err == nil, err
}

// ChangeKey makes next the key of an account (RFC 8555, section 7.3.5), which keeps its URL. After silence nobody but the
// authority knows which key counts: FindAccount asks it. lego does not know this request, so it is signed here.
func (c *Client) ChangeKey(ctx context.Context, a Account, next crypto.Signer) error {
	if err := checkAccountKey(next); err != nil {
		return err
	}
	_, err := c.do(ctx, a, maxBody, func(core *api.Core) error {
		url := core.GetDirectory().KeyChangeURL
		if err := c.checkURL("keyChange", url); err != nil {
			return err
		}
		inner, err := signChange(a, next, url)
		if err != nil {
			return err
		}
		nonces := nonceSource{core}
		outer, err := sign(jose.JSONWebKey{Key: a.Key, KeyID: a.URL}, inner, jose.SignerOptions{
			NonceSource: nonces, ExtraHeaders: map[jose.HeaderKey]any{"url": url}})
		if err != nil {
			return err
		}
		answer, err := core.HTTPClient.Post(url, "application/jose+json", bytes.NewReader(outer))
		if err != nil {
			return err
		}
		return answer.Body.Close()
	})
	return err
}

// signChange is the inner object: the new key's own word that it takes the old one's place.
func signChange(a Account, next crypto.Signer, url string) ([]byte, error) {
	payload, err := json.Marshal(struct {
		Account string          `json:"account"`
		OldKey  jose.JSONWebKey `json:"oldKey"`
	}{a.URL, jose.JSONWebKey{Key: a.Key.Public()}})
	if err != nil {
		return nil, fmt.Errorf("encode key change: %w", err)
	}
	return sign(jose.JSONWebKey{Key: next}, payload, jose.SignerOptions{
		EmbedJWK: true, ExtraHeaders: map[jose.HeaderKey]any{"url": url}})
}

func sign(key jose.JSONWebKey, payload []byte, o jose.SignerOptions) ([]byte, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm(key.Key), Key: key}, &o)
	if err != nil {
		return nil, fmt.Errorf("sign key change: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("sign key change: %w", err)
	}
	return []byte(signed.FullSerialize()), nil
}

func algorithm(key any) jose.SignatureAlgorithm {
	if k, ok := key.(*ecdsa.PrivateKey); ok {
		if k.Curve == elliptic.P384() {
			return jose.ES384
		}
		return jose.ES256
	}
	return jose.RS256
}

// nonceSource asks for a nonce as lego does; the call's transport answers from memory when it can.
type nonceSource struct{ *api.Core }

// Nonce implements jose.NonceSource.
func (s nonceSource) Nonce() (string, error) {
	answer, err := s.HTTPClient.Head(s.GetDirectory().NewNonceURL)
	if err != nil {
		return "", fmt.Errorf("ask for a nonce: %w", err)
	}
	if err := answer.Body.Close(); err != nil {
		return "", fmt.Errorf("ask for a nonce: %w", err)
	}
	return answer.Header.Get("Replay-Nonce"), nil
}
