package tenants

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// FreshFor is how old a look at DNS may be when an order is placed on its strength: no older than this, so that
// a record that was removed, or a name that changed hands, stops the order.
const FreshFor = time.Minute

// Next decides the one thing to do next for a domain. It is a pure function of the facts: asking twice gives the
// same answer, and after a crash the answer is what was still to be done.
func Next(f Facts, now time.Time) Step {
	for _, rule := range []func(Facts, time.Time) (Step, bool){
		ended, revoking, leaving, expiring, untidy, leavingIssuer, ordering, uncertified, certified,
	} {
		if step, decided := rule(f, now); decided {
			step.At = f.WakeFor(step.At, now)
			return f.rehearse(step, now)
		}
	}
	return Step{Act: ActWait, At: now.Add(time.Hour), Why: "Nothing is planned."}
}

// ended: a released claim is history.
func ended(f Facts, now time.Time) (Step, bool) {
	return Step{Act: ActWait, Why: "The name was given up."}, f.Domain.Status == Released
}

// leaving: somebody gave the name up, or its reservation ran out unproved. Our TXT values go first, because
// afterwards nothing would remember them.
func leaving(f Facts, now time.Time) (Step, bool) {
	overdue := f.Domain.Proved.IsZero() && !f.Domain.Reserved.IsZero() && !now.Before(f.Domain.Reserved)
	if !f.Releasing && !overdue {
		return Step{}, false
	}
	if len(f.Dirty()) > 0 {
		return Step{Act: ActClean, Why: "Our challenge records are removed before the name is given up."}, true
	}
	return Step{Act: ActRelease, Why: "The name is given up."}, true
}

// untidy: TXT values of closed orders are removed before anything new begins.
func untidy(f Facts, now time.Time) (Step, bool) {
	return Step{Act: ActClean, Why: "A challenge record of a finished order is still in DNS."}, len(f.Leftover) > 0
}

// ordering: an open order goes on. Before it is placed the record must have been seen a moment ago; once the CA
// knows of it, looking again would only delay it.
func ordering(f Facts, now time.Time) (Step, bool) {
	if f.Order == nil || !f.Order.State.Open() {
		return Step{}, false
	}
	if f.Order.State != Planned || !f.Order.Placing.IsZero() {
		return Step{Act: ActAdvance}, true
	}
	if step, ok := f.proof(now); !ok {
		return step, true
	}
	return Step{Act: ActAdvance}, true
}

// expiring: the page must not say active a second longer than it is true.
func expiring(f Facts, now time.Time) (Step, bool) {
	gone := f.Current != nil && !now.Before(f.Current.NotAfter) && f.Domain.Status != Expired
	return Step{Act: ActExpire, Why: "The last version expired."}, gone
}

// uncertified: no version yet, so order one as soon as the record is right.
func uncertified(f Facts, now time.Time) (Step, bool) {
	if f.Current != nil {
		return Step{}, false
	}
	if step, ok := f.proof(now); !ok {
		return step, true
	}
	if lacks := f.Lacking(now); !lacks.OK() {
		if look := f.nextLook(now); look.After(now) {
			return Step{Act: ActWait, At: look, Why: Explain(lacks).Happened + "."}, true
		}
		return Step{Act: ActLook}, true
	}
	return f.plan(FirstIssue, now), true
}

// certified: keep the plan true to what the CA says, look at the record from time to time, renew when it is due.
func certified(f Facts, now time.Time) (Step, bool) {
	if f.asksARI() && f.ariDue(now) {
		return f.askARI(now), true
	}
	due := Due(f.RenewalFacts(), now)
	if plan := f.Certificate.Plan; f.Stands(due, now) {
		due = plan
	} else if due.Movable() {
		return Step{Act: ActPlanRenewal}, true
	}
	lacks, look := f.Lacking(now), f.nextLookOrARI(now)
	switch {
	case !due.At.After(now) && lacks.OK():
		return f.renew(due.Reason, now), true
	case !samePlan(due, f.Certificate.Plan):
		return Step{Act: ActPlanRenewal}, true
	case !look.After(now):
		return Step{Act: ActLook}, true
	}
	step := Step{Act: ActWait, At: f.waitUntil(due, look, now), Why: due.Text}
	if !lacks.OK() {
		step.Why = Explain(lacks).Happened + "."
	}
	return step, true
}

// askARI asks the CA when to renew, after a look at the record that would come soon anyway.
func (f Facts) askARI(now time.Time) Step {
	if f.healthy() && f.nextLook(now).Sub(now) < f.near() {
		return Step{Act: ActLook} // in the same turn, and the next time again
	}
	return Step{Act: ActAskARI}
}

