package main

import (
	"context"
	"fmt"
	"time"

	"perennial/cmd/devportal/devca"
)

// away is how long an authority on the other side of a continent takes over each request.
const away = 100 * time.Millisecond

// distance measures renewals and the bare loop by turns while the authority is far away, as real ones are. Beside an
// authority in the same process both are bound by the processor, which says what a step costs; here they are bound by
// waiting, which says how many steps wait for one another.
func (b *bench) distance(ctx context.Context) ([]line, error) {
	w, loop, err := b.duel(ctx, "distance")
	if err != nil {
		return nil, err
	}
	defer w.close()
	n, rounds := b.size(300, 60), b.size(3, 1)
	if b.full {
		n, rounds = 1000, 10
	}
	for round := range rounds {
		if _, err := w.portalRound(ctx, round, n); err != nil {
			return nil, err
		}
	}
	w.ca.BreakAll(devca.Fault{Delay: away})
	var ours, bare, ratios []float64
	for round := range rounds {
		alone, err := loop.run(namesOf("bare", round, n))
		if err != nil {
			return nil, err
		}
		took, _, err := w.renewRound(ctx, round)
		if err != nil {
			return nil, err
		}
		bare = append(bare, float64(n)/alone.Seconds())
		ours = append(ours, float64(n)/took.Seconds())
		ratios = append(ratios, ours[round]/bare[round])
		b.say("  round %d: portal %.0f/s, bare loop %.0f/s", round+1, ours[round], bare[round])
	}
	return []line{
		{what: fmt.Sprintf("%s renewals, authority %d ms away, %d at a time", number(float64(n*rounds)), away.Milliseconds(), workers), got: median(ours), unit: "/s", limit: number(median(bare)) + "/s"},
		{what: "… beside the bare loop", got: median(ratios), unit: " ×", limit: "1 ×", aim: 0.7, least: true},
	}, nil
}
