package devca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/devportal/devdns"
)

// client is a small ACME client, so that these tests do not depend on the one the product uses.
type client struct {
	t     *testing.T
	http  *http.Client
	key   *ecdsa.PrivateKey
	dir   map[string]any
	nonce string
	kid   string
}

// answer is one response, read.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
	JSON   map[string]any
}

func (a answer) text(key string) string { s, _ := a.JSON[key].(string); return s }

func (a answer) list(key string) []string {
	var out []string
	items, _ := a.JSON[key].([]any)
	for _, v := range items {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

func newClient(t *testing.T, ca *devca.CA) *client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Roots()}}
	t.Cleanup(transport.CloseIdleConnections)
	c := &client{t: t, key: key, http: &http.Client{Transport: transport}}
	c.dir = c.do("GET", ca.Directory, nil).JSON
	return c
}

func (c *client) url(name string) string { return c.dir[name].(string) }

func (c *client) do(method, url string, body []byte) answer {
	c.t.Helper()
	a, err := c.try(method, url, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

func (c *client) try(method, url string, body []byte) (answer, error) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/jose+json")
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a := answer{Status: resp.StatusCode, Header: resp.Header, Body: raw}
	json.Unmarshal(raw, &a.JSON)
	c.nonce = resp.Header.Get("Replay-Nonce")
	return a, err
}

// post signs and sends; a nil payload is POST-as-GET. Refused nonces are tried again.
func (c *client) post(url string, payload any) answer {
	c.t.Helper()
	for range 50 {
		if c.nonce == "" {
			c.do("HEAD", c.url("newNonce"), nil)
		}
		a := c.do("POST", url, c.sign(url, payload))
		if !strings.HasSuffix(a.text("type"), ":badNonce") {
			return a
		}
	}
	c.t.Fatal("50 nonces were refused")
	return answer{}
}

func (c *client) sign(url string, payload any) []byte {
	header := map[string]any{"alg": "ES256", "nonce": c.nonce, "url": url}
	if c.kid != "" {
		header["kid"] = c.kid
	} else {
		header["jwk"] = json.RawMessage(c.jwk())
	}
	body := ""
	if payload != nil {
		body = b64(marshal(payload))
	}
	protected := b64(marshal(header))
	digest := sha256.Sum256([]byte(protected + "." + body))
	r, s, err := ecdsa.Sign(rand.Reader, c.key, digest[:])
	if err != nil {
		c.t.Fatal(err)
	}
	signature := append(pad(r), pad(s)...)
	return marshal(map[string]string{"protected": protected, "payload": body, "signature": b64(signature)})
}

// jwk is written in the order that a thumbprint needs (RFC 7638).
func (c *client) jwk() string {
	point, err := c.key.PublicKey.Bytes()
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, b64(point[1:33]), b64(point[33:]))
}

// value is the TXT value that answers a token (RFC 8555, 8.4).
func (c *client) value(token string) string {
	thumb := sha256.Sum256([]byte(c.jwk()))
	digest := sha256.Sum256([]byte(token + "." + b64(thumb[:])))
	return b64(digest[:])
}

func (c *client) register() {
	c.t.Helper()
	a := c.post(c.url("newAccount"), map[string]any{"termsOfServiceAgreed": true})
	if a.Status != http.StatusCreated {
		c.t.Fatalf("newAccount: %d %s", a.Status, a.Body)
	}
	c.kid = a.Header.Get("Location")
}

func (c *client) order(extra map[string]any, names ...string) answer {
	c.t.Helper()
	var ids []map[string]string
	for _, n := range names {
		ids = append(ids, map[string]string{"type": "dns", "value": n})
	}
	req := map[string]any{"identifiers": ids}
	for k, v := range extra {
		req[k] = v
	}
	return c.post(c.url("newOrder"), req)
}

// prove writes the TXT value for every authorization that needs one, answers, and waits for the verdict.
func (c *client) prove(order answer, dns *devdns.Server) {
	c.t.Helper()
	for _, url := range order.list("authorizations") {
		authz := c.post(url, nil)
		if authz.text("status") != "pending" {
			continue
		}
		name := authz.JSON["identifier"].(map[string]any)["value"].(string)
		for _, raw := range authz.JSON["challenges"].([]any) {
			ch := raw.(map[string]any)
			if ch["type"] != "dns-01" {
				continue
			}
			if err := dns.Add("_acme-challenge."+name, "TXT", c.value(ch["token"].(string))); err != nil {
				c.t.Fatal(err)
			}
			c.post(ch["url"].(string), map[string]any{})
		}
		for authz.text("status") == "pending" {
			authz = c.post(url, nil)
		}
	}
}

func (c *client) finalize(order answer, names ...string) answer {
	c.t.Helper()
	return c.post(order.text("finalize"), c.request(names...))
}

func (c *client) request(names ...string) map[string]string {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		c.t.Fatal(err)
	}
	return map[string]string{"csr": b64(csr)}
}

// issue goes the whole way and returns the chain.
func (c *client) issue(dns *devdns.Server, extra map[string]any, names ...string) []byte {
	c.t.Helper()
	order := c.order(extra, names...)
	if order.Status != http.StatusCreated {
		c.t.Fatalf("newOrder: %d %s", order.Status, order.Body)
	}
	url := order.Header.Get("Location")
	c.prove(order, dns)
	if a := c.finalize(order, names...); a.Status != http.StatusOK {
		c.t.Fatalf("finalize: %d %s", a.Status, a.Body)
	}
	done := c.post(url, nil)
	for done.text("status") == "processing" {
		done = c.post(url, nil)
	}
	if done.text("status") != "valid" {
		c.t.Fatalf("order: %s", done.Body)
	}
	return c.post(done.text("certificate"), nil).Body
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func pad(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }

func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}
