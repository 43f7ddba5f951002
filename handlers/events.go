package handlers

import (
	"errors"
	"net/http"
	"time"

	"perennial/tenants"
)

const (
	heartbeat  = 15 * time.Second // shorter than the idle time-outs of proxies
	streamLife = 5 * time.Minute  // then the browser connects again, with a session that is looked at again
)

// events tells a page that something changed, and nothing else: the page reads itself again, with all its checks. The
// first word is sent at once, for what changed between drawing the page and opening the stream.
func (s *Site) events(v *visit) error {
	var domain tenants.DomainID
	if asked := v.QueryParam("domain"); asked != "" {
		view, err := s.domainView(v, asked)
		if err != nil {
			return err
		}
		domain = view.Domain.ID
	}
	return s.tell(v, s.DB.Changes(v.ctx(), v.tenant.ID, domain), 0)
}

// tell is a stream of changes, with a pause after each.
func (s *Site) tell(v *visit, changes <-chan struct{}, pause time.Duration) error {
	if v.Request().Method == http.MethodHead {
		return v.NoContent(http.StatusOK)
	}
	if err := v.liftDeadlines(); err != nil {
		return err
	}
	h := v.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep the words back
	v.Response().WriteHeader(http.StatusOK)
	return s.stream(v, changes, pause)
}

// liftDeadlines is for answers that take long. The read deadline counts too: when it passes, the server takes the
// browser for gone.
func (v *visit) liftDeadlines() error {
	c := http.NewResponseController(v.Response())
	return errors.Join(c.SetWriteDeadline(time.Time{}), c.SetReadDeadline(time.Time{}))
}

const (
	changed = "data: changed\n\n"
	alive   = ": still here\n\n"
)

func (s *Site) stream(v *visit, changes <-chan struct{}, pause time.Duration) error {
	beat, end := time.NewTicker(heartbeat), time.NewTimer(streamLife)
	defer beat.Stop()
	defer end.Stop()
	for word := changed; ; {
		if _, err := v.Response().Write([]byte(word)); err != nil {
			return nil // the browser has left
		}
		v.Response().Flush()
		if word == changed {
			select {
			case <-time.After(pause):
			case <-v.ctx().Done():
			case <-s.closing.Done():
			}
		}
		select {
		case _, ok := <-changes:
			if !ok {
				return nil
			}
			word = changed
		case <-beat.C:
			word = alive
		case <-end.C:
			return nil
		case <-v.ctx().Done():
			return nil
		case <-s.closing.Done():
			return nil
		}
	}
}
