package tenants

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A pause moves what is calm behind its end and nothing else, for any facts.
func TestPauseHoldsForAnyFacts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	moved := 0
	for range 20_000 {
		f, now := anyFacts(r)
		f.PausedUntil, f.PausedBy = time.Time{}, "ann@acme.example"
		free := Due(f, now)
		f.PausedUntil = epoch.Add(time.Duration(r.Int64N(int64(f.lifetime()))))
		v, end := Due(f, now), f.pauseEnd()
		switch {
		case free.Movable() && v.Reason != InMassEvent:
			if v.At.Before(end) || v.Reason != free.Reason || v.At.Before(free.Start) || v.At.After(f.safetyLine()) {
				t.Fatalf("paused until %v: %+v becomes %+v", end, free, v)
			}
			if !free.At.Before(end) && !v.At.Equal(free.At) {
				t.Fatalf("moved from %v although the pause ends at %v", free.At, end)
			}
			if !v.At.Equal(free.At) {
				moved++
			}
		case free.Reason == InMassEvent: // a calm renewal that would have come sooner waits, the event's own place does not
			if v.At.Before(free.At) || v.At.After(free.End) {
				t.Fatalf("paused until %v: %+v becomes %+v", end, free, v)
			}
		case !free.Movable() && !v.At.Equal(free.At):
			t.Fatalf("%s at %v waits until %v", free.Reason, free.At, v.At)
		}
		from := v.At
		if !v.Reason.Spread() && v.Reason != InMassEvent {
			from = v.Start // when it happened
		}
		if from.Before(end) != strings.Contains(v.Text, "although ann@acme.example paused renewals until") && v.Reason != Overdue {
			t.Fatalf("%s at %v, paused until %v: %q", v.Reason, v.At, end, v.Text)
		}
	}
	if moved < 1000 {
		t.Errorf("only %d were moved", moved)
	}
}

func TestParsePause(t *testing.T) {
	f := certifiedAt(30 * 24 * time.Hour)
	f.Current.Number = 7
	line := f.Current.SafetyLine()
	form := func(at time.Time) PauseForm {
		return PauseForm{Date: at.Format(time.DateOnly), Time: at.Format("15:04"), Why: "freeze"}
	}
	for _, c := range []struct {
		name, field, sentence string
		form                  PauseForm
	}{
		{"at the line", "", "", form(line)},
		{"a minute later", "until", "A pause ends at the safety line of version 7 at the latest, which is 7 Jan 2027, 12:00 UTC, 15 days before the certificate expires. Choose that time or an earlier one.", form(line.Add(time.Minute))},
		{"now", "until", "23 Nov 2026, 12:00 UTC has passed. Choose a time that lies ahead, in UTC.", form(noon)},
		{"no day", "until", "The day is missing. Choose one before the safety line.", PauseForm{Why: "x"}},
		{"no day of the calendar", "until", "2026-02-31 00:00 is not an instant. Type day and time in UTC, as in 2027-01-03 and 10:00.", PauseForm{Date: "2026-02-31", Why: "x"}},
		{"no reason", "why", "The reason is missing. Say in a few words why, for whoever finds the pause later.", PauseForm{Date: "2026-12-01", Why: " \n"}},
		{"a long reason", "why", "The reason has 1,000 characters, and 200 is the most. Shorten it.", PauseForm{Date: "2026-12-01", Why: strings.Repeat("x", 1000)}},
	} {
		_, err := f.ParsePause(c.form, noon)
		if c.field == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		e, ok := err.(*Error)
		if !ok || e.Fields[c.field] != c.sentence || len(e.Fields) != 1 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestMayPause(t *testing.T) {
	for want, change := range map[string]func(*Facts){
		"":                            func(*Facts) {},
		"was given up":                func(f *Facts) { f.Releasing = true },
		"no certificate":              func(f *Facts) { f.Current = nil },
		"has expired":                 func(f *Facts) { f.Current.NotAfter = noon },
		"cannot wait any longer":      func(f *Facts) { f.Current.NotAfter = noon.Add(24 * time.Hour) },
		"which a pause does not stop": func(f *Facts) { f.Order = &Order{State: Ready} },
	} {
		f := certifiedAt(30 * 24 * time.Hour)
		change(&f)
		err := f.MayPause(noon)
		if want == "" && err != nil || want != "" && (KindOf(err) != Conflict || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
