package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"perennial/tenants"
)

const (
	// reservation is how long a claim may stay unproved.
	reservation = 7 * 24 * time.Hour
	// maxNames is how many names one registration takes.
	maxNames = 100
	// heldElsewhere is said in these words only, so that nothing can be learned about the other tenant.
	heldElsewhere = "Another tenant holds this name. Choose another name, or ask the portal's operator."
)

// RegisterDomains claims names, all of them or none. What is wrong with one is in the error's Fields under "name1",
// "name2" …, in the order given. Each new domain is waiting, due at once and reserved for seven days.
func (s *Scope) RegisterDomains(ctx context.Context, typed []string) (Registered, error) {
	return s.register(ctx, typed, RegisterOptions{})
}

// RegisterDomain claims one name with options.
func (s *Scope) RegisterDomain(ctx context.Context, typed string, opts RegisterOptions) (tenants.DomainID, error) {
	done, err := s.register(ctx, []string{typed}, opts)
	if err != nil {
		return "", err
	}
	return done.IDs[0], nil
}

func (s *Scope) register(ctx context.Context, typed []string, opts RegisterOptions) (done Registered, err error) {
	if err := s.db.may(ctx, s.actor, tenants.AddDomain, ""); err != nil {
		return done, err
	}
	if len(typed) == 0 || len(typed) > maxNames {
		return done, tenants.Errorf(tenants.Invalid, "Type between 1 and %d names, then add them.", maxNames)
	}
	names, misread := parseNames(typed, s.db.cfg.Rules)
	err = s.db.write(ctx, func(t *tx) error {
		wrong := maps.Clone(misread)
		if done, err = s.claimNames(t, names, wrong, opts); err != nil {
			return err
		}
		return faults(wrong)
	})
	if err != nil {
		return Registered{}, err
	}
	return done, nil
}

func field(i int) string { return fmt.Sprintf("name%d", i+1) }

// faults makes one error of all that is wrong, by field.
func faults(wrong map[string]string) error {
	switch len(wrong) {
	case 0:
		return nil
	case 1:
		for _, text := range wrong {
			return &tenants.Error{Kind: tenants.Invalid, Text: text, Fields: wrong}
		}
	}
	return &tenants.Error{Kind: tenants.Invalid, Text: fmt.Sprintf("%d fields need another answer. Nothing was changed yet.", len(wrong)), Fields: wrong}
}

func parseNames(typed []string, rules tenants.NameRules) (names []tenants.Name, wrong map[string]string) {
	wrong = map[string]string{}
	names = make([]tenants.Name, len(typed))
	for i, text := range typed {
		name, err := tenants.ParseName(text, rules)
		if err != nil {
			wrong[field(i)] = sentence(err)
		}
		names[i] = name
	}
	return names, wrong
}

func sentence(err error) string {
	if e, ok := errors.AsType[*tenants.Error](err); ok {
		return e.Text
	}
	return "This name cannot be read. Type a name such as shop.example.com."
}

// claimNames claims every name that can be, and adds to wrong what is in the way of the others.
func (s *Scope) claimNames(t *tx, names []tenants.Name, wrong map[string]string, opts RegisterOptions) (done Registered, err error) {
	issuer, err := t.defaultIssuer()
	if err != nil {
		return done, err
	}
	seen := map[string]bool{}
	for i, name := range names {
		if wrong[field(i)] != "" {
			continue
		}
		if seen[name.String()] {
			wrong[field(i)] = fmt.Sprintf("%s is in the list twice. Remove one of them.", name)
			continue
		}
		seen[name.String()] = true
		id, problem, err := s.claim(t, name, issuer, opts)
		if err != nil {
			return done, err
		}
		if problem != "" {
			wrong[field(i)] = problem
			continue
		}
		done.IDs = append(done.IDs, id)
	}
	return done, nil
}

func (s *Scope) claim(t *tx, name tenants.Name, issuer tenants.IssuerID, opts RegisterOptions) (id tenants.DomainID, problem string, err error) {
	delegation, problem, err := s.delegation(t, name)
	if err != nil || problem != "" {
		return "", problem, err
	}
	if problem, err = s.alreadyOurs(t, name); err != nil || problem != "" {
		return "", problem, err
	}
	d := &domainRow{Domain: tenants.Domain{
		ID: mintID[tenants.DomainID](t.now), Tenant: s.actor.Tenant, Name: name.String(), Delegation: delegation,
		Status: tenants.Waiting, Reserved: t.now.Add(reservation), Since: t.now, Created: t.now, CreatedBy: s.actor.Name,
	}, issuer: issuer, registered: name.Registered(), agenda: agenda{next: t.now}}
	if err := t.addDomain(d); err != nil {
		return "", "", err
	}
	if err := t.addCertificate(d, opts); err != nil {
		return "", "", err
	}
	t.wake(d.Tenant, d.ID, d.turn)
	t.record(s.actor, tenants.DidRegister, string(d.ID), d.Name, fmt.Sprintf("added %s.", d.Name))
	return d.ID, "", nil
}

// alreadyOurs says so when the tenant has the name.
func (s *Scope) alreadyOurs(t *tx, name tenants.Name) (problem string, err error) {
	var releasing time.Time
	err = t.one(`select releasing_at from domains where tenant_id = $1 and name = $2 and released_at = 0`,
		[]any{s.actor.Tenant, name.String()}, at(&releasing))
	switch {
	case errors.Is(err, errNone):
		return "", nil
	case err != nil:
		return "", err
	case !releasing.IsZero():
		return fmt.Sprintf("%s is being given up right now. Add it again in a minute.", name), nil
	}
	return fmt.Sprintf("%s is here already. Open it in the list of domains.", name), nil
}

const heldSQL = `select id, tenant_id, base, label, zone from delegations where base = $1 and released = 0`

// delegation finds the tenant's delegation for a name or makes one with a label that nobody was ever given.
func (s *Scope) delegation(t *tx, name tenants.Name) (g tenants.Delegation, problem string, err error) {
	var holder tenants.TenantID
	err = t.one(heldSQL+t.db.engine.lock, []any{name.Base()}, &g.ID, &holder, &g.Base, &g.Label, &g.Zone)
	switch {
	case errors.Is(err, errNone):
		g, err = s.newDelegation(t, name.Base())
		return g, "", err
	case err == nil && holder != s.actor.Tenant:
		return g, heldElsewhere, nil
	}
	return g, "", err
}

func (s *Scope) newDelegation(t *tx, base string) (tenants.Delegation, error) {
	g := tenants.Delegation{ID: mintID[tenants.DelegationID](t.now), Base: base, Label: newLabel(), Zone: t.db.cfg.Zone}
	_, err := t.exec(`insert into delegations (id, tenant_id, base, label, zone, created_at) values ($1, $2, $3, $4, $5, $6)`,
		g.ID, s.actor.Tenant, g.Base, g.Label, g.Zone, us(t.now))
	return g, err
}

// newLabel is 130 random bits in 26 letters and digits.
func newLabel() string {
	var b [17]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))[:26]
}

const addCertificateSQL = `
insert into certificates (id, tenant_id, domain_id, issuer_id, names, profile, key_type) values ($1, $2, $3, $4, $5, $6, $7)`

func (t *tx) addCertificate(d *domainRow, opts RegisterOptions) error {
	_, err := t.exec(addCertificateSQL, mintID[tenants.CertificateID](t.now), d.Tenant, d.ID, d.issuer,
		enc([]string{d.Name}), clip(opts.Profile), cmp.Or(opts.KeyType, tenants.P256))
	return err
}
