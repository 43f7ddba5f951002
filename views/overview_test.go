package views

import (
	"strings"
	"testing"
	"time"

	"perennial/tenants"
)

// overviewPage is the busy day of the drawing.
func overviewPage() OverviewPage {
	p := quietOverview()
	p.Renewed, p.Failed, p.Soon, p.NextExpiry, p.NewFailing = 1784, 55, 9, noon.Add(2*day2), 3
	p.Causes = []Cause{
		{Code: tenants.WriteRefused, Count: 41, Soon: 1, First: noon.Add(6 * day2), Names: []string{"Acme Retail", "Northwind"}, Holders: 12},
		{Code: tenants.CAAForbids, Count: 6, Soon: 2, First: noon.Add(2 * day2), Names: []string{"Acme Retail", "Northwind"}, Holders: 4},
		{Code: tenants.DelegationMissing, Count: 5, First: noon.Add(9 * day2), Names: []string{"Acme Retail", "Northwind"}, Holders: 2},
		{Code: tenants.DNSBroken, Count: 3, First: noon.Add(12 * day2), Names: []string{"Northwind"}, Holders: 1},
		{Code: "", Count: 2, Lost: 2, First: noon.Add(-2 * day2), Names: []string{"Acme Retail"}, Holders: 1},
		{Code: tenants.CASilent, Count: 1, First: noon.Add(19 * day2), Names: []string{"Northwind"}, Holders: 1},
	}
	p.Holders = 14
	p.Lanes = [4]LaneLoad{{}, {Due: 24, Since: noon.Add(-3800 * time.Millisecond)}, {Due: 112, Since: noon.Add(-41 * time.Second), Waiting: 1480}, {Due: 58, Since: noon.Add(-time.Second)}}
	p.Budgets[0].Orders.Left, p.Budgets[0].Refused, p.Budgets[0].RefusedAt = 21, 4, noon.Add(-2*hour)
	return p
}

// refusingOverview has versions that an authority refuses to revoke.
func refusingOverview() OverviewPage {
	p := quietOverview()
	p.Refusals = 12
	for i, name := range []string{"shop.acme.example", "pay.acme.example"} {
		p.Refused = append(p.Refused, RefusedRevocation{ID: tenants.DomainID("dom_0000000000000000000000000" + number(i)), Name: name, Number: 3 + i, Issuer: "Let’s Encrypt",
			TenantID: "ten_1", TenantName: "Acme Retail", Slug: "acme", Asked: noon.Add(-time.Duration(5-i) * hour), Next: noon.Add(40 * time.Minute)})
	}
	return p
}

// quietOverview is the quiet day: nothing is the operator's to do.
func quietOverview() OverviewPage {
	p := OverviewPage{Page: operatorPage(tenants.Operator), Period: "24h", Renewed: 1839, Lead: 30*day2 + hour, Valid: 9640, NextExpiry: noon.Add(15 * day2),
		FirstIssued: 120, FirstsFailed: 4}
	for i, s := range tenants.OpenStates {
		p.Running = append(p.Running, RunningState{s, []int{6, 9, 11, 4, 5}[i], noon.Add(-time.Duration(5-i) * time.Minute)})
	}
	for i := range 14 {
		p.Planned = append(p.Planned, DayLoad{Day: noon.Truncate(day2).Add(time.Duration(i) * day2), Costly: (i*37 + 99) % 166})
	}
	p.Budgets = []AccountBudget{
		{ID: "iss_le", Issuer: "Let’s Encrypt", Account: 1, Of: 2, Orders: BudgetLine{Left: 291, Count: 300, Per: 3 * hour, Counted: true}, Reserve: 30,
			Domain: BudgetLine{Key: "northwind.example", Left: 9, Count: 50, Per: 7 * day2, Counted: true}},
		{ID: "iss_le", Issuer: "Let’s Encrypt", Account: 2, Of: 2, Orders: BudgetLine{Left: 300, Count: 300, Per: 3 * hour, Counted: true}, Reserve: 30},
		{ID: "iss_int", Issuer: "Internal CA", Account: 1, Of: 1, Orders: BudgetLine{Counted: true}, Domain: BudgetLine{Counted: true}},
	}
	return p
}