// nextLookOrARI is when DNS is asked again, put off to the next question to the CA where that is near.
func (f Facts) nextLookOrARI(now time.Time) time.Time {
	look := f.nextLook(now)
	if ari := f.Certificate.ARI.Next; f.asksARI() && ari.After(look) && ari.Sub(look) < f.near() {
		return ari // the CA's interval is not ours to change, that of our looks is
	}
	return look
}

// renew begins an order when the last look allows one.
func (f Facts) renew(why Reason, now time.Time) Step {
	if step, ok := f.proof(now); !ok {
		return step
	}
	return f.plan(why, now)
}

// waitUntil is the first instant after now, no later than the look, at which a certified domain has something to do.
func (f Facts) waitUntil(due Verdict, look, now time.Time) time.Time {
	ats := []time.Time{due.At, due.NoLater, f.Current.NotAfter}
	if f.asksARI() {
		ats = append(ats, f.Certificate.ARI.Next)
	}
	first := look
	for _, at := range ats {
		if at.After(now) { // what is over was seen to, or waits for somebody
			first = earliest(first, at)
		}
	}
	return first
}

// proof answers whether an order may be placed on the last look. If not, it says what to do about it: look
// again, or wait until the next look.
func (f Facts) proof(now time.Time) (Step, bool) {
	c := f.Domain.Check
	if f.fresh(now) && Judge(f.Domain.Delegation, f.Issuer, f.Names(), *c).OK() {
		return Step{}, true
	}
	look := f.nextLook(now)
	if c == nil || !look.After(now) || Judge(f.Domain.Delegation, f.Issuer, f.Names(), *c).OK() {
		return Step{Act: ActLook}, false
	}
	return Step{Act: ActWait, At: look, Why: "We look at the record again."}, false
}

// plan begins an order, but not before the back-off of those that failed in a row is over. In longer pauses DNS is looked
// at meanwhile, because a change there ends them.
func (f Facts) plan(why Reason, now time.Time) Step {
	pause := Backoff(f.Failures, string(f.Domain.ID))
	if at := f.LastFailed.Add(pause); f.Failures > 0 && at.After(now) && !ahead(f.LastFailed, now) && !f.movedOn(now) {
		look := f.Domain.Check.At.Add(min(max(pause/10, 2*time.Minute), 10*time.Minute))
		return Step{Act: ActWait, At: earliest(at, look), Why: "The last order failed; the next is tried after a pause."}
	}
	return Step{Act: ActPlan, Reason: why}
}

// fresh reports whether the last look is recent enough to order on.
func (f Facts) fresh(now time.Time) bool {
	c := f.Domain.Check
	return c != nil && now.Sub(c.At) < FreshFor && !ahead(c.At, now)
}

// ariDue reports whether the CA is to be asked again, or only a clock that was wrong puts that off.
func (f Facts) ariDue(now time.Time) bool {
	next := f.Certificate.ARI.Next
	return !now.Before(next) || ahead(next.Add(-longestARI), now)
}

// longestARI is more than the time between two questions to a CA when to renew.
const longestARI = 25 * time.Hour

// ahead reports whether an instant that should be past was noted by a clock that was wrong: by more than the clocks of two
// processes may differ. Nothing waits for such a one.
func ahead(at, now time.Time) bool { return at.Sub(now) > FreshFor }

// RenewalFacts is the part of the facts that Due judges. It needs a current version.
func (f Facts) RenewalFacts() RenewalFacts {
	return RenewalFacts{
		ID: f.Certificate.ID, Serial: f.Current.Serial,
		NotBefore: f.Current.NotBefore, NotAfter: f.Current.NotAfter,
		IssuerName: f.Signer.Name, ARI: f.Certificate.ARI,
		Asked: f.Certificate.RenewNow, AskedBy: f.Certificate.RenewedBy,
		Compromised: f.Certificate.Compromised, Revoked: f.Certificate.Revoked,
		Changed: f.Certificate.Changed, Change: f.Certificate.Change, Event: f.Certificate.Event,
		Policy: f.Policy, PolicySince: f.PolicySince, Strategy: f.Certificate.Strategy,
		KeyWanted: f.Certificate.KeyType, KeyType: f.Current.KeyType, KeyCreated: f.Current.KeyCreated,
		KeyRefused:  f.Certificate.KeyRefused,
		PausedUntil: f.Certificate.PausedUntil, PausedBy: f.Certificate.PausedBy,
	}
}

