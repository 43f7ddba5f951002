package tenants

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func unloaded(slots []Slot) Load { return Load{} }

// settledFor is a certificate of a lifetime with what Due says of it.
func settledFor(life time.Duration, i int) (RenewalFacts, Verdict) {
	f := factsFor(life, i)
	return f, Due(f, epoch)
}

var officeHours = HoursForm{Days: []string{"Mo", "Tu", "We", "Th"}, From: "06:00", To: "12:00"}

func isOpen(h Hours, at time.Time) bool { return len(h.Open(at, at.Add(time.Second))) > 0 }

func TestSettleStaysInsideHoursAndWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for _, c := range lifetimes {
		for i := range 60 {
			f, due := settledFor(c.life, i)
			h := someHours(random, []string{"", "Europe/Berlin", "Asia/Kolkata", "America/New_York"}[i%4])
			h.PerDay = i % 3
			now := epoch.Add(time.Duration(random.Int64N(int64(c.life))))
			load := func(slots []Slot) Load {
				l := Load{Days: map[string]int{}}
				for _, s := range slots {
					l.Planned = append(l.Planned, random.IntN(5))
					l.Coming = append(l.Coming, random.Float64())
					l.Days[h.Day(s.Start)] = random.IntN(4)
				}
				return l
			}
			v := Settle(f, due, Verdict{}, h, now, load)
			if v.At.After(v.NoLater) || v.At.Before(v.Start) || v.At.Nanosecond() != 0 || v.Start != due.Start || v.End != due.End || v.Reason != due.Reason {
				t.Fatalf("%v of life, %s: %+v from %+v", c.life, h, v, due)
			}
			left := h.Open(later(now.Add(time.Second), v.Start), v.End)
			if len(left) > 0 && !isOpen(h, v.At) {
				t.Fatalf("%v of life, %s at %v: %v is outside, though %v is open", c.life, h, now, v.At, left)
			}
			if now.Before(v.End.Add(-time.Second)) && !v.At.After(now) {
				t.Fatalf("%v of life at %v: %v is over", c.life, now, v.At)
			}
			if again := Settle(f, due, v, h, now.Add(time.Hour), load); h.PerDay == 0 && again.At != v.At && (isOpen(h, v.At) || len(left) == 0) {
				t.Fatalf("%v of life, %s: moves from %v to %v", c.life, h, v.At, again.At)
			}
			if !strings.HasSuffix(v.Text, ".") || strings.Contains(v.Text, ". ") {
				t.Fatalf("%q is not one sentence", v.Text)
			}
		}
	}
}

func TestSettleLeavesEmergenciesAlone(t *testing.T) {
	f, _ := settledFor(90*day, 1)
	h := mustHours(t, officeHours)
	asked := f
	asked.Asked = epoch.Add(70 * day)
	revoked := f.asking(60*day, 62*day)
	revoked.ARI.Fetched = epoch.Add(63 * day)
	for name, v := range map[string]Verdict{
		"request":  Due(asked, epoch.Add(70*day)),
		"overdue":  Due(f, epoch.Add(80*day)),
		"at once":  Due(revoked, epoch.Add(63*day)),
		"no plan":  {},
		"no width": {At: epoch, Start: epoch, End: epoch, NoLater: epoch, Reason: LastThird},
	} {
		if got := Settle(f, v, Verdict{}, h, epoch, nil); got != v {
			t.Errorf("%s: %+v becomes %+v", name, v, got)
		}
		if _, counted := v.Slot(); counted {
			t.Errorf("%s is counted in a slot", name)
		}
	}
}

