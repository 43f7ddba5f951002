package acme

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"perennial/tenants"
)

// How long renewal information is believed: what the authority says, within bounds (RFC 9773, section 4.3 asks
// for such), six hours when it says nothing. Half a day is the most, whatever it says: a certificate that is to be revoked
// within a day, as the CA/Browser Forum demands after a fault, has to be heard of in time to be replaced.
const (
	ariDefault = 6 * time.Hour
	ariLeast   = time.Minute
	ariMost    = 12 * time.Hour
)

// RenewalInfo asks when to renew the certificate with this ARI id (tenants.Version.ARICertID). An authority
// without renewal information, or a certificate without an id, gives a zero window and no error.
func (c *Client) RenewalInfo(ctx context.Context, certID string) (tenants.RenewalInfo, error) {
	dir, err := c.directory(ctx)
	if err != nil {
		return tenants.RenewalInfo{}, err
	}
	now := c.config.Now().UTC()
	info := tenants.RenewalInfo{Fetched: now, Next: now.Add(ariMost)}
	if dir.RenewalInfo == "" || certID == "" {
		return info, nil
	}
	if len(certID) > 512 || strings.Trim(certID, base64url+".") != "" {
		return tenants.RenewalInfo{}, brokenf("The ARI id of the certificate is malformed: %s", certID)
	}
	x := &exchange{client: c, ctx: ctx, dir: dir, limit: maxBody}
	defer x.returnNonce()
	core, err := c.core(x, Account{})
	if err != nil {
		return tenants.RenewalInfo{}, err
	}
	if err := readRenewalInfo(core, certID, &info); err != nil {
		return tenants.RenewalInfo{}, x.explain(err)
	}
	info.Next = now.Add(ariDefault)
	if after := retryAfter(x.header, now); after > 0 {
		info.Next = now.Add(min(max(after, ariLeast), ariMost))
	}
	return info, nil
}

func readRenewalInfo(core *api.Core, certID string, info *tenants.RenewalInfo) error {
	answer, err := core.Certificates.GetRenewalInfo(certID)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	var got acme.RenewalInfoResponse
	if err := json.Unmarshal(raw, &got); err != nil {
		return brokenf("The renewal information is not the JSON object that RFC 9773 describes: %v", err)
	}
	info.Start, info.End = got.SuggestedWindow.Start.UTC(), got.SuggestedWindow.End.UTC()
	if info.Start.IsZero() || !info.Start.Before(info.End) {
		return brokenf("The suggested renewal window ends before it begins: %s to %s.",
			info.Start.Format(time.RFC3339), info.End.Format(time.RFC3339))
	}
	info.ExplanationURL = webURL(got.ExplanationURL)
	return nil
}

// webURL keeps what is safe to be a link on a page.
func webURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURL || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return u.String()
}

// ariCertID is the id of a certificate in renewal information (RFC 9773, section 4.1); empty for one without an
// authority key identifier, which has none.
func ariCertID(leaf *x509.Certificate) string {
	if len(leaf.AuthorityKeyId) == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(leaf.AuthorityKeyId) + "." +
		base64.RawURLEncoding.EncodeToString(integerBytes(leaf.SerialNumber))
}

// integerBytes is the content of a DER INTEGER: a leading zero keeps a high bit from meaning "negative".
func integerBytes(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return b
}
