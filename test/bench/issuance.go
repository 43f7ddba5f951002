package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"perennial/cmd/devportal/devca"
	"perennial/cmd/portal/app"
	"perennial/store"
	"perennial/tenants"
)

const workers = 32

// issuance measures rounds of certificates through the whole portal, by turns with rounds of the bare loop on the
// same authority, so that whatever else the machine does hits both.
func (b *bench) issuance(ctx context.Context) ([]line, error) {
	w, loop, err := b.duel(ctx, "issuance")
	if err != nil {
		return nil, err
	}
	defer w.close()
	n, rounds := b.size(500, 60), b.size(5, 1)
	var ours, bare, ratios, oursCPU, bareCPU []float64
	asked := map[devca.Endpoint]int{}
	for round := range rounds {
		start := processorTime()
		took, err := loop.run(namesOf("bare", round, n))
		if err != nil {
			return nil, err
		}
		bare = append(bare, float64(n)/took.Seconds())
		bareCPU = append(bareCPU, (processorTime()-start).Seconds()*1000/float64(n))
		before := w.ca.Counts()
		start = processorTime()
		rate, err := w.portalRound(ctx, round, n)
		if err != nil {
			return nil, err
		}
		addDifference(asked, before, w.ca.Counts())
		ours = append(ours, rate)
		oursCPU = append(oursCPU, (processorTime()-start).Seconds()*1000/float64(n))
		ratios = append(ratios, rate/bare[round])
		b.say("  round %d: portal %.0f/s and %.1f ms of processor, bare loop %.0f/s and %.1f ms", round+1, rate, oursCPU[round], bare[round], bareCPU[round])
	}
	certificates := n * rounds
	b.note("Requests per certificate: %s.", perCertificate(asked, certificates))
	b.note("Processor time per certificate, the authority's and DNS's included: portal %s ms (registering the domain included), bare loop %s ms.",
		number(median(oursCPU)), number(median(bareCPU)))
	limit := number(median(bare)) + "/s"
	return []line{
		{what: fmt.Sprintf("issuance, %d certificates, %d at a time", n, workers), got: median(ours), unit: "/s",
			peers: "Certimate 0.5/s, Cert Warden 0.2/s", limit: limit, aim: 100, least: true},
		{what: "… beside the bare loop", got: median(ratios), unit: " ×", limit: "1 ×", aim: 0.5, least: true},
		{what: "ACME requests per certificate", got: float64(lasting(asked)) / float64(certificates), peers: "9, 11", limit: "7", aim: 8},
	}, nil
}

func namesOf(who string, round, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%d-%d.%s", who, round, i, customer(i))
	}
	return all
}

// lasting counts the requests that every certificate needs. The directory, the account and the first nonces are asked
// for when a client starts, whatever the number of certificates that follow; the note below the table has them too.
func lasting(asked map[devca.Endpoint]int) (total int) {
	for e, n := range asked {
		if e != devca.Directory && e != devca.NewAccount && e != devca.NewNonce {
			total += n
		}
	}
	return total
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it has no other fault than a wrong argument
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func addDifference(sum, before, after map[devca.Endpoint]int) {
	for e, n := range after {
		sum[e] += n - before[e]
	}
}

func perCertificate(asked map[devca.Endpoint]int, certificates int) string {
	var parts []string
	for _, e := range slices.SortedFunc(maps.Keys(asked), func(a, b devca.Endpoint) int { return asked[b] - asked[a] }) {
		if asked[e] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", e, number(float64(asked[e])/float64(certificates))))
		}
	}
	return strings.Join(parts, ", ")
}

// portalRound registers names and sets their records before the portal works, then lets it run and returns how many
// certificates a second it obtained. The database is the one of the rounds before, so it fills up as in real life.
func (w *world) portalRound(ctx context.Context, round, n int) (float64, error) {
	portal, err := w.settings.open(ctx)
	if err != nil {
		return 0, err
	}
	scope, err := w.ready(ctx, portal, round, n)
	if err != nil {
		return 0, errors.Join(err, portal.Close())
	}
	before, err := scope.Overview(ctx)
	if err != nil {
		return 0, errors.Join(err, portal.Close())
	}
	start := time.Now()
	stop := inBackground(ctx, portal)
	err = issued(ctx, scope, before.ByStatus[tenants.Active]+n)
	took := time.Since(start)
	return float64(n) / took.Seconds(), errors.Join(err, stop())
}

// ready makes a tenant for the round and its domains, with the records that customers set.
func (w *world) ready(ctx context.Context, portal *app.App, round, n int) (*store.Scope, error) {
	tenant, err := portal.DB.System().AddTenant(ctx, store.TenantInput{Name: fmt.Sprintf("Round %d", round), Slug: fmt.Sprintf("round-%d", round)})
	if err != nil {
		return nil, err
	}
	scope := portal.DB.As(admin(tenant))
	for batch := range slices.Chunk(namesOf("portal", round, n), 50) {
		done, err := scope.RegisterDomains(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, id := range done.IDs {
			if err := w.delegate(ctx, scope, id); err != nil {
				return nil, err
			}
		}
	}
	return scope, nil
}

// delegate sets the record that the portal asks for.
func (w *world) delegate(ctx context.Context, scope *store.Scope, id tenants.DomainID) error {
	view, err := scope.Domain(ctx, id)
	if err != nil {
		return err
	}
	return w.dns.Set(view.Domain.Delegation.Name(), "CNAME", view.Domain.Delegation.Target())
}

// issued waits until so many domains are active.
func issued(ctx context.Context, scope *store.Scope, want int) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	for {
		o, err := scope.Overview(ctx)
		if err != nil {
			return err
		}
		if o.ByStatus[tenants.Active] >= want {
			return nil
		}
		if err := pause(ctx, 25*time.Millisecond); err != nil {
			return fmt.Errorf("wait for %d certificates: only %v", want, o.ByStatus)
		}
	}
}
