package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"perennial/tenants"
)

// maxAccounts bounds the accounts at one issuer. Authorities count new accounts, too.
const maxAccounts = 20

// CheckDirectory asks a directory whether it is one of an ACME authority that would take us, and returns the issuer with what
// the directory says of it: which identities a CAA record may name to allow it, and which profiles it offers. What is wrong is an *Error of kind Invalid with sentences for the fields of
// tenants.ParseIssuer; it may take as long as a request to an authority does.
type CheckDirectory func(ctx context.Context, i tenants.Issuer, eab tenants.EAB) (tenants.Issuer, error)

// AddIssuer adds an issuer after check agreed to it, or brings a retired one back. Every error about the form is of kind
// Invalid with sentences for the fields directory, name, eab_key_id and eab_key; nothing is saved then, and the key of the
// external account binding is in no sentence and can never be read again. The new one is the least preferred, and nothing
// goes to it before a policy lists it. One that comes back with another binding gets new accounts, which are opened with that.
func (p *Platform) AddIssuer(ctx context.Context, f tenants.IssuerForm, check CheckDirectory) (id tenants.IssuerID, err error) {
	if err := p.may(ctx, tenants.ManageIssuers, ""); err != nil {
		return "", err
	}
	i, err := tenants.ParseIssuer(f)
	if err != nil {
		return "", err
	}
	eab := tenants.EAB{KeyID: strings.TrimSpace(f.EABKeyID), Key: f.EABKey}
	if i, err = check(ctx, i, eab); err != nil {
		return "", err
	}
	i.CAA = append([]string{}, i.CAA...) // none is not unknown
	err = p.db.write(ctx, func(t *tx) error {
		id, err = t.addIssuer(p.actor, i, eab)
		return err
	})
	return id, err
}

const introduceSQL = `
update issuers set eab_key_id = $2, eab_key = $3, profiles = $4,
	rank = (select coalesce(max(o.rank), 0) + 1 from issuers o)
where id = $1`

func (t *tx) addIssuer(by tenants.Actor, i tenants.Issuer, eab tenants.EAB) (tenants.IssuerID, error) {
	all, err := t.directories()
	if err != nil {
		return "", err
	}
	for _, known := range all {
		if known.Directory == i.Directory && !known.Retired {
			return "", faults(map[string]string{"directory": fmt.Sprintf("This directory is here already, as %s. Type another one.", known.Name)})
		}
		if known.Directory != i.Directory && known.Name == i.Name {
			return "", faults(map[string]string{"name": fmt.Sprintf("Another authority is called %s already. Type a name that tells them apart.", i.Name)})
		}
	}
	id, err := t.saveIssuer(i)
	if err != nil {
		return "", err
	}
	changes := []tenants.Change{{Field: "Directory", After: i.Directory}}
	was, err := t.bind(id, clean(eab.KeyID))
	if err != nil {
		return "", err
	}
	if was != clean(eab.KeyID) {
		changes = append(changes, tenants.Change{Field: "Key id of the binding", Before: was, After: clean(eab.KeyID)})
	}
	var sealed []byte
	if !eab.Key.Empty() {
		if sealed, err = t.db.seal(t.query, platform, eab.Key, eabPlace(id)); err != nil {
			return "", err
		}
	}
	t.record(by, tenants.DidAddIssuer, string(id), i.Name, fmt.Sprintf("added the authority %s.", i.Name), changes...)
	_, err = t.execIssuers(introduceSQL, id, clean(eab.KeyID), sealed, encProfiles(i.Profiles))
	return id, err
}

