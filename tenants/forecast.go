package tenants

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// Demand is one tenant's renewals at an issuer, in one window.
type Demand struct {
	Hours   Hours
	Planned int // plans that lie in the window already
	Coming  int // certificates, or orders of a first one, that may still plan a renewal into it; too many does little harm, too few does
}

// Forecast is how many renewals of an issuer are still to be planned in each slot of a grid. It pours the demand of all
// tenants over their hours as water finds its level, which is the most even load there can be, and of each tenant's
// part leaves what is not planned yet. It belongs to one goroutine at a time.
type Forecast struct {
	grid    Grid
	class   []int // by tenant
	classes []*class
	coming  []float64 // by slot
}

// class is all tenants with the same hours: to the issuer they are one.
type class struct {
	hours          Hours
	demand, coming float64
	slots          []int     // what is open, as places in the grid
	share          []float64 // of the demand, by slots
}

// Expect makes a forecast for a window. It takes some milliseconds, so keep it for the certificates that follow.
func Expect(g Grid, tenants []Demand) *Forecast {
	f := &Forecast{grid: g, coming: make([]float64, g.Count)}
	known := map[string]int{}
	for _, t := range tenants {
		t.Hours.PerDay = 0
		key, _ := json.Marshal(t.Hours) // a struct of plain fields: it cannot fail
		i, ok := known[string(key)]
		if !ok {
			i = len(f.classes)
			known[string(key)] = i
			f.classes = append(f.classes, &class{hours: t.Hours, slots: g.open(t.Hours)})
		}
		f.class = append(f.class, i)
		f.classes[i].demand += float64(t.Planned + t.Coming)
		f.classes[i].coming += float64(t.Coming)
	}
	f.pour()
	for _, c := range f.classes {
		for j, slot := range c.slots {
			f.coming[slot] += c.coming * c.share[j]
		}
	}
	return f
}

// open is the slots that hours leave, or all of them: hours that leave nothing lose.
func (g Grid) open(h Hours) (slots []int) {
	spans := h.Open(g.Start, g.end())
	if len(spans) == 0 {
		spans = []Span{{g.Start, g.end()}}
	}
	for _, c := range sliced(Hours{}.pieces(spans), g.Width) {
		slots = append(slots, g.place(c.Slot))
	}
	return slots
}

func (g Grid) end() time.Time { return g.Start.Add(time.Duration(g.Count) * g.Width) }

func (g Grid) place(s Slot) int { return int(s.Start.Sub(g.Start) / g.Width) }

// How exactly Expect pours.
const (
	pourings = 40    // rounds at most
	stillAt  = 0.002 // of the mean load; when no slot changes by more, the water has found its level
)

// pour spreads one class after the other, the narrowest first, each so that the fullest slot it uses is as low as can be.
// Taking a class out and pouring it again never makes the load less even, and ends at the most even one: that is
// coordinate descent on the sum of the squares of all loads.
func (f *Forecast) pour() {
	order := slices.Clone(f.classes)
	slices.SortStableFunc(order, func(a, b *class) int { return len(a.slots) - len(b.slots) })
	load, total := make([]float64, f.grid.Count), 0.0
	for _, c := range order {
		c.share = make([]float64, len(c.slots))
		total += c.demand
	}
	for range pourings {
		moved := 0.0
		for _, c := range order {
			moved = max(moved, c.repour(load))
		}
		if moved <= stillAt*total/float64(f.grid.Count) {
			return
		}
	}
}

// repour spreads a class again over what the others leave, and returns the greatest change of a slot.
func (c *class) repour(load []float64) (moved float64) {
	if c.demand == 0 || len(c.slots) == 0 {
		return 0
	}
	others := make([]float64, len(c.slots))
	for j, slot := range c.slots {
		others[j] = load[slot] - c.share[j]*c.demand
	}
	level := level(others, c.demand)
	for j, slot := range c.slots {
		part := max(0, level-others[j])
		moved = max(moved, math.Abs(others[j]+part-load[slot]))
		load[slot], c.share[j] = others[j]+part, part/c.demand
	}
	return moved
}

// level is how high the water stands on a ground after an amount of it is poured.
func level(ground []float64, amount float64) float64 {
	sorted := slices.Sorted(slices.Values(ground))
	sum := 0.0
	for i, g := range sorted {
		sum += g
		level := (amount + sum) / float64(i+1)
		if i+1 == len(sorted) || level <= sorted[i+1] {
			return level
		}
	}
	return amount
}

// Took notes that a renewal of the tenant, by its place in what Expect was given, was planned in the window.
func (f *Forecast) Took(tenant int) {
	c := f.classes[f.class[tenant]]
	took := min(1, c.coming)
	c.coming -= took
	for j, slot := range c.slots {
		f.coming[slot] -= took * c.share[j]
	}
}

// Coming is how many renewals are still to be planned in each of the slots: what Load.Coming wants. Slots outside the
// grid expect nothing.
func (f *Forecast) Coming(slots []Slot) []float64 {
	coming := make([]float64, len(slots))
	for i, s := range slots {
		if at := f.grid.place(s); s.Width == f.grid.Width && !s.Start.Before(f.grid.Start) && at < f.grid.Count {
			coming[i] = f.coming[at]
		}
	}
	return coming
}
