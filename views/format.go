package views

import (
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// Dates and times are UTC everywhere; pages say so once per block.

func day(t time.Time) string      { return t.UTC().Format("2 Jan 2006") }
func shortDay(t time.Time) string { return t.UTC().Format("2 Jan") }
func year(t time.Time) string     { return t.UTC().Format(" 2006") }
func longDay(t time.Time) string  { return t.UTC().Format("Mon 2 January 2006") }
func minute(t time.Time) string   { return t.UTC().Format("15:04") }
func clock(t time.Time) string    { return t.UTC().Format("15:04:05") }
func stamp(t time.Time) string    { return t.UTC().Format("2 Jan 2006, 15:04") }
func machine(t time.Time) string  { return t.UTC().Format(time.RFC3339) }

// exact is an instant in full, for "planned renewal": seconds only where the lifetime is so short that they count.
func exact(t time.Time, near bool) string {
	if near {
		return t.UTC().Format("Mon 2 Jan 2006, 15:04:05 UTC")
	}
	return t.UTC().Format("Mon 2 Jan 2006, 15:04 UTC")
}

// moment is an instant beside now: the time on the same day, else the date.
func moment(now, t time.Time) string {
	if sameDay(now, t) {
		return clock(t)
	}
	return shortDay(t) + ", " + minute(t)
}

// today is an instant in a feed: "today 12:02:11" or "21 Nov, 12:02".
func today(now, t time.Time) string {
	if sameDay(now, t) {
		return "today " + clock(t)
	}
	return moment(now, t)
}

// date is an instant without a preposition: "21 Jan", "13:05 UTC" when a time alone cannot be misread.
func date(now, t time.Time) string {
	if soonOrToday(now, t) {
		return minute(t) + " UTC"
	}
	if t.UTC().Year() != now.UTC().Year() {
		return day(t)
	}
	return shortDay(t)
}

// when is a date in a sentence: "on 21 Jan", "at 13:05 UTC".
func when(now, t time.Time) string {
	if soonOrToday(now, t) {
		return "at " + date(now, t)
	}
	return "on " + date(now, t)
}

func soonOrToday(now, t time.Time) bool { return sameDay(now, t) || abs(t.Sub(now)) < 12*time.Hour }

// markDay is the date at a mark in a picture whose axis spans d.
func markDay(t time.Time, d time.Duration) string {
	if d < 36*time.Hour {
		return minute(t)
	}
	return shortDay(t)
}

// relative says how far t is from now: "in 5 days", "3 days ago", "in 4 minutes".
func relative(now, t time.Time) string {
	d := t.Sub(now)
	if abs(d) < time.Second {
		return "now"
	}
	words := roughly(now, t)
	if d < 0 {
		return words + " ago"
	}
	return "in " + words
}

// roughly is the distance between two instants in one unit. From two days on it counts calendar days, as people
// do with a date before their eyes.
func roughly(a, b time.Time) string {
	d := abs(b.Sub(a))
	switch {
	case d < time.Minute:
		return plural(round(d, time.Second), "second")
	case d < time.Hour:
		return plural(round(d, time.Minute), "minute")
	case d < 2*day1:
		return plural(round(d, time.Hour), "hour")
	default:
		return plural(daysBetween(a, b), "day")
	}
}

// length is a span of time in one unit: "90 days", "20 minutes".
func length(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return plural(round(d, time.Second), "second")
	case d < 2*time.Hour && d != time.Hour:
		return plural(round(d, time.Minute), "minute")
	case d < 2*day1:
		return plural(round(d, time.Hour), "hour")
	default:
		return plural(round(d, day1), "day")
	}
}

// took is how long something took, short: "0.4 s", "28 s", "3 min 12 s", "3 h 22 min", "5 d 2 h".
func took(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return strconv.FormatFloat(max(0, d.Seconds()), 'f', 1, 64) + " s"
	case d < time.Minute:
		return strconv.Itoa(round(d, time.Second)) + " s"
	case d < time.Hour:
		return pair(d, time.Minute, " min", time.Second, " s")
	case d < 2*day1:
		return pair(d, time.Hour, " h", time.Minute, " min")
	default:
		return pair(d, day1, " d", time.Hour, " h")
	}
}

func pair(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	d = d.Round(small)
	s := strconv.Itoa(int(d/big)) + bigName
	if rest := int(d % big / small); rest > 0 {
		s += " " + strconv.Itoa(rest) + smallName
	}
	return s
}

func daysBetween(a, b time.Time) int {
	const day = 24 * time.Hour
	return int(abs(b.UTC().Truncate(day).Sub(a.UTC().Truncate(day))) / day)
}

func sameDay(a, b time.Time) bool { return daysBetween(a, b) == 0 }

func round(d, unit time.Duration) int { return int(math.Round(float64(d) / float64(unit))) }

func abs(d time.Duration) time.Duration {
	if d < 0 {
		return -d
	}
	return d
}

// number groups thousands: 1,204.
func number[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is a count with its noun: "1 domain", "1,204 domains".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// small numbers stand as words at the beginning of a sentence or inside it.
func small(n int) string {
	words := [...]string{"no", "one", "two", "three", "four", "five"}
	if n >= 0 && n < len(words) {
		return words[n]
	}
	return number(n)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// readable is the form of an internationalised name; empty when the name has only one form.
func readable(name string) string {
	if !strings.Contains(name, "xn--") {
		return ""
	}
	u, err := idna.Display.ToUnicode(name)
	if err != nil || u == name {
		return ""
	}
	return u
}

// shortHex shortens a serial or a hash for a table: "049c1f … 7aa2".
func shortHex(s string) string {
	if len(s) <= 12 {
		return s
	}
	return s[:6] + " … " + s[len(s)-4:]
}

// colons writes hexadecimal in pairs, as certificate tools print it.
func colons(s string) string {
	if len(s)%2 == 1 {
		s = "0" + s
	}
	var b strings.Builder
	for i := 0; i < len(s); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(s[i : i+2])
	}
	return b.String()
}

// percent writes a share of a width for SVG: at most two decimals, never outside the picture. It counts in hundredths,
// because a page has hundreds of these and the shortest decimal of a float is dear.
func percent(share float64) string {
	n := int64(math.Round(min(max(share, 0), 1) * 10000))
	b := strconv.AppendInt(make([]byte, 0, 8), n/100, 10)
	if part := byte(n % 100); part > 0 {
		b = append(b, '.', '0'+part/10)
		if part%10 > 0 {
			b = append(b, '0'+part%10)
		}
	}
	return string(append(b, '%'))
}

// px writes a length in pixels.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }
