package views

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"perennial/tenants"
)

// noon is the instant of every fixture: a Monday, as in the drawings.
var noon = time.Date(2026, 11, 23, 12, 6, 31, 0, time.UTC)

const (
	hour = time.Hour
	day2 = 24 * time.Hour
)

func acme() tenants.Tenant {
	return tenants.Tenant{ID: "ten_01jd7k3m0000000000000acme0", Slug: "acme", Name: "Acme Retail"}
}

func person(role tenants.Role, platform tenants.PlatformRole) tenants.Actor {
	return tenants.Actor{Kind: tenants.Person, Name: "ops@acme.example", Tenant: acme().ID, Role: role, Platform: platform, Address: "198.51.100.24", RequestID: "req_7qf2m0"}
}

func acmePage(role tenants.Role) Page {
	return Page{Now: noon, Actor: person(role, ""), Tenant: acme(), Path: "/t/acme/domains", CanTheme: true, Tenants: []Membership{{"acme", "Acme Retail", role}, {"northwind", "Northwind", tenants.Viewer}}}
}

func operatorPage(role tenants.PlatformRole) Page {
	return Page{Now: noon, Actor: tenants.Actor{Kind: tenants.Person, Name: "operator@portal.example", Platform: role}, Path: TenantsPath, CanTheme: true}
}

func domID(i int) tenants.DomainID {
	return tenants.DomainID(fmt.Sprintf("dom_%026d", i))
}

// row is a domain with a certificate that began and ends so many days from noon.
func row(i int, name string, status tenants.Status, code tenants.Code, from, to, renew float64) DomainRow {
	at := func(days float64) time.Time { return noon.Add(time.Duration(days * float64(day2))) }
	r := DomainRow{ID: domID(i), Name: name, Status: status, Issuer: "Let’s Encrypt", HasVersion: true, NotBefore: at(from), NotAfter: at(to), Since: at(from)}
	if code != "" {
		r.Finding = tenants.Finding{Code: code, Args: map[string]string{"ca": "Example CA"}}
		r.Since = at(-5)
	}
	if status == tenants.Active {
		r.RenewAt = at(renew)
	}
	if status == tenants.Renewing {
		r.Since, r.OrderState = noon.Add(-20*time.Second), tenants.Proving
	}
	return r
}

func manyRows() []DomainRow {
	rows := []DomainRow{
		row(1, "promo.acme.example", tenants.Expired, tenants.DelegationDiffers, -93, -3, 0),
		row(3, "*.eu.acme.example", tenants.Failing, tenants.DNSSilent, -84, 6, 0),
		row(4, "mail.acme.example", tenants.Failing, tenants.DelegationMissing, -81, 9, 0),
		row(5, "status.acme.example", tenants.Active, "", -74, 16, 2),
		row(6, "cdn.acme.example", tenants.Active, "", -70, 20, 7),
		row(7, "docs.acme.example", tenants.Active, "", -67, 23, 8),
		row(8, "pay.acme.example", tenants.Failing, tenants.CAAForbids, -62, 28, 0),
		row(9, "api.acme.example", tenants.Renewing, "", -59, 31, 0),
		row(10, "xn--bcher-kva.acme.example", tenants.Active, "", -55, 35, 7),
		row(11, "*.dev.acme.example", tenants.Active, "", -50, 40, 10),
	}
	for i, name := range []string{"fr", "nl", "search", "images", "static", "m", "loyalty", "careers", "grafana", "www", "shop", "checkout"} {
		d := 41 + float64(i*i)/3
		rows = append(rows, row(20+i, name+".acme.example", tenants.Active, "", d-90, d, d-30))
	}
	waiting := DomainRow{ID: domID(2), Name: "outlet.acme.example", Status: tenants.Waiting, Finding: tenants.Finding{Code: tenants.DelegationMissing}, Issuer: "Let’s Encrypt", Since: noon.Add(-hour)}
	return append(rows, waiting)
}

func tallyOf(rows []DomainRow) (map[tenants.Status]int, []Week) {
	by, weeks := map[tenants.Status]int{}, map[time.Time]map[tenants.Status]int{}
	for _, r := range rows {
		by[r.Status]++
		if !r.HasVersion {
			continue
		}
		w := monday(r.NotAfter)
		if weeks[w] == nil {
			weeks[w] = map[tenants.Status]int{}
		}
		weeks[w][r.Status]++
	}
	var list []Week
	for start, count := range weeks {
		list = append(list, Week{start, count})
	}
	return by, list
}

func domainsPage(rows []DomainRow) DomainsPage {
	by, weeks := tallyOf(rows)
	help := by[tenants.Expired] + by[tenants.Failing] + by[tenants.Waiting]
	return DomainsPage{Page: acmePage(tenants.Admin), Total: len(rows), WithoutHelp: help, ByStatus: by, Weeks: weeks, All: rows, Rows: rows, Matches: len(rows), IssuerName: "Let’s Encrypt"}
}

// minuteRows live as the development world's do: a few minutes each.
func minuteRows() []DomainRow {
	rows := manyRows()
	for i := range rows {
		r := &rows[i]
		scale := func(t time.Time) time.Time {
			if t.IsZero() {
				return t
			}
			return noon.Add(t.Sub(noon) / (24 * 60 * 4))
		}
		r.NotBefore, r.NotAfter, r.RenewAt, r.Since = scale(r.NotBefore), scale(r.NotAfter), scale(r.RenewAt), scale(r.Since)
		r.Issuer = "Pebble"
	}
	return rows
}

func hugePage() DomainsPage {
	p := domainsPage(manyRows())
	p.All, p.Total, p.Matches, p.Next = nil, 10000, 10000, "cur_2"
	p.ByStatus = map[tenants.Status]int{tenants.Active: 9871, tenants.Failing: 81, tenants.Waiting: 40, tenants.Renewing: 7, tenants.Expired: 1}
	for i := range 57 {
		p.Weeks = append(p.Weeks, Week{monday(noon).Add(time.Duration(i) * week1), map[tenants.Status]int{tenants.Active: 100 + i*7%50, tenants.Failing: i % 3}})
	}
	return p
}

func delegation(base string) tenants.Delegation {
	return tenants.Delegation{ID: "del_1", Base: base, Label: "k3x9t2mq7w4z8r5v6n1b0c2d3f", Zone: "dcv.portal.example"}
}

func letsEncrypt() tenants.Issuer {
	return tenants.Issuer{ID: "iss_1", Name: "Let’s Encrypt", Directory: "https://acme-v02.api.letsencrypt.org/directory", Profile: "tlsserver", CAA: []string{"letsencrypt.org"}}
}

// newDomain is a claim without a certificate.
func newDomain(name string, code tenants.Code, answers ...tenants.Asked) DomainPage {
	base := strings.TrimPrefix(name, "*.")
	p := DomainPage{Page: acmePage(tenants.Admin), Issuer: letsEncrypt(), Asks: letsEncrypt(), Registered: "acme.example", Lifetime: 45 * day2}
	p.Domain = tenants.Domain{ID: domID(2), Tenant: acme().ID, Name: name, Delegation: delegation(base), Status: tenants.Waiting, Since: noon.Add(-10 * time.Minute),
		Reserved: noon.Add(7 * day2), Created: noon.Add(-10 * time.Minute), CreatedBy: "ops@acme.example"}
	p.Certificate = tenants.Certificate{ID: "crt_1", Domain: p.Domain.ID, Names: []string{name}, KeyType: tenants.P256}
	if len(answers) > 0 {
		p.Domain.Check = &tenants.Check{At: noon.Add(-12 * time.Second), Zone: "acme.example", Delegation: answers, CAA: []tenants.AskedCAA{{Name: base}, {Name: "acme.example"}}}
		p.Domain.Next = noon.Add(48 * time.Second)
	}
	if code != "" {
		p.Domain.Finding = tenants.Finding{Code: code, Args: map[string]string{"name": base, "record": "_acme-challenge." + base, "server": answers[0].Server, "got": answers[0].Got}}
	}
	return p
}

