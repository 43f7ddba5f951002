package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"perennial/cmd/portal/app"
	"perennial/store"
	"perennial/tenants"
)

// phases are what a single certificate's time is spent on, between the states it reaches.
var phases = []tenants.OrderState{tenants.Planned, tenants.Ordered, tenants.Proving, tenants.Ready, tenants.Finalized, tenants.Issued}

// latency measures one certificate at a time, with the settings that the product comes with, from the record being seen
// to the certificate being stored: the second of a new portal, and those after it learned this authority's pace.
func (b *bench) latency(ctx context.Context) ([]line, error) {
	learning, n := b.size(64, 20), b.size(100, 10)
	took, spent, err := b.single(ctx, learning, n)
	if err != nil {
		return nil, err
	}
	b.note("One certificate, the authority's pace known: p50 %s ms, p99 %s ms. Median of each phase: %s.",
		number(took[1:].ms(0.5)), number(took[1:].ms(0.99)), phaseWords(spent))
	return []line{
		{what: "record seen → issued, p50", got: took[1:].ms(0.5), unit: " ms", peers: "3.1 s, 15 s", limit: "3.5 ms", aim: 50},
		{what: "… with the authority’s pace unknown", got: took[:1].ms(0.5), unit: " ms", peers: "3.1 s, 15 s"},
	}, nil
}

func phaseWords(spent map[tenants.OrderState]times) string {
	var words []string
	for _, s := range phases {
		words = append(words, fmt.Sprintf("%s %s", s, number(spent[s].ms(0.5))))
	}
	return strings.Join(words, ", ")
}

// single obtains certificates, one after the other, and returns how long the first took and the last n; spent is of the
// latter.
func (b *bench) single(ctx context.Context, learning, n int) (took times, spent map[tenants.OrderState]times, err error) {
	w, err := b.world(ctx, "latency")
	if err != nil {
		return nil, nil, err
	}
	defer w.close()
	delete(w.settings, "acme-first-poll")
	portal, err := w.settings.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	tenant, err := portal.DB.System().AddTenant(ctx, store.TenantInput{Name: "Bench", Slug: "bench"})
	stop := inBackground(ctx, portal)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return nil, nil, err
	}
	spent = map[tenants.OrderState]times{}
	for i := range 1 + learning + n {
		view, err := w.one(ctx, portal, portal.DB.As(admin(tenant)), i)
		if err != nil {
			return nil, nil, err
		}
		// The very first pays for connecting and for the account.
		if i == 1 || i > learning {
			took = append(took, view.Current.Issued.Sub(view.Domain.Proved))
		}
		if i > learning {
			addPhases(spent, view)
		}
	}
	return took, spent, nil
}

// one does what a customer does: adds the domain, sets the record, asks for a look.
func (w *world) one(ctx context.Context, portal *app.App, scope *store.Scope, i int) (store.DomainView, error) {
	id, err := scope.RegisterDomain(ctx, fmt.Sprintf("single-%d.%s", i, customer(i)), store.RegisterOptions{})
	if err != nil {
		return store.DomainView{}, err
	}
	if err := w.delegate(ctx, scope, id); err != nil {
		return store.DomainView{}, err
	}
	if err := scope.CheckNow(ctx, id); err != nil {
		return store.DomainView{}, err
	}
	return certified(ctx, scope, id)
}

func certified(ctx context.Context, scope *store.Scope, id tenants.DomainID) (store.DomainView, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		view, err := scope.Domain(ctx, id)
		if err != nil || view.Current != nil && view.Order != nil {
			return view, err
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return view, fmt.Errorf("wait for %s: %s %s", view.Domain.Name, view.Domain.Status, view.Domain.Finding.Code)
		}
	}
}

// addPhases notes how long each state took to reach. Planned counts from the record being seen.
func addPhases(spent map[tenants.OrderState]times, view store.DomainView) {
	last := view.Domain.Proved
	for _, s := range phases {
		at := view.Order.Reached[s]
		switch s {
		case tenants.Planned:
			at = view.Order.Created
		case tenants.Issued:
			at = view.Current.Issued
		}
		if !at.IsZero() {
			spent[s] = append(spent[s], at.Sub(last))
			last = at
		}
	}
}
