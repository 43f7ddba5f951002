package tenants

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"
)

// Reason is why a version is ordered, shared by scheduler, page and tests.
type Reason string

const (
	FirstIssue      Reason = "first"       // there was none
	KeyCompromised  Reason = "compromised" // somebody else may have the key
	WasRevoked      Reason = "revoked"     // the CA revoked it
	Recalled        Reason = "recall"      // the CA's window was over long before any renewal was due: it is about to revoke
	OnRequest       Reason = "request"     // a person asked
	SettingsChanged Reason = "changed"     // a person changed names, issuer, key type or profile
	InMassEvent     Reason = "event"       // the operator replaces many before a deadline
	Overdue         Reason = "overdue"     // past its safety line
	AgainstPolicy   Reason = "policy"      // its key is not, or soon not, what the policy allows
	InWindow        Reason = "ari"         // the CA's own renewal window (RFC 9773)
	AtThreshold     Reason = "threshold"   // the policy's days before the end
	LastThird       Reason = "lifetime"    // the last third (last half under ten days) of the lifetime, or the policy's part
	InRehearsal     Reason = "dry run"     // none will be: a rehearsal at the staging directory
)

// Emergency reports whether the renewal may break the renewal hours and use the share of the budget kept for
// emergencies. Its sentence says so.
func (r Reason) Emergency() bool {
	switch r {
	case KeyCompromised, WasRevoked, Recalled, InMassEvent, Overdue:
		return true
	}
	return false
}

// Wished reports whether somebody wants a renewal whose window begins at start, before the certificate needs one: its last third,
// or half, comes later. Such ones take turns with new names, or one tenant's wishes could use up what all others need.
func (r Reason) Wished(start, notBefore, notAfter time.Time) bool {
	switch r {
	case OnRequest, SettingsChanged, AgainstPolicy:
		return true
	case AtThreshold, LastThird:
		usual, _ := RenewalFacts{NotBefore: notBefore, NotAfter: notAfter}.lastPart()
		return start.Before(usual)
	}
	return false
}

// Spread reports whether renewals of that reason may be spread over hours and slots ([Verdict.Movable] says it of one).
// What a person asked for is neither spread nor an emergency: it goes out at once.
func (r Reason) Spread() bool {
	switch r {
	case AgainstPolicy, InWindow, AtThreshold, LastThird:
		return true
	}
	return false
}

// Verdict is a planned renewal: when, and why then.
type Verdict struct {
	At         time.Time // the chosen instant
	Start, End time.Time // the window it was chosen from
	NoLater    time.Time // the safety line
	Reason     Reason
	Text       string // one sentence that names the window and the instant
}

// Movable reports whether another instant of the window would do as well, for renewal hours and slots with room. What is
// to happen at once, a window of the CA that was over when we heard of it included, is not moved.
func (v Verdict) Movable() bool { return v.Reason.Spread() && v.At.Before(v.End) }

// RenewalFacts is what Due judges.
type RenewalFacts struct {
	ID                  CertificateID
	Serial              string // of the current version, so that each version gets its own place in the window
	NotBefore, NotAfter time.Time
	IssuerName          string
	ARI                 RenewalInfo
	Asked               time.Time // a person asked for it now; zero otherwise
	AskedBy             string
	Compromised         time.Time // the current version's key was reported; zero otherwise
	Revoked             time.Time // the portal learnt that the current version is revoked; zero otherwise
	Changed             time.Time // a person changed what the next version is ordered with; zero otherwise
	Change              string    // what was changed, in words: "names", "key type"
	Event               MassEvent // one that matches the current version; without a deadline there is none
	Policy              Policy
	PolicySince         time.Time   // when the policy took its present form; zero for before this version
	Strategy            KeyStrategy // where the next key comes from
	KeyWanted           KeyType     // what the certificate asks for
	KeyType             KeyType     // of the current version; empty when unknown
	KeyRefused          time.Time   // an authority refused the current version's key for another one; zero otherwise
	KeyCreated          time.Time   // when the current version's key was made; zero when unknown
	PausedUntil         time.Time   // a person holds calm renewals back until then; zero otherwise
	PausedBy            string
}

// rule is one link of the chain: a verdict, or no opinion.
type rule func(RenewalFacts, time.Time) (Verdict, bool)

// Due plans the renewal of a version. It is pure and stable: the same facts give the same instant, on every process
// and after every restart, because the place inside the window comes from a hash of certificate and serial. An
// instant that is not after now means: renew now.
//
// The first rule of the chain that has an opinion decides. But for what happens at once, the instant is never past the
// safety line, one sixth of the lifetime before its end: time for a person to act when renewing fails.
func Due(f RenewalFacts, now time.Time) Verdict {
	return firstOf(f, now, compromised, revoked, recalled, onRequest, changed, inMassEvent, calm)
}

// calm is the chain while nothing presses. A pause holds back only this.
func calm(f RenewalFacts, now time.Time) (Verdict, bool) {
	return f.behindPause(firstOf(f, now, overdue, againstPolicy, usual)), true
}

// usual is the chain for a version that is as it should be. It always has an opinion.
func usual(f RenewalFacts, now time.Time) (Verdict, bool) {
	return firstOf(f, now, inWindow, atThreshold, inPart, inLastPart), true
}

func firstOf(f RenewalFacts, now time.Time, rules ...rule) Verdict {
	for _, rule := range rules {
		if v, ok := rule(f, now); ok {
			return v
		}
	}
	return Verdict{}
}

