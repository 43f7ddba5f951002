package tenants

import "time"

// Outage is how an authority's silence is met: after a few unanswered requests in a row only probes go out, one at a
// time and with growing pauses, instead of a time-out for everybody. The zero Outage is an authority that answers.
type Outage struct {
	Silences int       // unanswered requests in a row; during an outage only the probes are counted
	Next     time.Time // no probe before, once the outage is on
}

const (
	enough       = 3 // silences in a row: fewer may be one order's own trouble
	firstProbe   = 10 * time.Second
	longestProbe = 5 * time.Minute
)

// On reports whether only probes may go out.
func (o Outage) On() bool { return o.Silences >= enough }

// Silent counts a request that nobody answered. The authority may have said when to try again; zero when it did not.
func (o Outage) Silent(now, retryAt time.Time) Outage {
	o.Silences++
	if o.On() {
		pause := min(firstProbe<<min(o.Silences-enough, 10), longestProbe)
		o.Next = later(retryAt, now.Add(pause))
	}
	return o
}

// Ask reports whether a request may go out. During an outage it is a probe then, and until its answer, or for as long
// as a request may take, there is no other.
func (o Outage) Ask(now time.Time, takes time.Duration) (next Outage, ok bool) {
	if !o.On() {
		return o, true
	}
	if now.Before(o.Next) {
		return o, false
	}
	o.Next = now.Add(takes)
	return o, true
}

// AskAgain is when an authority that did not say when to renew, since it was silent, is asked again: in an hour, and the
// longer its last word is overdue the later, at most six hours.
func AskAgain(info RenewalInfo, lifetime time.Duration, now time.Time) time.Time {
	const usual = 6 * time.Hour // between two answers
	pause := time.Hour
	if !info.Fetched.IsZero() {
		pause = min(max(now.Sub(info.Fetched)-usual, time.Hour), usual)
	}
	return now.Add(min(pause, lifetime/10))
}
