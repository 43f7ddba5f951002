package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"perennial/tenants"
)

// record adds an audit entry to the transaction. Its number is given when the transaction ends.
func (t *tx) record(by tenants.Actor, action tenants.Action, object, subject, text string, changes ...tenants.Change) {
	t.enter(tenants.Entry{Actor: by, Tenant: by.Tenant, Action: action, Outcome: tenants.Done,
		Object: object, Subject: subject, Text: text, Changes: changes})
}

func (t *tx) enter(e tenants.Entry) {
	e.ID, e.At = mintID[tenants.EntryID](t.now), t.now
	t.entries = append(t.entries, e)
}

const (
	nextNumberSQL = `
insert into entry_heads (tenant_id, n) values ($1, $2)
on conflict (tenant_id) do update set n = entry_heads.n + excluded.n returning n`

	addEntrySQL = `
insert into entries (tenant_id, number, id, at, actor_kind, actor_name, actor_issuer, actor_subject, actor_role,
	platform, address, request_id, action, outcome, object, subject, text, changes)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`
)

// flushEntries gives each tenant's entries the next numbers, tenants in sorted order, and writes them.
func (t *tx) flushEntries() error {
	by := map[tenants.TenantID][]tenants.Entry{}
	var order []tenants.TenantID
	for _, e := range t.entries {
		if by[e.Tenant] == nil {
			order = append(order, e.Tenant)
		}
		by[e.Tenant] = append(by[e.Tenant], e)
	}
	slices.Sort(order)
	for _, tenant := range order {
		var last int64
		if err := t.one(nextNumberSQL, []any{tenant, len(by[tenant])}, &last); err != nil {
			return err
		}
		first := last - int64(len(by[tenant])) + 1
		for i, e := range by[tenant] {
			e.Number = first + int64(i)
			if err := t.insertEntry(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tx) insertEntry(e tenants.Entry) error {
	changes := ""
	if len(e.Changes) > 0 {
		changes = clean(enc(e.Changes))
	}
	a := e.Actor
	_, err := t.exec(addEntrySQL, e.Tenant, e.Number, e.ID, us(e.At), a.Kind, clip(a.Name), clip(a.Issuer),
		clip(a.Subject), a.Role, a.Platform, clip(a.Address), clip(a.RequestID), e.Action, e.Outcome,
		e.Object, e.Subject, clean(e.Text), changes)
	return err
}

// may authorises. A refusal is an audit entry of its own transaction, since the attempt changed nothing else.
func (db *DB) may(ctx context.Context, actor tenants.Actor, p tenants.Permission, object string) error {
	if actor.May(p) {
		return nil
	}
	if err := db.refuse(ctx, actor, object, fmt.Sprintf("tried to %s. %s", p, roleMayNot(actor, p))); err != nil {
		return err
	}
	return tenants.Errorf(tenants.Denied, "%s Ask an admin of your tenant if you need it.", roleMayNot(actor, p))
}

func roleMayNot(actor tenants.Actor, p tenants.Permission) string {
	if actor.RoleName() == "none" {
		return "Not a member here."
	}
	return fmt.Sprintf("The role %s may not %s.", title(actor.RoleName()), p)
}

func (db *DB) refuse(ctx context.Context, actor tenants.Actor, object, text string) error {
	return db.write(ctx, func(t *tx) error {
		t.enter(tenants.Entry{Actor: actor, Tenant: t.homeOf(actor), Action: tenants.DidOpen, Outcome: tenants.Refused,
			Object: clip(object), Text: text})
		return nil
	})
}

// homeOf is the log in which an actor's refusal belongs: the tenant's when there is one, else the platform's.
func (t *tx) homeOf(actor tenants.Actor) tenants.TenantID {
	var n int
	if t.one(`select 1 from tenants where id = $1`, []any{actor.Tenant}, &n) != nil {
		return ""
	}
	return actor.Tenant
}

// Denied records a refused access that a page noticed before asking for rows.
func (s *Scope) Denied(ctx context.Context, p tenants.Permission, object, text string) error {
	return s.db.refuse(ctx, s.actor, object, deniedText(s.actor, p, text))
}

// Denied records a refused access to a page across tenants.
func (p *Platform) Denied(ctx context.Context, perm tenants.Permission, object, text string) error {
	return p.db.refuse(ctx, p.actor, object, deniedText(p.actor, perm, text))
}

func deniedText(actor tenants.Actor, p tenants.Permission, text string) string {
	if text != "" {
		return text
	}
	return fmt.Sprintf("tried to %s. %s", p, roleMayNot(actor, p))
}

// clip bounds what a stranger can make us store.
func clip(s string) string { return clean(s[:min(len(s), 300)]) }

// clean removes what Postgres does not take for text.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

func title(s string) string {
	if s == "" {
		return s
	}
	return string(s[0]&^0x20) + s[1:]
}