// brokenOverview is a quiet day on which the authority is silent.
func brokenOverview() OverviewPage {
	p := quietOverview()
	p.Outages = []Outage{outageCA()}
	return p
}

// putOffOverview is a portal that the authority takes no orders from.
func putOffOverview() OverviewPage {
	p := quietOverview()
	p.Lanes[2].Waiting = 1480
	o := &p.Budgets[0].Orders
	o.Left, o.Shut, o.RefillsAt, o.Corrected = 0, true, noon.Add(52*hour), noon.Add(-hour)
	return p
}

// emptyOverview is the first minute of a portal.
func emptyOverview() OverviewPage {
	return OverviewPage{Page: operatorPage(tenants.PlatformAuditor), Period: "1h"}
}

func causePage() CausePage {
	p := CausePage{Page: operatorPage(tenants.Operator), Code: tenants.CAAForbids, Total: 54, Holders: 4, Next: "cur_2"}
	for i, r := range []DomainRow{
		row(0, "shop.acme.example", tenants.Expired, tenants.CAAForbids, -90, -2, 0), row(1, "xn--bcher-kva.acme.example", tenants.Failing, tenants.CAAForbids, -60, 2, 0),
		row(2, "*.a-very-long-label-that-somebody-chose-for-a-campaign-in-autumn.northwind.example", tenants.Failing, tenants.CAAForbids, -50, 28, 0),
	} {
		p.Rows = append(p.Rows, CauseRow{DomainRow: r, TenantID: acme().ID, TenantName: []string{"Acme Retail", "Acme Retail", "Northwind"}[i], Slug: "acme"})
	}
	return p
}

// TestHeadline: the first sentence names the worst thing, and a quiet day is called quiet.
func TestHeadline(t *testing.T) {
	busy := overviewPage()
	others := overviewPage()
	others.Causes = others.Causes[1:4]
	lost := quietOverview()
	lost.Causes = []Cause{{Code: tenants.DelegationDiffers, Count: 2, Lost: 1, First: noon.Add(-3 * day2), Names: []string{"Northwind"}, Holders: 1}}
	waits := quietOverview()
	waits.Causes = []Cause{{Code: tenants.DelegationMissing, Count: 2, First: noon.Add(26 * day2), Names: []string{"Northwind"}, Holders: 1}}
	late := overviewPage()
	late.Lanes[1].Since = noon.Add(-25 * time.Minute)
	slow := quietOverview()
	slow.Lanes[3] = LaneLoad{Due: 5, Since: noon.Add(-5 * hour)}
	today := overviewPage()
	today.NextExpiry = noon.Add(hour)
	soon, nobody := putOffOverview(), putOffOverview()
	soon.Budgets[0].Orders.RefillsAt = noon.Add(hour)
	nobody.Lanes[2].Waiting = 0
	const calm = "Nothing is yours to do. 9,640 certificates are valid, the nearest expiry is in 15 days."
	for name, c := range map[string]struct {
		page OverviewPage
		want string
	}{
		"put off":                      {putOffOverview(), "Look here first. Let’s Encrypt takes no orders before 25 Nov, and 1,480 orders wait for a place. If that is a mistake, have it repaired there and ask again. Nothing expires today."},
		"put off for an hour":          {soon, calm},
		"put off, and nobody ordering": {nobody, calm},
		"ours":                         {busy, "Look here first. Our own DNS zone refused a record: 41 certificates wait, nearest expiry in 6 days. Nothing expires today."},
		"today":                        {today, "Look here first. Our own DNS zone refused a record: 41 certificates wait, nearest expiry in 6 days."},
		"others":                       {others, "Look here first. 2 certificates expire within 7 days and will not renew without help. Most of all: CAA record forbids it, Acme Retail and 3 more. Nothing expires today."},
		"lost":                         {lost, "Look here first. 1 certificate expired in the last 7 days. Most of all: name no longer points to us, Northwind. Nothing expires today."},
		"waits":                        {waits, "Nothing is yours to do. 9,640 certificates are valid, the nearest expiry is in 15 days. 2 renewals fail and wait for somebody else."},
		"quiet":                        {quietOverview(), "Nothing is yours to do. 9,640 certificates are valid, the nearest expiry is in 15 days."},
		"slow":                         {slow, "Nothing is yours to do. 9,640 certificates are valid, the nearest expiry is in 15 days."},
		"nothing":                      {emptyOverview(), "Nothing is yours to do. No certificate was issued so far."},
		"late":                         {late, "Look here first. 136 domains wait for a worker, the first since 11:41 UTC. See whether a process of the portal runs and has workers. Nothing expires today."},
	} {
		h := c.page.headline()
		if got := h.Strong + " " + h.Rest; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if h.Calm != strings.HasPrefix(c.want, "Nothing") {
			t.Errorf("%s: calm %v", name, h.Calm)
		}
	}
}

