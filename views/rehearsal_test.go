package views

import (
	"strings"
	"testing"
	"time"

	"perennial/tenants"
)

// rehearsing is an active certificate while a dry run proves the name.
func rehearsing() DomainPage {
	p := certified()
	p.Staging = tenants.Issuer{ID: "iss_2", Name: "Let’s Encrypt staging"}
	o := *issuingDomain().Order
	o.Reason = tenants.InRehearsal
	p.Rehearsal = &tenants.Rehearsal{Asked: o.Created.Add(-400 * time.Millisecond), By: "ops@acme.example", Issuer: p.Staging,
		Seen: o.Created, Order: &o,
		Finding: tenants.Finding{Code: tenants.PropagationSlow, Args: map[string]string{"seen": "1", "asked": "2"}}}
	return p
}

func rehearsalPassed() DomainPage {
	p := rehearsing()
	r := p.Rehearsal
	r.Ended, r.Order.State = r.Asked.Add(6200*time.Millisecond), tenants.Issued
	r.Order.Reached[tenants.Ready] = r.Ended.Add(-2 * time.Second)
	r.Order.Reached[tenants.Finalized] = r.Ended.Add(-time.Second)
	r.Order.Reached[tenants.Issued] = r.Ended
	r.Tidied, r.Finding = r.Ended, tenants.Finding{}
	return p
}

func rehearsalFailed() DomainPage {
	p := rehearsing()
	r := p.Rehearsal
	r.Ended, r.Order.State = r.Asked.Add(3*time.Second), tenants.Failed
	r.Tidied = r.Ended
	r.Finding = tenants.Finding{Code: tenants.ChallengeInvalid, Raw: "urn:ietf:params:acme:error:unauthorized",
		Args: map[string]string{"ca": "Let’s Encrypt staging", "record": "_acme-challenge.checkout.acme.example"}}
	return p
}

func TestRehearsalWords(t *testing.T) {
	if got := rehearsalPassed().rehearsalResult(); !strings.HasSuffix(got, " UTC passed in 6.2 s. Nothing was kept.") {
		t.Errorf("passed: %q", got)
	}
	failed := rehearsalFailed()
	var states []string
	for _, l := range failed.rehearsalLog() {
		states = append(states, l.State)
	}
	want := []string{"Done: ", "Done: ", "Done: ", "Failed: ", "Not reached: ", "Not reached: "}
	for i := range want {
		if len(states) != len(want) || states[i] != want[i] {
			t.Fatalf("steps of one that failed: %q, want %q", states, want)
		}
	}
	if got := failed.rehearsalDo(); got != "Nothing has to be changed. Start another dry run later." {
		t.Errorf("what to do: %q", got) // a dry run does not order once more by itself
	}
	running := rehearsing()
	if running.mayRehearse() || running.rehearsalSay() != "Dry run, now: Authority agrees" {
		t.Errorf("while it runs: %q", running.rehearsalSay())
	}
	nowhere := certified()
	if nowhere.mayRehearse() || nowhere.rehearsalWords() != "Let’s Encrypt has no staging directory here, so there is nowhere to rehearse." {
		t.Errorf("without a staging directory: %q", nowhere.rehearsalWords())
	}
}
