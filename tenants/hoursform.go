package tenants

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HoursForm is renewal hours as a form sends them, every field as it was typed.
type HoursForm struct {
	Days     []string // Mo, Tu, We, Th, Fr, Sa, Su; at least one
	From, To string   // as in 06:00; both empty: the whole day
	Zone     string   // as in Europe/Berlin; empty: UTC
	Freezes  []Freeze // a row without dates is left out
	PerDay   string   // a number from 1; empty: no limit
}

// Form is the form that ParseHours reads as h.
func (h Hours) Form() HoursForm {
	form := HoursForm{From: hhmm(h.From), To: hhmm(h.To), Zone: h.Zone, Freezes: slices.Clone(h.Freezes)}
	for _, d := range weekdays {
		if len(h.Days) == 0 || slices.Contains(h.Days, d.day) {
			form.Days = append(form.Days, d.word)
		}
	}
	if h.From == h.To {
		form.To = "24:00"
	}
	if h.Zone == "" {
		form.Zone = "UTC"
	}
	if h.PerDay > 0 {
		form.PerDay = strconv.Itoa(h.PerDay)
	}
	return form
}

// What ParseHours takes.
const (
	maxFreeze  = 90 // days in a row, so that a plan always finds an open day before a certificate of 90 days ends
	maxFreezes = 50
	maxPerDay  = 1_000_000
)

// ParseHours reads a form. Its error is an *Error of kind Invalid with all faults at once, under the fields "days", "from",
// "to", "zone", "perDay" and, counted as they were sent, "freeze1", "freeze2" and so on.
func ParseHours(form HoursForm) (Hours, error) {
	r := hoursReader{faults: map[string]string{}}
	h := Hours{Days: r.days(form.Days), From: r.minute("from", form.From), To: r.minute("to", form.To), PerDay: r.perDay(form.PerDay)}
	r.halfEmpty(form)
	if h.From == h.To {
		h.From, h.To = 0, 0
	}
	h.Zone, h.location = r.zone(form.Zone)
	h.Freezes = r.freezes(form.Freezes)
	if len(r.faults) == 0 {
		r.never(h, form)
	}
	if n := len(r.faults); n > 0 {
		return Hours{}, &Error{Kind: Invalid, Text: faultCount(n), Fields: r.faults}
	}
	return h, nil
}

func faultCount(n int) string {
	if n == 1 {
		return "1 field needs another answer. Nothing was changed yet."
	}
	return fmt.Sprintf("%d fields need another answer. Nothing was changed yet.", n)
}

// hoursReader gathers what is wrong, a sentence or two per field.
type hoursReader struct{ faults map[string]string }

func (r hoursReader) wrong(field, format string, args ...any) {
	r.faults[field] = fmt.Sprintf(format, args...)
}

// days keeps the order of the week. All seven are none, so that equal hours look equal.
func (r hoursReader) days(typed []string) (days []time.Weekday) {
	for _, d := range weekdays {
		if slices.ContainsFunc(typed, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), d.word) }) {
			days = append(days, d.day)
		}
	}
	switch len(days) {
	case 0:
		r.wrong("days", "No day is chosen. Choose at least one day on which we may renew.")
	case 7:
		return nil
	}
	return days
}

// minute also takes 24:00, the midnight that ends a day.
func (r hoursReader) minute(field, typed string) int {
	typed = strings.TrimSpace(typed)
	if typed == "" || typed == "24:00" {
		return 0
	}
	t, err := time.Parse("15:04", typed)
	if err != nil {
		r.wrong(field, "%s is not a time of day. Type hours and minutes, as in 06:00.", show(typed))
	}
	return t.Hour()*60 + t.Minute()
}