// TestOverviewNumbers: the six numbers of a busy and of an empty portal, counted by hand.
func TestOverviewNumbers(t *testing.T) {
	never, late := quietOverview(), quietOverview()
	never.Renewed, never.Failed = 0, 3
	late.Lead = -hour
	for name, c := range map[string]struct {
		page OverviewPage
		want string
	}{
		"put off": {putOffOverview(), "100.0% all 1,839 in 24 h | 0 nearest in 15 days | 0 nobody waits | 29 oldest 4 minutes | 30 days left at renewal, median | 0 Let’s Encrypt until 25 Nov!"},
		"busy":    {overviewPage(), "97.0% 55 of 1,839 failed | 9 3 of them will not renew! | 58 6 causes, 14 tenants! | 29 oldest 4 minutes | 30 days left at renewal, median | 21 of 300, Let’s Encrypt!"},
		"quiet":   {quietOverview(), "100.0% all 1,839 in 24 h | 0 nearest in 15 days | 0 nobody waits | 29 oldest 4 minutes | 30 days left at renewal, median | 291 of 300, Let’s Encrypt"},
		"empty":   {emptyOverview(), "none no order ended in 1 h | 0 there is none | 0 nobody waits | 0 nothing is under way | none nothing renewed in 1 h | no limit"},
		"never":   {never, "0.0% 3 of 3 failed! | 0 nearest in 15 days | 0 nobody waits | 29 oldest 4 minutes | none nothing renewed in 24 h | 291 of 300, Let’s Encrypt"},
		"late":    {late, "100.0% all 1,839 in 24 h | 0 nearest in 15 days | 0 nobody waits | 29 oldest 4 minutes | none half were renewed after their end! | 291 of 300, Let’s Encrypt"},
	} {
		var cells []string
		for _, n := range c.page.cells() {
			bad := ""
			if n.Bad {
				bad = "!"
			}
			cells = append(cells, strings.TrimSpace(n.Value+n.Unit+" "+n.Fine)+bad)
		}
		if got := strings.Join(cells, " | "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// What an authority refuses to revoke is the operator's to do, and the page leads to its raw answer.
func TestRefusedRevocations(t *testing.T) {
	p := refusingOverview()
	page := strings.Join(strings.Fields(render(t, Overview(p))), " ")
	for _, want := range []string{"12 versions are not revoked, because Let’s Encrypt refuses. Read its raw answer.", "Show certificate<",
		"Refused revocations", "the first 2 of 12", `/certificate">shop.acme.example</a>`, "version 3", "5 hours ago", "in 40 minutes", "or ask the authority to revoke it"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if h := p.headline(); h.Calm {
		t.Errorf("nothing is the operator's to do: %+v", h)
	}
	if strings.Contains(render(t, Overview(quietOverview())), "Refused revocations") {
		t.Error("a table of nothing")
	}
}
