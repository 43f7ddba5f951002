package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"perennial/tenants"
)

// tendArgs is the only kind of job: look at one domain now. The row is the truth and the job a hint, so a lost, late
// or doubled job is harmless.
//
// Turn is not information: it counts how often work on the row began, and only keeps jobs apart. Asking ten times
// before work begins is one job; asking while the job runs makes another.
type tendArgs struct {
	Domain tenants.DomainID `json:"domain"`
	Turn   int64            `json:"turn"`
}

// Kind names the job to River.
func (tendArgs) Kind() string { return "tend" }

// WorkConfig says how jobs are worked.
type WorkConfig struct {
	// Workers is how many domains are tended at the same time in this process.
	Workers int
	// Tend does what is to be done for a domain now. It must end soon after its context does.
	Tend func(context.Context, tenants.DomainID) error
}

const (
	jobTimeout    = 5 * time.Minute
	jobRescue     = 3 * jobTimeout
	fetchCooldown = 50 * time.Millisecond
	jobRetention  = time.Hour
)

// queue is River on one of the engines.
type queue interface {
	// insert returns the domains whose job was left out because the same job seems to run.
	insert(t *tx, jobs []river.InsertManyParams) (held []tenants.DomainID, err error)
	work(ctx context.Context, cfg WorkConfig) (stop func(context.Context) error, err error)
}

func newQueue(e *engine, log *slog.Logger) (queue, error) {
	log = slog.New(quiet{log.Handler()})
	if e.pool != nil {
		return newRiver(riverpgxv5.New(e.pool), log, func(c transaction) pgx.Tx { return c.(*pgTx).tx })
	}
	return newRiver(riversqlite.New(e.sqlite), log, func(c transaction) *sql.Tx { return c.(*sqliteTx).tx })
}

type riverQueue[T any] struct {
	driver riverdriver.Driver[T]
	client *river.Client[T]
	raw    func(transaction) T
	log    *slog.Logger
}

func newRiver[T any](driver riverdriver.Driver[T], log *slog.Logger, raw func(transaction) T) (queue, error) {
	client, err := river.NewClient(driver, &river.Config{Logger: log, FetchCooldown: fetchCooldown})
	if err != nil {
		return nil, err
	}
	return &riverQueue[T]{driver, client, raw, log}, nil
}

func (q *riverQueue[T]) insert(t *tx, jobs []river.InsertManyParams) (held []tenants.DomainID, err error) {
	if len(jobs) > 1 {
		if all, err := q.insertNew(t, jobs); all || err != nil {
			return nil, err
		}
	}
	results, err := q.client.InsertManyTx(t.ctx, q.raw(t.conn.(transaction)), jobs)
	for i, r := range results {
		if r.UniqueSkippedAsDuplicate && r.Job.State == rivertype.JobStateRunning {
			held = append(held, jobs[i].Args.(tendArgs).Domain)
		}
	}
	return held, err
}

// insertNew tries the cheaper way, which does not say which of the jobs was there already. Of many jobs mostly none was:
// a claim takes what was due and not in the queue. When not all were new, whoever calls has to insert them again, and
// those that were come out as waiting then.
func (q *riverQueue[T]) insertNew(t *tx, jobs []river.InsertManyParams) (all bool, err error) {
	if _, err := t.exec("savepoint jobs"); err != nil {
		return false, err
	}
	n, err := q.client.InsertManyFastTx(t.ctx, q.raw(t.conn.(transaction)), jobs)
	// SQLite leaves out what is there, and Postgres refuses everything then. What it refuses for another reason it will
	// refuse again. Nothing is undone without need, since River says only once in a while that there are new jobs.
	if err != nil {
		_, err = t.exec("rollback to savepoint jobs")
	}
	if err == nil {
		_, err = t.exec("release savepoint jobs")
	}
	return n == len(jobs), err
}

