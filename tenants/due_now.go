package tenants

import (
	"fmt"
	"time"
)

// atOnce is a verdict for something that happened at t: renew now, without a window.
func (f RenewalFacts) atOnce(t, now time.Time, why Reason, text string) Verdict {
	return Verdict{At: earlier(t, now), Start: t, End: t, NoLater: f.safetyLine(), Reason: why, Text: f.despite(text, t)}
}

// compromised: whoever has the key can be the site, so this goes before everything.
func compromised(f RenewalFacts, now time.Time) (Verdict, bool) {
	if f.Compromised.IsZero() {
		return Verdict{}, false
	}
	with := "a new key"
	if f.Strategy == OwnCSR {
		with = "a new CSR"
	}
	return f.atOnce(f.Compromised, now, KeyCompromised,
		fmt.Sprintf("The key was reported as compromised on %s, so we renew at once with %s, also outside the renewal hours.", f.clock(f.Compromised), with)), true
}

// revoked: clients that ask refuse the version already.
func revoked(f RenewalFacts, now time.Time) (Verdict, bool) {
	if f.Revoked.IsZero() {
		return Verdict{}, false
	}
	return f.atOnce(f.Revoked, now, WasRevoked,
		fmt.Sprintf("We learnt on %s that the certificate is revoked, so we renew at once, also outside the renewal hours.", f.clock(f.Revoked))), true
}

// recalled: the CA's window was over when we heard of it, and before the last third began. After a long silence of ours every
// window is over; such an early one is how a CA says that it is about to revoke.
func recalled(f RenewalFacts, now time.Time) (Verdict, bool) {
	end, heard := f.ARI.End.Truncate(time.Second), f.heard(now)
	usual, part := f.lastPart()
	if !f.sane() || end.After(heard) || !end.Before(usual) {
		return Verdict{}, false
	}
	return f.atOnce(heard, now, Recalled, fmt.Sprintf(
		"%s asked for a renewal by %s, before the last %s of the lifetime, as authorities do before they revoke. So we renew at once, also outside the renewal hours.",
		f.authority(), f.clock(end), part)), true
}

// onRequest: a person asked.
func onRequest(f RenewalFacts, now time.Time) (Verdict, bool) {
	if f.Asked.IsZero() {
		return Verdict{}, false
	}
	by := f.AskedBy
	if by == "" {
		by = "Somebody"
	}
	return f.atOnce(f.Asked, now, OnRequest, fmt.Sprintf("%s asked for it on %s.", by, f.clock(f.Asked))), true
}

// changed: a person changed the settings and waits for what comes of it, hence no spreading.
func changed(f RenewalFacts, now time.Time) (Verdict, bool) {
	if f.Changed.IsZero() {
		return Verdict{}, false
	}
	what := f.Change
	if what == "" {
		what = "settings"
	}
	return f.atOnce(f.Changed, now, SettingsChanged,
		fmt.Sprintf("The %s of this certificate changed on %s, so we renew at once.", what, f.clock(f.Changed))), true
}

// inMassEvent: the operator replaces it with many others. It never makes a renewal wait that comes sooner by itself. One
// that renewal hours could still move to later, past the deadline too, becomes the event's.
func inMassEvent(f RenewalFacts, now time.Time) (Verdict, bool) {
	e := f.Event
	if e.Deadline.IsZero() {
		return Verdict{}, false
	}
	line := f.safetyLine()
	v := Verdict{End: earlier(e.LastStart(), line), NoLater: earlier(e.Deadline, line), Reason: InMassEvent}
	v.Start = earlier(later(e.Since.Truncate(time.Second), f.NotBefore), v.End)
	v.At = f.place(v.Start, v.End)
	if sooner, _ := calm(f, now); sooner.At.Before(v.At) {
		if !sooner.Movable() || !sooner.End.After(v.At) {
			return Verdict{}, false
		}
		v.At = later(sooner.At, v.Start)
	}
	with := ""
	if len(e.SPKI) > 0 {
		with = " with a new key"
	}
	v.Text = f.despite(fmt.Sprintf("The operator has it replaced%s by %s%s, and we chose %s, also outside the renewal hours.",
		with, f.clock(e.Deadline), bracketed(e.Why), f.clock(v.At)), v.At)
	return v, true
}

func bracketed(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}
