package jobs

import (
	"context"
	"time"

	"perennial/tenants"
)

// NextProbe is when a CA that is silent may be asked again, the first of them; zero while all answer.
func (e *Engine) NextProbe() (first time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range e.authorities {
		if next := a.orders.next(); first.IsZero() || !next.IsZero() && next.Before(first) {
			first = next
		}
	}
	return first
}

// Take is one claim of a scan.
func (e *Engine) Take(ctx context.Context, most int) ([]tenants.DomainID, error) {
	return e.take(ctx, most)
}
