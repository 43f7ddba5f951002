package jobs

import (
	"sync"
	"time"
)

// pace learns how long the CA usually takes to decide, so that the first question comes about when the answer is
// there: sooner would be a request for nothing, later would be waiting for nothing.
type pace struct {
	mu   sync.Mutex
	wait time.Duration // before the first question; zero until the first answer
}

// floor is the shortest wait worth a request, whatever the CA.
const floor = 5 * time.Millisecond

// first is how long to wait before the first question: longest, until something was learnt.
func (p *pace) first(longest time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wait == 0 {
		p.wait = longest
	}
	return p.wait
}

// learn hears whether the first question, after wait, brought the answer. One miss weighs as much as seven hits, so about
// one certificate in eight asks once more than it needs to.
func (p *pace) learn(wait, longest time.Duration, hit bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case wait != p.wait: // many asked at the same time, and one of them was heard already
	case hit:
		p.wait = max(wait*9/10, min(floor, longest))
	default:
		p.wait = min(2*wait, longest)
	}
}
