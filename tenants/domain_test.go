package tenants

import (
	"testing"
	"time"
)

func TestSucceeded(t *testing.T) {
	at := func(hour int) time.Time { return epoch.Add(time.Duration(hour) * time.Hour) }
	was := Certificate{Current: "ver_1", Plan: Verdict{Reason: OnRequest}, RenewNow: at(1), RenewedBy: "ann", Revoked: at(1),
		Changed: at(3), Change: "key type", Compromised: at(3), CompromisedBy: "bob", KeyRefused: at(1), PausedUntil: at(9), PausedBy: "cat",
		Event: MassEvent{Deadline: at(9), SPKI: []string{"old"}}}
	for _, c := range []struct {
		name                 string
		ordered              time.Time
		key                  string
		changed, compromised bool // what remains
	}{
		{"ordered afterwards with a new key", at(4), "new", false, false},
		{"ordered before, new key", at(2), "new", true, false},
		{"ordered afterwards, the reported key again", at(4), "old", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := was.Succeeded(Order{Created: c.ordered}, &Version{SPKI: "old"}, Version{ID: "ver_2", SPKI: c.key})
			if is.Current != "ver_2" || is.Plan.Reason != "" || !is.RenewNow.IsZero() || is.RenewedBy != "" || !is.Revoked.IsZero() || !is.KeyRefused.IsZero() {
				t.Errorf("not all ended: %+v", is)
			}
			if is.PausedUntil != was.PausedUntil || is.PausedBy != was.PausedBy {
				t.Error("the pause ended")
			}
			if !is.Event.Deadline.IsZero() != c.compromised {
				t.Errorf("event %+v", is.Event)
			}
			if !is.Changed.IsZero() != c.changed || (is.Change != "") != c.changed {
				t.Errorf("changed %v %q", is.Changed, is.Change)
			}
			if !is.Compromised.IsZero() != c.compromised || (is.CompromisedBy != "") != c.compromised {
				t.Errorf("compromised %v %q", is.Compromised, is.CompromisedBy)
			}
		})
	}
}
