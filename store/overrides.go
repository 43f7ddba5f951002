package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"perennial/tenants"
)

// Override is the operator's own value of a limit, such as a granted increase.
type Override struct {
	Limit tenants.Limit
	By    string // who set it
	At    time.Time
}

type overrides map[tenants.LimitName]Override

// OverrideInput is one row of the form: a limit as it is typed (see tenants.ParseLimit). Without count and period the
// operator's own value goes, and that of the settings or of the authority counts again.
type OverrideInput struct{ Limit, Count, Per string }

// SaveOverrides makes rows the operator's own limits at an issuer; a limit that is not among them keeps what it has. What is wrong is in the error's
// Fields under "limit1", "count1", "per1", "limit2" …, in the order given, and then nothing is saved.
func (p *Platform) SaveOverrides(ctx context.Context, id tenants.IssuerID, rows []OverrideInput) error {
	if err := p.may(ctx, tenants.ManageIssuers, string(id)); err != nil {
		return err
	}
	typed, err := parseOverrides(rows)
	if err != nil {
		return err
	}
	return p.db.write(ctx, func(t *tx) error { return t.saveOverrides(p.actor, id, typed) })
}

// parseOverrides reads the rows; a limit to be taken away is unlimited.
func parseOverrides(rows []OverrideInput) (map[tenants.LimitName]tenants.Limit, error) {
	typed, wrong := map[tenants.LimitName]tenants.Limit{}, map[string]string{}
	for i, row := range rows {
		count, per := row.Count, row.Per
		gone := strings.TrimSpace(count+per) == ""
		if gone {
			count, per = "1", "1h" // only the name is looked at
		}
		name, limit, err := tenants.ParseLimit(row.Limit, count, per)
		if err == nil && !name.Counted() {
			err = &tenants.Error{Kind: tenants.Invalid, Fields: map[string]string{
				"limit": "The portal does not count this limit, so a value would change nothing. Leave it empty."}}
		}
		if _, twice := typed[name]; err == nil && twice {
			err = &tenants.Error{Kind: tenants.Invalid, Fields: map[string]string{"limit": "This limit is here twice. Give it one value."}}
		}
		if err != nil {
			for field, text := range wrongFields(err) {
				wrong[fmt.Sprintf("%s%d", field, i+1)] = text
			}
			continue
		}
		if typed[name] = limit; gone {
			typed[name] = tenants.Limit{}
		}
	}
	return typed, faults(wrong)
}

func (t *tx) saveOverrides(by tenants.Actor, id tenants.IssuerID, typed map[tenants.LimitName]tenants.Limit) error {
	i, was, err := t.lockOverrides(id)
	if err != nil {
		return err
	}
	now := maps.Clone(was)
	var changes []tenants.Change
	for _, name := range slices.Sorted(maps.Keys(typed)) {
		limit := typed[name]
		if was[name].Limit == limit {
			continue
		}
		changes = append(changes, tenants.Change{Field: string(name), Before: ownWords(was[name].Limit), After: ownWords(limit)})
		if now[name] = (Override{Limit: limit, By: by.Name, At: t.now}); limit.Unlimited() {
			delete(now, name)
		}
	}
	if len(changes) == 0 {
		return errUnchanged
	}
	t.record(by, tenants.DidChangeLimits, string(id), i.Name, "changed the limits that count at "+i.Name+".", changes...)
	if _, err = t.execIssuers(`update issuers set overrides = $2 where id = $1`, id, clean(enc(now))); err != nil {
		return err
	}
	for _, c := range changes {
		if err := t.refit(id, tenants.LimitName(c.Field)); err != nil {
			return err
		}
	}
	return nil
}

const refitSQL = `update buckets set tat = $3 where issuer_id = $1 and limit_name = $2 and tat > $3 and corrected_at < $4`

// refit makes the buckets of a limit that changed no emptier than empty. A token that was spent while a slip of the pen said
// one in a month would otherwise keep its bucket shut for that month, whatever the limit says now. What the CA said stays.
func (t *tx) refit(id tenants.IssuerID, name tenants.LimitName) error {
	i, err := t.issuer(id)
	if err != nil || i.Limits[name].Unlimited() {
		return err
	}
	l := i.Limits[name]
	_, err = t.exec(refitSQL, id, name, us(l.Empty(t.now.Add(l.Every()))), us(t.now.Add(-farthest)))
	return err
}

func (t *tx) lockOverrides(id tenants.IssuerID) (i tenants.Issuer, own overrides, err error) {
	own = overrides{}
	if err := t.one(`select overrides from issuers where id = $1`+t.db.engine.lock, []any{id}, doc(&own)); err != nil {
		return i, nil, orAbsent(err, "authority")
	}
	i, err = t.issuer(id)
	return i, own, err
}

// ownWords is the operator's own limit in the audit log; none is empty.
func ownWords(l tenants.Limit) string {
	if l.Unlimited() {
		return ""
	}
	return fmt.Sprintf("%d in %s", l.Count, l.Per)
}
