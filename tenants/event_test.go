package tenants

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	someIssuer = "iss_01hhn1rgr00000000000000000"
	someSPKI   = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

func TestMassEventMatches(t *testing.T) {
	v := Version{IssuerID: "iss_1", Profile: "short", Serial: "03ab", SPKI: someSPKI, Issued: epoch.Add(-day)}
	for _, m := range []struct {
		name  string
		event MassEvent
		want  bool
	}{
		{"nothing chosen", MassEvent{}, false},
		{"issuer", MassEvent{Issuer: "iss_1"}, true},
		{"another issuer", MassEvent{Issuer: "iss_2"}, false},
		{"profile", MassEvent{Profile: "short"}, true},
		{"another profile", MassEvent{Issuer: "iss_1", Profile: "long"}, false},
		{"serial", MassEvent{Serials: []string{"01", "03ab", "04"}}, true},
		{"another serial", MassEvent{Serials: []string{"01", "04"}}, false},
		{"key", MassEvent{SPKI: []string{someSPKI}}, true},
		{"key, not serial", MassEvent{Serials: []string{"01"}, SPKI: []string{someSPKI}}, true},
		{"serial of another issuer", MassEvent{Issuer: "iss_2", Serials: []string{"03ab"}}, false},
		{"neither", MassEvent{Issuer: "iss_1", Serials: []string{"01"}, SPKI: []string{"ff"}}, false},
	} {
		m.event.Since = epoch
		if got := m.event.Matches(v); got != m.want {
			t.Errorf("%s: %v", m.name, got)
		}
		replaced := v
		replaced.Issued = epoch.Add(time.Second)
		if m.event.Matches(replaced) {
			t.Errorf("%s: the replacement would be replaced, for ever", m.name)
		}
	}
}

func TestParseMassEvent(t *testing.T) {
	e, err := ParseMassEvent(MassEventForm{
		Issuer: " " + someIssuer, Profile: " short ",
		Serials:  "0x03:AB:CD, 3abce\r\n00000F\t03abcd",
		SPKI:     strings.ToUpper(someSPKI) + "\n",
		Deadline: "2026-11-25T18:00", Why: " wrong  CAA checks. ",
	}, epoch)
	want := MassEvent{Issuer: someIssuer, Profile: "short", Serials: []string{"03abcd", "03abce", "0f"}, SPKI: []string{someSPKI},
		Since: epoch, Deadline: time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC), Why: "wrong CAA checks"}
	if err != nil || !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v, %v\nwant %+v", e, err, want)
	}
	for _, typed := range []string{"2026-11-25 18:00", "2026-11-25 18:00 UTC", "2026-11-25T18:00:00", "2026-11-25 18:00:00", "2026-11-25T18:00:00Z", "2026-11-25T20:00:00+02:00"} {
		if e, err := ParseMassEvent(MassEventForm{Issuer: someIssuer, Deadline: typed}, epoch); err != nil || !e.Deadline.Equal(want.Deadline) {
			t.Errorf("%s: %v, %v", typed, e.Deadline, err)
		}
	}
}

