package jobs_test

import (
	"crypto/x509"
	"encoding/pem"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// tank is a token bucket told by its content, unlike the ledger's, which is told by an instant: two ways to count that
// must agree.
type tank struct {
	tenants.Limit
	left float64
	at   time.Time
}

func newTank(l tenants.Limit, now time.Time) *tank {
	return &tank{Limit: l, left: float64(l.Count), at: now}
}

// rounding is what a sum of many fractions of a token may be short of a whole one.
const rounding = 1e-6

func (k *tank) fill(now time.Time) {
	rate := float64(k.Count) / float64(k.Per)
	k.left, k.at = min(float64(k.Count), k.left+rate*float64(now.Sub(k.at))), now
}

func (k *tank) has(now time.Time) bool {
	k.fill(now)
	return k.left >= 1-rounding
}

func (k *tank) take(now time.Time) bool {
	ok := k.has(now)
	if ok {
		k.left--
	}
	return ok
}

// wait is how long until there is a token.
func (k *tank) wait() time.Duration {
	return time.Duration((1 - k.left) * float64(k.Per) / float64(k.Count))
}

// span is a stretch of the CA's time.
type span struct{ from, to time.Time }

func within(spans []span, now time.Time) (to time.Time, ok bool) {
	i := slices.IndexFunc(spans, func(s span) bool { return !now.Before(s.from) && now.Before(s.to) })
	if i < 0 {
		return to, false
	}
	return spans[i].to, true
}

// simCA is what a fakeCA in a simulation has besides: limits of its own, weather, slowness, ARI, revocations. It is for
// one caller at a time, and a nil one does nothing.
type simCA struct {
	ca      *fakeCA
	random  *rand.Rand
	limits  tenants.Limits
	outages []span        // no answer
	storms  []span        // 429 to everything, whatever the limits
	lossy   float64       // how many of the answers are lost after the effect
	slow    float64       // how many of the orders are processed for minutes
	lag     time.Duration // the longest time that a request is under way
	onSign  func(name string, leaf *x509.Certificate)

	tanks    map[tenants.Charge]*tank
	replaced map[string]bool      // ARI ids that a newer certificate replaced
	revoked  map[string]time.Time // serial → when it will be revoked
	wanted   map[need]int         // how many orders were placed for one need and not ended without a certificate
	open     map[int]need         // by order
	perHour  map[int64]int
	counts
}

// need is what one order is for.
type need struct{ name, replaces string }

// counts is what happened. A refusal for less time than a request may take is raced: it was sent too early by what the
// CA's count is behind ours.
type counts struct{ orders, exempt, doubled, avoidable, raced, stormy int }

func newSimCA(ca *fakeCA, limits tenants.Limits, random *rand.Rand) *simCA {
	s := &simCA{ca: ca, random: random, limits: limits, tanks: map[tenants.Charge]*tank{}, replaced: map[string]bool{},
		revoked: map[string]time.Time{}, wanted: map[need]int{}, open: map[int]need{}, perHour: map[int64]int{}}
	ca.sim, ca.ari, ca.backdate = s, s.window, time.Hour
	return s
}

// before is what happens to a request on its way.
func (s *simCA) before(call string) error {
	if s == nil {
		return nil
	}
	if s.lag > 0 && call != "renewalInfo" { // which everybody asks all day: one worker, as here, would do nothing else
		time.Sleep(time.Duration(s.random.Int64N(int64(s.lag))))
	}
	now := s.ca.now()
	if _, down := within(s.outages, now); down {
		return silent(call, false)
	}
	if to, storm := within(s.storms, now); storm {
		s.stormy++
		return tooMany("Service busy; retry later.", to.Sub(now))
	}
	return nil
}

// after is what happens to an answer on its way.
func (s *simCA) after(call string) error {
	if s != nil && s.lossy > 0 && s.random.Float64() < s.lossy {
		return silent(call, true)
	}
	return nil
}

func tooMany(detail string, wait time.Duration) *acme.Problem {
	return &acme.Problem{Code: tenants.CARateLimited, Status: 429, Detail: detail, Reached: true,
		RetryAfter: wait.Truncate(time.Second) + time.Second} // the header has whole seconds
}

// charges lists what a new order takes from, in the CA's own words (https://letsencrypt.org/docs/rate-limits/).
func (s *simCA) charges(name string) map[tenants.Charge]string {
	base := strings.TrimPrefix(name, "*.")
	domain, err := publicsuffix.EffectiveTLDPlusOne(base)
	if err != nil {
		domain = base
	}
	return map[tenants.Charge]string{
		{Limit: tenants.OrdersPerAccount, Key: "1"}:         "too many new orders (300) from this account in the last 3h0m0s",
		{Limit: tenants.CertificatesPerDomain, Key: domain}: "too many certificates (50) already issued for " + domain + " in the last 168h0m0s",
		{Limit: tenants.CertificatesPerSet, Key: name}:      "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s",
	}
}

func (s *simCA) tank(c tenants.Charge) *tank {
	if s.tanks[c] == nil {
		s.tanks[c] = newTank(s.limits[c.Limit], s.ca.now())
	}
	return s.tanks[c]
}

// admit counts a new order, or refuses it. A renewal that names what it replaces is exempt, once.
func (s *simCA) admit(r *acme.OrderRequest) *acme.Problem {
	if s == nil {
		return nil
	}
	name := r.Names[0]
	if s.replaced[r.Replaces] {
		r.Replaces = ""
	}
	if r.Replaces != "" {
		s.exempt++
	} else if p := s.spend(name); p != nil {
		if p.RetryAfter <= s.lag+time.Second {
			s.raced++
		} else {
			s.avoidable++
		}
		return p
	}
	s.place(need{name, r.Replaces})
	return nil
}

func (s *simCA) spend(name string) *acme.Problem {
	now, charges := s.ca.now(), s.charges(name)
	failures := tenants.Charge{Limit: tenants.FailuresPerName, Key: name}
	if k := s.tank(failures); !k.Unlimited() && !k.has(now) {
		return tooMany("too many failed authorizations (5) for "+name+" in the last 1h0m0s", k.wait())
	}
	for c, detail := range charges {
		if k := s.tank(c); !k.Unlimited() && !k.has(now) {
			return tooMany(detail, k.wait())
		}
	}
	if k := s.tank(tenants.Charge{Limit: tenants.OrdersPerAccount, Key: "1"}); !k.Unlimited() {
		k.take(now)
	}
	return nil
}

// count takes what a certificate costs, which is when it is signed.
func (s *simCA) count(o *fakeOrder) {
	for c := range s.charges(o.names[0]) {
		if k := s.tank(c); c.Limit.Certificates() && !k.Unlimited() {
			k.take(s.ca.now())
		}
	}
}

func (s *simCA) place(n need) {
	s.orders++
	s.perHour[s.ca.now().Unix()/3600]++
	if s.wanted[n]++; s.wanted[n] > 1 {
		s.doubled++
	}
	s.open[len(s.ca.orders)+1] = n
}

// failed counts a failed authorization; the need stays.
func (s *simCA) failed(o *fakeOrder) {
	if s == nil {
		return
	}
	s.wanted[s.open[o.id]]--
	delete(s.open, o.id)
	if k := s.tank(tenants.Charge{Limit: tenants.FailuresPerName, Key: o.names[0]}); !k.Unlimited() {
		k.take(s.ca.now())
	}
}

// slowness is how long the next order is processed.
func (s *simCA) slowness() time.Duration {
	if s == nil || s.random.Float64() >= s.slow {
		return 0
	}
	return time.Duration(s.random.Int64N(int64(10 * time.Minute)))
}

func (s *simCA) signed(o *fakeOrder) {
	if s == nil {
		return
	}
	if o.replaces != "" {
		s.replaced[o.replaces] = true
	} else {
		s.count(o)
	}
	delete(s.open, o.id)
	block, _ := pem.Decode(o.cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		panic(err)
	}
	s.onSign(o.names[0], leaf)
}

// window is what ARI says: 48 hours where the last third begins, and the past for what will be revoked.
func (s *simCA) window(leaf *x509.Certificate) (start, end time.Time) {
	if _, ok := s.revoked[leaf.SerialNumber.String()]; ok {
		return s.ca.now().Add(-72 * time.Hour), s.ca.now().Add(-24 * time.Hour)
	}
	third := leaf.NotAfter.Sub(leaf.NotBefore) / 3
	return leaf.NotAfter.Add(-third), leaf.NotAfter.Add(-third + 48*time.Hour)
}