func TestSettleMovesNothingThatMayStay(t *testing.T) {
	h := mustHours(t, officeHours)
	f, due := settledFor(90*day, 1)
	first := Settle(f, due, Verdict{}, h, epoch, unloaded)
	full := func(slots []Slot) Load { t.Error("asked for loads"); return Load{} }
	for name, now := range map[string]time.Time{"a restart": epoch.Add(day), "when it is due": first.At, "late": first.End.Add(-1), "too late": first.End} {
		if v := Settle(f, due, first, h, now, full); v != first {
			t.Errorf("%s moves %+v to %+v", name, first, v)
		}
	}
	refreshed := f.asking(first.At.Sub(epoch)-day, first.At.Sub(epoch)+day)
	if v := Settle(refreshed, Due(refreshed, epoch), first, h, epoch, full); v.At != first.At || v.Reason != InWindow {
		t.Errorf("a new window around %v moves it to %v", first.At, v.At)
	}
	gone := refreshed.asking(first.At.Sub(epoch)+day, first.At.Sub(epoch)+3*day)
	if v := Settle(gone, Due(gone, epoch), first, h, epoch, unloaded); v.At == first.At || !v.window().Contains(v.At) {
		t.Errorf("a window that begins later leaves it at %v", v.At)
	}
}

func TestSettleHoursLose(t *testing.T) {
	f, due := settledFor(90*day, 1)
	h := mustHours(t, HoursForm{Days: everyDay, Freezes: []Freeze{{First: due.Start.Format(time.DateOnly), Last: due.End.Format(time.DateOnly)}}})
	v := Settle(f, due, Verdict{}, h, epoch, unloaded)
	if !v.window().Contains(v.At) || !strings.HasPrefix(v.Text, "Your renewal hours leave no minute before "+due.End.Format("2 Jan 2006, 15:04 UTC")) {
		t.Errorf("%v, %s", v.At, v.Text)
	}
	if again := Settle(f, due, v, h, v.At.Add(time.Hour), unloaded); again != v {
		t.Errorf("%+v moves to %+v", v, again)
	}
	if back := Settle(f, due, v, mustHours(t, officeHours), epoch, unloaded); !isOpen(mustHours(t, officeHours), back.At) {
		t.Errorf("%v does not come back into the hours", back.At)
	}
}

func TestSettleSentences(t *testing.T) {
	f, due := settledFor(90*day, 1)
	ari := f.asking(65*day, 67*day)
	short, shortDue := settledFor(6*day, 1)
	h := mustHours(t, officeHours)
	at := func(v Verdict) string { return v.At.Format("2 Jan 2006, 15:04 UTC") }
	for _, c := range []struct {
		v    Verdict
		want string
	}{
		{Settle(f, due, Verdict{}, Hours{}, epoch, unloaded), "Let’s Encrypt names no window, so we chose %s in the last third of the lifetime."},
		{Settle(short, shortDue, Verdict{}, Hours{}, epoch, unloaded), "Let’s Encrypt names no window, so we chose %s in the last half of the lifetime."},
		{Settle(f, due, Verdict{}, h, epoch, unloaded), "Let’s Encrypt names no window, so we chose %s in the last third of the lifetime, in your renewal hours (Mo to Th, 06:00 to 12:00 UTC)."},
		{Settle(ari, Due(ari, epoch), Verdict{}, Hours{}, epoch, unloaded), "Let’s Encrypt asks for " + span(ari.ARI.Start, ari.ARI.End) + ", and we chose %s, inside that window."},
	} {
		if want := fmt.Sprintf(c.want, at(c.v)); c.v.Text != want {
			t.Errorf("%q, want %q", c.v.Text, want)
		}
	}
}

func TestSettlePerDay(t *testing.T) {
	h := mustHours(t, HoursForm{Days: everyDay, Zone: "Asia/Kolkata", PerDay: "3"})
	days := map[string]int{}
	for i := range 60 {
		f, due := settledFor(90*day, i)
		v := Settle(f, due, Verdict{}, h, epoch, func([]Slot) Load { return Load{Days: days} })
		days[h.Day(v.At)]++
		if full := i >= 3*16; full != strings.Contains(v.Text, "although every open day has its 3 renewals") {
			t.Errorf("%d: %v, %s", i, days, v.Text)
		}
	}
	if len(days) != 16 || busiest(days) != 4 {
		t.Errorf("60 renewals on 16 days: %v", days)
	}
}