func asked(got string, result tenants.Answer) []tenants.Asked {
	return []tenants.Asked{{Server: "ns1.dns.example", Got: got, Result: result}, {Server: "ns2.dns.example", Got: got, Result: result}}
}

func issuingDomain() DomainPage {
	d := delegation("shop.acme.example")
	p := newDomain("shop.acme.example", "", asked(d.Target(), tenants.Right)...)
	p.Domain.Status, p.Domain.Proved = tenants.Renewing, noon.Add(-50*time.Second)
	at := noon.Add(-31 * time.Second)
	p.Order = &tenants.Order{ID: "ord_01jd7k3m", State: tenants.Proving, Names: []string{p.Domain.Name}, Profile: "tlsserver", Created: at,
		Reached:    map[tenants.OrderState]time.Time{tenants.Ordered: at.Add(400 * time.Millisecond), tenants.Proving: at.Add(500 * time.Millisecond)},
		Challenges: []tenants.Challenge{{Presented: at.Add(time.Second), Seen: at.Add(2300 * time.Millisecond), Answered: at.Add(2500 * time.Millisecond)}},
		URL:        "https://ca.example/order/1"}
	p.Orders = []tenants.Order{*p.Order}
	return p
}

// version is one that began and ended so many days from noon.
func version(number int, from, to float64, reason tenants.Reason) tenants.Version {
	at := func(days float64) time.Time { return noon.Add(time.Duration(days * float64(day2))) }
	return tenants.Version{ID: tenants.VersionID(fmt.Sprintf("ver_%026d", number)), Number: number, Names: []string{"checkout.acme.example"}, Serial: fmt.Sprintf("049c1f%022x7aa2", number), Issuer: "YE2",
		NotBefore: at(from), NotAfter: at(to), Issued: at(from), KeyType: tenants.P256, Reason: reason,
		SPKI: strings.Repeat(fmt.Sprintf("7f9%x", number%16), 16), Fingerprint: strings.Repeat("9b1e44c0", 8), Chain: testChain("checkout.acme.example", at(to))}
}

func certified() DomainPage {
	p := newDomain("checkout.acme.example", "", asked("k3x9t2mq7w4z8r5v6n1b0c2d3f.dcv.portal.example", tenants.Right)...)
	p.Domain.Status, p.Domain.Proved, p.Domain.Since, p.Domain.Next = tenants.Active, noon.Add(-400*day2), noon.Add(-hour/4), noon.Add(4*hour)
	p.Versions = []tenants.Version{version(7, -.01, 90, tenants.InWindow), version(6, -59, 31, tenants.OnRequest), version(5, -116, -26, tenants.InWindow), version(4, -175, -85, tenants.FirstIssue)}
	p.Current = &p.Versions[0]
	p.Current.Profile = "tlsserver"
	p.Certificate.Plan = tenants.Verdict{At: noon.Add(59*day2 - 4*hour), Start: noon.Add(58 * day2), End: noon.Add(60 * day2), NoLater: noon.Add(75 * day2), Reason: tenants.InWindow,
		Text: "Let’s Encrypt asks for 20 to 22 January, and Thu 21 Jan 2027, 08:06 UTC is this certificate’s own minute inside it."}
	p.Entries = entries()[:5]
	return p
}

// shortLived is a certificate of the development world.
func shortLived() DomainPage {
	p := certified()
	const m = 1.0 / 24 / 60
	p.Versions = []tenants.Version{version(31, -2*m, 8*m, tenants.InWindow), version(30, -9*m, 1*m, tenants.InWindow), version(29, -16*m, -6*m, tenants.InWindow)}
	p.Current = &p.Versions[0]
	p.Certificate.Plan = tenants.Verdict{At: noon.Add(5*time.Minute + 12*time.Second), Start: noon.Add(4 * time.Minute), End: noon.Add(6 * time.Minute), NoLater: noon.Add(6*time.Minute + 20*time.Second), Reason: tenants.LastThird,
		Text: "It renews in the last third of its 10 minutes, and 12:11:43 UTC is this certificate’s own moment inside it."}
	return p
}

