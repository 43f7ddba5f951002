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

// latency measures one certificate at a time, from the record being seen to the certificate being stored: with the
// pause before the authority is first asked as the development world has it, with the shortest that makes sense
// beside an authority without delay, and with the one that the product comes with.
func (b *bench) latency(ctx context.Context) ([]line, error) {
	var lines []line
	for _, poll := range []time.Duration{firstPoll, 2 * time.Millisecond, time.Second} {
		n := b.size(60, 10)
		if poll == time.Second {
			n = b.size(10, 2)
		}
		took, spent, err := b.single(ctx, poll, n)
		if err != nil {
			return lines, err
		}
		b.note("One certificate with a first poll after %v: p50 %s ms, p99 %s ms. Median of each phase: %s.",
			poll, number(took.ms(0.5)), number(took.ms(0.99)), phaseWords(spent))
		l := line{what: fmt.Sprintf("record seen → issued, first poll %v, p50", poll), got: took.ms(0.5), unit: " ms"}
		switch poll {
		case firstPoll:
			l.peers, l.limit, l.aim = "3.1 s, 15 s", "3.5 ms", 50
		case time.Second:
			l.peers = "3.1 s, 15 s"
		default:
			l.limit, l.aim = "3.5 ms", 50
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func phaseWords(spent map[tenants.OrderState]times) string {
	var words []string
	for _, s := range phases {
		words = append(words, fmt.Sprintf("%s %s", s, number(spent[s].ms(0.5))))
	}
	return strings.Join(words, ", ")
}

// single obtains n certificates, one after the other.
func (b *bench) single(ctx context.Context, poll time.Duration, n int) (took times, spent map[tenants.OrderState]times, err error) {
	w, err := b.world(ctx, "latency-"+poll.String())
	if err != nil {
		return nil, nil, err
	}
	defer w.close()
	w.settings["acme-first-poll"] = poll.String()
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
	for i := range n + 1 {
		view, err := w.one(ctx, portal, portal.DB.As(admin(tenant)), i)
		if err != nil {
			return nil, nil, err
		}
		if i == 0 { // the first one pays for connecting and for the account
			continue
		}
		took = append(took, view.Current.Issued.Sub(view.Domain.Proved))
		addPhases(spent, view)
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
