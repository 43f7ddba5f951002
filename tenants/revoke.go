package tenants

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// RevocationReason is why a version is revoked, as the authority is told and the world can read (RFC 5280, section 5.3.1).
// Only those are here that public authorities take from whoever holds the account; Let's Encrypt rejects all others
// (https://letsencrypt.org/docs/revoking/, read in November 2026).
type RevocationReason string

const (
	RevokeKeyCompromise RevocationReason = "keyCompromise"        // somebody else may have the key
	RevokeSuperseded    RevocationReason = "superseded"           // a newer version took its place
	RevokeCessation     RevocationReason = "cessationOfOperation" // the name is not used any more
	RevokeUnspecified   RevocationReason = "unspecified"          // no reason is given
)

// RevocationReasons lists what a person may choose from, the most pressing first.
var RevocationReasons = []RevocationReason{RevokeKeyCompromise, RevokeSuperseded, RevokeCessation, RevokeUnspecified}

// Code is the number that stands for the reason in ACME and in CRLs.
func (r RevocationReason) Code() uint {
	switch r {
	case RevokeKeyCompromise:
		return 1
	case RevokeSuperseded:
		return 4
	case RevokeCessation:
		return 5
	}
	return 0
}

// Words are the reason for people, part of a sentence.
func (r RevocationReason) Words() string {
	switch r {
	case RevokeKeyCompromise:
		return "the key may be known to others"
	case RevokeSuperseded:
		return "replaced by a newer one"
	case RevokeCessation:
		return "the name is no longer used"
	}
	return "no reason given"
}

// RevocationWay is how a version goes.
type RevocationWay string

const (
	RevokeAfter   RevocationWay = "replace" // only when the next version exists, and some time after that
	RevokeAtOnce  RevocationWay = "now"     // while the next version is being ordered
	RevokedByThem RevocationWay = "already" // the authority did it: nothing is sent, the version is replaced at once
)

// RevocationWaits lists how long after the next version was issued the old one may be revoked: the time to put the new one
// in place. A day is what authorities have themselves once they know of a compromised key (CA/Browser Forum Baseline
// Requirements, section 4.9.1.1).
var RevocationWaits = []time.Duration{0, time.Hour, 24 * time.Hour}

// RevocationRequest is what a person asks for.
type RevocationRequest struct {
	Way    RevocationWay
	Reason RevocationReason // empty for RevokedByThem
	Wait   time.Duration    // for RevokeAfter: one of RevocationWaits
}

// WaitWords are when a version that is replaced first goes, part of a sentence.
func (r RevocationRequest) WaitWords() string {
	if r.Wait == 0 {
		return "as soon as the next version is issued"
	}
	return apart(r.Wait) + " after the next version is issued"
}

// RevocationForm is the request as it is typed. The names in brackets are those of a refusal's Fields.
type RevocationForm struct {
	Way    string // [how]
	Reason string // [reason]
	Wait   string // [wait] as time.ParseDuration reads it
	Name   string // [name] the domain's, typed to confirm; judged where the domain is known
}

// NewRevocationForm is the form as it is first shown: the safe choices.
func NewRevocationForm() RevocationForm {
	return RevocationForm{Way: string(RevokeAfter), Reason: string(RevokeKeyCompromise), Wait: (24 * time.Hour).String()}
}

// Request reads the form. The error is an *Error of kind Invalid with a sentence for each wrong field.
func (f RevocationForm) Request() (RevocationRequest, error) {
	wrong := faults{}
	r := RevocationRequest{Way: RevocationWay(f.Way)}
	if !slices.Contains([]RevocationWay{RevokeAfter, RevokeAtOnce, RevokedByThem}, r.Way) {
		wrong["how"] = "Nothing is chosen. Choose how the version is to go."
	}
	if r.Way != RevokedByThem {
		if r.Reason = RevocationReason(f.Reason); !slices.Contains(RevocationReasons, r.Reason) {
			wrong["reason"] = "Authorities do not take this reason. Choose one of the list."
		}
	}
	if r.Way == RevokeAfter {
		wait, err := time.ParseDuration(f.Wait)
		if r.Wait = wait; err != nil || !slices.Contains(RevocationWaits, wait) {
			wrong["wait"] = "This is none of the times. Choose one of the list."
		}
	}
	return r, wrong.err()
}

