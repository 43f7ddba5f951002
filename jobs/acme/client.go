package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/go-acme/lego/v4/acme/api"

	"perennial/tenants"
)

// Config says which authority to speak to, and as whom.
type Config struct {
	Directory string           // URL of the ACME directory; https only
	Roots     *x509.CertPool   // whom to trust for the directory's TLS; nil: the system's roots
	UserAgent string           // sent with every request; RFC 8555, section 6.1 wants one
	Contact   []string         // e-mail addresses or URLs for the account (RFC 8555, section 7.3)
	EABKeyID  string           // external account binding (RFC 8555, section 7.3.4); empty: none
	EABKey    tenants.Secret   // the MAC key as the authority hands it out: base64url text
	Timeout   time.Duration    // of one request including its body; default 20 s
	Now       func() time.Time // default time.Now
}

// Client speaks to one authority. It is safe for concurrent use and connects at the first call, so that it can
// be made while the authority is down.
type Client struct {
	config Config
	home   *url.URL // of the directory; nil when the setting is no URL
	base   http.RoundTripper
	nonces noncePool
	dir    directoryCache
}

// New makes a Client in memory.
func New(config Config) *Client {
	if config.Timeout <= 0 {
		config.Timeout = 20 * time.Second
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	c := &Client{config: config, base: newTransport(config.Roots)}
	if home, err := url.Parse(config.Directory); err == nil {
		c.home, c.config.Directory = home, home.String()
	}
	return c
}

func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // a small body must not become a large one
	}
}

// Account is who asks: a key and the URL that the authority gave it.
type Account struct {
	Key crypto.Signer // ECDSA P-256 or P-384, or RSA
	URL string
}

// Sizes of bodies: generous against every real authority, small against a hostile one.
const (
	maxBody  = 1 << 20
	maxChain = 256 << 10
)

// maxNonces is how often one request is signed anew when the authority calls its nonce bad. With Pebble's 5 %
// the last attempt is reached once in 10^9 requests.
const maxNonces = 8

// do runs op, which makes one request through lego, under the caller's context. It returns the headers of the
// answer.
func (c *Client) do(ctx context.Context, a Account, limit int64, op func(*api.Core) error) (http.Header, error) {
	if err := checkAccountKey(a.Key); err != nil {
		return nil, err
	}
	dir, err := c.directory(ctx)
	if err != nil {
		return nil, err
	}
	x := &exchange{client: c, ctx: ctx, dir: dir, limit: limit}
	defer x.returnNonce()
	core, err := c.core(x, a)
	if err != nil {
		return nil, err
	}
	for range maxNonces {
		x.failure = nil
		if err = op(core); err == nil {
			return x.header, nil
		}
		if !x.badNonce() {
			break
		}
	}
	return nil, x.explain(err)
}

// core makes lego's object for one call; its transport answers the directory that lego asks for here.
func (c *Client) core(x *exchange, a Account) (*api.Core, error) {
	core, err := api.New(&http.Client{Transport: x}, c.config.UserAgent, c.config.Directory, a.URL, a.Key)
	if err != nil {
		return nil, brokenf("The directory cannot be used: %v", err)
	}
	return core, nil
}

// explain turns whatever lego returned into what this package promises. lego wraps some causes without keeping
// them, hence the exchange remembers the last failure itself.
func (x *exchange) explain(err error) error {
	if x.failure != nil {
		return x.failure
	}
	// No request failed, so the answer was not what it should be: op or lego refused it.
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.reached(true)
	}
	return brokenf("%v", err).reached(true)
}

func checkAccountKey(key crypto.Signer) error {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return nil
		}
	case *rsa.PrivateKey:
		return nil
	}
	return &Problem{Code: tenants.CAAccount, Detail: "The account key must be ECDSA P-256, ECDSA P-384 or RSA."}
}
