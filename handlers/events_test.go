package handlers_test

import (
	"bufio"
	"net/http"
	"testing"
	"time"

	"perennial/store/storetest"
	"perennial/tenants"
)

// listen opens an event stream and returns its lines without the empty ones; the channel closes with the stream.
func (w *world) listen(t *testing.T, c *http.Client, path string) <-chan string {
	t.Helper()
	req, err := http.NewRequestWithContext(soon(t), http.MethodGet, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip") // which streams ignore
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Content-Encoding") != "" {
		t.Fatalf("stream answers %s %v", resp.Status, resp.Header)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		defer resp.Body.Close()
		for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
			if scan.Text() != "" {
				lines <- scan.Text()
			}
		}
	}()
	return lines
}

func (w *world) register(t *testing.T, tenant tenants.Tenant, name string) tenants.DomainID {
	t.Helper()
	made, err := w.Scope(tenant).RegisterDomains(t.Context(), []string{name})
	if err != nil {
		t.Fatal(err)
	}
	return made.IDs[0]
}

// TestStreamsOutliveTheReadTimeout: the time-out for reading a request also ends streams, unless they lift it.
func TestStreamsOutliveTheReadTimeout(t *testing.T) {
	w := newWorld(t)
	w.server.Config.ReadTimeout = 200 * time.Millisecond
	id := w.register(t, w.Acme, "shop.acme.example")
	stream := w.listen(t, w.quickSession(t, "viewer"), "/t/acme/events")
	for start := time.Now(); time.Since(start) < 2*w.server.Config.ReadTimeout; {
		if err := w.Scope(w.Acme).CheckNow(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if _, open := <-stream; !open {
			t.Fatal("the stream ended")
		}
	}
}

func TestEventsFollowCommitsAndEndWithTheServer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *storetest.World) { followCommits(t, serve(t, db)) })
}

func followCommits(t *testing.T, w *world) {
	id := w.register(t, w.Acme, "shop.acme.example")
	browser := w.quickSession(t, "viewer")
	one := w.listen(t, browser, "/t/acme/events?domain="+string(id))
	all := w.listen(t, browser, "/t/acme/events")
	const changed = "data: changed"
	for _, stream := range []<-chan string{one, all} {
		if got := <-stream; got != changed {
			t.Fatalf("the first word is %q", got)
		}
	}
	if err := w.Scope(w.Acme).CheckNow(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, stream := range []<-chan string{one, all} {
		if got := <-stream; got != changed {
			t.Fatalf("after a commit the stream says %q", got)
		}
	}
	if err := w.server.Config.Shutdown(soon(t)); err != nil {
		t.Errorf("shutdown waits for streams: %v", err)
	}
	for _, stream := range []<-chan string{one, all} {
		for line := range stream {
			t.Logf("last words: %s", line)
		}
	}
}
