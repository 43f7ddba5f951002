package tenants

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

// lifetimes with the window Due chooses without ARI, measured back from the end: start and safety line.
var lifetimes = []struct{ life, start, line time.Duration }{
	{3 * time.Minute, 90 * time.Second, 30 * time.Second},
	{6 * day, 3 * day, day},
	{160 * time.Hour, 80 * time.Hour, 96000 * time.Second},
	{45 * day, 15 * day, 648000 * time.Second},
	{90 * day, 30 * day, 15 * day},
	{200 * day, 200 * day / 3, 200 * day / 6},
}

func factsFor(life time.Duration, i int) RenewalFacts {
	return RenewalFacts{ID: CertificateID(fmt.Sprintf("crt_%026d", i)), Serial: fmt.Sprintf("%032x", i*i+1),
		NotBefore: epoch, NotAfter: epoch.Add(life), IssuerName: "Let’s Encrypt"}
}

func (f RenewalFacts) asking(start, end time.Duration) RenewalFacts {
	f.ARI = RenewalInfo{Start: f.NotBefore.Add(start), End: f.NotBefore.Add(end), Fetched: f.NotBefore}
	return f
}

func TestDueLastPart(t *testing.T) {
	for _, c := range lifetimes {
		f := factsFor(c.life, 1)
		v := Due(f, epoch)
		if v.Reason != LastThird || f.NotAfter.Sub(v.Start) != c.start.Truncate(time.Second) || f.NotAfter.Sub(v.NoLater) != c.line.Truncate(time.Second) || !v.End.Equal(v.NoLater) {
			t.Errorf("%v: %+v, want a window from %v to %v before the end", c.life, v, c.start, c.line)
		}
	}
}

func TestDueIsNeverPastTheSafetyLine(t *testing.T) {
	windows := []struct{ start, end float64 }{ // as parts of the lifetime
		{0, 0}, {0.6, 0.7}, {0.8, 0.9}, {0.9, 0.99}, {0.95, 1.4}, {0, 1}, {-3, 3}, {-0.2, 0.1}, {0.7, 0.6}, {1.1, 1.2}, {-0.4, -0.1}, {0.5, 0.5},
	}
	for _, c := range lifetimes {
		for _, w := range windows {
			for i := range 50 {
				part := func(p float64) time.Duration { return time.Duration(p * float64(c.life)) }
				f := factsFor(c.life, i).asking(part(w.start), part(w.end))
				for _, at := range []float64{0, 0.3, 0.65, 0.83, 0.84, 0.99, 1, 1.5} {
					checkVerdict(t, f, Due(f, epoch.Add(part(at))))
				}
			}
		}
	}
}

func checkVerdict(t *testing.T, f RenewalFacts, v Verdict) {
	t.Helper()
	if v.At.After(v.NoLater) || !v.NoLater.Before(f.NotAfter) || v.At.Before(f.NotBefore) {
		t.Fatalf("%v of life, ARI %v to %v: renews at %v, safety line %v, end %v", f.lifetime(), f.ARI.Start, f.ARI.End, v.At, v.NoLater, f.NotAfter)
	}
	if v.Start.After(v.End) || v.End.After(v.NoLater) || v.Reason == "" {
		t.Fatalf("window %v to %v, line %v, reason %q", v.Start, v.End, v.NoLater, v.Reason)
	}
	if !strings.HasSuffix(v.Text, ".") || strings.Count(v.Text, ". ") > 0 || !strings.Contains(v.Text, "UTC") {
		t.Fatalf("%q is not one sentence with a time in UTC", v.Text)
	}
}

// The plan is a function of the certificate, not of the clock: as long as the window is open, no instant of asking
// and no restart moves it.
func TestDueNeverRerolls(t *testing.T) {
	for _, c := range lifetimes {
		for i := range 20 {
			for _, f := range []RenewalFacts{factsFor(c.life, i), factsFor(c.life, i).asking(c.life*6/10, c.life*7/10)} {
				first := Due(f, epoch)
				for step := range 100 {
					now := epoch.Add(c.life / 100 * time.Duration(step))
					if v := Due(f, now); v != first && !now.After(first.NoLater) {
						t.Fatalf("%v: at %v the plan moves from %+v to %+v", c.life, now, first, v)
					}
				}
			}
		}
	}
}

