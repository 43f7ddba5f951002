package main

import (
	"context"
	"fmt"
	"time"

	"perennial/jobs"
	"perennial/store"
	"perennial/store/storetest"
)

const claimSize = 100

// claim measures how the scanner takes a hundred due domains out of a million, jobs in the queue included. Many more
// are due than it takes, as after an outage, so that it has to choose.
func (b *bench) claim(ctx context.Context) ([]line, error) {
	var lines []line
	s, err := b.lonely("claim")
	if err != nil {
		return nil, err
	}
	got, err := b.claims(ctx, "SQLite", s)
	if err != nil {
		return nil, err
	}
	lines = append(lines, got...)
	b.postgres, err = storetest.DurablePostgres()
	if err != nil {
		b.note("No claim was measured on Postgres: %v.", err)
		return lines, nil
	}
	got, err = b.claims(ctx, "Postgres", s.with(settings{"database": b.postgres.DSN, "key-file": s["key-file"] + ".postgres"}))
	if err != nil {
		return lines, err
	}
	return append(lines, got...), nil
}

func (b *bench) claims(ctx context.Context, engine string, s settings) (lines []line, err error) {
	rounds, perTenant, left := b.size(300, 20), b.size(10_000, 500), b.size(10_000, 1000)
	fill := storetest.Fill{Tenants: 100, Domains: perTenant, Due: rounds*claimSize + left}
	b.say("  filling %s: %d × %d", engine, fill.Tenants, fill.Domains)
	var took times
	err = s.withStore(ctx, func(db *store.DB) error {
		if _, err := fill.Into(ctx, db, s["database"], s["acme-directory"]); err != nil {
			return err
		}
		for range rounds {
			start := time.Now()
			ids, err := db.System().Claim(ctx, claimSize)
			if err != nil {
				return err
			}
			if len(ids) != claimSize {
				return fmt.Errorf("claimed %d domains instead of %d", len(ids), claimSize)
			}
			took = append(took, time.Since(start))
		}
		lines, err = scans(ctx, db, engine, left)
		return err
	})
	if err != nil {
		return nil, err
	}
	b.note("Claim on %s: p50 %s ms, p90 %s ms, p99 %s ms.", engine, number(took.ms(0.5)), number(took.ms(0.9)), number(took.ms(0.99)))
	claim := line{what: "claim of 100 due out of 1,000,000, " + engine + ", p99", got: took.ms(0.99), unit: " ms", aim: 10}
	return append([]line{claim}, lines...), nil
}

// scans measures ticks of the engine while so many are due, of which each takes its share, and when nothing is.
func scans(ctx context.Context, db *store.DB, engine string, due int) ([]line, error) {
	e := jobs.New(jobs.Config{DB: db})
	var first time.Duration
	begun := time.Now()
	for i := 0; ; i++ {
		next, err := db.System().NextDue(ctx)
		if err != nil {
			return nil, err
		}
		if next.After(time.Now()) {
			break
		}
		if err := e.Scan(ctx); err != nil {
			return nil, err
		}
		if i == 0 {
			first = time.Since(begun)
		}
	}
	all := time.Since(begun)
	var idle times
	for range 500 {
		start := time.Now()
		if err := e.Scan(ctx); err != nil {
			return nil, err
		}
		idle = append(idle, time.Since(start))
	}
	return []line{
		{what: "… one tick with nothing due, " + engine + ", p50", got: idle.ms(0.5), unit: " ms", aim: 1},
		{what: fmt.Sprintf("… one tick with %d due, %s", due, engine), got: first.Seconds() * 1000, unit: " ms", aim: 200},
		{what: fmt.Sprintf("… all ticks until the %d are queued, %s", due, engine), got: all.Seconds(), unit: " s"},
	}, nil
}
