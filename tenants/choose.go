package tenants

import (
	"fmt"
	"time"
)

// Offer is an issuer that a domain's orders may go to, and how it has served of late.
type Offer struct {
	Issuer          // with the tenant's account
	Silent  bool    // it does not answer anybody
	Trouble Trouble // since when orders of this domain fail there
}

// Trouble is since when orders fail at an issuer for reasons of its own, and the latest of them. Zero: they do not.
type Trouble struct {
	Since time.Time
	Code  Code
}

// nearLine is how long an issuer must have been failing when the safety line is near: long enough to be no accident.
const nearLine = 10 * time.Minute

// IssuersOwn reports whether a cause of failure is the issuer's own, so that the same order may succeed at another.
func (c Code) IssuersOwn() bool {
	switch c {
	case CASilent, CAUntrusted, CARateLimited, CABroken, CAStuck, CAAccount, CAProfile, BudgetSpent:
		return true
	}
	return false
}

// NoAnswer reports whether a cause is that the issuer could not be asked, or said nothing: an outage, whoever has to end it.
func (c Code) NoAnswer() bool { return c == CASilent || c == CAUntrusted }

// Choose says which issuer the next order goes to, and in one sentence why it is not the one that is preferred; the sentence
// is empty when it is. f.Offers are in order of preference and not empty.
//
// The preferred issuer has every order until it has failed this domain for as long as the policy says, or for a moment
// when the safety line is near. Then the next one has it that answers, that the CAA records of the last look allow, and
// that has not failed the domain as long. When none is left, whoever answers has it.
func Choose(f Facts, now time.Time) (chosen Issuer, why string) {
	preferred := f.Offers[0]
	if f.Policy.FailoverAfter <= 0 || !f.gaveUp(preferred, now) {
		return preferred.Issuer, ""
	}
	for _, o := range f.Offers[1:] {
		if !o.Silent && f.caaAllows(o) && !f.gaveUp(o, now) {
			return o.Issuer, f.whyNot(preferred, now)
		}
	}
	for i, o := range f.Offers {
		if !o.Silent && f.caaAllows(o) {
			if i == 0 {
				return o.Issuer, ""
			}
			return o.Issuer, f.whyNot(preferred, now)
		}
	}
	return preferred.Issuer, ""
}

// gaveUp reports whether an issuer has failed the domain for too long.
func (f Facts) gaveUp(o Offer, now time.Time) bool {
	since := o.Trouble.Since
	if since.IsZero() {
		return false
	}
	patience := f.Policy.patience()
	if f.lineNear(now) {
		patience = min(patience, nearLine)
	}
	return now.Sub(since) >= patience
}

// lineNear reports whether there is hardly time left until the safety line of the current version.
func (f Facts) lineNear(now time.Time) bool {
	near := f.nearFrom()
	return !near.IsZero() && !now.Before(near)
}

// nearFrom is when the safety line of the current version begins to be near; zero without one.
func (f Facts) nearFrom() time.Time {
	line := f.Certificate.Plan.NoLater
	if f.Current == nil || line.IsZero() {
		return time.Time{}
	}
	return line.Add(-min(f.Policy.patience(), f.Current.Lifetime()/24))
}

// leaveAt is when the open order may leave an issuer that goes on failing; zero when there is no other.
func (f Facts) leaveAt(now time.Time) time.Time {
	if f.Order == nil || len(f.Offers) < 2 || f.Policy.FailoverAfter <= 0 {
		return time.Time{}
	}
	since := now // of what fails for the first time just now
	for _, o := range f.Offers {
		if o.ID == f.Order.Issuer && !o.Trouble.Since.IsZero() {
			since = o.Trouble.Since
		}
	}
	at := since.Add(f.Policy.patience())
	if near := f.nearFrom(); !near.IsZero() {
		at = earliest(at, later(near, since.Add(nearLine)))
	}
	return at
}

// caaAllows judges by the last look. An issuer whose directory was never read is not known to be allowed.
func (f Facts) caaAllows(o Offer) bool {
	c := f.Domain.Check
	return o.CAA != nil && c != nil && judgeCAA(o.Issuer, f.Names(), *c).OK()
}

func (f Facts) whyNot(o Offer, now time.Time) string {
	why := fmt.Sprintf("%s has failed for %s (%s)", o.Name, hoursWords(now.Sub(o.Trouble.Since)), Finding{Code: o.Trouble.Code}.Short())
	if now.Sub(o.Trouble.Since) < f.Policy.patience() {
		why += ", and the current certificate must be replaced soon"
	}
	return why + "."
}

func hoursWords(d time.Duration) string {
	if d < time.Hour {
		return counted(int(d/time.Minute), "minute")
	}
	return counted(int(d/time.Hour), "hour")
}

// leavingIssuer: the issuer of the open order may not be asked any more, or has failed for too long and there is another. The
// order ends first, so that there are never two. One that was sent ends where it was sent, whatever is allowed by then.
func leavingIssuer(f Facts, now time.Time) (Step, bool) {
	if f.Order == nil || !f.Order.State.Open() || len(f.Offers) == 0 {
		return Step{}, false
	}
	if f.Order.Unplaced() && !f.offers(f.Order.Issuer) {
		return Step{Act: ActEndOrder, Why: fmt.Sprintf("%s takes no orders of this tenant any more.", f.Issuer.Name)}, true
	}
	chosen, _ := Choose(f, now)
	for _, o := range f.Offers {
		if o.ID == f.Order.Issuer && o.ID != chosen.ID && f.gaveUp(o, now) {
			return Step{Act: ActEndOrder, Why: f.whyNot(o, now)}, true
		}
	}
	return Step{}, false
}

// movedOn reports whether the next order goes to another issuer than those that failed in a row, so that it need not wait
// for their sake.
func (f Facts) movedOn(now time.Time) bool {
	if len(f.Offers) < 2 {
		return false
	}
	chosen, why := Choose(f, now)
	for _, o := range f.Offers {
		if o.ID == chosen.ID {
			return why != "" && o.Trouble.Since.IsZero()
		}
	}
	return false
}