// A pin of base64 and what openssl prints are the same key.
func TestParseMassEventReadsPins(t *testing.T) {
	pin := "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8="
	e, err := ParseMassEvent(MassEventForm{SPKI: pin + " " + someSPKI, Deadline: "2026-11-25 18:00"}, epoch)
	if err != nil || !slices.Equal(e.SPKI, []string{someSPKI}) {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestParseMassEventRefuses(t *testing.T) {
	const soon = "2026-11-25 18:00"
	for _, c := range []struct {
		form MassEventForm
		want map[string]string
	}{
		{MassEventForm{}, map[string]string{"issuer": "Nothing is chosen.", "deadline": "The deadline is missing."}},
		{MassEventForm{Deadline: soon}, map[string]string{"issuer": "Nothing is chosen."}},
		{MassEventForm{Serials: " ,; ", Deadline: soon}, map[string]string{"issuer": "Nothing is chosen."}},
		{MassEventForm{Issuer: "Let’s Encrypt", Deadline: soon}, map[string]string{"issuer": "Let’s Encrypt is no authority of this portal."}},
		{MassEventForm{Serials: "03ab xyz 0", Deadline: soon}, map[string]string{"serials": "The list holds xyz and 0. Type serial numbers"}},
		{MassEventForm{Serials: strings.Repeat("a", 41), Deadline: soon}, map[string]string{"serials": "up to 40 hex digits."}},
		{MassEventForm{Serials: strings.Repeat("a ", 10001), Deadline: soon}, map[string]string{"serials": "These are 10,001, and one event takes 10,000."}},
		{MassEventForm{SPKI: "0011", Deadline: soon}, map[string]string{"spki": "64 hex digits or 44 signs of base64 each."}},
		{MassEventForm{SPKI: "g" + someSPKI[1:], Deadline: soon}, map[string]string{"spki": "The list holds g01"}},
		{MassEventForm{Issuer: someIssuer, Deadline: "tomorrow"}, map[string]string{"deadline": "tomorrow is not an instant."}},
		{MassEventForm{Issuer: someIssuer, Deadline: "2026-11-23 12:06"}, map[string]string{"deadline": "23 Nov 2026, 12:06 UTC has passed."}},
		{MassEventForm{Issuer: someIssuer, Deadline: "2206-11-25 18:00"}, map[string]string{"deadline": "Check the year."}},
		{MassEventForm{Issuer: someIssuer, Deadline: soon, Why: strings.Repeat("x", 201)}, map[string]string{"why": "Say it shorter."}},
		{MassEventForm{Issuer: "x", Serials: "x", SPKI: "x", Deadline: "x"}, map[string]string{"issuer": "", "serials": "", "spki": "", "deadline": ""}},
	} {
		_, err := ParseMassEvent(c.form, epoch)
		wantFaults(t, err, c.want)
	}
}

func TestDryRun(t *testing.T) {
	orders := Limit{300, 3 * time.Hour} // one in 36 s
	e := MassEvent{Since: epoch, Deadline: epoch.Add(12 * time.Hour)}
	for _, c := range []struct {
		name    string
		counts  EventCounts
		limit   Limit
		tat     time.Time
		text    string
		warning string
	}{
		{"nothing", EventCounts{}, orders, epoch, "No certificate matches, so nothing would be replaced.", ""},
		{"few", EventCounts{1, 1, 1}, orders, epoch,
			"Replaces 1 certificate of 1 tenant. 1 costs budget; the last order goes out on 23 Nov 2026, 22:06 UTC, 2 h before the deadline.", ""},
		{"all exempt", EventCounts{3120, 41, 0}, orders, epoch,
			"Replaces 3,120 certificates of 41 tenants. None costs budget; the last order goes out on 23 Nov 2026, 22:06 UTC, 2 h before the deadline.", ""},
		{"the limit decides", EventCounts{3120, 41, 1400}, orders, epoch,
			"Replaces 3,120 certificates of 41 tenants. 1,400 cost budget; the last order goes out on 23 Nov 2026, 23:06 UTC, 1 h before the deadline.", ""},
		{"just in time", EventCounts{1500, 41, 1500}, orders, epoch, "the last order goes out on 24 Nov 2026, 00:06 UTC, at the deadline.", ""},
		{"one too many", EventCounts{1501, 41, 1501}, orders, epoch, "36 s after the deadline.", "the limit allows 1 order only after it."},
		{"bucket empty", EventCounts{1500, 41, 1500}, orders, epoch.Add(3 * time.Hour), "the last order goes out on 24 Nov 2026, 03:06 UTC, 3 h after the deadline.",
			"This cannot end before the deadline: the limit allows 300 orders only after it."},
		{"no limit", EventCounts{1_000_000, 1000, 1_000_000}, Limit{}, time.Time{}, "Replaces 1,000,000 certificates of 1,000 tenants. 1,000,000 cost budget; the last order goes out on 23 Nov 2026, 22:06 UTC", ""},
		{"endless", EventCounts{1 << 50, 1, 1 << 50}, orders, epoch, "days after the deadline.", "orders only after it."},
	} {
		r := e.DryRun(c.counts, []EventBudget{{c.counts.Charged, c.limit, c.tat}}, epoch)
		if !strings.Contains(r.Text, c.text) || !strings.Contains(r.Warning, c.warning) || (c.warning == "") != (r.Warning == "") {
			t.Errorf("%s: %q %q", c.name, r.Text, r.Warning)
		}
	}
}

// The promised end is what spending one order after the other comes to.
func TestDryRunFinishesWhenSpendingDoes(t *testing.T) {
	for _, l := range limits {
		r := rand.New(rand.NewPCG(uint64(l.Count), uint64(l.Per)))
		for range 20 {
			n, tat := 1+r.IntN(3*l.Count), epoch.Add(time.Duration(r.Int64N(int64(2*l.Per)))-l.Per)
			now, bucket := epoch, tat
			for range n {
				next, ok, at := l.Spend(bucket, now, 1)
				if !ok {
					now = at
					next, _, _ = l.Spend(bucket, now, 1)
				}
				bucket = next
			}
			if got := l.lastOf(tat, epoch, n); !got.Equal(now) {
				t.Fatalf("%v: %d orders end at %v, promised was %v", l, n, now, got)
			}
			if l.until(tat, epoch, now) < n || now.After(epoch) && l.until(tat, epoch, now.Add(-1)) >= n {
				t.Fatalf("%v: %d orders until %v, not %d", l, l.until(tat, epoch, now), now, n)
			}
		}
	}
}

func FuzzParseMassEvent(f *testing.F) {
	f.Add(someIssuer, "short", "03:ab, 0x0F", someSPKI, "2026-11-25T18:00", "a fault")
	f.Add("", "", "zz", "\xff", "2026-11-25T18:00:00+23:59", "\x00")
	f.Add("", "", ":", "0x", "9999-12-31 23:59 UTC", "…")
	f.Fuzz(func(t *testing.T, issuer, profile, serials, spki, deadline, why string) {
		e, err := ParseMassEvent(MassEventForm{issuer, profile, serials, spki, deadline, why}, epoch)
		if err != nil {
			if refused, ok := err.(*Error); !ok || refused.Kind != Invalid || len(refused.Fields) == 0 || refused.Text == "" {
				t.Fatal(err)
			}
			return
		}
		if e.empty() || !e.Deadline.After(e.Since) || !slices.IsSorted(e.Serials) || !slices.IsSorted(e.SPKI) || len(e.Why) > maxWhy {
			t.Fatalf("%+v", e)
		}
		for _, s := range e.Serials {
			if again, ok := serialOf(s); !ok || again != s || len(s)%2 == 1 {
				t.Fatalf("serial %q reads as %q", s, again)
			}
		}
		if start := e.LastStart(); start.After(e.Deadline) || start.Before(e.Since.Truncate(time.Second)) {
			t.Fatalf("spread to %v of %+v", start, e)
		}
	})
}