func renewing() DomainPage {
	p := certified()
	p.Domain.Status = tenants.Renewing
	o := issuingDomain().Order
	p.Order = o
	return p
}

// detoured has an order, open or done, at another authority than the preferred one.
func detoured(done bool) DomainPage {
	p := renewing()
	p.Asks.Name = "Google Trust Services"
	o := *p.Order
	o.Detour = "Let’s Encrypt has failed for 6 hours (The authority does not answer)."
	if p.Order = &o; done {
		p.Domain.Status, o.State, p.Current.Order = tenants.Active, tenants.Issued, o.ID
		p.Issuer, p.Asks = p.Asks, p.Issuer
	}
	return p
}

func failing(code tenants.Code, args map[string]string, answers []tenants.Asked, caa ...tenants.AskedCAA) DomainPage {
	p := certified()
	p.Domain.Name = "pay.acme.example"
	p.Domain.Delegation = delegation("pay.acme.example")
	p.Domain.Status, p.Domain.Since, p.Domain.Next = tenants.Failing, noon.Add(-4*day2), noon.Add(6*time.Minute)
	p.Domain.Finding = tenants.Finding{Code: code, Args: args, Raw: "urn:ietf:params:acme:error:caa\nCAA record for pay.acme.example prevents issuance"}
	p.Domain.Check = &tenants.Check{At: noon.Add(-4 * time.Minute), Zone: "acme.example", Delegation: answers, CAA: caa}
	v := version(3, -62, 28, tenants.InWindow)
	p.Versions, p.Current = []tenants.Version{v}, &v
	p.Certificate.Plan.NoLater = noon.Add(21 * day2)
	for i := range 5 {
		p.Orders = append(p.Orders, tenants.Order{ID: tenants.OrderID(fmt.Sprint("ord_", i)), State: tenants.Failed, Created: noon.Add(-time.Duration(i)*day2 - 4*hour), Finding: p.Domain.Finding})
	}
	return p
}

func failingCAA() DomainPage {
	args := map[string]string{"ca": "Let’s Encrypt", "at": "acme.example", "act": "renew", "line": `acme.example. CAA 0 issue "letsencrypt.org"`}
	return failing(tenants.CAAForbids, args, asked("k3x9t2mq7w4z8r5v6n1b0c2d3f.dcv.portal.example", tenants.Right), tenants.AskedCAA{Name: "pay.acme.example"}, tenants.AskedCAA{Name: "acme.example", Records: []tenants.CAA{{Tag: "issue", Value: "old-ca.example"}}})
}

func failingRemoved() DomainPage {
	return failing(tenants.DelegationMissing, map[string]string{"record": "_acme-challenge.pay.acme.example", "server": "ns1.dns.example"}, asked("NXDOMAIN", tenants.Missing))
}

func failingDiffers() DomainPage {
	return failing(tenants.DelegationDiffers, map[string]string{"record": "_acme-challenge.pay.acme.example"}, asked("k3x9t2.dcv.oldhost.example.", tenants.Differs))
}

func failingCA() DomainPage {
	return failing(tenants.CARefuses, map[string]string{"ca": "Let’s Encrypt", "name": "pay.acme.example"}, asked("x", tenants.Right))
}

// failingOther is to be renewed by another authority than the one that CAA allows and that signed what there is.
func failingOther() DomainPage {
	p := failingCAA()
	p.Asks = tenants.Issuer{ID: "iss_2", Name: "Google Trust Services", CAA: []string{"pki.goog"}}
	p.Domain.Finding.Args["ca"], p.Domain.Finding.Args["line"] = p.Asks.Name, `acme.example. CAA 0 issue "pki.goog"`
	p.Domain.Check.CAA[1].Records[0].Value = "letsencrypt.org"
	return p
}

