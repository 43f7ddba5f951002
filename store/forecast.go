package store

import (
	"sync"
	"time"

	"perennial/tenants"
)

// forecasts keeps what is expected to be planned, so that it is not poured for each certificate. It may be a little
// out of date, and each process has its own: it makes plans more even, and nothing depends on it.
type forecasts struct {
	mu   sync.Mutex
	kept map[outlook]*expected

	free  bool // no tenant has renewal hours
	until time.Time
}

type outlook struct {
	issuer tenants.IssuerID
	grid   tenants.Grid
}

type expected struct {
	*tenants.Forecast // nil while no tenant of the issuer has renewal hours: then the least loaded slot is the best there is
	place             map[tenants.TenantID]int
	until             time.Time
}

const (
	forecastLife = time.Minute
	maxForecasts = 64
)

func (f *forecasts) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept, f.until = nil, time.Time{}
}

// coming is how many renewals are still to be planned in the slots, nil for none, with the one that is being planned now
// taken off.
func (t *tx) coming(d *domainRow, g tenants.Grid, slots []tenants.Slot) ([]float64, error) {
	f := &t.db.forecasts
	f.mu.Lock()
	defer f.mu.Unlock()
	if free, err := t.free(f); free || err != nil { // which spares counting all domains
		return nil, err
	}
	key := outlook{d.issuer, g}
	e := f.kept[key]
	if e == nil || t.now.After(e.until) {
		made, err := t.expect(key)
		if err != nil {
			return nil, err
		}
		if len(f.kept) >= maxForecasts || f.kept == nil {
			f.kept = map[outlook]*expected{}
		}
		e = made
		f.kept[key] = e
	}
	if e.Forecast == nil {
		return nil, nil
	}
	if at, known := e.place[d.Tenant]; known {
		e.Took(at)
	}
	return e.Coming(slots), nil
}

// free reports whether no tenant at all has renewal hours. f is locked.
func (t *tx) free(f *forecasts) (bool, error) {
	if t.now.Before(f.until) && f.until.Sub(t.now) <= forecastLife {
		return f.free, nil
	}
	free := true
	err := t.each(func(r rows) error {
		var h tenants.Hours
		err := r.Scan(doc(&h))
		free = free && !limits(h)
		return err
	}, `select distinct hours from tenants where hours <> ''`)
	if err == nil {
		f.free, f.until = free, t.now.Add(forecastLife)
	}
	return free, err
}

// limits reports whether the hours leave out any.
func limits(h tenants.Hours) bool { return h.Words() != tenants.Hours{}.Words() || len(h.Freezes) > 0 }

// expect asks what each tenant has in a window and may still plan into it: its certificates and the names that wait for
// their first, without those that are in it.
func (t *tx) expect(key outlook) (*expected, error) {
	e := &expected{place: map[tenants.TenantID]int{}, until: t.now.Add(forecastLife)}
	from, to := key.grid.Start, key.grid.Start.Add(time.Duration(key.grid.Count)*key.grid.Width)
	limited := false
	demands, err := collect(t.query, func(r rows) (demand tenants.Demand, err error) {
		var id tenants.TenantID
		var all int
		err = r.Scan(&id, doc(&demand.Hours), &all, &demand.Planned)
		demand.Coming = max(0, all-demand.Planned)
		limited = limited || limits(demand.Hours)
		e.place[id] = len(e.place)
		return demand, err
	}, demandSQL, key.issuer, us(from), us(to))
	if err == nil && limited {
		e.Forecast = tenants.Expect(key.grid, demands)
	}
	return e, err
}

const demandSQL = `
select n.id, n.hours, count(*), sum(case when d.renew_at >= $2 and d.renew_at < $3 then 1 else 0 end)
from domains d join tenants n on n.id = d.tenant_id
where d.issuer_id = $1 and d.released_at = 0
group by n.id, n.hours order by n.id`
