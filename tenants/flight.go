package tenants

import "time"

// Flight is the requests under way that spent tokens of a bucket.
//
// The authority counts a request when it receives it, which is at an instant between our sending and our receiving its
// answer. A token therefore must not begin to refill before the answer, or the first token of a burst is here again
// when there it is not yet. With every token counted from the answer on, the authority's TAT is never after ours: TAT only
// grows with later instants. While requests are under way they hold their tokens, which keeps the sum of what the
// authority may have received by any instant within the limit.
type Flight struct {
	N     int
	Until time.Time // when those still under way count as answered: nobody will say any more
}

// longestFlight is longer than any request takes. One sent again after a crash is counted again, by Landed.
const longestFlight = time.Minute

// Sent is the flight with one more request.
func (f Flight) Sent(now time.Time) Flight { return Flight{f.N + 1, now.Add(longestFlight)} }

// Held is the TAT of a bucket in which the tokens of requests under way did not refill until now.
func (l Limit) Held(tat time.Time, f Flight, now time.Time) (time.Time, Flight) {
	if f.N == 0 || l.Unlimited() {
		return tat, Flight{}
	}
	held := time.Duration(f.N) * l.Every()
	tat = later(tat.Add(-held), earlier(now, f.Until)).Add(held)
	if !now.Before(f.Until) {
		f = Flight{}
	}
	return tat, f
}

// Landed counts a token from now on, when the answer to the request that spent it came.
func (l Limit) Landed(tat time.Time, f Flight, now time.Time) (time.Time, Flight) {
	if l.Unlimited() {
		return tat, Flight{}
	}
	if tat, f = l.Held(tat, f, now); f.N > 0 {
		f.N--
		return tat, f
	}
	return later(tat.Add(-l.Every()), now).Add(l.Every()), f
}