// failingWildcard has a way out: its certificate is for two names, and CAA forbids one of them.
func failingWildcard() DomainPage {
	p := failingCAA()
	p.Domain.Finding.Args["line"] = `acme.example. CAA 0 issuewild "letsencrypt.org"`
	p.Certificate.Names = tenants.WithSibling.Of(p.Domain.Name)
	return p
}

func failingProfile() DomainPage {
	p := failing(tenants.CAProfile, map[string]string{"ca": "Let’s Encrypt", "profile": "classic", "case": "chosen"}, asked("x", tenants.Right))
	p.Certificate.Profile = "classic"
	return p
}

func expired() DomainPage {
	p := failingRemoved()
	v := version(3, -93, -3, tenants.InWindow)
	p.Versions, p.Current, p.Domain.Status = []tenants.Version{v}, &v, tenants.Expired
	return p
}

// expiredWell is what a portal finds that was switched off for too long.
func expiredWell() DomainPage {
	p := expired()
	p.Domain.Finding, p.Orders = tenants.Finding{}, nil
	return p
}

func expiredShown() DomainPage {
	p := expiredWell()
	p.ShowVersion = true
	return p
}

func neverIssued() DomainPage {
	p := failingCAA()
	p.Current, p.Versions, p.Certificate.Plan = nil, nil, tenants.Verdict{}
	return p
}

func longest() DomainPage {
	p := certified()
	p.Domain.Name = "*." + strings.Repeat("a", 63) + ".xn--bcher-kva." + strings.Repeat("summer-sale-landing-page.", 4) + "acme.example"
	p.Domain.Delegation = delegation(strings.TrimPrefix(p.Domain.Name, "*."))
	p.Current.Names = []string{p.Domain.Name}
	return p
}

func entry(n int64, ago time.Duration, kind tenants.ActorKind, who string, act tenants.Action, out tenants.Outcome, text string, changes ...tenants.Change) tenants.Entry {
	return tenants.Entry{ID: tenants.EntryID(fmt.Sprint("ent_", n)), Number: n, Tenant: acme().ID, At: noon.Add(-ago), Action: act, Outcome: out, Text: text, Changes: changes, Object: string(domID(2)), Subject: "checkout.acme.example",
		Actor: tenants.Actor{Kind: kind, Name: who, Role: tenants.Admin, Address: "198.51.100.24", RequestID: "req_7qf2m0"}}
}

func entries() []tenants.Entry {
	return []tenants.Entry{
		entry(48213, 2*time.Minute, tenants.SystemActor, "Perennial", tenants.DidPlanRenewal, tenants.Done, "planned the next renewal of checkout.acme.example."),
		entry(48212, 3*time.Minute, tenants.Person, "audit@portal.example", tenants.DidOpen, tenants.Refused, "tried to download the key of pay.acme.example. The role Auditor may not download a private key."),
		entry(48209, 6*time.Minute, tenants.SystemActor, "Perennial", tenants.DidPlaceOrder, tenants.Done, "ordered version 5 of api.acme.example from Let’s Encrypt."),
		entry(48207, 15*time.Minute, tenants.CAActor, "Let’s Encrypt", tenants.DidIssue, tenants.Done, "issued version 7 of checkout.acme.example."),
		entry(48204, 28*time.Minute, tenants.Person, "operator@portal.example", tenants.DidSaveTenant, tenants.Done, "changed the tenant Acme Retail.", tenants.Change{Field: "Group acme-web", Before: "viewer", After: "editor"}, tenants.Change{Field: "Group acme-it", After: "admin"}, tenants.Change{Field: "Name", Before: "Acme Retail", After: "Acme Retail"}),
		entry(48186, 4*hour, tenants.SystemActor, "Perennial", tenants.DidFailOrder, tenants.Broke, "could not renew pay.acme.example. CAA at acme.example forbids Example CA."),
		entry(48160, 15*hour, tenants.Person, "ops@acme.example", tenants.DidSignIn, tenants.Done, "signed in from 198.51.100.24."),
	}
}

