package tenants

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func mustHours(t testing.TB, form HoursForm) Hours {
	t.Helper()
	h, err := ParseHours(form)
	if err != nil {
		t.Fatalf("%+v: %v %v", form, err, err.(*Error).Fields)
	}
	return h
}

var everyDay = []string{"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// openText is what is open, for tables: "12-07 06:00 12-07 12:00".
func openText(spans []Span) (all []string) {
	for _, s := range spans {
		all = append(all, s.Start.Format("01-02 15:04 ")+s.End.Format("01-02 15:04"))
	}
	return all
}

func TestHoursOpen(t *testing.T) {
	for _, c := range []struct {
		name       string
		form       HoursForm
		start, end string
		want       []string
	}{
		{"any time", HoursForm{Days: everyDay}, "2026-12-07 03:04", "2026-12-09 05:06", []string{"12-07 03:04 12-09 05:06"}},
		{"office hours", HoursForm{Days: []string{"Mo", "Tu"}, From: "06:00", To: "12:00"}, "2026-12-07 07:00", "2026-12-14 07:00",
			[]string{"12-07 07:00 12-07 12:00", "12-08 06:00 12-08 12:00", "12-14 06:00 12-14 07:00"}},
		{"whole days become one", HoursForm{Days: []string{"Mo", "Tu"}}, "2026-12-06 00:00", "2026-12-10 00:00", []string{"12-07 00:00 12-09 00:00"}},
		{"equal times are the whole day", HoursForm{Days: []string{"Mo"}, From: "06:00", To: "06:00"}, "2026-12-06 00:00", "2026-12-10 00:00", []string{"12-07 00:00 12-08 00:00"}},
		{"across midnight", HoursForm{Days: []string{"Su"}, From: "22:00", To: "04:00"}, "2026-12-07 01:00", "2026-12-14 01:00",
			[]string{"12-07 01:00 12-07 04:00", "12-13 22:00 12-14 01:00"}},
		{"until midnight", HoursForm{Days: []string{"Su"}, From: "22:00", To: "24:00"}, "2026-12-06 00:00", "2026-12-08 00:00", []string{"12-06 22:00 12-07 00:00"}},
		{"east of Greenwich", HoursForm{Days: []string{"Mo"}, From: "01:00", To: "03:00", Zone: "Asia/Kolkata"}, "2026-12-06 00:00", "2026-12-08 00:00",
			[]string{"12-06 19:30 12-06 21:30"}},
		{"a freeze cuts a night", HoursForm{Days: everyDay, From: "22:00", To: "04:00", Freezes: []Freeze{{First: "2026-12-08", Last: "2026-12-08"}}},
			"2026-12-07 12:00", "2026-12-09 12:00", []string{"12-07 22:00 12-08 00:00", "12-09 00:00 12-09 04:00"}},
		{"all frozen", HoursForm{Days: everyDay, Freezes: []Freeze{{First: "2026-12-08", Last: "2027-01-03"}}}, "2026-12-08 00:00", "2027-01-04 00:00", nil},
		// Berlin, 28 Mar 2027: 02:00 becomes 03:00. 25 Oct 2026: 03:00 becomes 02:00.
		{"hours that do not exist", HoursForm{Days: everyDay, From: "02:00", To: "03:00", Zone: "Europe/Berlin"}, "2027-03-27 00:00", "2027-03-30 00:00",
			[]string{"03-27 01:00 03-27 02:00", "03-29 00:00 03-29 01:00"}},
		{"half of it does not exist", HoursForm{Days: everyDay, From: "02:30", To: "03:30", Zone: "Europe/Berlin"}, "2027-03-28 00:00", "2027-03-28 12:00",
			[]string{"03-28 01:00 03-28 01:30"}},
		{"hours that exist twice", HoursForm{Days: everyDay, From: "02:00", To: "03:00", Zone: "Europe/Berlin"}, "2026-10-24 12:00", "2026-10-25 12:00",
			[]string{"10-25 00:00 10-25 02:00"}},
		{"the end exists twice", HoursForm{Days: everyDay, From: "01:00", To: "02:30", Zone: "Europe/Berlin"}, "2026-10-24 12:00", "2026-10-25 12:00",
			[]string{"10-24 23:00 10-25 00:30", "10-25 01:00 10-25 01:30"}},
		{"the night of the change is longer", HoursForm{Days: []string{"Sa"}, From: "22:00", To: "04:00", Zone: "Europe/Berlin"}, "2026-10-24 12:00", "2026-10-25 12:00",
			[]string{"10-24 20:00 10-25 03:00"}},
		{"a frozen day of 23 hours", HoursForm{Days: everyDay, Zone: "Europe/Berlin", Freezes: []Freeze{{First: "2027-03-28", Last: "2027-03-28"}}},
			"2027-03-27 12:00", "2027-03-29 12:00", []string{"03-27 12:00 03-27 23:00", "03-28 22:00 03-29 12:00"}},
		{"nothing to look at", HoursForm{Days: everyDay}, "2026-12-08 00:00", "2026-12-07 00:00", nil},
	} {
		h := mustHours(t, c.form)
		if got := openText(h.Open(instant(t, c.start), instant(t, c.end))); !slices.Equal(got, c.want) {
			t.Errorf("%s (%s): %q, want %q", c.name, h, got, c.want)
		}
	}
}

// A minute is open exactly when the clock on the wall shows a time inside the hours.
func TestHoursOpenIsTheClockOnTheWall(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	zones := []string{"", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "Africa/Casablanca"}
	starts := []string{"2026-10-20 00:00", "2027-03-10 05:17", "2026-03-25 00:00", "2018-10-30 00:00", "2027-02-01 00:00"}
	for range 150 {
		h := someHours(random, zones[random.IntN(len(zones))])
		start := instant(t, starts[random.IntN(len(starts))])
		first := start.AddDate(0, 0, random.IntN(8))
		h.Freezes = []Freeze{{First: first.Format(time.DateOnly), Last: first.AddDate(0, 0, random.IntN(3)).Format(time.DateOnly)}}
		end := start.AddDate(0, 0, 8)
		open := h.Open(start, end)
		checkSpans(t, open, start, end)
		for at := start; at.Before(end); at = at.Add(7 * time.Minute) {
			in := slices.ContainsFunc(open, func(s Span) bool { return s.Contains(at) })
			if in != onTheWall(h, at) {
				t.Fatalf("%s: %v is open: %v", h, at.In(h.zone()), in)
			}
		}
	}
}

func someHours(random *rand.Rand, zone string) Hours {
	h := Hours{From: random.IntN(1440), To: random.IntN(1440), Zone: zone}
	h.location = h.zone()
	for d := range time.Weekday(7) {
		if random.IntN(2) == 0 {
			h.Days = append(h.Days, d)
		}
	}
	return h
}

// onTheWall is the definition of Open for one instant.
func onTheWall(h Hours, at time.Time) bool {
	local := at.In(h.zone())
	for _, f := range h.Freezes {
		if today := local.Format(time.DateOnly); f.First <= today && today <= f.Last {
			return false
		}
	}
	minute := local.Hour()*60 + local.Minute()
	on := func(d time.Weekday) bool { return len(h.Days) == 0 || slices.Contains(h.Days, d) }
	today, yesterday := on(local.Weekday()), on((local.Weekday()+6)%7)
	switch {
	case h.From == h.To:
		return today
	case h.From < h.To:
		return today && h.From <= minute && minute < h.To
	}
	return today && minute >= h.From || yesterday && minute < h.To
}

func checkSpans(t testing.TB, open []Span, start, end time.Time) {
	t.Helper()
	for i, s := range open {
		if !s.Start.Before(s.End) || s.Start.Before(start) || s.End.After(end) || s.Start.Location() != time.UTC || i > 0 && !open[i-1].End.Before(s.Start) {
			t.Fatalf("%v inside %v to %v", open, start, end)
		}
	}
}

func TestZeroHoursAllowEverything(t *testing.T) {
	start := instant(t, "2026-12-07 03:04")
	if open := (Hours{}).Open(start, start.AddDate(0, 0, 60)); len(open) != 1 || !open[0].Start.Equal(start) || !open[0].End.Equal(start.AddDate(0, 0, 60)) {
		t.Errorf("%v", open)
	}
	if text, err := json.Marshal(Hours{}); err != nil || string(text) != "{}" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestHoursWords(t *testing.T) {
	for want, form := range map[string]HoursForm{
		"at any time":                                       {Days: everyDay},
		"Mo to Th, 06:00 to 12:00 UTC":                      {Days: []string{"Th", "we", " Tu", "Mo"}, From: "6:00", To: "12:00"},
		"every day, 22:00 to 00:00 Europe/Berlin":           {Days: everyDay, From: "22:00", To: "24:00", Zone: "Europe/Berlin"},
		"Mo, Tu, Th and Su, all day, UTC, at most 18 a day": {Days: []string{"Mo", "Tu", "Th", "Su"}, PerDay: "18"},
		"Mo and We to Fr, all day, UTC":                     {Days: []string{"Mo", "We", "Th", "Fr"}, Zone: "UTC"},
		"at any time, not from 19 Dec 2026 to 3 Jan 2027 (Christmas), not on 1 May 2027": {Days: everyDay,
			Freezes: []Freeze{{"2027-05-01", "2027-05-01", ""}, {}, {"2026-12-19", "2027-01-03", "Christmas"}}},
	} {
		h := mustHours(t, form)
		if h.String() != want {
			t.Errorf("%q, want %q", h, want)
		}
		text, err := json.Marshal(h)
		var again Hours
		if err != nil || json.Unmarshal(text, &again) != nil || !reflect.DeepEqual(again.Freezes, h.Freezes) || again.String() != want {
			t.Errorf("%s comes back from the store as %q, %v", want, again, err)
		}
	}
}

func TestParseHoursFaults(t *testing.T) {
	good := func(change func(*HoursForm)) HoursForm {
		f := HoursForm{Days: []string{"Mo"}, From: "06:00", To: "12:00", Zone: "Europe/Berlin", PerDay: "18"}
		change(&f)
		return f
	}
	frozen := func(all ...Freeze) HoursForm { return good(func(f *HoursForm) { f.Freezes = all }) }
	for _, c := range []struct {
		form         HoursForm
		field, words string
	}{
		{good(func(f *HoursForm) { f.Days = nil }), "days", "No day is chosen."},
		{good(func(f *HoursForm) { f.Days = []string{"Montag"} }), "days", "No day is chosen."},
		{good(func(f *HoursForm) { f.From = "6 am" }), "from", "6 am is not a time of day. Type hours and minutes, as in 06:00."},
		{good(func(f *HoursForm) { f.To = "25:00" }), "to", "25:00 is not a time of day."},
		{good(func(f *HoursForm) { f.To = "" }), "to", "The hours begin but do not end."},
		{good(func(f *HoursForm) { f.From = " " }), "from", "The hours end but do not begin."},
		{good(func(f *HoursForm) { f.Zone = "Mars/Olympus" }), "zone", "There is no time zone Mars/Olympus."},
		{good(func(f *HoursForm) { f.Zone = "Local" }), "zone", "There is no time zone Local."},
		{good(func(f *HoursForm) { f.Zone = "localtime" }), "zone", "There is no time zone localtime."},
		{good(func(f *HoursForm) { f.Zone = "right/Europe/Berlin" }), "zone", "There is no time zone right/Europe/Berlin."},
		{good(func(f *HoursForm) { f.Zone = "../etc/passwd" }), "zone", "There is no time zone"},
		{good(func(f *HoursForm) { f.PerDay = "0" }), "perDay", "0 is not a number of renewals."},
		{good(func(f *HoursForm) { f.PerDay = "2000000" }), "perDay", "2000000 is not a number of renewals. Type a whole number from 1 to 1,000,000,"},
		{good(func(f *HoursForm) { f.PerDay = "-3" }), "perDay", "Type a whole number from 1"},
		{good(func(f *HoursForm) { f.PerDay = "some" }), "perDay", "some is not"},
		{frozen(Freeze{}, Freeze{First: "2026-12-19", Last: "2026-12-18"}), "freeze2", "The freeze ends on 18 Dec 2026, before it begins."},
		{frozen(Freeze{First: "2026-12-19"}), "freeze1", "The freeze does not end."},
		{frozen(Freeze{Last: "2026-12-19"}), "freeze1", "The freeze does not begin."},
		{frozen(Freeze{First: "19.12.2026", Last: "2026-12-20"}), "freeze1", "19.12.2026 is not a day. Type year, month and day, as in 2026-12-19."},
		{frozen(Freeze{First: "2027-02-30", Last: "2027-03-01"}), "freeze1", "2027-02-30 is not a day."},
		{frozen(Freeze{First: "0001-01-01", Last: "9999-01-01"}), "freeze1", "0001-01-01 is not a day."},
		{frozen(Freeze{First: "2026-12-01", Last: "2027-03-01"}), "freeze1", "The freeze lasts 91 days, and 90 in a row is the most."},
		{frozen(Freeze{First: "2026-12-01", Last: "2026-12-01", Why: strings.Repeat("x", 41)}), "freeze1", "Type at most 40 characters."},
		{frozen(Freeze{First: "2026-12-01", Last: "2027-01-31"}, Freeze{First: "2027-02-01", Last: "2027-03-31"}), "freeze1", "no open minute for more than 90 days"},
	} {
		_, err := ParseHours(c.form)
		refused, ok := errors.AsType[*Error](err)
		if !ok || refused.Kind != Invalid || len(refused.Fields) != 1 || !strings.Contains(refused.Fields[c.field], c.words) {
			t.Errorf("%+v: %+v, want %s: %s", c.form, err, c.field, c.words)
		}
	}
}

func TestParseHoursTellsAllFaultsAtOnce(t *testing.T) {
	_, err := ParseHours(HoursForm{From: "x", To: "y", Zone: "z", PerDay: "w", Freezes: []Freeze{{First: "v", Last: "u"}}})
	refused, ok := errors.AsType[*Error](err)
	if !ok || len(refused.Fields) != 6 || !strings.HasPrefix(refused.Text, "6 fields") {
		t.Fatalf("%+v", err)
	}
}

func TestHoursForm(t *testing.T) {
	for _, form := range []HoursForm{
		{Days: []string{"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"}, From: "00:00", To: "24:00", Zone: "UTC"},
		{Days: []string{"Tu", "Sa"}, From: "22:00", To: "04:30", Zone: "Europe/Berlin", PerDay: "18", Freezes: []Freeze{{"2026-12-19", "2027-01-03", "Christmas"}}},
	} {
		if h := mustHours(t, form); !reflect.DeepEqual(h.Form(), form) {
			t.Errorf("form of %s is %+v, want %+v", h, h.Form(), form)
		}
	}
}

func TestFreezeSpans(t *testing.T) {
	h := mustHours(t, HoursForm{Days: []string{"Mo"}, Zone: "Europe/Berlin",
		Freezes: []Freeze{{First: "2027-03-27", Last: "2027-03-28"}, {First: "2026-12-19", Last: "2026-12-24"}, {First: "2026-12-25", Last: "2026-12-25"}}})
	var got []string
	for _, s := range h.FreezeSpans() {
		got = append(got, s.Start.Format(time.RFC3339)+" "+s.End.Format(time.RFC3339))
	}
	want := []string{"2026-12-18T23:00:00Z 2026-12-25T23:00:00Z", "2027-03-26T23:00:00Z 2027-03-28T22:00:00Z"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzHours(f *testing.F) {
	f.Add("Mo,Tu", "06:00", "12:00", "Europe/Berlin", "2026-12-19", "2027-01-03", "why", "18", int64(1_790_000_000), uint32(5_000_000))
	f.Add("Su", "22:00", "4:00", "", "", "", "", "", int64(0), uint32(86400))
	f.Add("Su,,x", "24:00", "", "Local", "2026-12-19", "", "\u202e", "-1", int64(-1), uint32(1))
	f.Add("Sa", "00:00", "00:00", "Australia/Lord_Howe", "2026-04-04", "2026-04-05", "", "1", int64(1_775_000_000), uint32(1_000_000))
	f.Fuzz(func(t *testing.T, days, from, to, zone, first, last, why, perDay string, start int64, length uint32) {
		h, err := ParseHours(HoursForm{Days: strings.Split(days, ","), From: from, To: to, Zone: zone, PerDay: perDay, Freezes: []Freeze{{first, last, why}}})
		if err != nil {
			for field, text := range err.(*Error).Fields {
				if !strings.HasSuffix(text, ".") {
					t.Fatalf("%s: %q is no sentence", field, text)
				}
			}
			return
		}
		begin := time.Unix(start%4_000_000_000, 0)
		end := begin.Add(time.Duration(length%(60*86400)) * time.Second)
		open := h.Open(begin, end)
		checkSpans(t, open, begin, end)
		for _, s := range open {
			if !onTheWall(h, s.Start) || !onTheWall(h, s.End.Add(-time.Second)) || s.End.Before(end) && onTheWall(h, s.End) {
				t.Fatalf("%s: %v", h, s)
			}
		}
	})
}
