package tenants

import (
	"testing"
	"time"
)

// A dry run fills the pauses; whatever is real goes first.
func TestRehearsalComesLast(t *testing.T) {
	now := epoch.Add(40 * day)
	right := &Check{At: now, Delegation: []Asked{{Server: "ns1", Result: Right}}}
	wait := Step{Act: ActWait, At: now.Add(time.Hour)}
	placed := &Order{State: Proving, Reason: InRehearsal}
	staging := Issuer{ID: "iss_2", Name: "Staging"}
	cases := []struct {
		name  string
		real  Step
		asked time.Duration // ago
		order *Order
		check *Check
		ended bool
		want  Act
		code  Code
	}{
		{"begins with a look", wait, 0, nil, nil, false, ActLook, ""},
		{"an old look does not count", wait, 0, nil, &Check{At: now.Add(-FreshFor), Delegation: right.Delegation}, false, ActLook, ""},
		{"the record is right", wait, 0, nil, right, false, ActPlanRehearsal, ""},
		{"the record is not", wait, 0, nil, &Check{At: now, Zone: "example", Delegation: []Asked{{Server: "ns1", Result: Missing}}}, false, ActEndRehearsal, DelegationMissing},
		{"goes on", wait, time.Minute, placed, nil, false, ActRehearse, ""},
		{"is late", wait, RehearsalTime, placed, right, false, ActEndRehearsal, RehearsalLate},
		{"a renewal is due", Step{Act: ActPlan}, time.Minute, placed, right, false, ActEndRehearsal, RehearsalOvertaken},
		{"an order is open", Step{Act: ActAdvance}, 0, nil, right, false, ActEndRehearsal, RehearsalOvertaken},
		{"the name is given up", Step{Act: ActRelease}, time.Minute, placed, right, false, ActEndRehearsal, RehearsalOvertaken},
		{"the CA is to be asked", Step{Act: ActAskARI}, time.Minute, placed, right, false, ActAskARI, ""},
		{"values are removed first", Step{Act: ActClean}, time.Minute, placed, right, true, ActClean, ""},
		{"is tidied up", wait, time.Minute, placed, right, true, ActTidyRehearsal, ""},
		{"is tidied up before the name goes", Step{Act: ActRelease}, time.Minute, placed, right, true, ActTidyRehearsal, ""},
		{"a renewal does not wait for tidying", Step{Act: ActPlan}, time.Minute, placed, right, true, ActPlan, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := Facts{Domain: Domain{Name: "shop.example", Check: c.check}, Rehearsal: &Rehearsal{Asked: now.Add(-c.asked), Issuer: staging, Order: c.order}}
			if c.ended {
				f.Rehearsal.Ended = now
			}
			if step := f.rehearse(c.real, now); step.Act != c.want || step.Finding.Code != c.code {
				t.Errorf("%s (%+v), want %s (%s)", step.Act, step.Finding, c.want, c.code)
			}
			f.Rehearsal = nil
			if step := f.rehearse(c.real, now); step.Act != c.real.Act {
				t.Errorf("without a dry run: %s", step.Act)
			}
		})
	}
}

// A dry run comes back before something real is due, and before its own end.
func TestRehearsalLooksAgainInTime(t *testing.T) {
	now := epoch
	f := Facts{Rehearsal: &Rehearsal{Asked: now, Issuer: Issuer{ID: "iss_2"}, Order: &Order{State: Ready}}}
	for _, due := range []time.Duration{time.Minute, time.Hour} {
		if step := f.rehearse(Step{Act: ActWait, At: now.Add(due)}, now); !step.At.Equal(now.Add(min(due, RehearsalTime))) {
			t.Errorf("something is due in %v: it comes back at %v", due, step.At)
		}
	}
}

// Whoever has no dry runs reads why: there is no staging directory, or it wants a binding that nobody gave us.
func TestNoStaging(t *testing.T) {
	for directory, want := range map[string]string{
		"https://dv.acme-v02.api.pki.goog/directory": "Google Trust Services takes dry runs only from accounts with an external account binding for its staging directory, and this portal has none. Real orders are not affected.",
		"https://acme.zerossl.com/v2/DV90":           "ZeroSSL has no staging directory here, so there is nowhere to rehearse.",
	} {
		i := NewIssuer(directory)
		if got := i.NoStaging(); i.Staging() != "" || got != want {
			t.Errorf("%s: %q, staging %q", directory, got, i.Staging())
		}
	}
}
