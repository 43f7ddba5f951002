package views

import (
	"slices"
	"strconv"

	"github.com/a-h/templ"

	"perennial/tenants"
)

// weekdays are the values of the day boxes, which are their words too.
var weekdays = []string{"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"}

// uneven reports whether the budget and the form are so different in height that one would be mostly empty.
func (p RenewalsPage) uneven() bool { return len(p.Budget) < 4 || !p.May(tenants.ChangeHours) }

// hoursWords says the hours to those who may not change them.
func (p RenewalsPage) hoursWords() string { return "We renew " + p.Hours.String() + "." }

// zoneWords is the zone that the hours beside it are read in: as typed, unless there is no such zone.
func (p RenewalsPage) zoneWords() string {
	if p.Spread.Errors["zone"] != "" {
		return orElse(p.Hours.Zone, "UTC")
	}
	return orElse(p.Spread.Zone, "UTC")
}

func (s Spread) on(day string) bool { return slices.Contains(s.Days, day) }

func (s Spread) barWords() string {
	if n := len(s.Errors); n != 1 {
		return number(n) + " fields need a change."
	}
	return "1 field needs a change."
}

// mood of the effect: a spread that not every renewal fits into may be used, but whoever does should know.
func (s Spread) mood() mood {
	if s.Uneasy {
		return mood{Class: "s-waiting", Icon: "warn"}
	}
	return mood{Class: "s-active", Icon: "check"}
}

func (s Spread) attrs(field string) templ.Attributes {
	return invalid(s.Errors[field] != "", field+"-error")
}

// freezeRowOf is one row of the freezes.
type freezeRowOf struct {
	tenants.Freeze
	N string // "1", "2" …
}

// freezes are the rows: those that hold something and an empty one.
func (s Spread) freezes() (rows []freezeRowOf) {
	for i, f := range append(slices.Clone(s.Freezes), tenants.Freeze{}) {
		rows = append(rows, freezeRowOf{f, strconv.Itoa(i + 1)})
	}
	return rows
}

// label tells the rows apart where nobody sees them.
func (f freezeRowOf) label(word string) string {
	if f.N == "1" {
		return word
	}
	return word + " of freeze " + f.N
}