// A plan that was stored in microseconds equals the one computed again.
func TestDueChoosesWholeSeconds(t *testing.T) {
	f := factsFor(90*day-time.Second, 3)
	f.ARI = RenewalInfo{Start: epoch.Add(60*day + 123456789), End: epoch.Add(62*day + 987654321)}
	for _, f := range []RenewalFacts{f, factsFor(90*day-time.Second, 3)} {
		v := Due(f, epoch)
		for _, at := range []time.Time{v.At, v.Start, v.End, v.NoLater} {
			if at.Nanosecond() != 0 {
				t.Errorf("%v is between two seconds", at)
			}
		}
	}
}

func TestDueSpreadsEvenly(t *testing.T) {
	const n, slots = 20000, 20
	for _, c := range lifetimes {
		var counts [slots]int
		for i := range n {
			v := Due(factsFor(c.life, i), epoch)
			place := float64(v.At.Sub(v.Start)) / float64(v.End.Sub(v.Start))
			counts[int(place*slots)]++
		}
		chi := 0.0
		for _, k := range counts {
			d := float64(k) - n/slots
			chi += d * d / (n / slots)
		}
		// 19 degrees of freedom: 43.8 is passed once in a thousand; the hash is fixed, so this never flickers.
		if chi > 43.8 || math.IsNaN(chi) {
			t.Errorf("%v: renewals crowd, χ² = %.1f: %v", c.life, chi, counts)
		}
	}
}

func TestDueGivesEachVersionItsOwnPlace(t *testing.T) {
	f := factsFor(90*day, 1)
	g := f
	g.Serial = "another"
	if Due(f, epoch).At.Equal(Due(g, epoch).At) {
		t.Error("the next version renews at the same place of its window")
	}
}

