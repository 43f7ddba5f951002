package tenants

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// claim is a domain whose record was seen at the given age.
func claim(age time.Duration) Facts {
	d := Delegation{ID: "del_1", Base: "shop.acme.example", Label: "label", Zone: "dcv.portal.example"}
	return Facts{
		Issuer: Issuer{Name: "Example CA"},
		Domain: Domain{
			ID: "dom_1", Name: d.Base, Delegation: d, Status: Waiting, Since: noon.Add(-age), Created: noon.Add(-age),
			Proved: noon.Add(-age), Reserved: noon.Add(7 * 24 * time.Hour),
			Check: &Check{At: noon.Add(-age), Zone: "acme.example", Delegation: []Asked{{Server: "ns1", Got: d.Target(), Result: Right}}},
		},
		Certificate: Certificate{ID: "crt_1"},
	}
}

// certifiedAt is a domain with a 90-day version of the given age and the plan that Due makes for it.
func certifiedAt(age time.Duration) Facts {
	f := claim(10 * time.Second)
	f.Domain.Status = Active
	f.Current = &Version{ID: "ver_1", Serial: "01", NotBefore: noon.Add(-age), NotAfter: noon.Add(90*24*time.Hour - age)}
	f.Certificate.Plan = Due(f.RenewalFacts(), noon)
	return f
}

// asking is a domain that was looked at some time ago and whose CA may be asked for its window in some time.
func asking(looked, ari time.Duration) Facts {
	f := certifiedAt(24 * time.Hour)
	f.Current.ARICertID, f.Domain.Check.At = "a.b", noon.Add(-looked)
	f.Certificate.ARI = RenewalInfo{Fetched: noon.Add(ari - 6*time.Hour), Next: noon.Add(ari)}
	return f
}

// What is done from time to time for a domain that is well is done together: a CA that wants to be asked every six hours
// makes four turns a day, two of them with a look at DNS. The CA is never asked before it allowed.
func TestTurnsOfAHealthyDay(t *testing.T) {
	for _, retryAfter := range []time.Duration{time.Hour, 6 * time.Hour, 12 * time.Hour} {
		f := asking(0, retryAfter)
		turns, looks, asked, now := 0, 0, 0, noon
		for end := noon.Add(10 * 24 * time.Hour); now.Before(end); {
			switch step := Next(f, now); step.Act {
			case ActWait:
				turns, now = turns+1, step.At
			case ActLook:
				looks, f.Domain.Check.At = looks+1, now
			case ActAskARI:
				if now.Before(f.Certificate.ARI.Next) {
					t.Fatalf("asked %v too early", f.Certificate.ARI.Next.Sub(now))
				}
				answered := now.Add(time.Second)
				asked, f.Certificate.ARI.Fetched, f.Certificate.ARI.Next = asked+1, answered, answered.Add(retryAfter)
			default:
				t.Fatal(step.Act)
			}
		}
		if a, most := int(10*24*time.Hour/(retryAfter+time.Second)), 10*24*int(time.Hour)/int(retryAfter); asked < a || turns > most+1 || looks < 18 || looks > 22 {
			t.Errorf("Retry-After of %v: %d turns, %d looks, asked %d times in ten days", retryAfter, turns, looks, asked)
		}
	}
}

