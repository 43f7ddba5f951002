package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"perennial/tenants"
)

// maxGroups bounds a form.
const maxGroups = 100

// checked trims the input and finds what is wrong with it, by form field.
func (in TenantInput) checked(slug bool) (TenantInput, error) {
	wrong := map[string]string{}
	in.Name, in.Slug = strings.TrimSpace(clean(in.Name)), strings.TrimSpace(in.Slug)
	switch n := utf8.RuneCountInString(in.Name); {
	case n == 0:
		wrong["name"] = "A tenant needs a name. Type the one its people know."
	case n > 100:
		wrong["name"] = fmt.Sprintf("This name has %d characters. Type one of at most 100.", n)
	}
	if slug && !goodSlug(in.Slug) {
		wrong["slug"] = "A short name has 1 to 40 small letters, digits and hyphens, and begins and ends with a letter or a digit. Type one such as acme-retail."
	}
	in.Groups = checkGroups(in.Groups, wrong)
	return in, faults(wrong)
}

func goodSlug(s string) bool {
	if s == "" || len(s) > 40 || strings.Trim(s, "-") != s {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// checkGroups drops empty rows of the form. Fields count the rows as they were sent.
func checkGroups(groups []GroupInput, wrong map[string]string) []GroupInput {
	var kept []GroupInput
	seen := map[string]bool{}
	for i, g := range groups {
		g.Claim = strings.TrimSpace(clean(g.Claim))
		field := fmt.Sprintf("group%d", i+1)
		switch {
		case g.Claim == "":
			continue
		case len(g.Claim) > 200:
			wrong[field] = "This group name is too long. Type at most 200 characters."
		case seen[g.Claim]:
			wrong[field] = fmt.Sprintf("The group %s is here twice. Give it one role.", g.Claim)
		case !slices.Contains(tenants.Roles, g.Role):
			wrong[field] = "This group has no role. Choose one."
		case len(kept) == maxGroups:
			wrong[field] = fmt.Sprintf("A tenant has at most %d groups. Remove one first.", maxGroups)
		}
		seen[g.Claim] = true
		kept = append(kept, g)
	}
	return kept
}

func (db *DB) addTenant(ctx context.Context, by tenants.Actor, in TenantInput) (id tenants.TenantID, err error) {
	in, err = in.checked(true)
	if err != nil {
		return "", err
	}
	err = db.write(ctx, func(t *tx) error {
		if err := t.freeSlug(in.Slug); err != nil {
			return err
		}
		id = mintID[tenants.TenantID](t.now)
		if _, err := t.exec(`insert into tenants (id, slug, name, created_at) values ($1, $2, $3, $4)`, id, in.Slug, in.Name, us(t.now)); err != nil {
			return err
		}
		if err := t.newKeyset(db.keys.kek, id); err != nil {
			return err
		}
		changes := []tenants.Change{{Field: "Name", After: in.Name}, {Field: "Short name", After: in.Slug}}
		more, err := t.saveGroups(id, nil, in.Groups)
		if err != nil {
			return err
		}
		t.aboutTenant(by, tenants.DidAddTenant, id, in.Name, fmt.Sprintf("added the tenant %s.", in.Name), append(changes, more...))
		return nil
	})
	return id, err
}

// aboutTenant records an act of the platform in the platform's log and in the tenant's own: its people may know
// who changed their roles.
func (t *tx) aboutTenant(by tenants.Actor, did tenants.Action, id tenants.TenantID, name, text string, changes []tenants.Change) {
	for _, home := range []tenants.TenantID{platform, id} {
		by.Tenant = home
		t.record(by, did, string(id), name, text, changes...)
	}
}

func (t *tx) freeSlug(slug string) error {
	var n int
	if err := t.one(`select count(*) from tenants where slug = $1`, []any{slug}, &n); err != nil || n == 0 {
		return err
	}
	return faults(map[string]string{"slug": fmt.Sprintf("Another tenant has the short name %s. Choose another.", slug)})
}

func (db *DB) saveTenant(ctx context.Context, by tenants.Actor, id tenants.TenantID, in TenantInput) error {
	in, err := in.checked(false)
	if err != nil {
		return err
	}
	return db.write(ctx, func(t *tx) error {
		var was tenants.Tenant
		if err := t.one(`select `+tenantColumns+` from tenants t where t.id = $1`+db.engine.lock, []any{id}, scanTenant(&was)...); err != nil {
			return orAbsent(err, "tenant")
		}
		old, err := t.groups(id)
		if err != nil {
			return err
		}
		var changes []tenants.Change
		if was.Name != in.Name {
			changes = append(changes, tenants.Change{Field: "Name", Before: was.Name, After: in.Name})
			if _, err := t.exec(`update tenants set name = $2 where id = $1`, id, in.Name); err != nil {
				return err
			}
		}
		more, err := t.saveGroups(id, old, in.Groups)
		if err != nil {
			return err
		}
		if changes = append(changes, more...); len(changes) == 0 {
			return errUnchanged
		}
		t.aboutTenant(by, tenants.DidSaveTenant, id, in.Name, fmt.Sprintf("changed the tenant %s.", in.Name), changes)
		return nil
	})
}

// saveGroups makes the groups of a tenant those wanted, and says what changed.
func (t *tx) saveGroups(id tenants.TenantID, old []GroupView, wanted []GroupInput) (changes []tenants.Change, err error) {
	roles := map[string]tenants.Role{}
	for _, g := range wanted {
		roles[g.Claim] = g.Role
	}
	known := map[string]bool{}
	for _, g := range old {
		known[g.Claim] = true
		role, stays := roles[g.Claim]
		switch {
		case !stays:
			changes = append(changes, tenants.Change{Field: "Group", Before: groupWords(g.Claim, g.Role)})
			_, err = t.exec(`delete from groups where tenant_id = $1 and id = $2`, id, g.ID)
		case role != g.Role:
			changes = append(changes, tenants.Change{Field: "Group", Before: groupWords(g.Claim, g.Role), After: groupWords(g.Claim, role)})
			_, err = t.exec(`update groups set role = $3 where tenant_id = $1 and id = $2`, id, g.ID, role)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, g := range wanted {
		if known[g.Claim] {
			continue
		}
		changes = append(changes, tenants.Change{Field: "Group", After: groupWords(g.Claim, g.Role)})
		if _, err = t.exec(`insert into groups (id, tenant_id, claim, role, created_at) values ($1, $2, $3, $4, $5)`,
			mintID[tenants.GroupID](t.now), id, g.Claim, g.Role, us(t.now)); err != nil {
			return nil, err
		}
	}
	return changes, nil
}