func (r hoursReader) halfEmpty(form HoursForm) {
	from, to := strings.TrimSpace(form.From), strings.TrimSpace(form.To)
	switch {
	case from == "" && to != "":
		r.wrong("from", "The hours end but do not begin. Type when they begin, as in 06:00, or leave both empty for the whole day.")
	case from != "" && to == "":
		r.wrong("to", "The hours begin but do not end. Type when they end, as in 12:00, or leave both empty for the whole day.")
	}
}

// zone refuses what is the machine's own: Local and localtime mean something else on each, and right/… are clocks that
// count leap seconds.
func (r hoursReader) zone(typed string) (string, *time.Location) {
	typed = strings.TrimSpace(typed)
	if typed == "" || typed == "UTC" {
		return "", time.UTC
	}
	zone, err := time.LoadLocation(typed)
	area, _, _ := strings.Cut(typed, "/")
	if err != nil || slices.Contains([]string{"Local", "localtime", "posixrules", "posix", "right"}, area) {
		r.wrong("zone", "There is no time zone %s. Type a region and a city, as in Europe/Berlin, or UTC.", show(typed))
	}
	return typed, zone
}

func (r hoursReader) perDay(typed string) int {
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return 0
	}
	n, err := strconv.Atoi(typed)
	if err != nil || n < 1 || n > maxPerDay {
		r.wrong("perDay", "%s is not a number of renewals. Type a whole number from 1 to %s, or leave it empty for no limit.", show(typed), grouped(maxPerDay))
	}
	return n
}

func (r hoursReader) freezes(typed []Freeze) (all []Freeze) {
	for i, f := range typed {
		field := fmt.Sprintf("freeze%d", i+1)
		f = Freeze{strings.TrimSpace(f.First), strings.TrimSpace(f.Last), strings.TrimSpace(f.Why)}
		switch {
		case f.First == "" && f.Last == "":
			continue
		case len(all) == maxFreezes:
			r.wrong(field, "We keep %d freezes. Remove one that is over.", maxFreezes)
			return all
		}
		if wrong := f.fault(); wrong != "" {
			r.wrong(field, "%s", wrong)
		}
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b Freeze) int { return strings.Compare(a.First, b.First) })
	return all
}

func (f Freeze) fault() string {
	for _, date := range []string{f.First, f.Last} {
		if day, err := time.Parse(time.DateOnly, date); date != "" && (err != nil || day.Year() < 2000 || day.Year() > 2200) {
			return fmt.Sprintf("%s is not a day. Type year, month and day, as in 2026-12-19.", show(date))
		}
	}
	s, ok := f.span()
	switch days := int(s.End.Sub(s.Start) / (24 * time.Hour)); {
	case f.First == "":
		return "The freeze does not begin. Type its first day, as in 2026-12-19."
	case f.Last == "":
		return "The freeze does not end. Type its last day, as in 2027-01-03."
	case !ok:
		return fmt.Sprintf("The freeze ends on %s, before it begins. Type a last day that is not before %s.", dayWords(f.Last), dayWords(f.First))
	case days > maxFreeze:
		return fmt.Sprintf("The freeze lasts %d days, and %d in a row is the most. Type an earlier last day.", days, maxFreeze)
	case f.Why != show(f.Why):
		return "The reason is too long or has signs that nobody can see. Type at most 40 characters."
	}
	return ""
}

// never finds freezes that together leave no open minute, one after the other or with closed days between them. A week
// more than the longest freeze is what an ordinary one takes from a single open day a week.
func (r hoursReader) never(h Hours, form HoursForm) {
	for i, f := range form.Freezes {
		f.First = strings.TrimSpace(f.First)
		start, err := time.ParseInLocation(time.DateOnly, f.First, h.zone())
		if err == nil && len(h.Open(start, start.AddDate(0, 0, maxFreeze+8))) == 0 {
			r.wrong(fmt.Sprintf("freeze%d", i+1), "From %s on, these settings leave no open minute for more than %d days. Shorten a freeze or choose more days.",
				dayWords(f.First), maxFreeze)
		}
	}
}
