package tenants

import (
	"math/rand/v2"
	"testing"
	"time"
)

// trip is a request on its way: the authority receives it, then we get the answer.
type trip struct{ received, answered time.Time }

// Whatever the delays, an authority that counts what it receives never refuses what we send, and over time it is sent as
// much as it allows, but for the delays.
func TestFlights(t *testing.T) {
	for _, l := range []Limit{{300, 3 * time.Hour}, {5, 7 * 24 * time.Hour}, {1, time.Minute}, {10, 20 * time.Second}, {50, time.Minute}} {
		for seed := range uint64(20) {
			r := rand.New(rand.NewPCG(seed, 1))
			flyLimit(t, l, r, time.Duration(1+r.Int64N(int64(20*time.Second))))
		}
	}
}

// flyLimit sends at every instant that the ledger allows, with pauses now and then.
func flyLimit(t *testing.T, l Limit, r *rand.Rand, lag time.Duration) {
	var tat, theirs time.Time // theirs is computed in the order of receipt
	var flight Flight
	var flying []trip
	now, begun, sent, paused := epoch, epoch, 0, time.Duration(0)
	step := max(l.Every()/7, lag/5)
	for range 3000 {
		flying = land(t, l, flying, now, &tat, &theirs, &flight)
		tat, flight = l.Held(tat, flight, now)
		for {
			next, ok, _ := l.Spend(tat, now, 1)
			if !ok {
				break
			}
			tat, flight = next, flight.Sent(now)
			received := now.Add(time.Duration(r.Int64N(int64(lag))))
			flying = append(flying, trip{received, received.Add(time.Duration(r.Int64N(int64(lag))))})
			sent++
		}
		if r.IntN(100) == 0 { // nobody wants anything for a while
			pause := time.Duration(r.Int64N(int64(l.full())))
			now, paused = now.Add(pause), paused+pause
		}
		now = now.Add(step)
	}
	if least := float64(now.Sub(begun)-paused) / float64(l.Every()+2*step+2*lag); float64(sent) < least {
		t.Errorf("%v, lag %v: %d sent, want at least %.0f", l, lag, sent, least)
	}
}

// land lets everything happen up to now, in its order: the authority receives, and we get answers.
func land(t *testing.T, l Limit, flying []trip, now time.Time, tat, theirs *time.Time, flight *Flight) []trip {
	t.Helper()
	for {
		at, which, answer := now, -1, false
		for i, f := range flying {
			if !f.received.IsZero() && !f.received.After(at) {
				at, which, answer = f.received, i, false
			} else if f.received.IsZero() && !f.answered.After(at) {
				at, which, answer = f.answered, i, true
			}
		}
		if which < 0 {
			return flying
		}
		if answer {
			*tat, *flight = l.Landed(*tat, *flight, at)
			flying = append(flying[:which], flying[which+1:]...)
			continue
		}
		next, ok, _ := l.Spend(*theirs, at, 1)
		if !ok {
			t.Fatalf("%v: refused at %v with %d under way", l, at.Sub(epoch), len(flying))
		}
		*theirs, flying[which].received = next, time.Time{}
	}
}

// A burst of the whole bucket is possible, whatever is under way; what was never answered is counted as answered after a
// minute; and an answer to what was sent again counts from then on.
func TestFlightsEnd(t *testing.T) {
	l := Limit{Count: 5, Per: 5 * time.Hour}
	var tat time.Time
	var f Flight
	for range l.Count {
		next, ok, _ := l.Spend(tat, epoch, 1)
		if !ok {
			t.Fatal("the bucket is not full")
		}
		tat, f = next, f.Sent(epoch)
	}
	now := epoch.Add(10 * time.Second)
	if tat, _ := l.Held(tat, f, now); !tat.Equal(now.Add(5 * time.Hour)) {
		t.Errorf("tokens under way refilled: full at %v", tat.Sub(now))
	}
	now = epoch.Add(2 * time.Hour)
	held, gone := l.Held(tat, f, now)
	if left := l.Left(held, now); left != 1 || gone.N != 0 {
		t.Errorf("%d left after two hours without an answer, %d under way", left, gone.N)
	}
	again, _ := l.Landed(held, gone, now)
	if !again.Equal(held) {
		t.Errorf("an old answer moved an emptied bucket by %v", again.Sub(held))
	}
	now = epoch.Add(100 * time.Hour)
	if full, _ := l.Landed(held, gone, now); l.Left(full, now) != 4 {
		t.Errorf("an answer to what was sent again is not counted: %d left", l.Left(full, now))
	}
}
