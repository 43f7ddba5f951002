package views

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"perennial/tenants"
)

func TestRelative(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"now": 200 * time.Millisecond, "in 12 seconds": 12 * time.Second, "in 1 minute": 65 * time.Second, "in 4 minutes": 4 * time.Minute, "in 1 hour": 61 * time.Minute,
		"in 26 hours": 26 * time.Hour, "in 5 days": 4*day2 + 21*time.Hour, "in 90 days": 90*day2 - time.Hour,
		"3 days ago": -3*day2 - 3*time.Hour, "45 seconds ago": -45 * time.Second, "2 minutes ago": -2 * time.Minute,
	} {
		if got := relative(noon, noon.Add(d)); got != want {
			t.Errorf("relative(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestLengths(t *testing.T) {
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond: "0.4 s", 28 * time.Second: "28 s", 192 * time.Second: "3 min 12 s", 202 * time.Minute: "3 h 22 min", 12 * time.Minute: "12 min", 50 * time.Hour: "2 d 2 h",
	} {
		if got := took(d); got != want {
			t.Errorf("took(%v) = %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		90 * time.Second: "90 seconds", 10 * time.Minute: "10 minutes", time.Hour: "1 hour", 90 * time.Minute: "90 minutes", 3 * time.Hour: "3 hours", 160 * time.Hour: "7 days", 90 * day2: "90 days",
	} {
		if got := length(d); got != want {
			t.Errorf("length(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1204: "1,204", 1000000: "1,000,000", -4321: "-4,321", -999: "-999"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
	if got := plural(1, "domain") + ", " + plural(0, "domain"); got != "1 domain, 0 domains" {
		t.Error(got)
	}
	if got := colons("49c1f"); got != "04:9c:1f" {
		t.Error(got)
	}
	if got := readable("xn--bcher-kva.acme.example"); got != "bücher.acme.example" {
		t.Error(got)
	}
}

// TestAxis: whatever the span, from seconds to years, there are a few lines, in order and inside the picture.
func TestAxis(t *testing.T) {
	for span := 10 * time.Second; span < 5*365*day2; span = span * 5 / 3 {
		a := laneAxis(noon.Add(-span/7), noon.Add(span), noon)
		if len(a.Ticks) > 8 || a.NowX == "" {
			t.Errorf("%v: %d lines, now at %q", span, len(a.Ticks), a.NowX)
		}
		if span > time.Minute && len(a.Ticks) == 0 {
			t.Errorf("%v: no lines", span)
		}
	}
	if a := laneAxis(noon, noon, noon); a.at(noon.Add(time.Hour)) != "0%" {
		t.Error("an empty span divides by zero")
	}
}

// TestExpiryUnits: the chart counts every certificate, in a unit that suits how long they live.
func TestExpiryUnits(t *testing.T) {
	weeks, minutes := domainsPage(manyRows()).expiryChart(), domainsPage(minuteRows()).expiryChart()
	if weeks.Heading != "Expiry by week" || minutes.Heading != "Expiry by minute" {
		t.Errorf("headings %q and %q", weeks.Heading, minutes.Heading)
	}
	for _, c := range []columns{weeks, minutes} {
		links := 0
		for _, s := range c.Columns {
			if s.URL != "" {
				links++
			}
		}
		if len(c.Columns) < 8 || len(c.Columns) > 20 || links == 0 {
			t.Errorf("%s: %d columns, %d links", c.Heading, len(c.Columns), links)
		}
	}
	if n := len(hugePage().expiryChart().Columns); n < 45 || n > 60 {
		t.Errorf("a year has %d columns", n)
	}
}

// TestExpiryOutside: one certificate that outlives the others by far is counted, and its column says "or later".
func TestExpiryOutside(t *testing.T) {
	rows := append(minuteRows(), row(99, "old.acme.example", tenants.Expired, "", -40, -20, 0), row(98, "long.acme.example", tenants.Active, "", -1, 20, 10))
	c := domainsPage(rows).expiryChart()
	first, last := c.Columns[0], c.Columns[len(c.Columns)-1]
	if !strings.Contains(first.Name, "or earlier: 1 certificate expires") || !strings.Contains(last.Name, "or later: 1 certificate expires") {
		t.Errorf("%q … %q", first.Name, last.Name)
	}
}

// TestWhoseTurn: the state of a domain chooses its page, and the first sentence says whose turn it is.
func TestWhoseTurn(t *testing.T) {
	shown := failingCAA()
	shown.ShowVersion = true
	for _, c := range []struct {
		name  string
		page  DomainPage
		says  string
		never string
	}{
		{"waiting", newDomain("shop.acme.example", ""), "Your turn:", "Renew now"},
		{"issuing", issuingDomain(), "Our turn:", "Renew now"},
		{"active", certified(), "Nothing for you to do.", "What happened"},
		{"renewing", renewing(), "Our turn:", "renew-dialog"},
		{"failing", failingCAA(), "Your turn:", "renew-dialog"},
		{"failing, its certificate", shown, "See what to do", "What happened"},
		{"CAA forbids the wildcard", failingWildcard(), "Or leave *.pay.acme.example out of the certificate", "nobody"},
		{"profile ended", failingProfile(), "Your turn: choose another profile under Change certificate", "way-out"},
		{"authority refuses", failingCA(), "Your turn: ask Let’s Encrypt to allow the name", "Copy record"},
		{"expired", expired(), "expired 3 days ago", "of slack"},
		{"expired with nothing wrong", expiredWell(), "Our turn: nothing for you to do. We order the next version by ourselves", "\uFFFD"},
		{"expired with nothing wrong, who acts", expiredWell(), `<p class="big3">Whoever runs this portal</p>`, `id="code"`},
		{"expired with nothing wrong, its certificate", expiredShown(), "It was not renewed in time.", "What happened"},
		{"the next CSR is lacking", leakedOwnKey(), `<p class="big3">You</p>`, "Whoever runs your DNS"},
		{"profile ended, who acts", failingProfile(), `<p class="big3">You</p>`, "Whoever runs your DNS"},
		{"never issued", neverIssued(), "There is no certificate yet.", "Open the certificate"},
	} {
		page := render(t, Domain(c.page))
		if !strings.Contains(page, c.says) || strings.Contains(page, c.never) {
			t.Errorf("%s: says %q %v, says %q %v", c.name, c.says, strings.Contains(page, c.says), c.never, strings.Contains(page, c.never))
		}
	}
}

// TestRemedies: the exact lines to add, to keep and to remove.
// An order that went to another authority says so while it runs, and its version afterwards; no other page does.
func TestDetour(t *testing.T) {
	const want = "Ordered at Google Trust Services instead. Let’s Encrypt has failed for 6 hours"
	for name, p := range map[string]DomainPage{"under way": detoured(false), "done": detoured(true)} {
		if page := render(t, Domain(p)); strings.Count(page, want) != 1 {
			t.Errorf("%s: the page says %d times where the order went", name, strings.Count(page, want))
		}
	}
	older := detoured(true)
	older.Current.Order = "ord_before"
	for name, p := range map[string]DomainPage{"another order's version": older, "no detour": renewing()} {
		if strings.Contains(render(t, Domain(p)), "Ordered at") {
			t.Errorf("%s: the page speaks of a detour", name)
		}
	}
}

func TestRemedies(t *testing.T) {
	const target = "k3x9t2mq7w4z8r5v6n1b0c2d3f.dcv.portal.example."
	lines := func(p DomainPage) (list []string) {
		for _, l := range p.remedy().Lines {
			list = append(list, l.Word+" "+l.Text)
		}
		return list
	}
	critical := failing(tenants.CAAForbids, map[string]string{"at": "acme.example", "case": "critical"}, asked(target, tenants.Right),
		tenants.AskedCAA{Name: "acme.example", Records: []tenants.CAA{{Flags: 128, Tag: "future", Value: "x"}, {Tag: "issue", Value: "letsencrypt.org"}, {Tag: "iodef", Value: "mailto:a@b"}}})
	critical.Domain.Finding.Args["case"] = "critical"
	for name, c := range map[string]struct {
		page DomainPage
		want []string
	}{
		"caa":                           {failingCAA(), []string{`Stays acme.example. CAA 0 issue "old-ca.example"`, `Add acme.example. CAA 0 issue "letsencrypt.org"`}},
		"caa of the wildcard beside it": {failingWildcard(), []string{`Stays acme.example. CAA 0 issue "old-ca.example"`, `Add acme.example. CAA 0 issuewild "letsencrypt.org"`}},
		"caa of the authority that is asked next": {failingOther(), []string{`Stays acme.example. CAA 0 issue "letsencrypt.org"`, `Add acme.example. CAA 0 issue "pki.goog"`}},
		"removed": {failingRemoved(), []string{"Add _acme-challenge.pay.acme.example. CNAME " + target}},
		"differs": {failingDiffers(), []string{"Remove _acme-challenge.pay.acme.example. CNAME k3x9t2.dcv.oldhost.example.", "Add _acme-challenge.pay.acme.example. CNAME " + target}},
		"refused": {failingCA(), nil},
	} {
		if got := strings.Join(lines(c.page), "\n"); got != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, strings.Join(c.want, "\n"))
		}
	}
	if got, want := strings.Join(lines(critical), "\n"), `Remove acme.example. CAA 128 future "x"
Stays acme.example. CAA 0 issue "letsencrypt.org"
Stays acme.example. CAA 0 iodef "mailto:a@b"`; got != want {
		t.Errorf("critical:\n%s\nwant\n%s", got, want)
	}
}

// TestPermissions: what a role may not do is not on its pages at all.
func TestPermissions(t *testing.T) {
	all := map[tenants.Permission]string{tenants.RenewCertificate: `id="renew-now"`, tenants.ReleaseDomain: `id="release"`, tenants.DownloadKey: `id="download-key"`, tenants.CheckDomain: `id="check-now"`, tenants.DownloadCertificate: `id="download-fullchain"`, tenants.ReadAudit: `id="nav-audit"`}
	for _, role := range tenants.Roles {
		p := certified()
		p.Page = acmePage(role)
		page := render(t, Domain(p))
		for what, mark := range all {
			if got, want := strings.Contains(page, mark), p.Actor.May(what); got != want {
				t.Errorf("%s: %s is %v, want %v", role, mark, got, want)
			}
		}
		list := domainsPage(manyRows())
		list.Page = acmePage(role)
		if got, want := strings.Contains(render(t, Domains(list)), `id="add-domain"`), list.Actor.May(tenants.AddDomain); got != want {
			t.Errorf("%s: add domain is %v, want %v", role, got, want)
		}
	}
}

// TestTyped: what a person typed comes back exactly, however strange, and never as markup.
func TestTyped(t *testing.T) {
	const typed = `"><script>alert(1)</script> ☃ ` + "`${x}`"
	p := addErrors()
	p.Names[0] = NameField{Typed: typed, Error: "This is no name. Type one such as shop.acme.com."}
	page := render(t, AddDomains(p))
	if strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt; ☃ ") {
		t.Error("typed text is lost or became markup")
	}
}

// TestBudgetWords: what the table says of a limit depends on who knows it: our count, the CA, its rule, the operator.
func TestBudgetWords(t *testing.T) {
	lines := budgetLines()
	orders, corrected, inRow, exempt := lines[0], lines[1], lines[4], lines[6]
	granted, staging, published, unknown := orders, orders, inRow, inRow
	granted.Count = 1500
	staging.Count, staging.Per = 30000, time.Second
	published.Counted, unknown.Counted = false, false
	unknown.Rule = tenants.Rule{}
	for _, c := range []struct {
		line                 BudgetLine
		left, rate, who, how string
	}{
		{orders, "278 of 300", "1 every 36 s", "Ours", "counted"},
		{corrected, "9 of 50", "1 every 3 h 22 min", "Corrected by the CA", "its answer 09:41:31"},
		{granted, "278 of 1,500", "1 every 7.2 s", "Ours", "counted, limit set by the operator"},
		{staging, "278 of 30,000", "30,000 a second", "Ours", "counted, limit set by the operator"},
		{inRow, "1,152 of 1,152", "1 every 24 h", "Ours", "counted"},
		{published, "not counted", "1 every 24 h", "Rule of the CA", ""},
		{unknown, "not counted", "1 every 24 h", "Set by the operator", ""},
		{exempt, "no limit", "", "Rule of the CA", ""},
	} {
		_, who, how := c.line.source(noon)
		if c.line.left() != c.left || c.line.rate() != c.rate || who != c.who || how != c.how {
			t.Errorf("%q, %q, %q, %q; want %+v", c.line.left(), c.line.rate(), who, how, c)
		}
	}
	if at, rate := exempt.refills(noon); at != "never needed" || rate != "" {
		t.Errorf("an exemption refills %q, %q", at, rate)
	}
	text, title := exempt.ruleWords()
	if text != "read 22 Nov 2026" || !strings.HasSuffix(title, "before. Source of 5 Aug 2026.") {
		t.Errorf("%q, %q", text, title)
	}
}

func TestLoadWordsNameTheFreezeOnlyWhenItIsWhy(t *testing.T) {
	p := spreadPage(tenants.Admin)
	for day, want := range map[string]bool{"2026-12-16": false, "2026-12-17": true, "2026-12-14": false} {
		on, _ := time.Parse(time.DateOnly, day)
		p.Load, p.Total = []DayLoad{{Day: on, Free: 22}}, 22
		if got := strings.Contains(p.loadWords(), "because nothing renews in your freeze"); got != want {
			t.Errorf("busiest %s: %q", day, p.loadWords())
		}
	}
}

func TestLimitInTheChart(t *testing.T) {
	p := spreadPage(tenants.Admin)
	p.Load = []DayLoad{{Day: noon, Free: 10}}
	for perDay, want := range map[int]string{0: "", 5: "at most 5 a day", 30: "at most 30 a day", 31: ""} {
		p.Hours.PerDay = perDay
		if got := p.chart().Limit.Words; got != want {
			t.Errorf("at most %d: the chart says %q, want %q", perDay, got, want)
		}
	}
}

func TestTableSaysFreeze(t *testing.T) {
	p := spreadPage(tenants.Viewer)
	on := func(day string, n int) DayLoad {
		d, _ := time.Parse(time.DateOnly, day)
		return DayLoad{Day: d, Free: n}
	}
	p.Load = []DayLoad{on("2026-12-17", 3), on("2026-12-21", 1)}
	var got []string
	for _, r := range p.dayRows() {
		got = append(got, r.words())
	}
	want := []string{"Thu 17 Dec", "Sat 19 Dec to Sun 20 Dec, freeze", "Mon 21 Dec, freeze", "Tue 22 Dec, freeze"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{-1: "0%", 0: "0%", .0001: "0.01%", .001: "0.1%", .10049: "10.05%", .2: "20%", .2252: "22.52%", .99999: "100%", 7: "100%"} {
		if got := percent(share); got != want {
			t.Errorf("%v is written %s and not %s", share, got, want)
		}
	}
}