// Revocation is what was asked of a version and what became of it. Its zero value: nobody asked.
type Revocation struct {
	Asked   time.Time
	By      string           // who asked
	Reason  RevocationReason // empty when the authority revoked by itself
	Wait    time.Duration    // from the next version's issuing to At
	At      time.Time        // when the authority is told; zero while the next version is awaited
	Tries   int              // that failed in a row
	Next    time.Time        // of the next try after a failed one
	Finding Finding          // why the last try failed
	Done    time.Time        // the authority revoked it, or had done so before
}

// Revoking reports whether the version is still to be revoked. One that has ended by itself is not.
func (v Version) Revoking(now time.Time) bool {
	return !v.Revocation.Asked.IsZero() && v.Revocation.Done.IsZero() && now.Before(v.NotAfter)
}

// Refused reports whether the authority's last answer was one that another try alone will hardly change.
func (r Revocation) Refused() bool { return !r.Finding.OK() && !Explain(r.Finding).Heals }

// RetryRevocation is the pause after the n-th failed try: seconds growing to ten minutes while the authority is silent,
// minutes growing to a day after a refusal.
func RetryRevocation(n int, f Finding, seed string) time.Duration {
	if (Revocation{Finding: f}).Refused() {
		return Backoff(n, seed)
	}
	return Retry(n, seed)
}

// revoking: a version is to be revoked now. It comes before everything but the end of the claim, because it never waits:
// a try that fails is over within one request and the next one is planned, so that renewals go on beside it.
func revoking(f Facts, now time.Time) (Step, bool) {
	v, at := f.nextRevocation(now)
	if v == nil {
		return Step{}, false
	}
	if !at.After(now) {
		return Step{Act: ActRevoke, Version: v.ID, Why: fmt.Sprintf("Version %d is to be revoked.", v.Number)}, true
	}
	// When the name is given up, nobody would remember it afterwards.
	return Step{Act: ActWait, At: at, Why: "The authority could not be told yet that a version is revoked."},
		f.Releasing && len(f.Dirty()) == 0
}

// nextRevocation is the version that is revoked next, and when; nil for none.
func (f Facts) nextRevocation(now time.Time) (next *Version, at time.Time) {
	for i, v := range f.Revoking {
		if t := f.revokeAt(v, now); !t.IsZero() && (next == nil || t.Before(at)) {
			next, at = &f.Revoking[i], t
		}
	}
	return next, at
}

// revokeAt is when a version is revoked; zero: not yet known, or never. While a name is being given up nothing will take
// the version's place, so nothing is waited for; and what the authority refuses then does not hold the name.
func (f Facts) revokeAt(v Version, now time.Time) time.Time {
	r := v.Revocation
	switch {
	case !v.Revoking(now) || f.Releasing && r.Refused():
		return time.Time{}
	case f.Releasing:
		return later(r.Asked, r.Next)
	case r.At.IsZero():
		return time.Time{}
	}
	return later(r.At, r.Next)
}

// WakeFor is at, or sooner where something else is to be done or said before that: a version is to be revoked, the current one
// passes its safety line or its end, or another issuer may take over. An authority may put an order off for a week, but not
// these. A zero at is no instant and stays.
func (f Facts) WakeFor(at, now time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	turns := []time.Time{f.leaveAt(now)}
	if f.Current != nil {
		turns = append(turns, f.Certificate.Plan.NoLater, f.Current.NotAfter)
	}
	for _, t := range turns {
		if t.After(now) {
			at = earliest(at, t)
		}
	}
	if v, next := f.nextRevocation(now); v != nil && next.Before(at) {
		return later(next, now)
	}
	return at
}

// Plan is what the request makes of a version's revocation: when, unless the next version has to come first.
func (r RevocationRequest) Plan(v Version, current bool, by string, now time.Time) Revocation {
	plan := Revocation{Asked: now, By: by, Reason: r.Reason, Wait: r.Wait}
	switch {
	case r.Way == RevokedByThem:
		plan.At, plan.Done = now, now
	case r.Way == RevokeAtOnce:
		plan.At = now
	case !current:
		plan.At = now.Add(r.Wait)
	}
	// It can be asked for again, but never to put it off.
	if before := v.Revocation; !before.At.IsZero() && before.At.Before(cmp.Or(plan.At, now.Add(r.Wait))) {
		plan.At = before.At
	}
	return plan
}
