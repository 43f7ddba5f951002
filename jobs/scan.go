package jobs

import (
	"context"
	"time"

	"perennial/tenants"
)

// scanBatch bounds one claim, which holds SQLite's only writer.
const scanBatch = 100

// scanBatches bounds how many claims one scan makes, so that sweeping and stopping are never far away.
const scanBatches = 5

// scanLoop looks for due domains every tick and, less often, sweeps what has run out.
func (e *Engine) scanLoop(ctx context.Context) {
	tick := time.NewTicker(e.Tick)
	defer tick.Stop()
	swept := time.Now()
	for {
		if err := e.Scan(ctx); err != nil && ctx.Err() == nil {
			e.Log.Error("scan failed", "error", err)
		}
		if now := time.Now(); now.Sub(swept) > time.Minute {
			swept = now
			if err := e.sys.Sweep(ctx); err != nil && ctx.Err() == nil {
				e.Log.Error("sweep failed", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Scan lets waiting orders go on as far as the CA answers and its budget allows, takes mass events further and enqueues what is due. Any number of
// processes may scan at once: a claim takes rows that no other claim has. While claims come back full there is more, but
// each is a transaction of its own, so that others can write in between.
func (e *Engine) Scan(ctx context.Context) error {
	ids, err := e.take(ctx, scanBatch)
	for n := 1; err == nil && len(ids) == scanBatch && n < scanBatches; n++ {
		ids, err = e.sys.Claim(ctx, scanBatch)
	}
	return err
}

// take lets go on what can, and claims the first of what is due then.
func (e *Engine) take(ctx context.Context, most int) ([]tenants.DomainID, error) {
	work, err := e.sys.Pending(ctx)
	if err != nil || work.Nothing() {
		return nil, err
	}
	if work.Silenced {
		err = e.Recall(ctx)
	}
	if work.Queued && err == nil {
		err = e.Admit(ctx)
	}
	if work.Events && err == nil {
		err = e.sys.PushEvents(ctx)
	}
	if err != nil {
		return nil, err
	}
	return e.sys.Claim(ctx, most)
}
