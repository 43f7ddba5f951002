package views

import (
	"fmt"
	"slices"
	"strings"

	"perennial/tenants"
)

// seenRow is one question and its answer. The part that differs is marked.
type seenRow struct {
	Asked  string
	Mono   bool // the question is something one might type
	Before string
	Mark   string
	After  string
	Plain  bool // the answer is a sentence
	mood
}

// delegationRows is what each name server said about the CNAME.
func (p DomainPage) delegationRows() []seenRow {
	if p.Domain.Check == nil {
		return nil
	}
	var rows []seenRow
	for _, a := range p.Domain.Check.Delegation {
		r := seenRow{Asked: strings.TrimSuffix(a.Server, "."), Mono: true, Before: strings.TrimSuffix(a.Got, "."), mood: result(a.Result)}
		switch a.Result {
		case tenants.Differs:
			r.Before, r.Mark = difference(p.Domain.Delegation.Target(), r.Before)
		case tenants.Missing:
			r.Plain = true
			r.Before = "No such record"
			if strings.Contains(a.Got, "NXDOMAIN") {
				r.Before = "No such name"
			}
		case tenants.Silent:
			r.Plain = true
			r.Before = orElse(r.Before, "No answer")
		}
		rows = append(rows, r)
	}
	return rows
}

// difference splits got where it leaves want, at a label's beginning.
func difference(want, got string) (same, differs string) {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	cut := strings.LastIndexByte(got[:i], '.') + 1
	return got[:cut], got[cut:]
}

// caaFinding judges the CAA answers alone, as if the delegation were right.
func (p DomainPage) caaFinding() tenants.Finding {
	if p.Domain.Check == nil {
		return tenants.Finding{}
	}
	c := *p.Domain.Check
	c.Delegation = []tenants.Asked{{Server: "any", Got: p.Domain.Delegation.Target(), Result: tenants.Right}}
	return tenants.Judge(p.Domain.Delegation, p.Asks, p.Certificate.Names, c)
}

// caaRow is the CAA answers in one line, for the waiting page.
func (p DomainPage) caaRow() seenRow {
	r := seenRow{Asked: "CAA for " + p.Asks.Name, Plain: true, Before: "No CAA record: any authority may issue", mood: mood{"s-active", "check", "Fine"}}
	for _, a := range p.Domain.Check.CAA {
		if a.Failed != "" {
			r.Before, r.mood = "No answer at "+a.Name, mood{"s-unknown", "unknown", "Could not ask"}
			return r
		}
		if len(a.Records) > 0 {
			r.Before = "The record at " + a.Name + " allows it"
			break
		}
	}
	if p.caaFinding().Code == tenants.CAAForbids {
		r.Before, r.mood = strings.Replace(r.Before, "allows it", "forbids it", 1), mood{"s-failing", "warn", "Forbids"}
	}
	return r
}

// caaRows is every name on the way up, for the failure page.
func (p DomainPage) caaRows() []seenRow {
	if p.Domain.Check == nil {
		return nil
	}
	forbids := p.caaFinding().Code == tenants.CAAForbids
	var rows []seenRow
	for _, a := range p.Domain.Check.CAA {
		rows = append(rows, p.caaAnswer(a, forbids))
		if a.Failed != "" || len(a.Records) > 0 {
			break // the climb stops at the first name with records
		}
	}
	return rows
}

func (p DomainPage) caaAnswer(a tenants.AskedCAA, forbids bool) seenRow {
	r := seenRow{Asked: a.Name, Mono: true}
	switch {
	case a.Failed != "":
		r.Plain, r.Before, r.mood = true, "Could not ask, which forbids issuing", mood{"s-unknown", "unknown", "Could not ask"}
	case len(a.Records) == 0:
		r.Plain, r.Before, r.mood = true, "None, so the name above decides", mood{"s-quiet", "up", "Look one up"}
	case forbids:
		r.Mark, r.mood = caaText(a.Records), mood{"s-failing", "warn", "Forbids " + p.Asks.Name}
	default:
		r.Before, r.mood = caaText(a.Records), mood{"s-active", "check", "Allows " + p.Asks.Name}
	}
	return r
}

func caaText(records []tenants.CAA) string {
	var lines []string
	for _, c := range records {
		lines = append(lines, caaLine(c))
	}
	return strings.Join(lines, ", ")
}

func caaLine(c tenants.CAA) string { return fmt.Sprintf("%d %s %q", c.Flags, c.Tag, c.Value) }

// recordLine is one line of a zone file: it stays, or is added, or goes.
type recordLine struct {
	Word  string // "Stays", "Add", "Remove"
	Class string
	Text  string
	Copy  string // id of the button; empty when there is nothing to copy
}

// remedy is the exact change that makes a failing domain work again. It is empty when no record would help.
type remedy struct {
	Title  string
	Sub    string
	At     string // the name at which the records stand
	Lines  []recordLine
	Name   string // the added record in separate fields
	Type   string
	Value  string
	Fields []fact // further fields, for CAA
}

