package store

import (
	"cmp"
	"slices"
	"time"

	"perennial/tenants"
)

// slot is the key of one counter of planned renewals.
type slot struct {
	issuer tenants.IssuerID
	width  int64 // seconds
	start  int64 // microseconds since 1970
}

func slotOf(issuer tenants.IssuerID, s tenants.Slot) slot {
	return slot{issuer, int64(s.Width / time.Second), us(s.Start)}
}

// slot is where the planned renewal is counted; nil when it is in no slot.
func (d *domainRow) slot() *slot {
	if d.Status == tenants.Released || d.slotWidth == 0 || d.renewAt.IsZero() {
		return nil
	}
	s := slotOf(d.issuer, tenants.Slot{Start: d.renewAt.Truncate(d.slotWidth), Width: d.slotWidth})
	return &s
}

const addSlotSQL = `
insert into slots (issuer_id, width, start_at, n) values ($1, $2, $3, $4)
on conflict (issuer_id, width, start_at) do update set n = slots.n + excluded.n`

// flushSlots writes the changes in a fixed order, so that two transactions never wait for each other in a circle.
func (t *tx) flushSlots() error {
	keys := make([]slot, 0, len(t.slots))
	for k, n := range t.slots {
		if n != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.issuer, b.issuer), cmp.Compare(a.width, b.width), cmp.Compare(a.start, b.start))
	})
	for _, k := range keys {
		if _, err := t.exec(addSlotSQL, k.issuer, k.width, k.start, t.slots[k]); err != nil {
			return err
		}
	}
	return nil
}

// settle turns what tenants.Due says into the plan in force: inside the tenant's renewal hours, where the issuer has
// the least to do. old is the plan of the same version, or zero.
func (t *tx) settle(d *domainRow, c tenants.Certificate, v tenants.Version, due, old tenants.Verdict) (plan tenants.Verdict, err error) {
	var rules tenants.Facts
	if err := t.rules(d.Tenant, &rules); err != nil {
		return due, err
	}
	h := rules.Hours
	facts := tenants.RenewalFacts{ID: c.ID, Serial: v.Serial, NotBefore: v.NotBefore, NotAfter: v.NotAfter}
	plan = tenants.Settle(facts, due, old, h, t.now, func(slots []tenants.Slot) (l tenants.Load) {
		l, err = t.load(d, h, due.Grid(), slots)
		return l
	})
	return plan, err
}

// load is what is planned besides d.
func (t *tx) load(d *domainRow, h tenants.Hours, g tenants.Grid, slots []tenants.Slot) (l tenants.Load, err error) {
	if l.Planned, err = t.planned(d.issuer, slots); err != nil {
		return l, err
	}
	if own := d.countedSlot; own != nil {
		for i, s := range slots {
			if slotOf(d.issuer, s) == *own {
				l.Planned[i]--
			}
		}
	}
	if l.Coming, err = t.coming(d, g, slots); err != nil {
		return l, err
	}
	if h.PerDay > 0 {
		l.Days, err = t.plannedDays(d, h, slots)
	}
	return l, err
}

const plannedSQL = `
select start_at, n from slots where issuer_id = $1 and width = $2 and start_at >= $3 and start_at <= $4`

// planned reads the counters of some slots of one width, in ascending order.
func (q query) planned(issuer tenants.IssuerID, slots []tenants.Slot) ([]int, error) {
	counts, known := make([]int, len(slots)), map[int64]int{}
	if len(slots) == 0 {
		return counts, nil
	}
	first, last := slotOf(issuer, slots[0]), slotOf(issuer, slots[len(slots)-1])
	err := q.each(func(r rows) error {
		var start int64
		var n int
		err := r.Scan(&start, &n)
		known[start] = n
		return err
	}, plannedSQL, issuer, first.width, first.start, last.start)
	for i, s := range slots {
		counts[i] = known[us(s.Start)]
	}
	return counts, err
}

const plannedDaysSQL = `
select renew_at from domains
where tenant_id = $1 and released_at = 0 and renew_at > 0 and renew_at >= $2 and renew_at < $3 and id <> $4`

// plannedDays counts the tenant's renewals by day of its hours.
func (t *tx) plannedDays(d *domainRow, h tenants.Hours, slots []tenants.Slot) (map[string]int, error) {
	days := map[string]int{}
	if len(slots) == 0 {
		return days, nil
	}
	first, last := slots[0].Start, slots[len(slots)-1].Start // and a day around them: a day may begin before a slot
	err := t.each(func(r rows) error {
		var on time.Time
		err := r.Scan(at(&on))
		days[h.Day(on)]++
		return err
	}, plannedDaysSQL, d.Tenant, us(first.Add(-day)), us(last.Add(2*day)), d.ID)
	return days, err
}
