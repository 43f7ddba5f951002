package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// renewals measures rounds of renewals through the whole portal, by turns with rounds of the bare loop on the same
// authority, as issuance does for first certificates.
func (b *bench) renewals(ctx context.Context) ([]line, error) {
	w, loop, err := b.duel(ctx, "renewals")
	if err != nil {
		return nil, err
	}
	defer w.close()
	n, rounds := b.size(500, 60), b.size(2, 1)
	if b.full {
		rounds = 20
	}
	for round := range rounds {
		if _, err := w.portalRound(ctx, round, n); err != nil {
			return nil, err
		}
		b.say("  issued %d of %d", (round+1)*n, rounds*n)
	}
	var r renewalRounds
	for round := range rounds {
		if err := r.add(ctx, w, loop, round, n); err != nil {
			return nil, err
		}
		b.say("  round %d: %s", round+1, r.last())
	}
	b.note("%s", r.note())
	return r.lines(n), nil
}

// renewalRounds is what each round of the portal's, and of the bare loop beside it, came to.
type renewalRounds struct {
	ours, bare pace
	info       []float64 // milliseconds per certificate that the authority took over renewalInfo
}

// pace is how fast rounds were and what they took of the processors.
type pace struct {
	rates []float64 // certificates a second
	used  []float64 // milliseconds of processor time per certificate
	cores []float64 // that were busy on average
}

func (p *pace) add(n int, took, used time.Duration) {
	p.rates = append(p.rates, float64(n)/took.Seconds())
	p.used = append(p.used, used.Seconds()*1000/float64(n))
	p.cores = append(p.cores, used.Seconds()/took.Seconds())
}

// add runs a round of n certificates in the bare loop, then one in the portal.
func (r *renewalRounds) add(ctx context.Context, w *world, loop *bareLoop, round, n int) error {
	start := processorTime()
	alone, err := loop.run(namesOf("bare", round, n))
	if err != nil {
		return err
	}
	r.bare.add(n, alone, processorTime()-start)
	walked := w.busy.with(devca.RenewalInfo)
	took, used, err := w.renewRound(ctx, round)
	if err != nil {
		return err
	}
	r.ours.add(n, took, used)
	r.info = append(r.info, (w.busy.with(devca.RenewalInfo)-walked).Seconds()*1000/float64(n))
	return nil
}

// last tells of the round that was added last.
func (r *renewalRounds) last() string {
	i := len(r.info) - 1
	return fmt.Sprintf("portal %.0f/s and %.1f ms of processor on %.1f cores, bare loop %.0f/s and %.1f ms on %.1f, renewalInfo %.1f ms",
		r.ours.rates[i], r.ours.used[i], r.ours.cores[i], r.bare.rates[i], r.bare.used[i], r.bare.cores[i], r.info[i])
}

func (r *renewalRounds) note() string {
	return fmt.Sprintf("Renewals: processor time per certificate, the authority's and DNS's included: portal %s ms on %s cores, bare loop %s ms on %s. The authority took %s ms "+
		"over renewalInfo for each, which the bare loop does not ask for: Pebble walks through all its certificates to find one (first round %s ms, last round %s ms).",
		number(median(r.ours.used)), number(median(r.ours.cores)), number(median(r.bare.used)), number(median(r.bare.cores)), number(median(r.info)), number(r.info[0]), number(r.info[len(r.info)-1]))
}

func (r *renewalRounds) lines(n int) []line {
	var ratios []float64
	for i, rate := range r.ours.rates {
		ratios = append(ratios, rate/r.bare.rates[i])
	}
	rates := r.ours.rates
	return []line{
		{what: fmt.Sprintf("renewals, %d certificates, %d at a time", n*len(rates), workers), got: median(rates), unit: "/s", limit: number(median(r.bare.rates)) + "/s", aim: 100, least: true},
		{what: "… beside the bare loop", got: median(ratios), unit: " ×", limit: "1 ×", aim: 0.7, least: true},
		{what: "… processor time per certificate", got: median(r.ours.used), unit: " ms", limit: number(median(r.bare.used)) + " ms"},
		{what: "… last round beside the first", got: rates[len(rates)-1] / rates[0], unit: " ×", aim: 0.9, least: true},
	}
}

// renewRound renews what a portalRound issued, and returns how long the portal and how long the processors took. It is
// asked for before the portal works.
func (w *world) renewRound(ctx context.Context, round int) (took, used time.Duration, err error) {
	portal, err := w.settings.open(ctx)
	if err != nil {
		return 0, 0, err
	}
	scope, ids, err := asked(ctx, portal.DB, fmt.Sprintf("round-%d", round))
	if err != nil {
		return 0, 0, errors.Join(err, portal.Close())
	}
	want := w.ca.Count(devca.Certificate) + len(ids)
	start, processor := time.Now(), processorTime()
	stop := inBackground(ctx, portal)
	for done := false; err == nil && !done; {
		err = w.quiet(ctx, scope, want)
		took, used = time.Since(start), processorTime()-processor
		if err == nil {
			done, err = renewed(ctx, scope, ids)
		}
	}
	return took, used, errors.Join(err, stop())
}