func (p DomainPage) remedy() remedy {
	switch p.Domain.Finding.Code {
	case tenants.DelegationMissing, tenants.DelegationPartial:
		return p.delegationRemedy(nil)
	case tenants.DelegationDiffers:
		return p.delegationRemedy(p.wrongTargets())
	case tenants.CAAForbids:
		return p.caaRemedy()
	}
	return remedy{}
}

func (p DomainPage) delegationRemedy(wrong []string) remedy {
	d := p.Domain.Delegation
	r := remedy{Title: "Add this record", Sub: "One CNAME, once. Keep it, and every renewal works by itself.", At: d.Name(),
		Name: d.Name(), Type: "CNAME", Value: d.Target()}
	for _, w := range wrong {
		r.Title = "Replace this record"
		r.Lines = append(r.Lines, recordLine{Word: "Remove", Class: "del", Text: d.Name() + ". CNAME " + w + "."})
	}
	r.Lines = append(r.Lines, recordLine{Word: "Add", Class: "add", Text: d.Name() + ". CNAME " + d.Target() + ".", Copy: "copy-record"})
	return r
}

// wrongTargets are the targets found in place of ours, each once.
func (p DomainPage) wrongTargets() []string {
	var wrong []string
	seen := map[string]bool{}
	if p.Domain.Check == nil {
		return nil
	}
	for _, a := range p.Domain.Check.Delegation {
		got := strings.TrimSuffix(a.Got, ".")
		if a.Result == tenants.Differs && got != "" && !seen[got] {
			seen[got] = true
			wrong = append(wrong, got)
		}
	}
	return wrong
}

// caaRemedy adds one record for our authority and keeps the others: each CAA record allows one more. Records of
// a kind that no authority understands, marked critical, have to go instead.
func (p DomainPage) caaRemedy() remedy {
	at, records := p.caaStop()
	if at == "" || len(p.Asks.CAA) == 0 {
		return remedy{}
	}
	ours, tag := p.Asks.CAA[0], p.caaTag(records)
	r := remedy{Title: "Add this record", At: at, Name: at, Type: "CAA", Value: ours,
		Sub:    "Keep the other records if those authorities still issue for you. Each CAA record allows one more authority.",
		Fields: []fact{{"flags", "0"}, {"tag", tag}}}
	for _, c := range records {
		r.Lines = append(r.Lines, p.caaFate(at, c))
	}
	if p.Domain.Finding.Args["case"] == "critical" {
		r.Title, r.Value = "Remove this record", ""
		r.Sub = "It is marked as critical, and authorities must not issue while they do not know its tag."
		return r
	}
	r.Lines = append(r.Lines, recordLine{Word: "Add", Class: "add", Text: at + ". CAA 0 " + tag + ` "` + ours + `"`, Copy: "copy-record"})
	return r
}

// caaTag is that of the record to add. A certificate for a name and its wildcard may lack either.
func (p DomainPage) caaTag(records []tenants.CAA) string {
	wild := p.wildcard() && hasTag(records, "issuewild")
	if line, told := p.Domain.Finding.Args["line"]; told {
		wild = strings.Contains(line, " issuewild ")
	}
	if wild {
		return "issuewild"
	}
	return "issue"
}

// caaFate says what becomes of an existing record: one that no authority understands has to go, and so has one
// that names us with conditions we cannot meet.
func (p DomainPage) caaFate(at string, c tenants.CAA) recordLine {
	l := recordLine{Word: "Stays", Text: at + ". CAA " + caaLine(c)}
	why := p.Domain.Finding.Args["case"]
	domain, _, _ := strings.Cut(c.Value, ";")
	ours := slices.Contains(p.Asks.CAA, strings.ToLower(strings.TrimSpace(domain)))
	known := slices.Contains([]string{"issue", "issuewild", "issuemail", "iodef"}, strings.ToLower(c.Tag))
	if c.Flags&128 != 0 && !known || ours && (why == "account" || why == "method") {
		l.Word, l.Class = "Remove", "del"
	}
	return l
}

// caaStop is the name at which the climb stopped, and its records.
func (p DomainPage) caaStop() (string, []tenants.CAA) {
	if p.Domain.Check == nil {
		return "", nil
	}
	for _, a := range p.Domain.Check.CAA {
		if len(a.Records) > 0 {
			return strings.TrimSuffix(a.Name, "."), a.Records
		}
	}
	return "", nil
}

func hasTag(records []tenants.CAA, tag string) bool {
	return slices.ContainsFunc(records, func(c tenants.CAA) bool { return strings.EqualFold(c.Tag, tag) })
}

// recordField is one field of the added record, for DNS pages that ask for them one by one.
type recordField struct{ Label, Text, ID string }

func (r remedy) fields() []recordField {
	list := []recordField{{"name", r.Name, "record-name"}, {"type", r.Type, "record-type"}}
	for _, f := range r.Fields {
		list = append(list, recordField{f.Label, f.Value, "record-" + f.Label})
	}
	return append(list, recordField{"value", r.Value, "record-value"})
}
