package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"perennial/store"
	"perennial/store/storetest"
)

// reader opens domain lists the way a signed-in browser does.
type reader struct {
	client *http.Client
	zipped bool // ask for gzip, as browsers do
}

func newReader(zipped bool) *reader {
	return &reader{&http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1}}, zipped}
}

// target is one page with the session of somebody who may see it.
type target struct {
	url    string
	cookie *http.Cookie
}

func (r *reader) get(t target) (body []byte, took time.Duration, err error) {
	q, err := http.NewRequest(http.MethodGet, t.url, nil)
	if err != nil {
		return nil, 0, err
	}
	q.AddCookie(t.cookie)
	if r.zipped {
		q.Header.Set("Accept-Encoding", "gzip")
	}
	start := time.Now()
	resp, err := r.client.Do(q)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	took = time.Since(start)
	switch {
	case err != nil:
	case resp.StatusCode != http.StatusOK:
		err = fmt.Errorf("%s answers %s", t.url, resp.Status)
	case !r.zipped && !strings.Contains(string(body), storetest.FilledName):
		err = fmt.Errorf("%s shows no domain", t.url)
	}
	return body, took, err
}

// read opens n pages in turn with each of so many clients at the same time.
func read(targets []target, clients, n int, zipped bool) (times, error) {
	all := make([]times, clients)
	faults := make([]error, clients)
	var done sync.WaitGroup
	for c := range clients {
		done.Go(func() {
			r := newReader(zipped)
			defer r.client.CloseIdleConnections()
			for i := range n {
				_, took, err := r.get(targets[(i*clients+c)%len(targets)])
				if err != nil {
					faults[c] = err
					return
				}
				all[c] = append(all[c], took)
			}
		})
	}
	done.Wait()
	var sum times
	for _, t := range all {
		sum = append(sum, t...)
	}
	return sum, errors.Join(faults...)
}

// filled prepares a database with so many tenants of so many domains, and a member of each tenant who is signed in.
func (b *bench) filled(ctx context.Context, name string, tenants, domains int) (settings, []target, error) {
	s, err := b.lonely(name)
	if err != nil {
		return nil, nil, err
	}
	b.say("  filling a database: %d × %d", tenants, domains)
	var targets []target
	err = s.withStore(ctx, func(db *store.DB) error {
		fill := storetest.Fill{Tenants: tenants, Domains: domains, Certificates: true}
		all, err := fill.Into(ctx, db, s["database"], s["acme-directory"])
		if err != nil {
			return err
		}
		for _, t := range all {
			cookie, err := signIn(ctx, db, storetest.FilledGroup(t.Slug))
			if err != nil {
				return err
			}
			targets = append(targets, target{s["base-url"] + "/t/" + t.Slug + "/domains", cookie})
		}
		return nil
	})
	return s, targets, err
}

// list measures the home page of signed-in people, spread over a hundred tenants and for one large tenant.
func (b *bench) list(ctx context.Context) ([]line, error) {
	many, err := b.lists(ctx, "hundred", 100, b.size(100, 20))
	if err != nil {
		return nil, err
	}
	one, err := b.lists(ctx, "one", 1, b.size(10_000, 2000))
	if err != nil {
		return nil, err
	}
	head := "list page, 10,000 in 100 tenants, "
	return []line{
		{what: head + "1 client, p50", got: many.alone.ms(0.5), unit: " ms", peers: "8.1 ms (JSON)", limit: "0.18 ms", aim: 0.8},
		{what: head + "1 client, p99", got: many.alone.ms(0.99), unit: " ms", peers: "15 ms (JSON)", limit: "0.36 ms", aim: 2.5},
		{what: head + "8 clients, p99", got: many.crowd.ms(0.99), unit: " ms", peers: "106 ms (JSON)", aim: 10},
		{what: head + "gzip, 1 client, p50", got: many.zipped.ms(0.5), unit: " ms"},
		{what: "list page, 10,000 in one tenant, 1 client, p99", got: one.alone.ms(0.99), unit: " ms", aim: 5},
		{what: "list page, 10,000 in one tenant, 8 clients, p99", got: one.crowd.ms(0.99), unit: " ms"},
	}, nil
}

type listTimes struct{ alone, crowd, zipped times }

func (b *bench) lists(ctx context.Context, name string, tenants, domains int) (t listTimes, err error) {
	s, targets, err := b.filled(ctx, name, tenants, domains)
	if err != nil {
		return t, err
	}
	portal, err := b.serve(ctx, s)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, portal.stop()) }()
	n := b.size(3000, 200)
	if _, err = read(targets, 4, max(n/10, len(targets)), false); err != nil { // everything has been touched once
		return t, err
	}
	if t.alone, err = read(targets, 1, n, false); err != nil {
		return t, err
	}
	if t.crowd, err = read(targets, 8, n/2, false); err != nil {
		return t, err
	}
	t.zipped, err = read(targets, 1, n/2, true)
	return t, err
}

// growth compares a tenant with a thousand domains to one with a hundred thousand, by turns.
func (b *bench) growth(ctx context.Context) ([]line, error) {
	sizes := []int{b.size(1000, 500), b.size(100_000, 5000)}
	var sides [][]target
	for _, n := range sizes {
		s, targets, err := b.filled(ctx, fmt.Sprintf("growth-%d", n), 1, n)
		if err != nil {
			return nil, err
		}
		portal, err := b.serve(ctx, s)
		if err != nil {
			return nil, err
		}
		defer portal.stop() //nolint:errcheck // the figures are taken
		sides = append(sides, targets)
	}
	all := make([]times, len(sides))
	for range b.size(11, 3) {
		for i, targets := range sides {
			got, err := read(targets, 1, b.size(300, 50), false)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], got[len(got)/10:]...)
		}
	}
	b.note("List page of one tenant: p50 %s ms and p99 %s ms with %d domains, %s ms and %s ms with %d.",
		number(all[0].ms(0.5)), number(all[0].ms(0.99)), sizes[0], number(all[1].ms(0.5)), number(all[1].ms(0.99)), sizes[1])
	return []line{{what: "list page of one tenant, growth 1,000 → 100,000, p50", got: all[1].ms(0.5) / all[0].ms(0.5), unit: " ×",
		peers: "× 3.6 to × 6.8 (to 10,000)", limit: "1.3 ×", aim: 1.5}}, nil
}
