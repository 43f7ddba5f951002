package tenants

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// fairQueue is the queue as the store keeps it in rows.
type fairQueue struct {
	served  Rank
	waiting []inQueue
}

type inQueue struct {
	tenant string
	rank   Rank
	number int // in the order of coming
}

func (q *fairQueue) enter(tenant string, number int) {
	var last Rank
	for _, w := range q.waiting {
		if w.tenant == tenant {
			last = max(last, w.rank)
		}
	}
	q.waiting = append(q.waiting, inQueue{tenant, Enter(q.served, last), number})
}

func (q *fairQueue) next() inQueue {
	first := slices.MinFunc(q.waiting, func(a, b inQueue) int {
		if a.rank != b.rank {
			return int(a.rank - b.rank)
		}
		return a.number - b.number
	})
	q.waiting = slices.DeleteFunc(q.waiting, func(w inQueue) bool { return w == first })
	q.served = max(q.served, first.rank)
	return first
}

func TestManyDoNotDelayTheFirst(t *testing.T) {
	q := &fairQueue{}
	for n := range 3000 {
		q.enter("many", n)
	}
	for range 1200 {
		q.next()
	}
	q.enter("one", 3000)
	if a, b := q.next(), q.next(); a.tenant != "one" && b.tenant != "one" {
		t.Errorf("%v and %v went before the first of another tenant", a, b)
	}
}

func TestTenantsTakeTurns(t *testing.T) {
	q := &fairQueue{}
	for n, tenant := range []string{"a", "a", "a", "a", "b", "b", "c"} {
		q.enter(tenant, n)
	}
	var got string
	for range 7 {
		got += q.next().tenant
	}
	if got != "abcabaa" {
		t.Errorf("the turns are %q", got)
	}
}

// Whatever comes, between two that wait neither goes much more often than the other, and each goes in the end.
func TestNobodyStarves(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	q, went, number := &fairQueue{}, map[string]int{}, 0
	for range 200 {
		q.enter("patient", number)
		number++
	}
	for range 400 {
		for range r.IntN(5) {
			q.enter("busy", number)
			number++
		}
		went[q.next().tenant]++
		if d := went["busy"] - went["patient"]; went["patient"] < 200 && d > 1 {
			t.Fatalf("after %d of the one, %d of the other", went["patient"], went["busy"])
		}
	}
	if went["patient"] != 200 {
		t.Errorf("%d of 200 went", went["patient"])
	}
}

// Who was away for a while does not come before everybody for as long.
func TestAbsenceIsNotSaved(t *testing.T) {
	q := &fairQueue{}
	for n := range 100 {
		q.enter("a", n)
	}
	for range 50 {
		q.next()
	}
	for n := range 100 {
		q.enter("b", 100+n)
	}
	went := map[string]int{}
	for range 20 {
		went[q.next().tenant]++
	}
	if went["a"] != 10 || went["b"] != 10 {
		t.Errorf("of 20: %v", went)
	}
}

func TestPriority(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 2: 2, 10: 2, 11: 3, 100: 3, 101: 4, 100_000: 4} {
		if got := Priority(n); got != want {
			t.Errorf("the %dth has priority %d, want %d", n, got, want)
		}
	}
}
