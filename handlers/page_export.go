package handlers

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"perennial/store"
	"perennial/tenants"
)

// guarded keeps spreadsheets from running a cell as a formula (OWASP, CSV injection).
func guarded(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// table writes CSV rows as an attachment. The answer begins with the first row, so that an error before it still
// becomes an error page; one after it breaks the connection, so that half a file never looks whole.
type table struct {
	v    *visit
	name string
	head []string
	csv  *csv.Writer
}

func (t *table) begin() {
	if t.csv == nil {
		t.csv = csv.NewWriter(t.v.attach(t.name, "text/csv; charset=utf-8"))
		t.csv.Write(t.head)
	}
}

func (t *table) row(cells ...string) error {
	t.begin()
	for i := range cells {
		cells[i] = guarded(cells[i])
	}
	return t.csv.Write(cells)
}

func (t *table) end(err error) error {
	if err == nil {
		t.begin()
		t.csv.Flush()
		err = t.csv.Error()
	}
	return t.v.finish(err)
}

// attach begins a download without a known length.
func (v *visit) attach(name, kind string) io.Writer {
	v.liftDeadlines() // where that is impossible, the download may be cut short, which finish makes visible
	h := v.Response().Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return v.Response()
}

func (v *visit) finish(err error) error {
	if err != nil && v.Response().Committed {
		panic(http.ErrAbortHandler)
	}
	return err
}

// stamp is a time for machines; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// domainsCSV is the list with the filter of the page, all of its pages.
func (s *Site) domainsCSV(v *visit) error {
	filter, err := domainFilter(v)
	if err != nil {
		return err
	}
	filter.Cursor, filter.Limit = "", 200
	t := &table{v: v, name: v.tenant.Slug + "-domains.csv", head: []string{"name", "status", "since", "authority",
		"valid_from", "expires", "renews", "cause"}}
	return t.end(s.eachDomain(v, filter, func(d store.DomainRow) error {
		return t.row(d.Name, string(d.Status), stamp(d.Since), d.Issuer, stamp(d.NotBefore), stamp(d.NotAfter),
			stamp(d.RenewAt), string(d.Finding.Code))
	}))
}

func (s *Site) eachDomain(v *visit, f store.DomainFilter, yield func(store.DomainRow) error) error {
	for {
		list, err := s.scope(v).Domains(v.ctx(), f)
		if err != nil {
			return err
		}
		for _, d := range list.Rows {
			if err := yield(d); err != nil {
				return err
			}
		}
		if f.Cursor = list.Next; f.Cursor == "" {
			return nil
		}
	}
}

// exportFilter is the page's filter; a file cannot show a wrong date in red, so it is refused.
func exportFilter(v *visit) (store.EntryFilter, error) {
	filter, wrong := auditFilter(v).read()
	for _, field := range []string{"from", "to"} {
		if wrong[field] != "" {
			return filter, tenants.Errorf(tenants.Invalid, "%s", wrong[field])
		}
	}
	return filter, nil
}

func (v *visit) exportName(ending string) string {
	if v.tenant.Slug == "" {
		return "audit." + ending
	}
	return v.tenant.Slug + "-audit." + ending
}

func (s *Site) auditCSV(v *visit) error {
	filter, err := exportFilter(v)
	if err != nil {
		return err
	}
	t := &table{v: v, name: v.exportName("csv"), head: []string{"number", "time", "tenant", "actor_kind", "actor", "role",
		"action", "outcome",
		"object", "subject", "text", "changes", "address", "request"}}
	return t.end(s.log(v).ExportEntries(v.ctx(), filter, func(e tenants.Entry) error {
		return t.row(strconv.FormatInt(e.Number, 10), stamp(e.At), string(e.Tenant), string(e.Actor.Kind), e.Actor.Name,
			e.Actor.RoleName(), string(e.Action),
			string(e.Outcome), e.Object, e.Subject, e.Text, changesText(e.Changes), e.Actor.Address, e.Actor.RequestID)
	}))
}

func changesText(changes []tenants.Change) string {
	var b strings.Builder
	for i, c := range changes {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Field + ": " + strconv.Quote(c.Before) + " to " + strconv.Quote(c.After))
	}
	return b.String()
}

// line is an entry as JSON Lines carry it.
type line struct {
	ID      tenants.EntryID  `json:"id"`
	Number  int64            `json:"number"`
	Time    time.Time        `json:"time"`
	Tenant  tenants.TenantID `json:"tenant,omitempty"`
	Actor   lineActor        `json:"actor"`
	Action  tenants.Action   `json:"action"`
	Outcome tenants.Outcome  `json:"outcome"`
	Object  string           `json:"object,omitempty"`
	Subject string           `json:"subject,omitempty"`
	Text    string           `json:"text"`
	Changes []lineChange     `json:"changes,omitempty"`
	Address string           `json:"address,omitempty"`
	Request string           `json:"request,omitempty"`
}

type lineActor struct {
	Kind     tenants.ActorKind    `json:"kind"`
	Name     string               `json:"name"`
	Issuer   string               `json:"issuer,omitempty"`
	Subject  string               `json:"subject,omitempty"`
	Role     tenants.Role         `json:"role,omitempty"`
	Platform tenants.PlatformRole `json:"platform_role,omitempty"`
}

type lineChange struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func lineOf(e tenants.Entry) line {
	l := line{ID: e.ID, Number: e.Number, Time: e.At.UTC(), Tenant: e.Tenant, Action: e.Action, Outcome: e.Outcome,
		Object: e.Object, Subject: e.Subject,
		Text: e.Text, Address: e.Actor.Address, Request: e.Actor.RequestID,
		Actor: lineActor{Kind: e.Actor.Kind, Name: e.Actor.Name, Issuer: e.Actor.Issuer, Subject: e.Actor.Subject,
			Role: e.Actor.Role, Platform: e.Actor.Platform}}
	for _, c := range e.Changes {
		l.Changes = append(l.Changes, lineChange(c))
	}
	return l
}

func (s *Site) auditJSON(v *visit) error {
	filter, err := exportFilter(v)
	if err != nil {
		return err
	}
	var lines *json.Encoder
	err = s.log(v).ExportEntries(v.ctx(), filter, func(e tenants.Entry) error {
		if lines == nil {
			lines = json.NewEncoder(v.attach(v.exportName("jsonl"), "application/jsonl; charset=utf-8"))
		}
		return lines.Encode(lineOf(e))
	})
	if lines == nil && err == nil {
		v.attach(v.exportName("jsonl"), "application/jsonl; charset=utf-8")
		return v.NoContent(http.StatusOK)
	}
	return v.finish(err)
}
