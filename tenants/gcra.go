package tenants

import (
	"math"
	"time"
)

// Limit is a token bucket: Count tokens that refill evenly over Per. The zero Limit allows everything.
//
// The arithmetic is GCRA (generic cell rate algorithm): one instant per bucket, the theoretical arrival time
// (TAT) at which the bucket would be full again, holds its whole state.
type Limit struct {
	Count int
	Per   time.Duration
}

// Unlimited reports whether the limit allows everything.
func (l Limit) Unlimited() bool { return l.Count <= 0 || l.Per <= 0 }

// Every is the time in which one token refills, at least a nanosecond.
func (l Limit) Every() time.Duration {
	if l.Unlimited() {
		return 0
	}
	return max(1, l.Per/time.Duration(l.Count))
}

// full is the time in which an empty bucket fills: Per, but for what the division in Every loses. Measuring with Per
// itself would let that remainder add up to tokens that nobody has.
func (l Limit) full() time.Duration { return l.Every() * time.Duration(l.Count) }

// Spend takes n tokens at now from a bucket whose TAT is tat (zero for one never used). When they are there it
// returns the new TAT and ok; otherwise tat unchanged and the instant at which they will be. More than Count are never there.
func (l Limit) Spend(tat, now time.Time, n int) (next time.Time, ok bool, at time.Time) {
	if l.Unlimited() || n <= 0 {
		return tat, true, now
	}
	next = later(tat, now).Add(time.Duration(n) * l.Every())
	if at = next.Add(-l.full()); at.After(now) {
		return tat, false, at
	}
	return next, true, now
}

// Reserve is how many tokens of a bucket are kept back for emergencies: a tenth, in whole tokens, so none of fewer than ten.
func (l Limit) Reserve() int {
	if l.Unlimited() {
		return 0
	}
	return l.Count / 10
}

// SpendKeeping is Spend for somebody who must leave kept tokens in the bucket. Only the burst gets smaller: what refills
// while kept tokens are left can be spent, so over time the whole limit is.
func (l Limit) SpendKeeping(kept int, tat, now time.Time, n int) (next time.Time, ok bool, at time.Time) {
	if _, ok, at = l.Spend(tat, now, n+kept); !ok {
		return tat, false, at
	}
	return l.Spend(tat, now, n)
}

// Spare reports whether a bucket has more than one token, and if not, when it will. Of a bucket of one, that one is enough.
func (l Limit) Spare(tat, now time.Time) (ok bool, at time.Time) {
	_, ok, at = l.Spend(tat, now, min(2, l.Count))
	return ok, at
}

// Bearable reports whether a name may fail once more, of the failures in a row after which the CA pauses it. While nothing
// changed it may use up a quarter of them, long before anybody has to ask the CA for mercy. Each change of its DNS is worth
// another try, until a tenth is left. If it may not, it may at that instant.
func (l Limit) Bearable(tat, now time.Time, changed bool) (ok bool, at time.Time) {
	left := l.Count - l.Count/4
	if changed {
		left = max(1, l.Count/10)
	}
	_, ok, at = l.Spend(tat, now, left)
	return ok, at
}

// Book takes n tokens whether they are there or not, for what the CA has counted already.
func (l Limit) Book(tat, now time.Time, n int) time.Time {
	if l.Unlimited() {
		return tat
	}
	return later(tat, now).Add(time.Duration(n) * l.Every())
}

// Refund gives n tokens back, for what the CA did not count.
func (l Limit) Refund(tat time.Time, n int) time.Time {
	if l.Unlimited() {
		return tat
	}
	return tat.Add(-time.Duration(n) * l.Every())
}

// Left is how many tokens can be spent at now; math.MaxInt when unlimited.
func (l Limit) Left(tat, now time.Time) int {
	if l.Unlimited() {
		return math.MaxInt
	}
	used := later(tat, now).Sub(now)
	return max(0, int((l.full()-used)/l.Every()))
}

// Empty is the TAT of a bucket that has no token before until: what a CA's 429 with Retry-After says of it.
func (l Limit) Empty(until time.Time) time.Time { return l.Holding(1, until) }

// Holding is the TAT of a bucket that has n tokens at now, of at most Count.
func (l Limit) Holding(n int, now time.Time) time.Time {
	return now.Add(l.full() - time.Duration(min(n, l.Count))*l.Every())
}

// Most is the TAT of a bucket that was emptied at now; now when it is unlimited.
func (l Limit) Most(now time.Time) time.Time { return now.Add(l.full()) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// LimitName names one of a CA's limits.
type LimitName string

const (
	OrdersPerAccount      LimitName = "orders"      // new orders per account
	CertificatesPerDomain LimitName = "domain"      // certificates per registered domain (public suffix + 1)
	CertificatesPerSet    LimitName = "names"       // certificates per exact set of names
	FailuresPerName       LimitName = "failures"    // failed authorizations per name and account
	ConsecutiveFailures   LimitName = "consecutive" // the same in a row, after which the CA pauses the name; a success resets it
	AccountsPerAddress    LimitName = "accounts"    // new accounts per IP address

	DNSRequests LimitName = "dns requests" // requests to the API of a DNS provider
	ZoneWrites  LimitName = "zone writes"  // of our own TXT values, as far as DNSRequests allows; in Limits, and not on pages

	// RenewalsReplacing names what no limit counts: renewals that say what they replace (RFC 9773, section 5), where the CA
	// exempts them. It stands in tables beside the limits and never in Limits.
	RenewalsReplacing LimitName = "replacing"
)

// IssuerLimits are the limits that an authority may have, in the order in which pages list them.
var IssuerLimits = []LimitName{OrdersPerAccount, CertificatesPerDomain, CertificatesPerSet, FailuresPerName, ConsecutiveFailures, AccountsPerAddress}

// Counted reports whether the ledger counts the limit. Of the others only the rule is known.
func (n LimitName) Counted() bool {
	switch n {
	case OrdersPerAccount, CertificatesPerDomain, CertificatesPerSet, FailuresPerName, ConsecutiveFailures:
		return true
	}
	return false
}

// Failures reports whether the limit counts failed authorizations: an order is looked at in its light and spends nothing.
func (n LimitName) Failures() bool { return n == FailuresPerName || n == ConsecutiveFailures }

// Certificates reports whether the limit counts what an authority signs: an order that ends before that costs none.
func (n LimitName) Certificates() bool { return n == CertificatesPerDomain || n == CertificatesPerSet }

// Limits is what an issuer allows. A limit that is absent does not exist.
type Limits map[LimitName]Limit

// Charge is one bucket that a call spends from.
type Charge struct {
	Limit LimitName
	Key   string // the account, the registered domain, the set of names, the name
}