func (q *riverQueue[T]) work(ctx context.Context, cfg WorkConfig) (func(context.Context) error, error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &tender{tend: cfg.Tend}); err != nil {
		return nil, err
	}
	client, err := river.NewClient(q.driver, &river.Config{
		Logger: q.log, Workers: workers,
		Queues:     map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: max(cfg.Workers, 1)}},
		JobTimeout: jobTimeout, RescueStuckJobsAfter: jobRescue, FetchCooldown: fetchCooldown,
		// The row decides when to look again, so a failed job is not tried again by the queue.
		MaxAttempts:                 1,
		CompletedJobRetentionPeriod: jobRetention, CancelledJobRetentionPeriod: jobRetention,
		DiscardedJobRetentionPeriod: 24 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, fmt.Errorf("start workers: %w", err)
	}
	return stopper(client), nil
}

// stopper lets running jobs finish while the caller's context lasts, then cancels them and waits for their end.
func stopper[T any](client *river.Client[T]) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := client.Stop(ctx); err == nil {
			return nil
		}
		hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		return client.StopAndCancel(hard)
	}
}

// tender is the worker.
type tender struct {
	river.WorkerDefaults[tendArgs]
	tend func(context.Context, tenants.DomainID) error
}

// Work tends one domain.
func (w *tender) Work(ctx context.Context, job *river.Job[tendArgs]) error {
	return w.tend(ctx, job.Args.Domain)
}

// Work starts the workers of this process. stop lets them finish until its context ends.
func (s *System) Work(ctx context.Context, cfg WorkConfig) (stop func(context.Context) error, err error) {
	return s.db.queue.work(ctx, cfg)
}

// hint is what makes a job of a domain.
type hint struct {
	turn     int64
	priority int // River's: 1 goes first, 4 last
}

// wake asks for a look at the domain once the transaction is committed.
func (t *tx) wake(tenant tenants.TenantID, id tenants.DomainID, turn int64) {
	t.woken[tenant]++
	t.wakes[id] = hint{turn, tenants.Priority(t.woken[tenant])}
}

// hurry is wake for what must not wait behind anything.
func (t *tx) hurry(id tenants.DomainID, turn int64) { t.wakes[id] = hint{turn, tenants.Priority(1)} }

// unfinished leaves out ended jobs, so that a domain can be looked at again.
func unfinished() []rivertype.JobState {
	return []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled}
}

// flushWakes puts a job into the queue for each domain that wants one. A job of the same turn that waits already is
// enough. One that runs is not: it may have looked before this change, or its process may be dead, which River
// notices only much later. Work begins with a new turn, so such a job belongs to no work that is going on.
func (t *tx) flushWakes() error {
	held, err := t.enqueue()
	if err != nil || len(held) == 0 {
		return err
	}
	again := map[tenants.DomainID]hint{}
	for _, id := range held {
		h := t.wakes[id]
		h.turn++
		if again[id] = h; err == nil {
			_, err = t.exec(`update agenda set turn = $2 where domain_id = $1`, id, h.turn)
		}
	}
	if t.wakes = again; err == nil {
		_, err = t.enqueue()
	}
	return err
}

func (t *tx) enqueue() (held []tenants.DomainID, err error) {
	if len(t.wakes) == 0 || t.db.cfg.Unqueued {
		return nil, nil
	}
	jobs := make([]river.InsertManyParams, 0, len(t.wakes))
	for id, h := range t.wakes {
		opts := &river.InsertOpts{MaxAttempts: 1, Priority: h.priority, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished()}}
		jobs = append(jobs, river.InsertManyParams{Args: tendArgs{id, h.turn}, InsertOpts: opts})
	}
	slices.SortFunc(jobs, func(a, b river.InsertManyParams) int {
		return cmp.Compare(a.Args.(tendArgs).Domain, b.Args.(tendArgs).Domain)
	})
	return t.db.queue.insert(t, jobs)
}

// quiet lowers the queue's chatter about its own health: what matters of it shows on the rows.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}
func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(n string) slog.Handler      { return quiet{q.Handler.WithGroup(n)} }
