package jobs

import (
	"context"
	"sync"
	"time"

	"perennial/tenants"
)

// aRequest is longer than any request to a CA takes.
const aRequest = 30 * time.Second

// silence is what this process knows of an outage of one CA, or of one of its services. Others make their own
// experience: it may be our way to the CA that is broken, and then they go on.
type silence struct {
	mu     sync.Mutex
	outage tenants.Outage
	probe  tenants.DomainID // whose request is the probe
	code   tenants.Code     // of the last request that counted
}

// ask reports whether the CA may be asked for a domain.
func (s *silence) ask(id tenants.DomainID) (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage, ok = s.outage.Ask(time.Now(), aRequest); ok {
		s.probe = id
	}
	return ok
}

// heard ends the outage, if there is one.
func (s *silence) heard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = tenants.Outage{}
}

// unheard notes that a domain's request was not answered. During an outage those that were under way when it began say
// nothing new. It returns the next probe, zero while there is no outage.
func (s *silence) unheard(id tenants.DomainID, code tenants.Code, retryAt time.Time) (next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.outage.On() || id == s.probe {
		s.outage, s.probe, s.code = s.outage.Silent(time.Now(), retryAt), "", code
	}
	return s.outage.Next
}

// next is when a probe may go out; zero while there is no outage.
func (s *silence) next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outage.Next
}

// why is what the outage is.
func (s *silence) why() tenants.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code
}

// mayAsk turns to an issuer and reports whether it may be asked for an order now. A person who asks for a try gets one.
func (t *turn) mayAsk(ctx context.Context, id tenants.IssuerID) (bool, error) {
	if err := t.turnTo(ctx, id); err != nil {
		return false, err
	}
	return t.orders.ask(t.id) || t.asked, nil
}

// outageOf is the end of a turn that needs a silent CA, nil while it may be asked. What waits goes on when it answers.
func (t *turn) outageOf(ctx context.Context, id tenants.IssuerID) (*rest, error) {
	if ok, err := t.mayAsk(ctx, id); err != nil || ok {
		return nil, err
	}
	f, why := t.facts.Domain.Finding, t.orders.why()
	if f.Code != why {
		f = t.finding(why, "")
	}
	return &rest{silent: true, finding: f}, nil
}

// Recall lets domains go on that wait for a CA that was silent: while it still is, one when a probe is due, and when it
// answers the most urgent first, a few at a time.
func (e *Engine) Recall(ctx context.Context) error {
	all, err := e.sys.Authorities(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		if err := e.recall(ctx, one.ID); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) recall(ctx context.Context, id tenants.IssuerID) error {
	probe := e.probe(id)
	if probe.IsZero() {
		_, err := e.sys.Recall(ctx, id, scanBatch)
		return err
	}
	if time.Now().Before(probe) {
		return nil
	}
	_, err := e.sys.RecallProbe(ctx, id)
	return err
}

// probe is when an issuer that is silent may be asked again; zero while it answers, or was not asked yet.
func (e *Engine) probe(id tenants.IssuerID) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a := e.authorities[id]; a != nil {
		return a.orders.next()
	}
	return time.Time{}
}