// crowd is an issuer with tenants of different hours whose certificates come within one hour.
func crowd(t *testing.T, hours []Hours, demand []int, order func(a, b int) int) (loads map[Slot]int) {
	var arrivals []int // tenants
	for tenant, n := range demand {
		arrivals = append(arrivals, slices.Repeat([]int{tenant}, n)...)
	}
	random := rand.New(rand.NewPCG(5, 5))
	random.Shuffle(len(arrivals), func(i, j int) { arrivals[i], arrivals[j] = arrivals[j], arrivals[i] })
	slices.SortStableFunc(arrivals, order)
	loads = map[Slot]int{}
	var forecast *Forecast
	for i, tenant := range arrivals {
		f, due := settledFor(90*day, i)
		if forecast == nil {
			var all []Demand
			for j, h := range hours {
				all = append(all, Demand{Hours: h, Coming: demand[j]})
			}
			forecast = Expect(due.Grid(), all)
		}
		v := Settle(f, due, Verdict{}, hours[tenant], epoch, func(slots []Slot) Load {
			l := Load{Coming: forecast.Coming(slots)}
			for _, s := range slots {
				l.Planned = append(l.Planned, loads[s])
			}
			return l
		})
		forecast.Took(tenant)
		slot, _ := v.Slot()
		loads[slot]++
		if !isOpen(hours[tenant], v.At) {
			t.Fatalf("%s: %v", hours[tenant], v.At)
		}
	}
	return loads
}

// Whatever the order, who can go anywhere leaves room for who cannot.
func TestSettleIsEvenInAnyOrder(t *testing.T) {
	nights := mustHours(t, HoursForm{Days: everyDay, From: "00:00", To: "06:00"})
	monday := mustHours(t, HoursForm{Days: []string{"Mo"}, From: "02:00", To: "04:00"})
	hours := []Hours{{}, nights, monday, {PerDay: 1000}}
	orders := map[string]func(a, b int) int{
		"mixed":          func(a, b int) int { return 0 },
		"flexible first": func(a, b int) int { return a%3 - b%3 },
		"narrow first":   func(a, b int) int { return b%3 - a%3 },
	}
	for name, order := range orders {
		for _, c := range []struct {
			demand []int
			most   int // of 360 hours, 90 at night, 4 of them on Mondays: computed by hand
		}{
			{[]int{1824, 900, 36, 840}, 10},
			{[]int{1000, 1800, 40, 800}, 20}, // nights are the tightest: 1840 in 90
			{[]int{1800, 0, 400, 700}, 100},
		} {
			loads := crowd(t, hours, c.demand, order)
			most := 0
			for _, n := range loads {
				most = max(most, n)
			}
			if most > c.most+c.most/20+1 {
				t.Errorf("%s, %v: the busiest hour has %d, %d is possible", name, c.demand, most, c.most)
			}
		}
	}
}

func TestExpectFindsTheLevel(t *testing.T) {
	start := epoch.Truncate(time.Hour)
	g := Verdict{Start: start, End: start.Add(15 * day), NoLater: epoch.Add(90 * day)}.Grid()
	if g.Count != 360 || g.Width != time.Hour {
		t.Fatalf("%+v", g)
	}
	random := rand.New(rand.NewPCG(9, 9))
	var all []Demand
	for range 60 {
		h := someHours(random, "")
		all = append(all, Demand{Hours: h, Planned: random.IntN(5), Coming: 3*len(g.open(h)) + random.IntN(50)})
	}
	f := Expect(g, all)
	total := 0.0
	for i, d := range all {
		total += float64(d.Coming)
		c := f.classes[f.class[i]]
		if sum := sumOf(c.share); sum < 0.999 || sum > 1.001 {
			t.Errorf("%s gives away %v of its demand", d.Hours, sum)
		}
	}
	if sum := sumOf(f.coming); sum < total*0.999 || sum > total*1.001 {
		t.Errorf("%v renewals are expected of %v", sum, total)
	}
	for i, d := range all {
		for range d.Coming + 5 {
			f.Took(i)
		}
	}
	if most := slices.Max(f.coming); most > 0.001 {
		t.Errorf("%v renewals still come after all came", most)
	}
}