// asked asks to renew all domains of a tenant.
func asked(ctx context.Context, db *store.DB, slug string) (*store.Scope, []tenants.DomainID, error) {
	all, err := db.System().Tenants(ctx)
	if err != nil {
		return nil, nil, err
	}
	var scope *store.Scope
	for _, t := range all {
		if t.Slug == slug {
			scope = db.As(admin(t.ID))
		}
	}
	if scope == nil {
		return nil, nil, fmt.Errorf("there is no tenant %s", slug)
	}
	var ids []tenants.DomainID
	for filter := (store.DomainFilter{Sort: "name", Limit: 200}); ; {
		page, err := scope.Domains(ctx, filter)
		if err != nil {
			return nil, nil, err
		}
		for _, row := range page.Rows {
			ids = append(ids, row.ID)
		}
		if filter.Cursor = page.Next; filter.Cursor == "" {
			break
		}
	}
	for _, id := range ids {
		if err := scope.RenewNow(ctx, id); err != nil {
			return nil, nil, err
		}
	}
	return scope, ids, nil
}

// quiet waits until the authority has handed out so many certificates and no order of the tenant is open. To look at each
// domain would take as long as to renew it, and is left for when the clock stands.
func (w *world) quiet(ctx context.Context, scope *store.Scope, want int) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	for {
		if w.ca.Count(devca.Certificate) >= want {
			o, err := scope.Overview(ctx)
			if err != nil || o.ByStatus[tenants.Active] == o.Total {
				return err
			}
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("wait for renewals: the authority handed out %d of %d", w.ca.Count(devca.Certificate), want)
		}
	}
}

// renewed reports whether all have a second version.
func renewed(ctx context.Context, scope *store.Scope, ids []tenants.DomainID) (bool, error) {
	for _, id := range ids {
		v, err := scope.Domain(ctx, id)
		if err != nil || v.Current.Number < 2 {
			return false, err
		}
	}
	return true, nil
}

// rows measures issuance in a database of 1,000 and in one of 100,000 domains, by turns.
func (b *bench) rows(ctx context.Context) ([]line, error) {
	w, err := b.world(ctx, "rows")
	if err != nil {
		return nil, err
	}
	defer w.close()
	n, rounds := b.size(300, 40), b.size(3, 1)
	few, err := b.among(ctx, w, b.size(100, 10))
	if err != nil {
		return nil, err
	}
	many, err := b.among(ctx, w, b.size(10_000, 100))
	if err != nil {
		return nil, err
	}
	var small, large, ratios, smallCPU, largeCPU []float64
	for round := range rounds {
		for _, side := range []struct {
			*world
			rates, used *[]float64
			round       int
		}{{few, &small, &smallCPU, 2 * round}, {many, &large, &largeCPU, 2*round + 1}} {
			start := processorTime()
			rate, err := side.portalRound(ctx, side.round, n)
			if err != nil {
				return nil, err
			}
			*side.rates = append(*side.rates, rate)
			*side.used = append(*side.used, (processorTime()-start).Seconds()*1000/float64(n))
		}
		ratios = append(ratios, large[round]/small[round])
		b.say("  round %d: %.0f/s and %.1f ms of processor among 1,000, %.0f/s and %.1f ms among 100,000", round+1,
			small[round], smallCPU[round], large[round], largeCPU[round])
	}
	b.note("Rows: processor time per certificate, registering the domain, the authority and DNS included: %s ms among 1,000 domains, %s ms among 100,000.",
		number(median(smallCPU)), number(median(largeCPU)))
	return []line{
		{what: "issuance in a database of 1,000 domains", got: median(small), unit: "/s"},
		{what: "… of 100,000 beside it", got: median(ratios), unit: " ×", limit: "1 ×", aim: 0.9, least: true},
	}, nil
}

// among is the world with another database, of ten tenants with so many domains each.
func (b *bench) among(ctx context.Context, w *world, perTenant int) (*world, error) {
	base, err := b.lonely(fmt.Sprintf("rows-%d", perTenant))
	if err != nil {
		return nil, err
	}
	s := w.settings.with(settings{"listen": base["listen"], "base-url": base["base-url"], "database": base["database"], "key-file": base["key-file"]})
	fill := storetest.Fill{Tenants: 10, Domains: perTenant, Certificates: true}
	b.say("  filling: %d × %d", fill.Tenants, fill.Domains)
	err = s.withStore(ctx, func(db *store.DB) error {
		_, err := fill.Into(ctx, db, s["database"], s["acme-directory"])
		return err
	})
	return &world{dns: w.dns, ca: w.ca, settings: s}, err
}