func TestDueFollowsTheCA(t *testing.T) {
	now := epoch.Add(day)
	for _, c := range []struct {
		name       string
		facts      RenewalFacts
		reason     Reason
		start, end time.Duration // of the window, after NotBefore
	}{
		{"window", factsFor(90*day, 1).asking(60*day, 62*day), InWindow, 60 * day, 62 * day},
		{"early window", factsFor(90*day, 1).asking(2*day, 3*day), InWindow, 2 * day, 3 * day},
		{"open window", factsFor(90*day, 1).asking(0, 3*day), InWindow, 0, 3 * day},
		{"window over the line", factsFor(90*day, 1).asking(70*day, 80*day), InWindow, 70 * day, 75 * day},
		{"window past the line", factsFor(90*day, 1).asking(80*day, 85*day), InWindow, 75 * day, 75 * day},
		{"upside down", factsFor(90*day, 1).asking(62*day, 60*day), LastThird, 60 * day, 75 * day},
		{"empty", factsFor(90*day, 1).asking(60*day, 60*day), LastThird, 60 * day, 75 * day},
		{"after the end", factsFor(90*day, 1).asking(90*day, 95*day), LastThird, 60 * day, 75 * day},
		{"before the beginning", factsFor(90*day, 1).asking(-5*day, -4*day), LastThird, 60 * day, 75 * day},
		{"wider than it is long", factsFor(3*time.Minute, 1).asking(-day, day), Overdue, 90 * time.Second, 150 * time.Second},
	} {
		v := Due(c.facts, now)
		if v.Reason != c.reason || !v.Start.Equal(epoch.Add(c.start)) || !v.End.Equal(epoch.Add(c.end)) || v.At.Before(v.Start) || v.At.After(v.End) {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

// Pebble's default window is two days, cut to the lifetime: for a certificate of minutes that is all of it.
func TestDueDoesNotRenewWhatWasJustIssued(t *testing.T) {
	f := factsFor(3*time.Minute, 1).asking(0, 3*time.Minute)
	if v := Due(f, epoch); v.Reason != LastThird || v.At.Before(epoch.Add(90*time.Second)) {
		t.Errorf("%+v", v)
	}
}

func TestDueRenewsAtOnceWhenTheWindowWasOver(t *testing.T) {
	now := epoch.Add(65 * day)
	f := factsFor(90*day, 1).asking(60*day, 62*day)
	f.ARI.Fetched = now.Add(-time.Minute)
	if v := Due(f, now); !v.At.Equal(f.ARI.Fetched) || v.Reason != InWindow || !strings.HasPrefix(v.Text, "Let’s Encrypt asked for a renewal by 24 Jan 2027, 12:06 UTC, so we renew at once") {
		t.Errorf("%+v", v)
	}
	f.ARI.Fetched = time.Time{}
	if v := Due(f, now); !v.At.Equal(now) {
		t.Errorf("nobody noted when the window was fetched: %+v", v)
	}
}

// A window that was over before any renewal is due announces a revocation, whatever else would have been the reason to renew.
func TestDueRecalled(t *testing.T) {
	now := epoch.Add(10 * day)
	f := factsFor(90*day, 1).asking(7*day, 8*day)
	f.ARI.Fetched = now.Add(-time.Minute)
	f.PausedUntil = now.Add(20 * day)
	f.Policy, f.PolicySince = Policy{KeyTypes: []KeyType{RSA4096}}, now.Add(-day)
	if v := Due(f, now); !v.At.Equal(f.ARI.Fetched) || v.Reason != Recalled || !v.Reason.Emergency() || v.Movable() ||
		!strings.HasPrefix(v.Text, "Let’s Encrypt asked for a renewal by 1 Dec 2026, 12:06 UTC, before the last third") {
		t.Errorf("%+v", v)
	}
	f = f.asking(7*day, 12*day)
	f.ARI.Fetched = now
	if v := Due(f, now); v.Reason == Recalled {
		t.Errorf("a window that is open is no recall: %+v", v)
	}
}

func TestDueOnRequest(t *testing.T) {
	now := epoch.Add(5 * day)
	f := factsFor(90*day, 1).asking(60*day, 62*day)
	f.Asked, f.AskedBy = now.Add(-time.Second), "ops@acme.example"
	if v := Due(f, now); v.Reason != OnRequest || v.At.After(now) || v.Text != "ops@acme.example asked for it on 28 Nov 2026, 12:05 UTC." {
		t.Errorf("%+v", v)
	}
}

func TestDueOverdue(t *testing.T) {
	f := factsFor(90*day, 1)
	for _, at := range []time.Duration{75*day + time.Second, 89 * day, 100 * day} {
		if v := Due(f, epoch.Add(at)); v.Reason != Overdue || !v.At.Equal(v.NoLater) {
			t.Errorf("after %v: %+v", at, v)
		}
	}
}

func TestDueTellsWhy(t *testing.T) {
	for _, c := range []struct {
		facts RenewalFacts
		want  string
	}{
		{factsFor(90*day, 1).asking(60*day, 62*day), "Let’s Encrypt asks for 22 Jan to 24 Jan 2027, and we chose 22 Jan 2027, 15:03 UTC, inside that window."},
		{factsFor(90*day, 1).asking(60*day, 60*day+3*time.Hour), "Let’s Encrypt asks for 22 Jan 2027, 12:06 to 15:06 UTC, and we chose 22 Jan 2027, "},
		{factsFor(90*day, 1).asking(30*day, 45*day), "Let’s Encrypt asks for 23 Dec 2026 to 7 Jan 2027, and we chose "},
		{factsFor(90*day, 1).asking(70*day, 80*day), "before our safety line."},
		{factsFor(90*day, 1), "Let’s Encrypt names no window, so we chose "},
		{factsFor(90*day, 1), "in the last third of the lifetime."},
		{factsFor(6*day, 1), "in the last half of the lifetime."},
		{factsFor(3*time.Minute, 1).asking(90*time.Second, 2*time.Minute), "Let’s Encrypt asks for 23 Nov 2026, 12:07:30 to 12:08:00 UTC, and we chose 23 Nov 2026, 12:07:"},
		{RenewalFacts{NotBefore: epoch, NotAfter: epoch.Add(day)}, "The authority names no window"},
	} {
		if got := Due(c.facts, epoch).Text; !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q in it", got, c.want)
		}
	}
}