// SaveIssuerOrder puts the issuers into another order of preference. ids must be all of them, each once.
func (p *Platform) SaveIssuerOrder(ctx context.Context, ids []tenants.IssuerID) error {
	if err := p.may(ctx, tenants.ManageIssuers, ""); err != nil {
		return err
	}
	return p.db.write(ctx, func(t *tx) error {
		all, err := t.authorities()
		if err != nil {
			return err
		}
		moved := conflict("The authorities have changed meanwhile. Look again, then order them.")
		if len(ids) != len(all) {
			return moved
		}
		var was, now []string
		for _, a := range all {
			was = append(was, a.Name)
		}
		for rank, id := range ids {
			i := slices.IndexFunc(all, func(a Authority) bool { return a.ID == id })
			if i < 0 || slices.Contains(ids[:rank], id) {
				return moved
			}
			now = append(now, all[i].Name)
			if _, err := t.execIssuers(`update issuers set rank = $2 where id = $1`, id, rank); err != nil {
				return err
			}
		}
		if slices.Equal(was, now) {
			return errUnchanged
		}
		t.record(p.actor, tenants.DidChangeIssuer, "", "", "put the authorities into another order.",
			tenants.Change{Field: "Order", Before: strings.Join(was, ", "), After: strings.Join(now, ", ")})
		return nil
	})
}

// SaveAccounts says over how many accounts the orders at an issuer are spread. The error is Invalid with a sentence for the
// field accounts. Accounts that are no longer used keep what they have; open orders end where they began.
func (p *Platform) SaveAccounts(ctx context.Context, id tenants.IssuerID, typed string) error {
	if err := p.may(ctx, tenants.ManageIssuers, string(id)); err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimSpace(typed))
	if err != nil || n < 1 || n > maxAccounts {
		return faults(map[string]string{"accounts": fmt.Sprintf("The number of accounts is a whole number from 1 to %d. One is enough for most.", maxAccounts)})
	}
	return p.db.write(ctx, func(t *tx) error {
		var was int
		if err := t.one(`select accounts from issuers where id = $1`+t.db.engine.lock, []any{id}, &was); err != nil {
			return orAbsent(err, "authority")
		}
		if was == n {
			return errUnchanged
		}
		i, err := t.issuer(id)
		if err != nil {
			return err
		}
		t.record(p.actor, tenants.DidChangeIssuer, string(id), i.Name, "changed the number of accounts at "+i.Name+".",
			tenants.Change{Field: "Accounts", Before: strconv.Itoa(was), After: strconv.Itoa(n)})
		if _, err := t.execIssuers(`update issuers set accounts = $2 where id = $1`, id, n); err != nil {
			return err
		}
		return t.ensureAccounts(id, n)
	})
}

// RetireIssuer lets an issuer get no new orders. Those that were sent end there, and what it signed stays known. Conflict when it is
// the issuer of the settings, on which everybody depends whose policy names none, so the last one can never go.
func (p *Platform) RetireIssuer(ctx context.Context, id tenants.IssuerID) error {
	if err := p.may(ctx, tenants.ManageIssuers, string(id)); err != nil {
		return err
	}
	return p.db.write(ctx, func(t *tx) error {
		i, err := t.issuer(id)
		if err != nil {
			return err
		}
		if i.Directory == t.home {
			return conflict("%s is the authority of the settings, which certificates come from unless a policy names another. Choose another one in the settings first.", i.Name)
		}
		n, err := t.execIssuers(`update issuers set retired_at = $2 where id = $1 and retired_at = 0`, id, us(t.now))
		if err != nil || n == 0 {
			return cmp.Or(err, errUnchanged)
		}
		t.record(p.actor, tenants.DidRetireIssuer, string(id), i.Name, fmt.Sprintf("retired the authority %s.", i.Name))
		return nil
	})
}

// RefreshLimits writes what this version of the portal knows of all issuers but that of the settings, which SaveIssuer
// writes. The operator's own limits stay over it.
func (s *System) RefreshLimits(ctx context.Context) error {
	return s.db.housekeep(ctx, func(t *tx) error {
		all, err := t.authorities()
		if err != nil {
			return err
		}
		for _, a := range all {
			known := tenants.NewIssuer(a.Directory)
			if a.Directory == t.home {
				continue
			}
			if _, err := t.execIssuers(`update issuers set limits = $2, free_ari = $3 where id = $1`, a.ID, enc(known.Limits), bit(known.FreeARI)); err != nil {
				return err
			}
		}
		return nil
	})
}