func auditPage(platform bool) AuditPage {
	p := AuditPage{Page: acmePage(tenants.Admin), Total: 1204, Next: "cur_2", Filter: AuditFilter{From: "2026-11-16", To: "2026-11-23"}}
	if platform {
		p.Page = operatorPage(tenants.PlatformAuditor)
	}
	for _, e := range entries() {
		p.Entries = append(p.Entries, AuditEntry{e, "acme", "Acme Retail"})
	}
	return p
}

func renewalsPage(days int) RenewalsPage {
	p := RenewalsPage{Page: acmePage(tenants.Viewer), Days: days, IssuerName: "Let’s Encrypt"}
	for i := range days {
		d := DayLoad{Day: noon.Add(time.Duration(i) * day2), Free: (i*i + 3) % 17, Costly: i % 4}
		if i == 0 {
			d.Failed = 2
		}
		if d.Day.Weekday() == time.Saturday || d.Day.Weekday() == time.Sunday {
			d = DayLoad{Day: d.Day}
		}
		p.Load, p.Total = append(p.Load, d), p.Total+d.total()
	}
	for i := range 10 {
		at := noon.Add(time.Duration(i+1) * 11 * hour)
		p.Next = append(p.Next, PlannedRenewal{ID: domID(i), Name: fmt.Sprintf("name%d.acme.example", i), Issuer: "Let’s Encrypt", Start: at.Add(-20 * hour), End: at.Add(28 * hour), At: at, NoLater: at.Add(20 * day2), Status: tenants.Active, Free: i%3 != 0})
	}
	p.Budget = budgetLines()
	return p
}

// spreadPage is the schedule of a tenant with renewal hours, as one of its people sees it.
func spreadPage(role tenants.Role) RenewalsPage {
	p := renewalsPage(30)
	p.Page = acmePage(role)
	p.Hours, _ = tenants.ParseHours(tenants.HoursForm{Days: []string{"Mo", "Tu", "We", "Th"}, From: "06:00", To: "12:00", PerDay: "18",
		Freezes: []tenants.Freeze{{First: "2026-12-19", Last: "2027-01-03"}}})
	p.Spread = Spread{HoursForm: p.Hours.Form()}
	for i, d := range p.Load {
		if len(p.Hours.Open(d.Day.Truncate(day2), d.Day.Truncate(day2).Add(day2))) == 0 {
			p.Load[i] = DayLoad{Day: d.Day}
		}
	}
	return p
}

func spreadEffect() RenewalsPage {
	p := spreadPage(tenants.Admin)
	p.Spread.Effect = "Busiest day falls from 22 to 18. 8 renewals move to Thu 10 Dec, none past its safety line."
	p.Spread.Shown = p.Hours.String()
	return p
}

func spreadUneasy() RenewalsPage {
	p := spreadEffect()
	p.Spread.Effect = "Busiest day stays at 22. 3 renewals stay outside these hours, which leave no minute before the safety line."
	p.Spread.Uneasy = true
	return p
}

func wrongSpread() RenewalsPage {
	p := spreadPage(tenants.Admin)
	p.Spread.HoursForm = tenants.HoursForm{PerDay: "0", From: "6 o'clock", To: "12:00", Zone: "Mars/Olympus",
		Freezes: []tenants.Freeze{{First: "2026-12-19", Last: "2027-01-03", Why: "Christmas"}, {First: "2027-02-19", Last: "2027-02-03"}}}
	_, err := tenants.ParseHours(p.Spread.HoursForm)
	refused, _ := errors.AsType[*tenants.Error](err)
	p.Spread.Errors = refused.Fields
	return p
}

