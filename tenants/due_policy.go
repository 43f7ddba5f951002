package tenants

import (
	"fmt"
	"time"
)

// policyWeek is the time in which a policy that changed takes hold, so that the certificates of a tenant do not
// all renew in the same minute.
const policyWeek = 7 * 24 * time.Hour

// againstPolicy: the key is not what the policy allows. A renewal that comes sooner heals that as well.
func againstPolicy(f RenewalFacts, now time.Time) (Verdict, bool) {
	start, width, cause := f.violation()
	if cause == "" {
		return Verdict{}, false
	}
	plan, _ := usual(f, now)
	line := f.safetyLine()
	start = earlier(start.Truncate(time.Second), line)
	end := earlier(start.Add(width), line)
	if plan.Start.After(start) {
		end = earlier(end, plan.Start)
	}
	v := f.chosen(start, end, AgainstPolicy, cause)
	return v, v.At.Before(plan.At)
}

// violation is from when on, and in what time, the key is replaced for the policy's sake, and the cause in words; no cause
// when the policy is kept. A key that grows too old is replaced before it is. The key of a customer's own CSR is not
// ours to replace: NewKey asks for another CSR.
func (f RenewalFacts) violation() (start time.Time, width time.Duration, cause string) {
	known := later(f.PolicySince, f.NotBefore)
	switch {
	case f.Strategy == OwnCSR:
		return
	case f.KeyType != "" && !f.Policy.AllowsKey(f.KeyType):
		return known, policyWeek, fmt.Sprintf("The policy no longer allows %s keys,", f.KeyType)
	case f.Policy.KeyDays() > 0 && !f.KeyCreated.IsZero():
		start, width = f.keyGrowsOld()
		return later(start, known), width, fmt.Sprintf("The policy allows no key for longer than %s,", counted(f.Policy.KeyDays(), "day"))
	}
	return
}

// keyGrowsOld is when the key comes close to the policy's maximum age: a week before, or a third of that age.
func (f RenewalFacts) keyGrowsOld() (from time.Time, width time.Duration) {
	age := f.Policy.MaxKeyAge()
	width = min(policyWeek, age/3)
	return f.KeyCreated.Add(age - width), width
}

// NewKey reports whether a version that is ordered at now must have another key than the current one. For a customer's
// own CSR that means: not without a new CSR.
func (f RenewalFacts) NewKey(now time.Time) bool {
	close, _ := f.keyGrowsOld()
	switch {
	case f.reported():
		return true
	case !f.Policy.AllowsKey(f.KeyType), f.Policy.KeyDays() > 0 && !now.Before(close):
		return true
	case f.Strategy == OwnCSR:
		return false
	}
	return f.Strategy != ReuseKey || !f.KeyRefused.IsZero() || !f.Policy.ReuseKey || f.KeyType != f.Policy.KeyFor(f.KeyWanted)
}

// reported reports whether somebody named the current key as one that must go: the customer, or the operator in a mass event.
func (f RenewalFacts) reported() bool {
	return !f.Compromised.IsZero() || !f.Event.Deadline.IsZero() && len(f.Event.SPKI) > 0
}

// atThreshold: the policy counts days before the end. Days do not shrink with the lifetime, so that they never ask for more
// than half of it: a short lifetime would renew what was just issued.
func atThreshold(f RenewalFacts, _ time.Time) (Verdict, bool) {
	n := f.Policy.RenewDays
	if n <= 0 {
		return Verdict{}, false
	}
	start, note := f.NotAfter.Add(-days(n)), ""
	if half := f.after(0.5); start.Before(half) {
		start, note = half, " in the first half of the lifetime, which is too early,"
	}
	cause := fmt.Sprintf("The policy renews %s before the end,", counted(n, "day"))
	return f.ruled(start, f.room(), AtThreshold, cause, note), true
}

// inPart: the policy names the part of the lifetime that is left.
func inPart(f RenewalFacts, _ time.Time) (Verdict, bool) {
	part := f.Policy.RenewPart
	if !isPart(part) {
		return Verdict{}, false
	}
	start, note := f.after(1-part), ""
	if tenth := f.after(0.1); start.Before(tenth) {
		start, note = tenth, " in the first tenth of it, which is too early,"
	}
	cause := fmt.Sprintf("The policy renews in the last %.4g%% of the lifetime,", 100*part)
	return f.ruled(start, f.lifetime()/6, LastThird, cause, note), true
}

// ruled is the verdict of a policy's rule, pulled before the safety line with some room where it would come too late.
func (f RenewalFacts) ruled(start time.Time, width time.Duration, why Reason, cause, note string) Verdict {
	line := f.safetyLine()
	if latest := line.Add(-f.room()); start.After(latest) {
		start, note = latest, " which leaves no room before our safety line,"
	}
	return f.chosen(start, earlier(start.Add(width.Truncate(time.Second)), line), why, cause+note)
}

// chosen is a verdict with the version's own place in a window.
func (f RenewalFacts) chosen(start, end time.Time, why Reason, cause string) Verdict {
	at := f.place(start, end)
	return Verdict{At: at, Start: start, End: end, NoLater: f.safetyLine(), Reason: why,
		Text: fmt.Sprintf("%s so the window is %s, and we chose %s.", cause, span(start, end), f.clock(at))}
}

// room is the narrowest window that a rule of a policy gets: almost four days of 90, six hours of 6 days.
func (f RenewalFacts) room() time.Duration { return (f.lifetime() / 24).Truncate(time.Second) }

// after is the instant, on a whole second, at which that part of the lifetime is over.
func (f RenewalFacts) after(part float64) time.Time {
	return f.NotBefore.Add(time.Duration(part * float64(f.lifetime())).Truncate(time.Second))
}
