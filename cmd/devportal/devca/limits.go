package devca

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"perennial/tenants"
)

// LetsEncrypt is the limits of Let's Encrypt with time that runs so many times faster: 300 orders in 3 hours are, 360
// times faster, 300 in 30 seconds.
func LetsEncrypt(faster int) tenants.Limits {
	limits := tenants.Limits{}
	for name, l := range tenants.NewIssuer("https://acme-v02.api.letsencrypt.org/directory").Limits {
		limits[name] = tenants.Limit{Count: l.Count, Per: l.Per / time.Duration(faster)}
	}
	return limits
}

// limiter counts as Let's Encrypt does, see ratelimits in github.com/letsencrypt/boulder: an order is counted when it is
// asked for, a certificate when it is issued, a failed authorization when it has failed, and who has used up one of
// them gets no order. Orders that name what they replace are not counted at all (RFC 9773, section 5).
//
// The arithmetic is the limiter's own and not tenants.Limit's, which it is to judge.
type limiter struct {
	mu       sync.Mutex
	limits   tenants.Limits
	tat      map[tenants.Charge]time.Time // theoretical arrival times; GCRA has no other state
	exempt   map[string]bool              // paths of orders that are not counted
	failed   map[string]bool              // paths of authorizations that were counted
	refusals map[tenants.LimitName]int
	orders   int // counted, since
	since    time.Time
	until    time.Time // the last of them
}

func newLimiter(limits tenants.Limits) *limiter {
	return &limiter{limits: limits, tat: map[tenants.Charge]time.Time{}, exempt: map[string]bool{}, failed: map[string]bool{},
		refusals: map[tenants.LimitName]int{}}
}

// take spends one token, or says how long it is until there is one.
func (l *limiter) take(c tenants.Charge, now time.Time) (wait time.Duration, next time.Time) {
	limit := l.limits[c.Limit]
	if limit.Count == 0 {
		return 0, l.tat[c]
	}
	interval := limit.Per / time.Duration(limit.Count)
	next = l.tat[c]
	if next.Before(now) {
		next = now
	}
	next = next.Add(interval)
	return max(0, next.Add(-interval*time.Duration(limit.Count)).Sub(now)), next
}

// spend takes a token where there is one; what has happened cannot be refused any more.
func (l *limiter) spend(c tenants.Charge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait, next := l.take(c, time.Now()); wait == 0 {
		l.tat[c] = next
	}
}

// admit decides about a new order: it costs a token of the account, and there must be one in every other bucket.
func (l *limiter) admit(account string, names []string, now time.Time) (refused tenants.Charge, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := tenants.Charge{Limit: tenants.OrdersPerAccount, Key: account}
	for _, c := range append(certificates(names), append(failures(account, names), own)...) {
		if w, _ := l.take(c, now); w > wait {
			refused, wait = c, w
		}
	}
	if wait > 0 {
		l.refusals[refused.Limit]++
		return refused, wait
	}
	_, l.tat[own] = l.take(own, now)
	if l.orders++; l.orders == 1 {
		l.since = now
	}
	l.until = now
	return refused, 0
}

// giveBack undoes admit for an order that was refused for another reason.
func (l *limiter) giveBack(account string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := l.limits[tenants.OrdersPerAccount]
	if l.orders--; limit.Count > 0 {
		c := tenants.Charge{Limit: tenants.OrdersPerAccount, Key: account}
		l.tat[c] = l.tat[c].Add(-limit.Per / time.Duration(limit.Count))
	}
}