func TestNext(t *testing.T) {
	const day = 24 * time.Hour
	dirty := Challenge{ID: "chl_1", Presented: noon}
	tests := []struct {
		name   string
		facts  func() Facts
		act    Act
		reason Reason
	}{
		{"never looked at", func() Facts { f := claim(0); f.Domain.Check = nil; return f }, ActLook, ""},
		{"record is right", func() Facts { return claim(time.Second) }, ActPlan, FirstIssue},
		{"the look is too old to order on", func() Facts { return claim(FreshFor) }, ActLook, ""},
		{"record is missing, just looked", func() Facts {
			f := claim(time.Second)
			f.Domain.Check.Delegation[0].Result = Missing
			return f
		}, ActWait, ""},
		{"record is missing, time to look", func() Facts {
			f := claim(5 * time.Second)
			f.Domain.Check.Delegation[0].Result = Missing
			return f
		}, ActLook, ""},
		{"an order failed a moment ago", func() Facts {
			f := claim(time.Second)
			f.Failures, f.LastFailed = 1, noon.Add(-time.Second)
			return f
		}, ActWait, ""},
		{"an order failed long ago", func() Facts {
			f := claim(time.Second)
			f.Failures, f.LastFailed = 1, noon.Add(-2*time.Minute)
			return f
		}, ActPlan, FirstIssue},
		{"the look is of a clock that was wrong", func() Facts { return claim(-100 * day) }, ActLook, ""},
		{"an order failed by a clock that was wrong", func() Facts {
			f := claim(time.Second)
			f.Failures, f.LastFailed = 1, noon.Add(100*day)
			return f
		}, ActPlan, FirstIssue},
		{"the CA was asked by a clock that was wrong", func() Facts { return asking(time.Minute, 100*day) }, ActAskARI, ""},
		{"an order is open", func() Facts {
			f := claim(time.Hour)
			f.Order = &Order{State: Proving, Challenges: []Challenge{dirty}}
			return f
		}, ActAdvance, ""},
		{"an order was planned, the look is old", func() Facts {
			f := claim(time.Hour)
			f.Order = &Order{State: Planned}
			return f
		}, ActLook, ""},
		{"an order may have been placed", func() Facts {
			f := claim(time.Hour)
			f.Order = &Order{State: Planned, Placing: noon}
			return f
		}, ActAdvance, ""},
		{"an ended order left its record", func() Facts {
			f := claim(time.Second)
			f.Leftover = []Challenge{dirty}
			return f
		}, ActClean, ""},
		{"fresh version", func() Facts { return certifiedAt(day) }, ActWait, ""},
		{"plan is not written yet", func() Facts { f := certifiedAt(day); f.Certificate.Plan = Verdict{}; return f }, ActPlanRenewal, ""},
		{"past its planned instant", func() Facts { return certifiedAt(75*day - time.Minute) }, ActPlan, LastThird},
		{"past its safety line", func() Facts { return certifiedAt(80 * day) }, ActPlan, Overdue},
		{"a person asked", func() Facts { f := certifiedAt(day); f.Certificate.RenewNow = noon; return f }, ActPlan, OnRequest},
		{"a person asked, the look is old", func() Facts {
			f := certifiedAt(day)
			f.Certificate.RenewNow, f.Domain.Check.At = noon, noon.Add(-time.Hour)
			return f
		}, ActLook, ""},
		{"time to ask for the CA's window", func() Facts { f := certifiedAt(day); f.Current.ARICertID = "a.b"; return f }, ActAskARI, ""},
		{"time for a look", func() Facts { f := certifiedAt(day); f.Domain.Check.At = noon.Add(-12 * time.Hour); return f }, ActLook, ""},
		{"time for a look, and for the CA's window soon", func() Facts { return asking(12*time.Hour, 2*time.Hour) }, ActWait, ""},
		{"time for a look, and for the CA's window much later", func() Facts { return asking(12*time.Hour, 4*time.Hour) }, ActLook, ""},
		{"time for the CA's window, and for a look soon", func() Facts { return asking(10*time.Hour, 0) }, ActLook, ""},
		{"time for the CA's window, and for a look much later", func() Facts { return asking(8*time.Hour, 0) }, ActAskARI, ""},
		{"time for the CA's window, a moment after the look", func() Facts { return asking(time.Second, 0) }, ActAskARI, ""},
		{"expired", func() Facts { return certifiedAt(91 * day) }, ActExpire, ""},
		{"expired and said so", func() Facts { f := certifiedAt(91 * day); f.Domain.Status = Expired; return f }, ActPlan, Overdue},
		{"given up", func() Facts { f := certifiedAt(day); f.Releasing = true; return f }, ActRelease, ""},
		{"given up with a record in DNS", func() Facts {
			f := certifiedAt(day)
			f.Releasing, f.Order = true, &Order{State: Proving, Challenges: []Challenge{dirty}}
			return f
		}, ActClean, ""},
		{"reservation ran out", func() Facts {
			f := claim(time.Second)
			f.Domain.Proved, f.Domain.Reserved = time.Time{}, noon
			return f
		}, ActRelease, ""},
		{"released", func() Facts { f := claim(time.Hour); f.Domain.Status = Released; return f }, ActWait, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			step := Next(test.facts(), noon)
			if step.Act != test.act || step.Reason != test.reason {
				t.Fatalf("%s for %q, want %s for %q", step.Act, step.Reason, test.act, test.reason)
			}
			if step.Act == ActWait && test.name != "released" && !step.At.After(noon) {
				t.Errorf("waits until %v, which is not after now", step.At)
			}
		})
	}
}

