package tenants

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Pause is a person's wish that a certificate is not renewed before an instant. It holds back what is calm; see
// [RenewalFacts].
type Pause struct {
	Until time.Time
	Why   string // in the person's words
}

// PauseForm is a pause as people type it, in UTC. The names in brackets are those of a refusal's Fields.
type PauseForm struct {
	Date string // [until] as in 2027-01-03
	Time string // as in 10:00; empty: midnight
	Why  string // [why]
}

// SafetyLine is the instant after which a failing renewal becomes an alarm, and at which every pause ends.
func (v Version) SafetyLine() time.Time {
	return RenewalFacts{NotBefore: v.NotBefore, NotAfter: v.NotAfter}.safetyLine()
}

// Paused is when the pause of c ends while v is its current version (nil: none), and whether there is one at now. It is the
// instant that a person chose, or the safety line where that comes first.
func (c Certificate) Paused(v *Version, now time.Time) (end time.Time, paused bool) {
	if v == nil || c.PausedUntil.IsZero() {
		return time.Time{}, false
	}
	end = earlier(c.PausedUntil, v.SafetyLine())
	return end, end.After(now)
}

// MayPause says why the renewals of a domain cannot be paused now; nil when they can.
func (f Facts) MayPause(now time.Time) error {
	name, why := f.Domain.Name, ""
	switch {
	case f.Domain.Status == Released || f.Releasing:
		why = fmt.Sprintf("%s was given up, so it is not renewed any more.", name)
	case f.Current == nil:
		why = fmt.Sprintf("There is no certificate for %s yet, so there is no renewal to pause. The first one comes once the record is right.", name)
	case !now.Before(f.Current.NotAfter):
		why = fmt.Sprintf("The certificate for %s has expired. Only another one helps, so its renewal cannot be paused.", name)
	case !now.Before(f.Current.SafetyLine()):
		why = fmt.Sprintf("The safety line of %s, %s, has passed. Its renewal cannot wait any longer.", name, f.RenewalFacts().clock(f.Current.SafetyLine()))
	case f.Order != nil && f.Order.State.Open():
		why = fmt.Sprintf("An order for %s is under way, which a pause does not stop. Follow it on the page of the domain.", name)
	default:
		return nil
	}
	return &Error{Kind: Conflict, Text: why}
}

// ParsePause reads a form for a domain whose renewals may be paused (MayPause). The error is an *Error of kind Invalid that
// names all faults at once, each in Fields under its field's name.
func (f Facts) ParsePause(form PauseForm, now time.Time) (Pause, error) {
	wrong := faults{}
	p := Pause{Until: f.pauseUntil(form, now, wrong), Why: strings.Join(strings.Fields(form.Why), " ")}
	switch n := utf8.RuneCountInString(p.Why); {
	case n == 0:
		wrong["why"] = "The reason is missing. Say in a few words why, for whoever finds the pause later."
	case n > maxWhy:
		wrong["why"] = fmt.Sprintf("The reason has %s characters, and %d is the most. Shorten it.", grouped(n), maxWhy)
	}
	if err := wrong.err(); err != nil {
		return Pause{}, err
	}
	return p, nil
}

func (f Facts) pauseUntil(form PauseForm, now time.Time, wrong faults) time.Time {
	day, clock := strings.TrimSpace(form.Date), strings.TrimSpace(form.Time)
	if clock == "" {
		clock = "00:00"
	}
	until, ok := firstTime(day+" "+clock, deadlineForms)
	line := f.Current.SafetyLine()
	switch {
	case day == "":
		wrong["until"] = "The day is missing. Choose one before the safety line."
	case !ok:
		wrong["until"] = fmt.Sprintf("%s is not an instant. Type day and time in UTC, as in 2027-01-03 and 10:00.", show(day+" "+clock))
	case !until.After(now):
		wrong["until"] = fmt.Sprintf("%s has passed. Choose a time that lies ahead, in UTC.", minute(until))
	case until.After(line):
		wrong["until"] = fmt.Sprintf("A pause ends at the safety line of version %d at the latest, which is %s, %s before the certificate expires. Choose that time or an earlier one.",
			f.Current.Number, f.RenewalFacts().clock(line), inWords(f.Current.NotAfter.Sub(line)))
	}
	return until
}

// inWords is a length of time to the unit that matters.
func inWords(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return counted(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return counted(int(d/time.Hour), "hour")
	}
	return counted(int(d/time.Second), "second")
}

// pauseEnd is where a person's pause ends: at the safety line at the latest. Zero without a pause. It does not depend on the
// clock, so that what a pause moved stays where it is when the pause is over, instead of all coming at once.
func (f RenewalFacts) pauseEnd() time.Time {
	if f.PausedUntil.IsZero() {
		return time.Time{}
	}
	return earlier(f.PausedUntil.Truncate(time.Second), f.safetyLine())
}

// behindPause moves a calm verdict behind the pause. What is to happen at once is not held back: a window of the CA that is
// over is how it asks for a renewal before it revokes.
func (f RenewalFacts) behindPause(v Verdict) Verdict {
	end := f.pauseEnd()
	if !v.Start.Before(end) {
		return v
	}
	if !v.Movable() {
		v.Text = f.despite(v.Text, v.At)
		return v
	}
	v.Start, v.End = end, earlier(later(v.End, end.Add(f.room())), v.NoLater)
	if v.At.Before(end) {
		v.At = f.place(v.Start, v.End)
	}
	v.Text = fmt.Sprintf("%s paused renewals until %s, so the window is %s, and we chose %s.", f.pauser(), f.clock(f.PausedUntil), span(v.Start, v.End), f.clock(v.At))
	return v
}

// despite is the sentence about a renewal at t that no pause holds back.
func (f RenewalFacts) despite(text string, t time.Time) string {
	if !f.pauseEnd().After(t) {
		return text
	}
	return strings.TrimSuffix(text, ".") + fmt.Sprintf(", although %s paused renewals until %s.", f.pauser(), f.clock(f.PausedUntil))
}

func (f RenewalFacts) pauser() string {
	if f.PausedBy == "" {
		return "Somebody"
	}
	return f.PausedBy
}

// HeldBack reports whether a person's pause forbids to order at now for that reason: it was saved after that was decided.
func (f Facts) HeldBack(why Reason, now time.Time) bool {
	if f.Current == nil || !why.Spread() {
		return false
	}
	due := Due(f.RenewalFacts(), now)
	return due.Movable() && due.Start.After(now) && !f.RenewalFacts().pauseEnd().Before(due.Start)
}
