package tenants

import (
	"testing"
	"time"
)

// After three silences in a row only probes go out, ever more rarely, until one is answered.
func TestOutage(t *testing.T) {
	const takes = 30 * time.Second
	o, now := Outage{}, epoch
	for n := 1; n < enough; n++ {
		if o = o.Silent(now, time.Time{}); o.On() {
			t.Fatalf("an outage after %d silences", n)
		}
	}
	o = o.Silent(now, time.Time{})
	for _, pause := range []time.Duration{10, 20, 40, 80, 160, 300, 300, 300} {
		pause *= time.Second
		if next := now.Add(pause); !o.On() || !o.Next.Equal(next) {
			t.Fatalf("on %v, next probe at %v, want %v", o.On(), o.Next, next)
		}
		if _, ok := o.Ask(o.Next.Add(-1), takes); ok {
			t.Error("a probe before its time")
		}
		now = o.Next
		probing, ok := o.Ask(now, takes)
		if _, second := probing.Ask(now, takes); !ok || second {
			t.Errorf("a probe may go out: %v, a second one: %v", ok, second)
		}
		if _, again := probing.Ask(now.Add(takes), takes); !again {
			t.Error("a probe that was never heard of keeps all others back")
		}
		now = now.Add(time.Second)
		o = probing.Silent(now, time.Time{})
	}
	until := now.Add(time.Hour)
	if o = o.Silent(now, until); !o.Next.Equal(until) {
		t.Errorf("next probe at %v, though the authority said %v", o.Next, until)
	}
	if next, ok := (Outage{}).Ask(now, takes); !ok || next.On() {
		t.Error("an authority that answers may not be asked")
	}
}

func TestAskAgain(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name     string
		age      time.Duration // of the last answer, 0 for none
		lifetime time.Duration
		want     time.Duration
	}{
		{"never heard", 0, 90 * day, time.Hour},
		{"just overdue", 6 * time.Hour, 90 * day, time.Hour},
		{"for some hours", 9 * time.Hour, 90 * day, 3 * time.Hour},
		{"for days", 3 * day, 90 * day, 6 * time.Hour},
		{"a short life", 3 * day, 10 * time.Hour, time.Hour},
	} {
		var info RenewalInfo
		if test.age > 0 {
			info.Fetched = epoch.Add(-test.age)
		}
		if got := AskAgain(info, test.lifetime, epoch).Sub(epoch); got != test.want {
			t.Errorf("%s: in %v, want %v", test.name, got, test.want)
		}
	}
}
