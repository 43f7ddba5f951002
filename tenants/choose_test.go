package tenants

import (
	"strings"
	"testing"
	"time"
)

func offer(name string) Offer {
	return Offer{Issuer: Issuer{ID: IssuerID("iss_" + name), Name: name, CAA: []string{name + ".example"}}}
}

func (o Offer) failing(since time.Time) Offer {
	o.Trouble = Trouble{since, CASilent}
	return o
}

func (o Offer) silent() Offer {
	o.Silent = true
	return o
}

func TestChoose(t *testing.T) {
	a, b, c := offer("a"), offer("b"), offer("c")
	long, short := epoch.Add(-7*time.Hour), epoch.Add(-20*time.Minute)
	only := func(who string) []CAA { return []CAA{{Tag: "issue", Value: who + ".example"}} }
	unread := b
	unread.CAA = nil
	for name, test := range map[string]struct {
		offers []Offer
		never  bool
		caa    []CAA
		blind  bool          // no look at DNS
		line   time.Duration // until the safety line; zero: no version
		want   string
		why    string
	}{
		"well":                              {offers: []Offer{a, b}, want: "a"},
		"failing for a while":               {offers: []Offer{a.failing(short), b}, want: "a"},
		"failing for too long":              {offers: []Offer{a.failing(long), b}, want: "b", why: "a has failed for 7 hours"},
		"but the policy waits for ever":     {offers: []Offer{a.failing(long), b}, never: true, want: "a"},
		"but there is no other":             {offers: []Offer{a.failing(long)}, want: "a"},
		"the second is silent":              {offers: []Offer{a.failing(long), b.silent(), c}, want: "c", why: "a has failed"},
		"both are silent":                   {offers: []Offer{a.failing(long).silent(), b.silent()}, want: "a"},
		"CAA allows the second":             {offers: []Offer{a.failing(long), b}, caa: only("b"), want: "b", why: "a has"},
		"CAA allows the first only":         {offers: []Offer{a.failing(long), b}, caa: only("a"), want: "a"},
		"CAA allows the third":              {offers: []Offer{a.failing(long), b, c}, caa: append(only("a"), only("c")...), want: "c", why: "a has"},
		"CAA was not looked at":             {offers: []Offer{a.failing(long), b}, blind: true, want: "a"},
		"its directory was never read":      {offers: []Offer{a.failing(long), unread}, want: "a"},
		"the line is near":                  {offers: []Offer{a.failing(short), b}, line: time.Hour, want: "b", why: "must be replaced soon"},
		"the line is over":                  {offers: []Offer{a.failing(short), b}, line: -time.Hour, want: "b", why: "20 minutes"},
		"the line is far":                   {offers: []Offer{a.failing(short), b}, line: 48 * time.Hour, want: "a"},
		"near, but a moment of failing":     {offers: []Offer{a.failing(epoch.Add(-time.Minute)), b}, line: time.Hour, want: "a"},
		"both fail, the first answers":      {offers: []Offer{a.failing(long), b.failing(long)}, want: "a"},
		"both fail, the second answers":     {offers: []Offer{a.failing(long).silent(), b.failing(long)}, want: "b", why: "a has failed"},
		"the second has failed for a while": {offers: []Offer{a.failing(long), b.failing(short), c}, want: "b", why: "a has failed"},
		"the second has failed too":         {offers: []Offer{a.failing(long), b.failing(long), c}, want: "c", why: "a has failed"},
	} {
		f := Facts{Offers: test.offers, Policy: Policy{FailoverAfter: 6}, Certificate: Certificate{Names: testNames}}
		if test.never {
			f.Policy.FailoverAfter = 0
		}
		if !test.blind {
			f.Domain.Check = &Check{At: epoch, CAA: []AskedCAA{{Name: "acme.example", Records: test.caa}}}
		}
		if test.line != 0 {
			f.Current = &Version{NotBefore: epoch.AddDate(0, 0, -80), NotAfter: epoch.AddDate(0, 0, 10)}
			f.Certificate.Plan.NoLater = epoch.Add(test.line)
		}
		got, why := Choose(f, epoch)
		if got.Name != test.want || (why == "") != (test.why == "") || !strings.Contains(why, test.why) {
			t.Errorf("%s: %s (%q), want %s (%q)", name, got.Name, why, test.want, test.why)
		}
	}
}

// An open order is ended when its issuer was given up and another is chosen, and only then.
func TestOpenOrderFollowsTheChoice(t *testing.T) {
	a, b := offer("a"), offer("b")
	long := epoch.Add(-7 * time.Hour)
	for name, test := range map[string]struct {
		offers []Offer
		at     IssuerID
		ends   bool
	}{
		"at the one that failed":                   {[]Offer{a.failing(long), b}, a.ID, true},
		"at the other already":                     {[]Offer{a.failing(long), b}, b.ID, false},
		"at the other, and the first is well":      {[]Offer{a, b}, b.ID, false},
		"at the other, which fails, too":           {[]Offer{a, b.failing(long)}, b.ID, true},
		"at the first, and the other fails longer": {[]Offer{a.failing(long), b.failing(long)}, a.ID, false},
		"at one that the policy lists no more":     {[]Offer{a, b}, "iss_c", false},
	} {
		f := Facts{Offers: test.offers, Policy: Policy{FailoverAfter: 6}, Order: &Order{State: Finalized, Issuer: test.at}}
		f.Domain.Check = &Check{At: epoch}
		step := Next(f, epoch)
		if (step.Act == ActEndOrder) != test.ends || test.ends && !strings.Contains(step.Why, "has failed for 7 hours") {
			t.Errorf("%s: %+v", name, step)
		}
	}
}

// Whoever moves on to another issuer does not wait for the sake of the failures at the first.
func TestMovingOnEndsTheBackoff(t *testing.T) {
	f := Facts{Offers: []Offer{offer("a").failing(epoch.Add(-7 * time.Hour)), offer("b")}, Policy: Policy{FailoverAfter: 6},
		Failures: 4, LastFailed: epoch.Add(-time.Hour)}
	f.Domain.Check = &Check{At: epoch}
	if step := f.plan(FirstIssue, epoch); step.Act != ActPlan {
		t.Errorf("it waits: %+v", step)
	}
	f.Policy.FailoverAfter = 0
	if step := f.plan(FirstIssue, epoch); step.Act != ActWait {
		t.Errorf("nobody else is asked, and it does not wait: %+v", step)
	}
}
