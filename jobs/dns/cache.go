package dns

import (
	"context"
	"sync"
	"time"
)

const (
	cacheSize = 4096             // entries; a few hundred bytes each
	cacheWork = 30 * time.Second // the longest that finding one entry may take
)

// cache remembers what was found for a short time, and lets one asker work for all who want the same at the same
// moment. Failures are told to those who wait and then forgotten.
type cache[V any] struct {
	keep    time.Duration
	mu      sync.Mutex
	entries map[string]*entry[V]
}

type entry[V any] struct {
	ready chan struct{} // closed when value and err are set
	value V
	err   error
	until time.Time // guarded by the cache's mutex; zero while the work goes on
}

func newCache[V any](keep time.Duration) *cache[V] {
	return &cache[V]{keep: keep, entries: make(map[string]*entry[V])}
}

// find returns what is remembered under key or else does the work. The work outlives an asker who gives up,
// because others may be waiting for it.
func (c *cache[V]) find(ctx context.Context, key string, work func(context.Context) (V, error)) (V, error) {
	e := c.entry(key, func(e *entry[V]) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cacheWork)
		defer cancel()
		e.value, e.err = work(ctx)
	})
	select {
	case <-e.ready:
		return e.value, e.err
	case <-ctx.Done():
		var none V
		return none, errNoAnswer
	}
}

func (c *cache[V]) entry(key string, fill func(*entry[V])) *entry[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if e, ok := c.entries[key]; ok && (e.until.IsZero() || now.Before(e.until)) {
		return e
	}
	c.makeRoom(now)
	e := &entry[V]{ready: make(chan struct{})}
	c.entries[key] = e
	go func() {
		defer close(e.ready)
		fill(e)
		c.settle(key, e)
	}()
	return e
}

func (c *cache[V]) settle(key string, e *entry[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.until = time.Now().Add(c.keep)
	if e.err != nil && c.entries[key] == e {
		delete(c.entries, key)
	}
}

// makeRoom keeps the cache bounded: first what is stale goes, then whatever comes to hand.
func (c *cache[V]) makeRoom(now time.Time) {
	if len(c.entries) < cacheSize {
		return
	}
	for key, e := range c.entries {
		if !e.until.IsZero() && now.After(e.until) {
			delete(c.entries, key)
		}
	}
	for key := range c.entries {
		if len(c.entries) < cacheSize {
			return
		}
		delete(c.entries, key)
	}
}

// forget drops what is remembered under key, for when it turned out to be of no use.
func (c *cache[V]) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}