// Dirty lists the challenges whose TXT value may still be in DNS.
func (f Facts) Dirty() []Challenge {
	dirty := slices.Clone(f.Leftover)
	if f.Order != nil {
		for _, c := range f.Order.Challenges {
			if c.Dirty() {
				dirty = append(dirty, c)
			}
		}
	}
	return dirty
}

// nextLook is when DNS is asked again: at once at first, while somebody sits before the page; less often the
// longer nothing changed. A healthy domain is looked at now and then, so that a removed record is found long
// before the renewal that would need it.
func (f Facts) nextLook(now time.Time) time.Time {
	d := f.Domain
	if d.Check == nil || ahead(d.Check.At, now) {
		return now
	}
	if f.healthy() {
		return d.Check.At.Add(f.lookEvery())
	}
	waited := d.Check.At.Sub(d.Since)
	switch {
	case waited < 10*time.Minute:
		return d.Check.At.Add(3 * time.Second)
	case waited < time.Hour:
		return d.Check.At.Add(20 * time.Second)
	case waited < 24*time.Hour:
		return d.Check.At.Add(2 * time.Minute)
	}
	return d.Check.At.Add(10 * time.Minute)
}

// healthy reports whether nothing stands in the way of a domain that has a version.
func (f Facts) healthy() bool {
	d := f.Domain
	return f.Current != nil && (d.Finding.Code == KeyNeeded || d.Finding.OK() && (d.Status == Active || d.Status == Renewing))
}

// lookEvery is how often DNS is asked about a healthy domain. It needs a version.
func (f Facts) lookEvery() time.Duration {
	return min(max(f.Current.Lifetime()/20, 20*time.Second), 12*time.Hour)
}

// near is how far apart a look and a question to the CA may be to be done in one turn.
func (f Facts) near() time.Duration {
	ari := f.Certificate.ARI
	return min(f.lookEvery()/4, ari.Next.Sub(ari.Fetched)/2)
}

// asksARI reports whether the CA can be asked when to renew the current version.
func (f Facts) asksARI() bool { return f.Current.ARICertID != "" }

// Backoff is the pause after n failures in a row: 1 minute, 10 minutes, 100 minutes, then a day, each stretched
// by up to a fifth, always the same for the same seed, so that many names that failed together part.
func Backoff(n int, seed string) time.Duration {
	if n <= 0 {
		return 0
	}
	pause := [...]time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute, 24 * time.Hour}[min(n, 4)-1]
	return pause + time.Duration(float64(pause)*0.2*fraction(seed))
}

// Retry is the pause before the n-th retry of one step of an order that met a passing fault: 1 s doubling to
// ten minutes, stretched as in Backoff.
func Retry(n int, seed string) time.Duration {
	pause := min(time.Second<<min(max(n-1, 0), 10), 10*time.Minute)
	return pause + time.Duration(float64(pause)*0.2*fraction(seed))
}

// Stands reports whether the plan in force is still what would be planned: the same window for the same reason, and an
// instant that its window and the renewal hours allow. What else is planned, or how many on that day, moves nothing.
func (f Facts) Stands(due Verdict, now time.Time) bool {
	hours, plan, asked := f.Hours, f.Certificate.Plan, false
	hours.PerDay = 0
	settled := Settle(f.RenewalFacts(), due, plan, hours, now, func(slots []Slot) Load {
		asked = true
		return Load{}
	})
	return !asked && samePlan(settled, plan)
}

// Unmoved reports whether a look changes nothing but that it is the last one: nothing stands in the way of a proved claim,
// as before, and the next order would go to the same issuer. finding and status are what Merge and StatusAfter made of it.
func (f Facts) Unmoved(look Check, finding Finding, status Status, now time.Time) bool {
	d := f.Domain
	if !finding.OK() || !d.Finding.OK() || status != d.Status || d.Proved.IsZero() || f.Asked || f.Failures > 0 {
		return false
	}
	if len(f.Offers) < 2 || f.Order != nil {
		return true
	}
	f.Domain.Check = &look
	chosen, _ := Choose(f, now)
	return chosen.ID == f.Issuer.ID
}

func samePlan(a, b Verdict) bool {
	return a.At.Equal(b.At) && a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.Reason == b.Reason
}

func earliest(first time.Time, rest ...time.Time) time.Time {
	for _, t := range rest {
		if t.Before(first) {
			first = t
		}
	}
	return first
}

// fraction maps a seed to [0, 1), evenly and always the same.
func fraction(seed string) float64 {
	sum := sha256.Sum256([]byte(seed))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}