// A long pause is not slept through: DNS is looked at meanwhile, since a change ends it.
func TestLooksDuringABackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: 0, 2: 2 * time.Minute, 3: 10 * time.Minute, 4: 10 * time.Minute, 9: 10 * time.Minute} {
		f := claim(time.Second)
		f.Failures, f.LastFailed = failures, noon
		at := f.Domain.Check.At.Add(want)
		if want == 0 {
			at = noon.Add(Backoff(failures, "dom_1"))
		}
		if step := Next(f, noon); step.Act != ActWait || !step.At.Equal(at) && step.At.Sub(at) > 10*time.Second {
			t.Errorf("after %d failures: %s until %v, want until %v", failures, step.Act, step.At, at)
		}
		f.Domain.Check.At = noon.Add(-FreshFor)
		if step := Next(f, noon); step.Act != ActLook {
			t.Errorf("after %d failures, with an old look: %s", failures, step.Act)
		}
	}
}

func TestStatusAfter(t *testing.T) {
	const day = 24 * time.Hour
	opened := func(f Facts) Facts { f.Order = &Order{State: Ordered}; return f }
	unproved := func(f Facts) Facts { f.Domain.Proved = time.Time{}; return f }
	failed := func(f Facts) Facts { f.Failures = 2; return f }
	tests := []struct {
		name  string
		facts Facts
		code  Code
		want  Status
	}{
		{"new", unproved(claim(0)), "", Waiting},
		{"record missing at first", unproved(claim(0)), DelegationMissing, Waiting},
		{"could not ask at first", unproved(claim(0)), DNSSilent, Waiting},
		{"CAA forbids at first", unproved(claim(0)), CAAForbids, Failing},
		{"proved", claim(0), "", Renewing},
		{"valid", certifiedAt(day), "", Active},
		{"valid and renewing", opened(certifiedAt(day)), "", Renewing},
		{"record removed", certifiedAt(day), DelegationMissing, Failing},
		{"could not ask", certifiedAt(day), DNSSilent, Active},
		{"SERVFAIL", certifiedAt(day), DNSBroken, Active},
		{"CA silent", opened(certifiedAt(day)), CASilent, Renewing},
		{"CA silent past the safety line", opened(certifiedAt(80 * day)), CASilent, Failing},
		{"an order failed once", certifiedAt(day), ChallengeInvalid, Active},
		{"orders keep failing", failed(certifiedAt(day)), ChallengeInvalid, Failing},
		{"our zone refuses", certifiedAt(day), WriteRefused, Failing},
		{"expired", certifiedAt(91 * day), "", Expired},
		{"expired and failing", certifiedAt(91 * day), DelegationMissing, Expired},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := StatusAfter(test.facts, Finding{Code: test.code}, noon); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// A good look at DNS clears what DNS had caused, and only that.
func TestMerge(t *testing.T) {
	removed, refused := Finding{Code: DelegationMissing}, Finding{Code: ChallengeInvalid}
	for _, test := range []struct{ standing, looked, want Finding }{
		{removed, Finding{}, Finding{}},
		{refused, Finding{}, refused},
		{refused, removed, removed},
		{Finding{}, removed, removed},
	} {
		if got := Merge(test.standing, test.looked); got.Code != test.want.Code {
			t.Errorf("Merge(%s, %s) = %s", test.standing.Code, test.looked.Code, got.Code)
		}
	}
}

// What the CA said of an order stands until one succeeds, or until nobody needs one any more.
func TestStandingEndsWithTheNeed(t *testing.T) {
	stuck := func(due time.Duration) Facts {
		f := certifiedAt(24 * time.Hour)
		f.Domain.Finding, f.Certificate.Plan.At = Finding{Code: CAStuck}, noon.Add(due)
		return f
	}
	with := func(f Facts, change func(*Facts)) Facts { change(&f); return f }
	for name, test := range map[string]struct {
		facts Facts
		want  Code
	}{
		"due":          {stuck(-time.Minute), CAStuck},
		"not due":      {stuck(time.Hour), ""},
		"under way":    {with(stuck(time.Hour), func(f *Facts) { f.Order = &Order{State: Proving} }), CAStuck},
		"expired":      {with(stuck(time.Hour), func(f *Facts) { f.Current.NotAfter = noon.Add(-time.Second) }), CAStuck},
		"no version":   {with(stuck(time.Hour), func(f *Facts) { f.Current = nil }), CAStuck},
		"DNS is wrong": {with(stuck(time.Hour), func(f *Facts) { f.Domain.Finding.Code = DelegationMissing }), DelegationMissing},
	} {
		if got := test.facts.Standing(noon).Code; got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What keeps failing is tried again ever more rarely, counted from when it began, and anew after it was over.
func TestAgain(t *testing.T) {
	refused, before := Finding{Code: WriteRefused}, Finding{Code: DelegationMissing, Since: noon.Add(-time.Hour)}
	f, now, tries := refused.Lasting(before, noon), noon, 0
	for ; now.Before(noon.Add(24 * time.Hour)); tries++ {
		next := f.Again(now, "dom_1")
		if pause := next.Sub(now); pause < 8*time.Second || pause > 36*time.Minute || pause < now.Sub(noon)/2 && pause < 30*time.Minute {
			t.Fatalf("after %v a pause of %v", now.Sub(noon), pause)
		}
		f, now = refused.Lasting(f, next), next
	}
	if tries > 70 || !f.Since.Equal(noon) {
		t.Errorf("%d tries in a day since %v", tries, f.Since)
	}
	if over := f.Cleaned(); !over.OK() || !refused.Lasting(over, now).Since.Equal(now) {
		t.Error("the pauses do not begin anew")
	}
	if before.Cleaned().OK() {
		t.Error("a clean zone says nothing of the customer's record")
	}
}

func TestPauses(t *testing.T) {
	for n, least := range map[int]time.Duration{0: 0, 1: time.Minute, 2: 10 * time.Minute, 3: 100 * time.Minute, 4: 24 * time.Hour, 9: 24 * time.Hour} {
		if got := Backoff(n, "dom_1"); got < least || got > least+least/5 || got != Backoff(n, "dom_1") {
			t.Errorf("Backoff(%d) = %v", n, got)
		}
	}
	for n := 1; n < 40; n++ {
		if got := Retry(n, "ord_1"); got < time.Second || got > 12*time.Minute {
			t.Errorf("Retry(%d) = %v", n, got)
		}
	}
}

// An unhealthy domain is looked at so often that another look would always be near: the authority is asked all the same.
func TestAsksARIWhileFailing(t *testing.T) {
	f := certifiedAt(30 * 24 * time.Hour)
	f.Domain.Status, f.Domain.Since = Failing, noon.Add(-72*time.Hour)
	f.Domain.Finding = Finding{Code: DelegationMissing}
	f.Domain.Check = &Check{At: noon}
	f.Current.ARICertID = "aki.serial"
	f.Certificate.ARI = RenewalInfo{Fetched: noon.Add(-6 * time.Hour), Next: noon}
	if step := Next(f, noon); step.Act != ActAskARI {
		t.Errorf("%s", step.Act)
	}
}

// A look is unmoved only where it has no other effect than to be the last one.
func TestUnmoved(t *testing.T) {
	other := Offer{Issuer: Issuer{ID: "iss_2", Name: "Other CA", CAA: []string{"other.example"}}}
	for name, test := range map[string]struct {
		change func(*Facts)
		looked Finding
		want   bool
	}{
		"well":                       {func(*Facts) {}, Finding{}, true},
		"the record is gone":         {func(*Facts) {}, Finding{Code: DelegationMissing}, false},
		"the record is back":         {func(f *Facts) { f.Domain.Finding.Code = DelegationMissing }, Finding{}, false},
		"another status":             {func(f *Facts) { f.Domain.Status = Renewing }, Finding{}, false},
		"the claim is proved by it":  {func(f *Facts) { f.Domain.Proved = time.Time{} }, Finding{}, false},
		"somebody asked for it":      {func(f *Facts) { f.Asked = true }, Finding{}, false},
		"it may end a pause":         {func(f *Facts) { f.Failures = 1 }, Finding{}, false},
		"the issuer stays":           {func(f *Facts) { f.Offers = []Offer{{Issuer: f.Issuer}, other} }, Finding{}, true},
		"another issuer is next now": {func(f *Facts) { f.Offers = []Offer{other, {Issuer: f.Issuer}} }, Finding{}, false},
	} {
		f := certifiedAt(24 * time.Hour)
		f.Issuer.ID = "iss_1"
		test.change(&f)
		look := *f.Domain.Check
		look.At = noon
		finding := Merge(f.Domain.Finding, test.looked)
		if got := f.Unmoved(look, finding, StatusAfter(f, finding, noon), noon); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
