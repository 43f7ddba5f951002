package acme

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme/api"

	"perennial/tenants"
)

// How far FindOrder looks: through all pages of any real account, and never for ever in a hostile one. The lost
// order is among the newest that are not known, because it was placed moments before the crash.
const (
	maxPages  = 1000
	maxListed = 10_000 // kept of the list
	maxOrders = 100    // asked for
)

// LostOrder describes an order that was placed and whose URL was lost before it could be saved.
type LostOrder struct {
	Names []string
	Since time.Time       // when it was placed
	Known map[string]bool // URLs of orders placed since then that are not lost; they are not asked for again
}

// FindOrder looks for a lost order: one for exactly these names that still waits for us, and that had not expired when it
// was placed. It walks the account's list of orders (RFC 8555, section 7.1.2.1), whose newest stand last, from its end.
// Authorities without that list answer false; they tend to hand the same order out again when asked for it twice.
func (c *Client) FindOrder(ctx context.Context, a Account, lost LostOrder) (Order, bool, error) {
	var urls []string
	list, err := c.ordersList(ctx, a)
	if err == nil && list != "" {
		urls, err = c.orderURLs(ctx, a, list)
	}
	if offersNoList(err) {
		return Order{}, false, nil
	}
	if err != nil {
		return Order{}, false, err
	}
	urls = slices.DeleteFunc(urls, func(url string) bool { return lost.Known[url] })
	for _, url := range slices.Backward(urls[max(0, len(urls)-maxOrders):]) {
		o, err := c.Order(ctx, a, url)
		if p, ok := errors.AsType[*Problem](err); ok && p.Code == tenants.CABroken {
			continue // it ended while we read the list, or somebody else with our account placed it for no DNS name
		}
		if err != nil {
			return Order{}, false, err
		}
		if o.adoptable(lost.Names, lost.Since) {
			return o, true, nil
		}
	}
	return Order{}, false, nil
}

func (o Order) adoptable(names []string, since time.Time) bool {
	waits := o.Status == Pending || o.Status == Ready
	return waits && (o.Expires.IsZero() || o.Expires.After(since)) && sameNames(o.Names, names)
}

func isGone(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && (p.Status == http.StatusNotFound || p.Status == http.StatusGone)
}

// offersNoList reports whether err says that the authority names a list but has none. It must not keep us from
// placing orders for ever.
func offersNoList(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return isGone(err) || ok && (p.Status == http.StatusMethodNotAllowed || p.Status == http.StatusNotImplemented || p.Kind() == "malformed")
}

// ordersList is the URL of the account's list of orders, empty when the authority has none.
func (c *Client) ordersList(ctx context.Context, a Account) (list string, err error) {
	_, err = c.do(ctx, a, maxBody, func(core *api.Core) error {
		got, err := core.Accounts.Get(a.URL)
		if err != nil || got.Orders == "" {
			return err
		}
		list = got.Orders
		return c.checkURL("the list of orders", list)
	})
	return list, err
}

// orderURLs reads the pages of the list and keeps the last URLs.
func (c *Client) orderURLs(ctx context.Context, a Account, page string) (urls []string, err error) {
	seen := map[string]bool{}
	for len(seen) < maxPages && page != "" && !seen[page] {
		seen[page] = true
		found, next, err := c.ordersPage(ctx, a, page)
		if err != nil {
			return nil, err
		}
		urls = append(urls, found...)
		urls = slices.Clone(urls[max(0, len(urls)-maxListed):])
		page = next
	}
	return urls, nil
}

func (c *Client) ordersPage(ctx context.Context, a Account, page string) (urls []string, next string, err error) {
	header, err := c.do(ctx, a, maxBody, func(core *api.Core) error {
		// lego has no call for this list; fetching a certificate is its only POST-as-GET that returns the body as it is.
		raw, _, err := core.Certificates.Get(page, true)
		if err != nil {
			return err
		}
		var list struct {
			Orders []string `json:"orders"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return brokenf("The list of orders is not the JSON object that RFC 8555 describes: %v", err)
		}
		urls = list.Orders
		for _, url := range urls[max(0, len(urls)-maxListed):] {
			if err := c.checkURL("an order", url); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	if next = nextPage(header, page); next != "" {
		err = c.checkURL("the next page of orders", next)
	}
	return urls, next, err
}

// nextPage reads Link: <url>;rel="next" (RFC 8288), relative to page.
func nextPage(h http.Header, page string) string {
	for _, line := range h.Values("Link") {
		for part := range strings.SplitSeq(line, ",") {
			target, params, found := strings.Cut(strings.TrimSpace(part), ">")
			rel := strings.ReplaceAll(strings.ReplaceAll(params, " ", ""), `"`, "")
			if !found || !strings.HasPrefix(target, "<") || !slices.Contains(strings.Split(rel, ";"), "rel=next") {
				continue
			}
			base, err1 := url.Parse(page)
			ref, err2 := url.Parse(target[1:])
			if err1 == nil && err2 == nil {
				return base.ResolveReference(ref).String()
			}
		}
	}
	return ""
}

// sameNames compares two sets of canonical names.
func sameNames(a, b []string) bool {
	return slices.Equal(nameSet(a), nameSet(b))
}

func nameSet(names []string) []string {
	set := make([]string, 0, len(names))
	for _, name := range names {
		set = append(set, strings.ToLower(name))
	}
	slices.Sort(set)
	return slices.Compact(set)
}
