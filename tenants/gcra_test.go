package tenants

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The limits of a real CA, and some whose tokens do not divide evenly.
var limits = []Limit{
	{300, 3 * time.Hour}, {50, 7 * 24 * time.Hour}, {5, 7 * 24 * time.Hour}, {5, time.Hour}, {1, time.Second},
	{7, time.Second}, {3, 10}, {4, 10}, {1152, time.Hour},
}

// naive is a token bucket as one would write it first: whole tokens at fixed ticks while it is not full.
type naive struct {
	limit  Limit
	tokens int
	since  time.Time // of the refill under way
}

func (b *naive) at(now time.Time) *naive {
	for b.tokens < b.limit.Count && !b.since.Add(b.limit.Every()).After(now) {
		b.tokens++
		b.since = b.since.Add(b.limit.Every())
	}
	if b.tokens == b.limit.Count {
		b.since = now
	}
	return b
}

func (b *naive) spend(now time.Time, n int) bool {
	if b.at(now).tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

func TestSpendIsATokenBucket(t *testing.T) {
	for _, l := range limits {
		r := rand.New(rand.NewPCG(uint64(l.Count), uint64(l.Per)))
		now, tat := epoch, time.Time{}
		bucket := &naive{limit: l, tokens: l.Count, since: now}
		for i := range 3000 {
			now = now.Add(time.Duration(r.Int64N(int64(3 * l.Every()))))
			n := 1 + r.IntN(min(3, l.Count))
			if left := l.Left(tat, now); left != bucket.at(now).tokens {
				t.Fatalf("%v, step %d: %d left, the bucket has %d", l, i, left, bucket.tokens)
			}
			next, ok, at := l.Spend(tat, now, n)
			if ok != bucket.spend(now, n) {
				t.Fatalf("%v, step %d: spending %d: %v, the bucket disagrees", l, i, n, ok)
			}
			if ok && !at.Equal(now) || !ok && (!next.Equal(tat) || !at.After(now)) {
				t.Fatalf("%v, step %d: ok %v, at %v, now %v, tat %v → %v", l, i, ok, at, now, tat, next)
			}
			tat = next
		}
	}
}

func TestSpendSaysWhenExactly(t *testing.T) {
	for _, l := range limits {
		tat, _, _ := l.Spend(time.Time{}, epoch, l.Count)
		_, ok, at := l.Spend(tat, epoch, 1)
		if ok || !at.Equal(epoch.Add(l.Every())) {
			t.Errorf("%v: emptied, the next token comes at %v (ok %v), want after %v", l, at, ok, l.Every())
		}
		if _, ok, _ := l.Spend(tat, at.Add(-1), 1); ok {
			t.Errorf("%v: a token was there before its time", l)
		}
		if _, ok, _ := l.Spend(tat, at, 1); !ok {
			t.Errorf("%v: no token at the promised instant", l)
		}
	}
}

func TestNeverMoreThanCountAtOnce(t *testing.T) {
	for _, l := range limits {
		tat, spent := time.Time{}, 0
		for ok := true; ok && spent <= l.Count; {
			if tat, ok, _ = l.Spend(tat, epoch, 1); ok {
				spent++
			}
		}
		if spent != l.Count {
			t.Errorf("%v: %d spent at one instant", l, spent)
		}
		if _, ok, _ := l.Spend(time.Time{}, epoch, l.Count+1); ok {
			t.Errorf("%v: more than the bucket holds", l)
		}
	}
}

// A name stops failing long before the authority pauses it; a change of its DNS buys tries, but not the last ones.
func TestBearable(t *testing.T) {
	l := Limit{1152, 1152 * 24 * time.Hour}
	for _, test := range []struct {
		failed    int
		same, new bool
	}{{0, true, true}, {288, true, true}, {289, false, true}, {1037, false, true}, {1038, false, false}, {1152, false, false}} {
		tat := l.Book(time.Time{}, epoch, test.failed)
		same, at := l.Bearable(tat, epoch, false)
		changed, _ := l.Bearable(tat, epoch, true)
		if same != test.same || changed != test.new {
			t.Errorf("after %d failures: %v, with another DNS %v", test.failed, same, changed)
		}
		if ok, _ := l.Bearable(tat, at, false); !ok {
			t.Errorf("after %d failures: not at the instant it named either", test.failed)
		}
	}
}

func TestRefundUndoesSpend(t *testing.T) {
	for _, l := range limits {
		tat, _, _ := l.Spend(time.Time{}, epoch, l.Count)
		if got := l.Left(l.Refund(tat, 1), epoch); got != 1 {
			t.Errorf("%v: %d left after one refund", l, got)
		}
		if got := l.Left(l.Refund(tat, 3*l.Count), epoch); got != l.Count {
			t.Errorf("%v: refunds overfill the bucket to %d", l, got)
		}
	}
}

func TestEmptyHasOneTokenAtTheInstant(t *testing.T) {
	until := epoch.Add(17 * time.Minute)
	for _, l := range limits {
		tat := l.Empty(until)
		if got := l.Left(tat, until.Add(-1)); got != 0 {
			t.Errorf("%v: %d left before Retry-After", l, got)
		}
		if got := l.Left(tat, until); got != 1 {
			t.Errorf("%v: %d left at Retry-After, want 1", l, got)
		}
	}
}

func TestUnlimited(t *testing.T) {
	for _, l := range []Limit{{}, {Count: 5}, {Per: time.Hour}, {-1, time.Hour}} {
		tat, ok, at := l.Spend(epoch, epoch, 1000)
		if !l.Unlimited() || !ok || !tat.Equal(epoch) || !at.Equal(epoch) || l.Left(epoch, epoch) != math.MaxInt || !l.Refund(epoch, 3).Equal(epoch) {
			t.Errorf("%v limits", l)
		}
	}
}

func TestSpendNothing(t *testing.T) {
	l := limits[0]
	if tat, ok, _ := l.Spend(l.Empty(epoch.Add(time.Hour)), epoch, 0); !ok || !tat.Equal(l.Empty(epoch.Add(time.Hour))) {
		t.Error("spending nothing was refused or changed the bucket")
	}
}

// A tenth of fewer than ten is less than a token: then nothing is kept back.
func TestReserve(t *testing.T) {
	for count, want := range map[int]int{-1: 0, 0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 1, 19: 1, 20: 2, 50: 5, 300: 30} {
		if got := (Limit{count, time.Hour}).Reserve(); got != want {
			t.Errorf("of %d tokens %d are kept back, want %d", count, got, want)
		}
	}
}

func TestSpendKeeping(t *testing.T) {
	for count := range 31 {
		l := Limit{count + 1, time.Hour}
		tat, spent := time.Time{}, 0
		spend := func(kept int, now time.Time) (ok bool, at time.Time) {
			if tat, ok, at = l.SpendKeeping(kept, tat, now, 1); ok {
				spent++
			}
			return ok, at
		}
		for ok := true; ok; {
			ok, _ = spend(l.Reserve(), epoch)
		}
		if spent != l.Count-l.Reserve() || l.Left(tat, epoch) != l.Reserve() {
			t.Errorf("%v: %d spent, %d left, %d are kept back", l, spent, l.Left(tat, epoch), l.Reserve())
		}
		for ok := true; ok; {
			ok, _ = spend(0, epoch)
		}
		if spent != l.Count {
			t.Errorf("%v: %d spent together with emergencies", l, spent)
		}
		// Once the reserve is full again, everybody gets each token at the instant at which it is there.
		now := epoch
		for n := range 2 * l.Count {
			_, at := spend(l.Reserve(), now)
			if want := epoch.Add(time.Duration(l.Reserve()+1+n) * l.Every()); !at.Equal(want) {
				t.Fatalf("%v: token %d comes at %v, want %v", l, n, at, want)
			}
			if now = at; !first(spend(l.Reserve(), now)) {
				t.Fatalf("%v: no token at the promised instant", l)
			}
		}
	}
}

func first[A, B any](a A, _ B) A { return a }

func TestSpendKeepingWithoutALimit(t *testing.T) {
	if tat, ok, _ := (Limit{}).SpendKeeping(5, epoch, epoch, 1); !ok || !tat.Equal(epoch) {
		t.Error("what has no limit was refused")
	}
}

// The last token is never spared, but of a bucket of one.
func TestSpare(t *testing.T) {
	for _, l := range limits {
		tat := time.Time{}
		for left := l.Count; left >= 0; left-- {
			ok, at := l.Spare(tat, epoch)
			if want := left > 1 || l.Count == 1 && left == 1; ok != want {
				t.Errorf("%v: with %d left: %v", l, left, ok)
			}
			if again, _ := l.Spare(tat, at); !again {
				t.Errorf("%v: with %d left: not even at the promised instant", l, left)
			}
			tat, _, _ = l.Spend(tat, epoch, 1)
		}
	}
	if ok, _ := (Limit{}).Spare(epoch, epoch); !ok {
		t.Error("what has no limit has nothing to spare")
	}
}

// What was counted anyway is owed.
func TestBook(t *testing.T) {
	for _, l := range limits {
		tat := l.Book(time.Time{}, epoch, l.Count+2)
		if got := l.Left(tat, epoch); got != 0 {
			t.Errorf("%v: %d left", l, got)
		}
		if _, _, at := l.Spend(tat, epoch, 1); !at.Equal(epoch.Add(3 * l.Every())) {
			t.Errorf("%v: two are owed, and the next token comes at %v", l, at)
		}
	}
	if got := (Limit{}).Book(epoch, epoch, 5); !got.Equal(epoch) {
		t.Error("what has no limit is owed")
	}
}