func sumOf(all []float64) (sum float64) {
	for _, x := range all {
		sum += x
	}
	return sum
}

func TestGridFollowsTheWindow(t *testing.T) {
	for _, c := range []struct{ window, width time.Duration }{
		{15 * day, time.Hour}, {day, time.Hour}, {day - 1, 15 * time.Minute}, {2 * time.Hour, 5 * time.Minute},
		{30 * time.Minute, time.Minute}, {4 * time.Minute, 10 * time.Second}, {time.Minute, time.Second},
	} {
		v := Verdict{Start: epoch.Add(61 * time.Second), End: epoch.Add(61*time.Second + c.window), NoLater: epoch.Add(day * 90)}
		g := v.Grid()
		if g.Width != c.width || g.Start.After(v.Start) || g.end().Before(v.End) || g.end().Sub(v.End) >= g.Width {
			t.Errorf("%v: %+v, want slots of %v", c.window, g, c.width)
		}
	}
}

func TestPreview(t *testing.T) {
	var plans []Renewal
	for i := range 40 {
		f, due := settledFor(90*day, i)
		due.At = due.Start.Add(5 * day).Add(time.Duration(i%4) * 24 * time.Hour)
		if i < 10 {
			due.At = due.Start.Add(5 * day)
		}
		plans = append(plans, Renewal{f, due})
	}
	h := mustHours(t, HoursForm{Days: everyDay, PerDay: "9"})
	r := Preview(plans, h, epoch, nil)
	if r.Before != 17 || r.After > 9 || r.Moved != 8 || r.Late != 0 || r.Outside != 0 {
		t.Errorf("%+v %s", r, r.Text())
	}
	if !strings.HasPrefix(r.Text(), "Busiest day falls from 17 to 9. 8 renewals move to ") || !strings.HasSuffix(r.Text(), ", none past its safety line.") {
		t.Error(r.Text())
	}
	for i := range plans {
		plans[i].Plan = r.Plans[i]
	}
	if again := Preview(plans, h, epoch, nil); again.Moved != 0 || again.Text() != "Busiest day stays at 9. No renewal moves." {
		t.Errorf("the same hours move %s", again.Text())
	}
	given := func(_ Renewal, slots []Slot) Load { return Load{Planned: make([]int, len(slots))} }
	if other := Preview(plans, mustHours(t, officeHours), epoch, given); other.Moved == 0 || other.Outside != 0 || other.Late != 0 {
		t.Errorf("%+v", other)
	}
	frozen := mustHours(t, HoursForm{Days: everyDay, Freezes: []Freeze{{First: plans[0].Plan.Start.Format(time.DateOnly), Last: plans[0].Plan.End.Format(time.DateOnly)}}})
	if all := Preview(plans, frozen, epoch, nil); all.Moved != 0 || all.Outside != 40 || !strings.HasSuffix(all.Text(), "40 renewals stay outside these hours, which leave no minute before the safety line.") {
		t.Error(all.Text())
	}
}

func TestProspectText(t *testing.T) {
	for want, r := range map[string]Prospect{
		"Busiest day falls from 22 to 18. 8 renewals move to Thu 10 Dec, none past its safety line.":                  {Before: 22, After: 18, Moved: 8, Days: []string{"2026-12-10"}},
		"Busiest day rises from 2 to 3. 1 renewal moves to Thu 10 Dec, none past its safety line.":                    {Before: 2, After: 3, Moved: 1, Days: []string{"2026-12-10"}},
		"Busiest day stays at 3. 4 renewals move to 2 days from Thu 10 Dec to Mon 14 Dec, none past its safety line.": {Before: 3, After: 3, Moved: 4, Days: []string{"2026-12-10", "2026-12-14"}},
	} {
		if r.Text() != want {
			t.Errorf("%q, want %q", r.Text(), want)
		}
	}
}
