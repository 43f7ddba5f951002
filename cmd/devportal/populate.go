package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"perennial/store"
	"perennial/tenants"
)

// fate is what befalls a domain of the development world.
type fate int

const (
	settled fate = iota // its record stands
	absent              // nobody has set the record yet
	strange             // the record points to another service
	removed             // issued, then somebody deleted the record
	barred              // issued, then somebody added a CAA record for another authority
)

// resident is a domain that lives in the world from the start.
type resident struct {
	tenant, name, profile string
	fate                  fate
}

var residents = []resident{
	{"acme", "acme.example", "classic", settled},
	{"acme", "www.acme.example", "classic", settled},
	{"acme", "checkout.acme.example", "classic", settled},
	{"acme", "loyalty.acme.example", "legacy", settled},
	{"acme", "careers.acme.example", "legacy", settled},
	{"acme", "search.acme.example", "tlsserver", settled},
	{"acme", "images.acme.example", "tlsserver", settled},
	{"acme", "static.acme.example", "tlsserver", settled},
	{"acme", "m.acme.example", "tlsserver", settled},
	{"acme", "*.dev.acme.example", "month", settled},
	{"acme", "admin.acme.example", "month", settled},
	{"acme", "docs.acme.example", "fortnight", settled},
	{"acme", "cdn.acme.example", "fortnight", settled},
	{"acme", "status.acme.example", "shortlived", settled},
	{"acme", "api.acme.example", "hour", settled},
	{"acme", "grafana.acme.example", "minutes", settled},
	{"acme", "preview.acme.example", "minutes", settled},
	{"acme", "outlet.acme.example", "classic", absent},
	{"acme", "tickets.acme-group.example", "classic", strange},
	{"acme", "mail.acme.example", "shortlived", removed},
	{"acme", "promo.acme.example", "brief", removed},
	{"acme", "pay.acme.example", "month", barred},
	{"northwind", "northwind.example", "classic", settled},
	{"northwind", "orders.northwind.example", "tlsserver", settled},
	{"northwind", "b2b.northwind.example", "minutes", settled},
	{"northwind", "edi.northwind.example", "legacy", barred},
	{"northwind", "fleet.northwind.example", "classic", absent},
}

// populate lets the residents move in, the way customers do: a claim, a record, and the portal does the rest. It
// returns when each has met its fate, or ctx ends. A world that was kept is left as it is.
func (w *world) populate(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make(chan error, len(residents))
	for _, r := range residents {
		all.Go(func() {
			if err := w.moveIn(ctx, r); err != nil {
				errs <- fmt.Errorf("populate %s: %w", r.name, err)
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

func (w *world) moveIn(ctx context.Context, r resident) error {
	scope, err := w.scope(ctx, r.tenant)
	if err != nil {
		return err
	}
	page, err := scope.Domains(ctx, store.DomainFilter{Query: r.name, Limit: 200})
	if err != nil {
		return err
	}
	for _, row := range page.Rows {
		if row.Name == r.name {
			return nil // since an earlier run
		}
	}
	id, err := scope.RegisterDomain(ctx, r.name, store.RegisterOptions{Profile: r.profile})
	if err != nil || r.fate == absent {
		return err
	}
	view, err := scope.Domain(ctx, id)
	if err != nil {
		return err
	}
	target := view.Domain.Delegation.Target()
	if r.fate == strange {
		target = view.Domain.Delegation.Label + ".old-host.example"
	}
	if err := w.dns.Set(view.Domain.Delegation.Name(), "CNAME", target); err != nil || r.fate == settled || r.fate == strange {
		return err
	}
	return w.befall(ctx, scope, r, id)
}

// befall waits for the first certificate and then spoils the resident's DNS.
func (w *world) befall(ctx context.Context, scope *store.Scope, r resident, id tenants.DomainID) error {
	view, err := w.certified(ctx, scope, id)
	if err != nil {
		return err
	}
	if r.fate == barred {
		err = w.dns.Set(view.Domain.Delegation.Base, "CAA", `0 issue "old-ca.example"`)
	} else {
		err = w.dns.Delete(view.Domain.Delegation.Name(), "CNAME")
	}
	if err != nil {
		return err
	}
	return scope.CheckNow(ctx, id)
}

func (w *world) certified(ctx context.Context, scope *store.Scope, id tenants.DomainID) (store.DomainView, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		view, err := scope.Domain(ctx, id)
		if err != nil || view.Current != nil && view.Order != nil && !view.Order.State.Open() {
			return view, err
		}
		select {
		case <-ctx.Done():
			return view, ctx.Err()
		case <-tick.C:
		}
	}
}

func (w *world) scope(ctx context.Context, slug string) (*store.Scope, error) {
	all, err := w.portal.DB.System().Tenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if t.Slug != slug {
			continue
		}
		for _, p := range people {
			if p.tenant == slug && p.role == string(tenants.Admin) {
				return w.portal.DB.As(tenants.Actor{Kind: tenants.Person, Name: p.email, Tenant: t.ID, Role: tenants.Admin, Address: "127.0.0.1"}), nil
			}
		}
	}
	return nil, fmt.Errorf("there is no tenant %s", slug)
}