// budgetLines are all limits of Let's Encrypt, one corrected by the CA.
func budgetLines() []BudgetLine {
	profile := tenants.ProfileOf("https://acme-v02.api.letsencrypt.org/directory")
	var lines []BudgetLine
	for _, r := range profile.Rules {
		lines = append(lines, BudgetLine{Issuer: profile.Name, Limit: r.Name, Left: r.Allows.Count, Count: r.Allows.Count, Per: r.Allows.Per, Counted: r.Name.Counted(), Rule: r})
	}
	set := func(i int, key string, left int, refills time.Duration) {
		lines[i].Key, lines[i].Left, lines[i].RefillsAt = key, left, noon.Add(refills)
	}
	set(0, "", 278, 36*time.Second)
	set(1, "acme.example", 9, 85*time.Minute)
	set(2, "shop.acme.example", 3, 16*hour)
	lines[1].Corrected, lines[3].Key = noon.Add(-145*time.Minute), "pay.acme.example"
	return append(lines, BudgetLine{Issuer: profile.Name, Limit: tenants.RenewalsReplacing, Rule: tenants.Rule{Fact: profile.Replacing.Fact}})
}

func minuteRenewals() RenewalsPage {
	p := renewalsPage(30)
	p.Load, p.Total = []DayLoad{{Day: noon, Free: 24}}, 24
	for i := range p.Next {
		at := noon.Add(time.Duration(i+1) * 40 * time.Second)
		p.Next[i].Start, p.Next[i].At, p.Next[i].End, p.Next[i].NoLater = at.Add(-time.Minute), at, at.Add(time.Minute), at.Add(2*time.Minute)
	}
	return p
}

func policyPage(role tenants.Role) PolicyPage {
	saved := tenants.Policy{RenewDays: 30, KeyTypes: []tenants.KeyType{tenants.P256, tenants.P384}, DefaultKey: tenants.P384, MaxKeyDays: 90}
	return PolicyPage{Page: acmePage(role), Saved: saved, Typed: saved.Form(), Renewal: ByDays}
}

// policyErrors has something wrong in every field.
func policyErrors() PolicyPage {
	p := policyPage(tenants.Admin)
	p.Typed = tenants.PolicyForm{RenewDays: "a month", RenewPart: "7/3", DefaultKey: "RSA-4096", MaxKeyDays: "4000"}
	p.Errors = map[string]string{
		"key_types":    "No key type is allowed, so nothing could renew. Tick at least one.",
		"default_key":  "RSA-4096 is not among the allowed key types. Allow it, or choose another as the default.",
		"renewal":      "It is not said when to renew. Choose one of the three ways.",
		"renew_days":   "“a month” is not a number of whole days from 1 to 365. Type one, such as 30.",
		"renew_part":   "“7/3” is not a part between 0 and 1. Type one, such as 1/3 or 25%.",
		"max_key_days": "“4000” is not a number of whole days from 1 to 3,650. Type one, such as 30.",
	}
	return p
}

// policyPreferring has an order of preference over three authorities, one of them retired.
func policyPreferring(role tenants.Role) PolicyPage {
	p := policyPage(role)
	p.Issuers = []IssuerChoice{{ID: "iss_1", Name: "Let’s Encrypt", Default: true}, {ID: "iss_2", Name: "Google Trust Services"}, {ID: "iss_3", Name: "Buypass", Retired: true}}
	p.Saved.Issuers, p.Saved.FailoverAfter = []tenants.IssuerID{"iss_2", "iss_1"}, 6
	p.Typed = p.Saved.Form()
	return p
}

// policyGone lists an authority that is retired and hours that are none.
func policyGone() PolicyPage {
	p := policyPreferring(tenants.Admin)
	p.Typed.Issuers, p.Typed.FailoverHours = []string{"iss_1", "iss_3"}, "9000"
	p.Errors = map[string]string{"issuer2": "This authority takes no orders any more, or stands there twice. Choose another one.",
		"failover_hours": "9000 is not a number of whole hours from 1 to 8,760. Type one, such as 6."}
	return p
}

func policyRefused() PolicyPage {
	p := policyPage(tenants.Admin)
	p.Error = "Somebody else changed the policy meanwhile. Look at it and save again."
	return p
}

