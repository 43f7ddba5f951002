package acme

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/acme"
)

// Meta is what the authority says about itself (RFC 8555, section 7.1.1).
type Meta struct {
	Profiles      map[string]string // name → description
	CAAIdentities []string          // what a CAA record may name to allow it
	EABRequired   bool
	HasARI        bool   // renewal information, RFC 9773
	Terms         string // URL of the terms of service; empty: none
}

// Meta asks for the directory, or remembers it: it is read again every hour.
func (c *Client) Meta(ctx context.Context) (Meta, error) {
	dir, err := c.directory(ctx)
	if err != nil {
		return Meta{}, err
	}
	meta := Meta{
		Profiles:    map[string]string{},
		EABRequired: dir.Meta.ExternalAccountRequired,
		HasARI:      dir.RenewalInfo != "",
		Terms:       webURL(dir.Meta.TermsOfService),
	}
	for name, description := range dir.Meta.Profiles {
		meta.Profiles[clean(name, 100)] = clean(description, 300)
	}
	for _, identity := range dir.Meta.CaaIdentities {
		meta.CAAIdentities = append(meta.CAAIdentities, clean(identity, 255))
	}
	return meta, nil
}

type directory struct {
	acme.Directory
	raw []byte
}

// directoryCache keeps the directory and lets all who miss it wait for one request, not for one each.
type directoryCache struct {
	mu      sync.Mutex
	current *directory
	until   time.Time
	asking  *directoryRequest
}

type directoryRequest struct {
	done chan struct{}
	dir  *directory
	err  error
}

const (
	directoryLife  = time.Hour
	directoryRetry = time.Minute // while an old one still serves
)

// directory returns the authority's directory. One that has grown old serves on while the authority is silent.
func (c *Client) directory(ctx context.Context) (*directory, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ask the authority: %w", err)
	}
	c.dir.mu.Lock()
	if c.dir.current != nil && c.config.Now().Before(c.dir.until) {
		defer c.dir.mu.Unlock()
		return c.dir.current, nil
	}
	if c.dir.asking == nil {
		c.dir.asking = &directoryRequest{done: make(chan struct{})}
		// Others wait for this answer too, so it must not die with the first caller; its time-out bounds it.
		go c.refresh(context.WithoutCancel(ctx), c.dir.asking)
	}
	asking := c.dir.asking
	c.dir.mu.Unlock()
	select {
	case <-asking.done:
		return asking.dir, asking.err
	case <-ctx.Done():
		return nil, fmt.Errorf("ask the authority: %w", ctx.Err())
	}
}

func (c *Client) refresh(ctx context.Context, asking *directoryRequest) {
	asking.dir, asking.err = c.fetchDirectory(ctx)
	c.dir.mu.Lock()
	defer c.dir.mu.Unlock()
	life := directoryLife
	if asking.err != nil && c.dir.current != nil {
		asking.dir, asking.err, life = c.dir.current, nil, directoryRetry
	}
	c.dir.current, c.dir.until, c.dir.asking = asking.dir, c.config.Now().Add(life), nil
	close(asking.done)
}

func (c *Client) fetchDirectory(ctx context.Context) (*directory, error) {
	if err := c.checkURL("directory", c.config.Directory); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.Directory, nil)
	if err != nil {
		return nil, brokenf("The directory's URL cannot be used: %v", err)
	}
	x := &exchange{client: c, ctx: ctx, limit: maxBody}
	defer x.returnNonce()
	answer, err := (&http.Client{Transport: x}).Do(r)
	if x.failure != nil {
		return nil, x.failure
	}
	if err != nil {
		return nil, brokenf("%v", err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, brokenf("%v", err)
	}
	dir := &directory{raw: raw}
	if err := json.Unmarshal(raw, &dir.Directory); err != nil {
		return nil, brokenf("The directory is not the JSON object that RFC 8555 describes: %v", err)
	}
	if err := c.checkDirectory(dir); err != nil {
		return nil, err
	}
	return dir, nil
}

func (c *Client) checkDirectory(dir *directory) error {
	for what, raw := range map[string]string{
		"newNonce": dir.NewNonceURL, "newAccount": dir.NewAccountURL, "newOrder": dir.NewOrderURL,
	} {
		if err := c.checkURL(what, raw); err != nil {
			return err
		}
	}
	if dir.RenewalInfo != "" {
		if err := c.checkURL("renewalInfo", dir.RenewalInfo); err != nil {
			return err
		}
	}
	if len(dir.Meta.Profiles) > maxNames || len(dir.Meta.CaaIdentities) > maxNames {
		return brokenf("The directory lists more than %d profiles or CAA identities.", maxNames)
	}
	return nil
}

// maxURL is what we store and send again.
const maxURL = 2048

// checkURL refuses every URL that leads elsewhere than to the directory's scheme, host and port. No real
// authority hands out others, and a hostile one could make us speak to servers that trust us.
func (c *Client) checkURL(what, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || raw == "" || len(raw) > maxURL {
		return brokenf("The URL for %s is missing, too long or malformed.", what)
	}
	if u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return brokenf("The URL for %s is not a plain https URL: %s", what, u.Redacted())
	}
	if c.home == nil || hostPort(u) != hostPort(c.home) {
		return brokenf("The URL for %s leads to another server than the directory's: %s", what, u.Redacted())
	}
	return nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
