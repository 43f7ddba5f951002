package tenants

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// MassEvent is the operator's order to replace many certificates before a deadline, as after a fault of an authority. Issuer
// and Profile narrow it; so do Serials and SPKI, of which one has to match when any are given.
type MassEvent struct {
	ID       EventID   // empty before it is started
	Issuer   IssuerID  // empty: any
	Profile  string    // the ACME profile that the version was ordered with; empty: any
	Serials  []string  // lower-case hex as in [Version], sorted
	SPKI     []string  // SHA-256 of the public key, lower-case hex, sorted; the next version needs a new key
	Since    time.Time // what was issued later is not replaced again
	Deadline time.Time
	Why      string // for people, part of a sentence; may be empty
}

// Matches reports whether the event replaces v, the current version of its certificate. A version that was issued since the event began
// is a replacement already.
func (e MassEvent) Matches(v Version) bool {
	if e.empty() || v.Issued.After(e.Since) {
		return false
	}
	return (e.Issuer == "" || e.Issuer == v.IssuerID) && (e.Profile == "" || e.Profile == v.Profile) &&
		(len(e.Serials)+len(e.SPKI) == 0 || has(e.Serials, v.Serial) || has(e.SPKI, v.SPKI))
}

// empty: nothing was chosen, which matches nothing rather than everything.
func (e MassEvent) empty() bool {
	return e.Issuer == "" && e.Profile == "" && len(e.Serials)+len(e.SPKI) == 0
}

func has(sorted []string, s string) bool {
	_, found := slices.BinarySearch(sorted, s)
	return found
}

// LastStart is the end of the spread over the event's time: the last sixth before the deadline is left for further tries, as before expiry.
func (e MassEvent) LastStart() time.Time {
	return e.Deadline.Add(-max(0, e.Deadline.Sub(e.Since)/6)).Truncate(time.Second)
}

// MassEventForm is an event as the operator types it. The names in brackets are those of a refusal's Fields.
type MassEventForm struct {
	Issuer   string // [issuer] an IssuerID
	Profile  string
	Serials  string // [serials] hex, with or without colons, between spaces, commas or on lines of their own
	SPKI     string // [spki] 64 hex digits each, or the same 32 octets in base64
	Deadline string // [deadline] in UTC: "2026-11-25 18:00", also as browsers send it
	Why      string // [why]
}

const (
	maxSerialDigits = 40 // 20 octets (RFC 5280, section 4.1.2.2)
	maxListed       = 10_000
	maxWhy          = 200
	maxNotice       = 365 * 24 * time.Hour // later than that the year is a typing error
)

// ParseMassEvent reads a form; the event begins at now. The error is an *Error of kind Invalid that names all faults at
// once, each in Fields under its field's name.
func ParseMassEvent(f MassEventForm, now time.Time) (MassEvent, error) {
	wrong := faults{}
	e := MassEvent{
		Issuer:   f.issuer(wrong),
		Profile:  strings.TrimSpace(f.Profile),
		Serials:  hexList(f.Serials, "serials", serialOf, "Type serial numbers of up to 40 hex digits", wrong),
		SPKI:     hexList(f.SPKI, "spki", spkiOf, "Type the SHA-256 of public keys, 64 hex digits or 44 signs of base64 each", wrong),
		Since:    now.UTC(),
		Deadline: f.deadline(now, wrong),
		Why:      f.why(wrong),
	}
	if e.empty() && wrong["issuer"]+wrong["serials"]+wrong["spki"] == "" {
		wrong["issuer"] = "Nothing is chosen. Choose an authority or a profile, or list serial numbers or keys."
	}
	if err := wrong.err(); err != nil {
		return MassEvent{}, err
	}
	return e, nil
}

func (f MassEventForm) issuer(wrong faults) IssuerID {
	typed := strings.TrimSpace(f.Issuer)
	id, ok := ParseID[IssuerID](typed)
	if typed != "" && !ok {
		wrong["issuer"] = fmt.Sprintf("%s is no authority of this portal. Choose one of the list.", show(typed))
	}
	return id
}

// hexList reads a list, each item by one. The list comes sorted, each item once.
func hexList(typed, field string, one func(string) (string, bool), advice string, wrong faults) []string {
	items := strings.FieldsFunc(typed, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
	if len(items) > maxListed {
		wrong[field] = fmt.Sprintf("These are %s, and one event takes %s. Divide the list.", grouped(len(items)), grouped(maxListed))
		return nil
	}
	var good, bad []string
	for _, item := range items {
		if digits, ok := one(item); ok {
			good = append(good, digits)
		} else {
			bad = append(bad, show(item))
		}
	}
	if len(bad) > 0 {
		wrong[field] = fmt.Sprintf("The list holds %s. %s.", list(bad), advice)
	}
	slices.Sort(good)
	return slices.Compact(good)
}

// serialOf is a serial number as [Version] keeps it: whole bytes without zeros in front.
func serialOf(typed string) (string, bool) {
	digits, ok := hexDigits(typed)
	digits = strings.TrimLeft(digits, "0")
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	return digits, ok && digits != "" && len(digits) <= maxSerialDigits
}

// spkiOf takes what openssl and browsers print, and what pins are written in (RFC 7469, section 2.4).
func spkiOf(typed string) (string, bool) {
	if b, err := base64.StdEncoding.DecodeString(typed); err == nil && len(b) == 32 {
		return hex.EncodeToString(b), true
	}
	digits, ok := hexDigits(typed)
	return digits, ok && len(digits) == 64
}

func hexDigits(typed string) (digits string, ok bool) {
	digits = strings.TrimPrefix(strings.ToLower(strings.ReplaceAll(typed, ":", "")), "0x")
	return digits, strings.Trim(digits, "0123456789abcdef") == ""
}

// deadlineForms are what browsers send, what people type, and what authorities write.
var deadlineForms = []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339}

