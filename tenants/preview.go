package tenants

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Renewal is one that is planned: the version's facts and the plan in force.
type Renewal struct {
	Facts RenewalFacts
	Plan  Verdict
}

// Prospect is what other hours would do to planned renewals.
type Prospect struct {
	Plans         []Verdict // the plans then, in the order they were given
	Moved         int       // how many have another instant
	Before, After int       // renewals on the busiest day
	Days          []string  // the days, in the new zone, that renewals move to, as 2026-12-19, sorted
	Outside       int       // those that lie outside the new hours, which leave them no minute
	Late          int       // those past their safety line; requests aside, there are none
}

// Preview tells what h would change, without changing anything. load is as in Settle, for the one renewal it is
// given: Planned and Coming only, the days are counted here. It may be nil: then nothing else is planned.
//
// Whoever settles the same plans with the same loads in the order of their instants gets the same result.
func Preview(plans []Renewal, h Hours, now time.Time, load func(Renewal, []Slot) Load) Prospect {
	r := Prospect{Plans: make([]Verdict, len(plans))}
	before, after, moves := map[string]int{}, map[string]int{}, map[Slot]int{}
	order := make([]int, len(plans))
	for i, p := range plans {
		order[i] = i
		before[h.Day(p.Plan.At)]++
		after[h.Day(p.Plan.At)]++
		if slot, ok := p.Plan.Slot(); ok && load == nil {
			moves[slot]++
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return plans[a].Plan.At.Compare(plans[b].Plan.At) })
	for _, i := range order {
		r.Plans[i] = resettle(plans[i], h, now, after, moves, load)
		r.count(plans[i].Plan, r.Plans[i], h)
	}
	r.Before, r.After = busiest(before), busiest(after)
	slices.Sort(r.Days)
	r.Days = slices.Compact(r.Days)
	return r
}

// resettle plans one renewal again. days and moves carry what the ones before it changed.
func resettle(p Renewal, h Hours, now time.Time, days map[string]int, moves map[Slot]int, load func(Renewal, []Slot) Load) Verdict {
	count := func(v Verdict, n int) {
		days[h.Day(v.At)] += n
		if slot, ok := v.Slot(); ok {
			moves[slot] += n
		}
	}
	was, _ := p.Plan.Slot()
	count(p.Plan, -1)
	v := Settle(p.Facts, p.Plan, p.Plan, h, now, func(slots []Slot) Load {
		l := Load{Planned: make([]int, len(slots)), Days: days}
		if load != nil {
			given := load(p, slots)
			copy(l.Planned, given.Planned)
			l.Coming = given.Coming
		}
		for i, s := range slots {
			l.Planned[i] += moves[s]
			if load != nil && s == was { // it is not in what load gave
				l.Planned[i]++
			}
		}
		return l
	})
	count(v, 1)
	return v
}

func (r *Prospect) count(before, after Verdict, h Hours) {
	if !after.At.Equal(before.At) {
		r.Moved++
		r.Days = append(r.Days, h.Day(after.At))
	}
	if len(h.Open(after.At, after.At.Add(time.Second))) == 0 && after.spreads() {
		r.Outside++
	}
	if after.At.After(after.NoLater) && after.Reason != OnRequest {
		r.Late++
	}
}

func busiest(days map[string]int) (most int) {
	for _, n := range days {
		most = max(most, n)
	}
	return most
}

// Text is the prospect for people: "Busiest day falls from 22 to 18. 8 renewals move to Thu 10 Dec, none past its safety
// line."
func (r Prospect) Text() string {
	var words []string
	switch {
	case r.Before > r.After:
		words = append(words, fmt.Sprintf("Busiest day falls from %d to %d.", r.Before, r.After))
	case r.Before < r.After:
		words = append(words, fmt.Sprintf("Busiest day rises from %d to %d.", r.Before, r.After))
	default:
		words = append(words, fmt.Sprintf("Busiest day stays at %d.", r.After))
	}
	words = append(words, r.moves())
	if r.Outside > 0 {
		words = append(words, fmt.Sprintf("%s outside these hours, which leave no minute before the safety line.", renewals(r.Outside, "stays", "stay")))
	}
	return strings.Join(words, " ")
}

func (r Prospect) moves() string {
	to, line := "", "none past its safety line"
	if len(r.Days) > 0 {
		to = " to " + shortDay(r.Days[0])
	}
	if n := len(r.Days); n > 1 {
		to = fmt.Sprintf(" to %d days from %s to %s", n, shortDay(r.Days[0]), shortDay(r.Days[n-1]))
	}
	if r.Late > 0 {
		line = fmt.Sprintf("%d past their safety line", r.Late)
	}
	if r.Moved == 0 {
		return "No renewal moves."
	}
	return renewals(r.Moved, "moves", "move") + to + ", " + line + "."
}

// renewals is "1 renewal moves" or "8 renewals move".
func renewals(n int, one, many string) string {
	if n == 1 {
		return "1 renewal " + one
	}
	return fmt.Sprintf("%d renewals %s", n, many)
}

func shortDay(date string) string {
	day, _ := time.Parse(time.DateOnly, date) // made by Hours.Day
	return day.Format("Mon 2 Jan")
}