// certificates are the buckets that a certificate for the names is counted in.
func certificates(names []string) []tenants.Charge {
	set := slices.Compact(slices.Sorted(slices.Values(names)))
	all := []tenants.Charge{{Limit: tenants.CertificatesPerSet, Key: strings.Join(set, ",")}}
	for _, name := range set {
		base := strings.TrimPrefix(name, "*.")
		if domain, err := publicsuffix.EffectiveTLDPlusOne(base); err == nil {
			base = domain
		}
		if c := (tenants.Charge{Limit: tenants.CertificatesPerDomain, Key: base}); !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

func failures(account string, names []string) (all []tenants.Charge) {
	for _, name := range names {
		all = append(all, tenants.Charge{Limit: tenants.FailuresPerName, Key: account + " " + strings.TrimPrefix(name, "*.")})
	}
	return all
}

// limited refuses what is over the limits and counts the rest.
func (a *CA) limited(next http.Handler) http.Handler {
	if len(a.config.Limits) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := &statusOf{ResponseWriter: w, status: http.StatusOK}
		switch EndpointOf(r) {
		case NewOrder:
			a.limitOrder(status, r, next)
		case Finalize:
			next.ServeHTTP(status, r)
			if status.status < http.StatusBadRequest {
				a.countCertificate(path.Base(r.URL.Path))
			}
		case Authorization:
			next.ServeHTTP(w, r)
			a.countFailure(path.Base(r.URL.Path))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (a *CA) limitOrder(w *statusOf, r *http.Request, next http.Handler) {
	names, account, replaces := orderNames(r), accountOf(r), orderReplaces(r)
	if replaces {
		next.ServeHTTP(w, r)
		a.limiter.spare(path.Base(w.Header().Get("Location")))
		return
	}
	now := time.Now()
	if c, wait := a.limiter.admit(account, names, now); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		problem(w, http.StatusTooManyRequests, "rateLimited", a.limiter.words(c, now.Add(wait)))
		return
	}
	if next.ServeHTTP(w, r); w.status >= http.StatusBadRequest {
		a.limiter.giveBack(account)
	}
}

// spare notes that an order's certificate is not to be counted.
func (l *limiter) spare(order string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exempt[order] = true
}

// words are Let's Encrypt's.
func (l *limiter) words(c tenants.Charge, at time.Time) string {
	limit := l.limits[c.Limit]
	_, name, _ := strings.Cut(c.Key, " ")
	until := fmt.Sprintf("in the last %s, retry after %s: see https://letsencrypt.org/docs/rate-limits/", limit.Per, at.UTC().Format("2006-01-02 15:04:05 MST"))
	switch c.Limit {
	case tenants.FailuresPerName:
		return fmt.Sprintf("too many failed authorizations (%d) for %q %s#authorization-failures-per-identifier-per-account", limit.Count, name, until)
	case tenants.CertificatesPerDomain:
		return fmt.Sprintf("too many certificates (%d) already issued for %q %s#new-certificates-per-registered-domain", limit.Count, c.Key, until)
	case tenants.CertificatesPerSet:
		return fmt.Sprintf("too many certificates (%d) already issued for this exact set of identifiers %s#new-certificates-per-exact-set-of-identifiers", limit.Count, until)
	}
	return fmt.Sprintf("too many new orders (%d) from this account %s#new-orders-per-account", limit.Count, until)
}

func (a *CA) countCertificate(order string) {
	a.exchange.RLock()
	o := a.store.GetOrderByID(order)
	a.exchange.RUnlock()
	a.limiter.mu.Lock()
	free := a.limiter.exempt[order]
	a.limiter.mu.Unlock()
	if o == nil || free {
		return
	}
	var names []string
	for _, id := range o.Identifiers {
		names = append(names, id.Value)
	}
	for _, c := range certificates(names) {
		a.limiter.spend(c)
	}
}

// countFailure counts an authorization that has failed when its client learns of it, once.
func (a *CA) countFailure(id string) {
	authz := a.store.GetAuthorizationByID(id)
	if authz == nil {
		return
	}
	authz.RLock()
	invalid, name, account := authz.Status == "invalid", authz.Identifier.Value, authz.Order.AccountID
	authz.RUnlock()
	a.limiter.mu.Lock()
	first := invalid && !a.limiter.failed[id]
	if first {
		a.limiter.failed[id] = true
	}
	a.limiter.mu.Unlock()
	if first {
		a.limiter.spend(failures(account, []string{name})[0])
	}
}

// Refusals is how many orders were refused because of each limit.
func (a *CA) Refusals() map[tenants.LimitName]int {
	a.limiter.mu.Lock()
	defer a.limiter.mu.Unlock()
	return maps.Clone(a.limiter.refusals)
}

// Budget is how many orders were counted from the first to the last, and how many an account may have made in that
// time: a full bucket and what refilled.
func (a *CA) Budget() (used, allowed int) {
	a.limiter.mu.Lock()
	defer a.limiter.mu.Unlock()
	limit := a.limiter.limits[tenants.OrdersPerAccount]
	if limit.Count == 0 {
		return a.limiter.orders, math.MaxInt
	}
	return a.limiter.orders, limit.Count + int(a.limiter.until.Sub(a.limiter.since)/(limit.Per/time.Duration(limit.Count)))
}

// statusOf remembers the status of an answer.
type statusOf struct {
	http.ResponseWriter
	status int
}

func (w *statusOf) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// accountOf is the account that signed a request; requests that no account signed have none.
func accountOf(r *http.Request) string {
	var signed struct{ Protected string }
	var header struct{ Kid string }
	if json.Unmarshal(hold(r), &signed) != nil {
		return ""
	}
	protected, err := base64.RawURLEncoding.DecodeString(signed.Protected)
	if err != nil || json.Unmarshal(protected, &header) != nil {
		return ""
	}
	return path.Base(header.Kid)
}

// orderReplaces reports whether a newOrder request names what it replaces. Whether that is true, Pebble finds out.
func orderReplaces(r *http.Request) bool {
	var order struct{ Replaces string }
	return json.Unmarshal(orderOf(r), &order) == nil && order.Replaces != ""
}