func (f MassEventForm) deadline(now time.Time, wrong faults) time.Time {
	typed := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(f.Deadline), "UTC"))
	t, ok := firstTime(typed, deadlineForms)
	switch {
	case typed == "":
		wrong["deadline"] = "The deadline is missing. Type it in UTC, as in 2026-11-25 18:00."
	case !ok:
		wrong["deadline"] = fmt.Sprintf("%s is not an instant. Type it in UTC, as in 2026-11-25 18:00.", show(typed))
	case !t.After(now):
		wrong["deadline"] = fmt.Sprintf("%s has passed. Type a deadline that lies ahead, in UTC.", minute(t))
	case t.Sub(now) > maxNotice:
		wrong["deadline"] = fmt.Sprintf("%s is more than a year away. Check the year.", minute(t))
	}
	return t
}

func firstTime(typed string, forms []string) (time.Time, bool) {
	for _, form := range forms {
		if t, err := time.Parse(form, typed); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func (f MassEventForm) why(wrong faults) string {
	why := strings.TrimRight(strings.Join(strings.Fields(f.Why), " "), ".!")
	if len(why) > maxWhy {
		wrong["why"] = fmt.Sprintf("The reason has %s bytes, and %d are possible. Say it shorter.", grouped(len(why)), maxWhy)
	}
	return why
}

// EventCounts is what a search over all tenants found of an event.
type EventCounts struct {
	Certificates int // that match
	Tenants      int // whose they are
	Charged      int // whose orders spend from the authority's limit; the others are exempt
}

// EventBudget is one authority's part of an event: how many orders spend from its account's limit, and the limit's bucket
// (see [Limit]).
type EventBudget struct {
	Charged int
	Limit   Limit
	TAT     time.Time
}

// LastOrder is when the last of the charged orders can go out, one by one as soon as the limit lets them.
func (b EventBudget) LastOrder(now time.Time) time.Time { return b.Limit.lastOf(b.TAT, now, b.Charged) }

// DryRun is what an event would do.
type DryRun struct {
	EventCounts
	Last    time.Time // when the last order goes out; zero when nothing matches
	Late    int       // charged orders that the limit allows only after the deadline
	Text    string    // what would happen, in sentences
	Warning string    // empty when all can be replaced before the deadline
}

// DryRun tells what the event would do, given what matches and the budgets of the authorities that it falls to. Orders are
// spread over the event's time and wait for the limits; it counts on nobody else's spending.
func (e MassEvent) DryRun(c EventCounts, budgets []EventBudget, now time.Time) DryRun {
	r := DryRun{EventCounts: c}
	if c.Certificates == 0 {
		r.Text = "No certificate matches, so nothing would be replaced."
		return r
	}
	r.Last = e.LastStart()
	for _, b := range budgets {
		r.Last = later(r.Last, b.LastOrder(now))
		r.Late += max(0, b.Charged-b.Limit.until(b.TAT, now, e.Deadline))
	}
	r.Text = fmt.Sprintf("Replaces %s of %s. %s; the last order goes out on %s, %s.", counted(c.Certificates, "certificate"),
		counted(c.Tenants, "tenant"), costs(c.Charged), minute(r.Last), e.margin(r.Last))
	if r.Late > 0 {
		r.Warning = fmt.Sprintf("This cannot end before the deadline: the limit allows %s only after it. Ask the authority for a higher limit, or begin with fewer.", counted(r.Late, "order"))
	}
	return r
}

// margin is how far before the deadline t lies, or after it.
func (e MassEvent) margin(t time.Time) string {
	switch d := e.Deadline.Sub(t); {
	case d > 0:
		return apart(d) + " before the deadline"
	case d < 0:
		return apart(-d) + " after the deadline"
	}
	return "at the deadline"
}

// lastOf is the instant of the last of n orders that go out one by one, as soon as the bucket lets them.
func (l Limit) lastOf(tat, now time.Time, n int) time.Time {
	if l.Unlimited() || n <= 0 {
		return now
	}
	n = min(n, int(math.MaxInt64/l.Every())) // some centuries
	return later(now, later(tat, now).Add(time.Duration(n)*l.Every()-l.full()))
}

// until is how many orders can go out one by one from now to end.
func (l Limit) until(tat, now, end time.Time) int {
	if l.Unlimited() {
		return math.MaxInt
	}
	return max(0, int((end.Sub(later(tat, now))+l.full())/l.Every()))
}

func costs(charged int) string {
	switch charged {
	case 0:
		return "None costs budget"
	case 1:
		return "1 costs budget"
	}
	return grouped(charged) + " cost budget"
}

func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(n) + " " + noun
}

// minute is an instant for people, to the minute.
func minute(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// apart is a length of time for people, in its largest unit and rounded down: "3 h", "2 days".
func apart(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