// overdue: the safety line has passed, whatever else was planned.
func overdue(f RenewalFacts, now time.Time) (Verdict, bool) {
	line := f.safetyLine()
	if !now.After(line) {
		return Verdict{}, false
	}
	start, _ := f.lastPart()
	return Verdict{At: line, Start: start, End: line, NoLater: line, Reason: Overdue,
		Text: fmt.Sprintf("The safety line, %s, has passed, so we renew as soon as we can, also outside the renewal hours.", f.clock(line))}, true
}

// inWindow: the CA said when (RFC 9773, section 4.2). A window that was over when we heard of it is how a CA asks for a
// renewal at once.
func inWindow(f RenewalFacts, now time.Time) (Verdict, bool) {
	if !f.sane() {
		return Verdict{}, false
	}
	line, heard := f.safetyLine(), f.heard(now)
	start, end := f.ARI.Start.Truncate(time.Second), f.ARI.End.Truncate(time.Second)
	v := Verdict{Start: earlier(later(start, f.NotBefore), line), End: earlier(end, line), NoLater: line, Reason: InWindow}
	if !end.After(heard) {
		v.At = earlier(heard, line)
		v.Text = fmt.Sprintf("%s asked for a renewal by %s, so we renew at once, also outside the renewal hours.", f.authority(), f.clock(end))
		return v, true
	}
	where := "inside that window"
	if end.After(line) {
		where = "before our safety line"
	}
	v.At = f.place(v.Start, v.End)
	v.Text = fmt.Sprintf("%s asks for %s, and we chose %s, %s.", f.authority(), span(start, end), f.clock(v.At), where)
	return v, true
}

// inLastPart: neither the CA nor the policy has an opinion.
func inLastPart(f RenewalFacts, _ time.Time) (Verdict, bool) {
	start, part := f.lastPart()
	line := f.safetyLine()
	at := f.place(start, line)
	return Verdict{At: at, Start: start, End: line, NoLater: line, Reason: LastThird,
		Text: fmt.Sprintf("%s names no window, so we chose %s in the last %s of the lifetime.", f.authority(), f.clock(at), part)}, true
}

func (f RenewalFacts) lifetime() time.Duration { return f.NotAfter.Sub(f.NotBefore) }

// safetyLine is the instant after which a failing renewal becomes an alarm: 15 days before the end of 90, one day
// before the end of 6, half a minute before the end of three.
func (f RenewalFacts) safetyLine() time.Time {
	return f.NotAfter.Add(-(f.lifetime() / 6).Truncate(time.Second))
}

// lastPart is where the last third begins; short lifetimes give half, for more tries before the line.
func (f RenewalFacts) lastPart() (start time.Time, part string) {
	if f.lifetime() < 10*24*time.Hour {
		return f.NotAfter.Add(-(f.lifetime() / 2).Truncate(time.Second)), "half"
	}
	return f.NotAfter.Add(-(f.lifetime() / 3).Truncate(time.Second)), "third"
}

// sane reports whether the CA's window says anything. One that ends before the version began would renew for ever; one
// wider than half the lifetime, as CAs with a fixed width give to short lifetimes, would renew what was just issued.
func (f RenewalFacts) sane() bool {
	a := f.ARI
	return !a.Start.IsZero() && a.Start.Before(a.End) && a.Start.Before(f.NotAfter) &&
		a.End.After(f.NotBefore) && a.End.Sub(a.Start) <= f.lifetime()/2
}

// heard is when the CA's answer came, so that the plan does not move with the clock; now when nobody noted it.
func (f RenewalFacts) heard(now time.Time) time.Time {
	if f.ARI.Fetched.IsZero() {
		return now
	}
	return earlier(f.ARI.Fetched, now)
}

// place is this version's own instant in [start, end), on a whole second, uniform over all versions.
func (f RenewalFacts) place(start, end time.Time) time.Time {
	width := end.Sub(start)
	if width <= 0 {
		return end
	}
	sum := sha256.Sum256([]byte(string(f.ID) + "\x00" + f.Serial))
	offset, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), uint64(width))
	return start.Add(time.Duration(offset).Truncate(time.Second))
}

func (f RenewalFacts) authority() string {
	if f.IssuerName == "" {
		return "The authority"
	}
	return f.IssuerName
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// clock is an instant for people, to the minute, or to the second for a lifetime under an hour.
func (f RenewalFacts) clock(t time.Time) string {
	if f.lifetime() < time.Hour {
		return t.UTC().Format("2 Jan 2006, 15:04:05 UTC")
	}
	return t.UTC().Format("2 Jan 2006, 15:04 UTC")
}

// span is a window for people: "20 Jan to 22 Jan 2027", or with times when it lies inside one day.
func span(start, end time.Time) string {
	start, end = start.UTC(), end.UTC()
	switch {
	case end.Sub(start) < time.Hour:
		return start.Format("2 Jan 2006, 15:04:05 to ") + end.Format("15:04:05 UTC")
	case start.Format(time.DateOnly) == end.Format(time.DateOnly):
		return start.Format("2 Jan 2006, 15:04 to ") + end.Format("15:04 UTC")
	case start.Year() == end.Year():
		return start.Format("2 Jan to ") + end.Format("2 Jan 2006")
	}
	return start.Format("2 Jan 2006 to ") + end.Format("2 Jan 2006")
}