func tenantsPage() TenantsPage {
	p := TenantsPage{Page: operatorPage(tenants.Operator), Total: 48, WithTrouble: 14, Matches: 48, Next: "cur_2"}
	for i, name := range []string{"Acme Retail", "Polar Freight", "Northwind", "Harbour Books", "Lumen Clinics"} {
		p.Rows = append(p.Rows, TenantRow{ID: tenants.TenantID(fmt.Sprintf("ten_%026d", i)), Name: name, Slug: strings.ToLower(strings.Fields(name)[0]), Domains: 24 + i*i*301, Failing: max(0, 3-i), NextExpiry: noon.Add(time.Duration(5+i) * day2)})
	}
	p.Rows = append(p.Rows, TenantRow{ID: "ten_new", Name: "Delta Printing", Slug: "delta"})
	return p
}

func tenantPage(role tenants.PlatformRole) TenantEditPage {
	return TenantEditPage{Page: operatorPage(role), ID: "ten_00000000000000000000000002", Saved: "Northwind", Name: "Northwind", Slug: "northwind", Provider: "login.portal.example", People: 12,
		Groups:   []GroupField{{"northwind-it", tenants.Admin, true, 2}, {"northwind-sec", tenants.Auditor, true, 3}, {"northwind-web", tenants.Editor, true, 7}, {"northwind-new", tenants.Viewer, false, 0}},
		ByStatus: map[tenants.Status]int{tenants.Active: 239, tenants.Failing: 4, tenants.Waiting: 3}, NextExpiry: noon.Add(7 * day2), LastSignIn: noon.Add(-26 * time.Minute)}
}

func addErrors() AddDomainsPage {
	return AddDomainsPage{Page: acmePage(tenants.Editor), IssuerName: "Let’s Encrypt", Names: []NameField{
		{Typed: "gifts.acme.example", Ready: "gifts.acme.example"},
		{Typed: "co.uk", Error: "co.uk is a public suffix: anybody can register names below it. Put your own name in front, as in acme.co.uk."},
		{Typed: "tickets.acme-group.example", Error: "Another tenant holds this name. If it is yours, ask whoever runs this portal."},
		{Typed: "☃.acme.example", Error: "Authorities do not issue for ☃. Letters of any language, digits and hyphens work.", Offer: "snow.acme.example"},
		{Typed: "summer-sale-landing-page-for-loyalty-members-in-the-netherlands-2026.acme.example", Error: "The part before the first dot has 68 characters, DNS allows 63. Leave some out."},
	}}
}

func confirm(p DomainPage, typed, err string) ConfirmPage {
	c := ConfirmPage{DomainPage: p, Typed: typed, Error: err}
	if p.Current != nil {
		c.Version = *p.Current
	}
	return c
}

func outageCA() Outage {
	return Outage{What: "ca", Name: "Let’s Encrypt", Since: noon.Add(-138 * time.Minute), NextTry: noon.Add(2 * time.Minute), Waits: 3, Needed: noon.Add(9 * day2)}
}

func failed(status int, p Page, text string) ErrorPage {
	return ErrorPage{Page: p, Status: status, Text: text}
}

// testChain makes a real chain of three, the root left out.
func testChain(name string, until time.Time) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	cert := func(cn string, ca bool, parent *x509.Certificate, end time.Time) (*x509.Certificate, []byte) {
		t := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: cn}, NotBefore: noon.Add(-400 * day2), NotAfter: end, IsCA: ca, BasicConstraintsValid: true}
		if parent == nil {
			parent = t
		}
		der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, key)
		if err != nil {
			panic(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		return c, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	root, _ := cert("ISRG Root YE", true, nil, noon.Add(20*365*day2))
	middle, middlePEM := cert("Let’s Encrypt YE2", true, root, noon.Add(650*day2))
	_, leafPEM := cert(name, false, middle, until)
	return string(leafPEM) + string(middlePEM)
}
