package jobs

import (
	"testing"
	"time"
)

// The pace follows a CA that answers after a certain time, stays near it, and never asks sooner than the floor.
func TestPace(t *testing.T) {
	var p pace
	serve := func(takes time.Duration, n int) (asked int) {
		for range n {
			wait := p.first(time.Second)
			asked++
			if wait < takes {
				asked++
			}
			p.learn(wait, time.Second, wait >= takes)
		}
		return asked
	}
	if got := p.first(time.Second); got != time.Second {
		t.Errorf("begins with %v", got)
	}
	serve(0, 100)
	if got := p.first(time.Second); got != floor {
		t.Errorf("a CA that answers at once is asked after %v", got)
	}
	serve(200*time.Millisecond, 20)
	if got := p.first(time.Second); got < 100*time.Millisecond || got > 400*time.Millisecond {
		t.Errorf("a CA that takes 200ms is asked after %v", got)
	}
	if n := serve(200*time.Millisecond, 800); n > 925 {
		t.Errorf("%d questions for 800 certificates", n)
	}
	serve(time.Minute, 20)
	if got := p.first(time.Second); got != time.Second {
		t.Errorf("a CA that takes a minute is asked after %v", got)
	}
	stale := p.first(time.Second)
	serve(0, 1)
	now := p.first(time.Second)
	p.learn(stale, time.Second, true)
	if p.first(time.Second) != now {
		t.Error("one answer was heard twice")
	}
}
