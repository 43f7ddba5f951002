package store

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"perennial/tenants"
)

// topic is what somebody may want to hear changes of: one domain, or with an empty domain any of the tenant.
type topic struct {
	tenant tenants.TenantID
	domain tenants.DomainID
}

// hub passes change signals on inside the process. A signal says "read again", never what changed.
type hub struct {
	mu   sync.Mutex
	ears map[topic]map[chan struct{}]bool
}

func newHub() *hub { return &hub{ears: map[topic]map[chan struct{}]bool{}} }

// Changes signals after each commit that changed the domain, or any domain of the tenant when domain is empty. At
// most one signal waits, so a slow reader misses repetitions and no news. The channel closes with ctx.
func (db *DB) Changes(ctx context.Context, tenant tenants.TenantID, domain tenants.DomainID) <-chan struct{} {
	ear, on := make(chan struct{}, 1), topic{tenant, domain}
	db.hub.add(on, ear)
	context.AfterFunc(ctx, func() { db.hub.remove(on, ear) })
	return ear
}

func (h *hub) add(on topic, ear chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ears[on] == nil {
		h.ears[on] = map[chan struct{}]bool{}
	}
	h.ears[on][ear] = true
}

func (h *hub) remove(on topic, ear chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.ears[on], ear)
	if len(h.ears[on]) == 0 {
		delete(h.ears, on)
	}
	close(ear)
}

func (h *hub) tell(touched map[topic]bool) {
	if len(touched) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for what := range touched {
		nudge(h.ears[what])
		nudge(h.ears[topic{tenant: what.tenant}])
	}
}

// tellAll signals everybody, after a time in which signals may have been missed.
func (h *hub) tellAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ears := range h.ears {
		nudge(ears)
	}
}

func nudge(ears map[chan struct{}]bool) {
	for ear := range ears {
		select {
		case ear <- struct{}{}:
		default:
		}
	}
}

// channel is the name of the Postgres notifications that carry signals between processes.
const channel = "perennial_changes"

// announce tells other processes. Postgres delivers it with the commit, or not at all.
func (t *tx) announce() error {
	if t.db.engine.pool == nil {
		return nil
	}
	for what := range t.touched {
		if _, err := t.exec(`select pg_notify($1, $2)`, channel, string(what.tenant)+" "+string(what.domain)); err != nil {
			return err
		}
	}
	return nil
}

// listen passes on the signals of other processes until ctx ends. It survives a lost connection.
func (db *DB) listen(ctx context.Context) {
	for pause := time.Second; ctx.Err() == nil; pause = min(pause*2, time.Minute) {
		err := db.listenOnce(ctx, func() { pause = time.Second })
		if ctx.Err() != nil {
			return
		}
		db.log.Warn("listening for changes was interrupted", "error", err, "again_in", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (db *DB) listenOnce(ctx context.Context, connected func()) error {
	c, err := pgx.ConnectConfig(ctx, db.engine.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost with it
	if _, err := c.Exec(ctx, "listen "+channel); err != nil {
		return err
	}
	connected()
	db.hub.tellAll()
	for {
		note, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		tenant, domain, _ := strings.Cut(note.Payload, " ")
		db.hub.tell(map[topic]bool{{tenants.TenantID(tenant), tenants.DomainID(domain)}: true})
	}
}
