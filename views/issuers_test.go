package views

import (
	"testing"
	"time"

	"perennial/tenants"
)

// someIssuer is the authority of the settings, with an own limit and two accounts.
func someIssuer() Issuer {
	orders := BudgetLine{Limit: tenants.OrdersPerAccount, Left: 1488, Count: 1500, Per: 3 * hour, Counted: true,
		Rule: tenants.ProfileOf("https://acme-v02.api.letsencrypt.org/directory").Rule(tenants.OrdersPerAccount)}
	domain := BudgetLine{Limit: tenants.CertificatesPerDomain, Key: "northwind.example", Left: 9, Count: 50, Per: 7 * day2, Counted: true,
		Rule: tenants.ProfileOf("https://acme-v02.api.letsencrypt.org/directory").Rule(tenants.CertificatesPerDomain)}
	return Issuer{ID: "iss_00000000000000000000000001", Name: "Let’s Encrypt", Directory: "https://acme-v02.api.letsencrypt.org/directory", Default: true,
		Created: noon.Add(-400 * day2), Asked: true, Answers: true, Since: noon.Add(-3 * day2), Domains: 9640,
		Accounts: []IssuerAccount{{ID: "acc_00000000000000000000000001", Shard: 0, URL: "https://acme-v02.api.letsencrypt.org/acme/acct/1234567890", KeyType: tenants.P256, InUse: true, Orders: orders},
			{ID: "acc_00000000000000000000000002", Shard: 1, InUse: true, KeyType: tenants.P256, Orders: BudgetLine{Left: 1500, Count: 1500, Per: 3 * hour, Counted: true}}, {Shard: 2, Orders: BudgetLine{Counted: true}}},
		Limits: []IssuerLimit{{BudgetLine: orders, Ours: true, By: "operator@portal.example", At: noon.Add(-9 * day2)}, {BudgetLine: domain},
			{BudgetLine: BudgetLine{Limit: tenants.AccountsPerAddress, Count: 10, Per: 3 * hour}, Configured: true}}}
}

func otherIssuer() Issuer {
	return Issuer{ID: "iss_00000000000000000000000002", Name: "Second", Directory: "https://second.example/directory", EABKeyID: "kid-1", Created: noon, Retired: noon.Add(-hour),
		Accounts: []IssuerAccount{{InUse: true, Orders: BudgetLine{Counted: true}}}}
}

func issuersPage() IssuersPage {
	silent := otherIssuer()
	silent.ID, silent.Retired, silent.Asked, silent.Since = "iss_00000000000000000000000003", time.Time{}, true, noon.Add(-hour)
	return IssuersPage{Page: operatorPage(tenants.Operator), Rows: []Issuer{someIssuer(), silent, otherIssuer()}}
}

func issuerPage(role tenants.PlatformRole) IssuerPage {
	return IssuerPage{Page: operatorPage(role), Issuer: someIssuer()}
}

func keyChanging() IssuerPage {
	p := issuerPage(tenants.Operator)
	p.Issuer.Accounts[0].Changing = true
	p.Issuer.Accounts[0].Tries = tenants.KeyTries{N: 3, Next: p.Now.Add(7 * time.Minute), Cause: tenants.CASilent}
	return p
}

// putOff is an authority that says that two limits are used up, one of which it does not publish.
func putOff(role tenants.PlatformRole) IssuerPage {
	p := issuerPage(role)
	orders := BudgetLine{Limit: tenants.OrdersPerAccount, Key: p.Issuer.Accounts[0].URL, Counted: true, Shut: true,
		RefillsAt: noon.Add(52 * hour), Corrected: noon.Add(-2 * hour)}
	p.Limits[0], p.Limits[1].Shut, p.Limits[1].Left = IssuerLimit{BudgetLine: orders}, true, 0
	p.Limits[1].RefillsAt, p.Limits[1].Corrected = noon.Add(3*hour), noon.Add(-hour/2)
	p.Issuer.Accounts[0].Orders = orders
	return p
}

func issuersMoved() IssuersPage {
	p := issuersPage()
	p.Error = "The authorities have changed meanwhile. Look again, then order them."
	return p
}

func accountKeyPage() AccountKeyPage {
	i := someIssuer()
	return AccountKeyPage{Page: operatorPage(tenants.Operator), Issuer: i, Account: i.Accounts[0]}
}

func exportErrors() AccountKeyPage {
	p := accountKeyPage()
	p.Errors = map[string]string{"passphrase": "The passphrase has fewer than 12 characters. Type a longer one, and keep it apart from the file."}
	return p
}

func accountKeyRefused() AccountKeyPage {
	p := accountKeyPage()
	p.Error = "A new key for this account is on its way to Let’s Encrypt already. Wait until it has arrived."
	return p
}

func issuerErrors() IssuerPage {
	p := issuerPage(tenants.Operator)
	p.Typed = []LimitField{{"none", "3 hours"}, {}, {}, {}}
	p.Errors = map[string]string{"count1": "“none” is not a whole number. Type how many the authority allows, as in 300.", "per1": "“3 hours” is not a length of time. Type a number and a unit, as in 3h or 7d."}
	return p
}

func issuerFormErrors() IssuerFormPage {
	return IssuerFormPage{Page: operatorPage(tenants.Operator), Directory: "http://plain.example", Name: "Second", EABKeyID: "kid-1", Errors: map[string]string{
		"directory": "An ACME directory is an https address. This one is plain http.", "eab_key": "The key is not base64url."}}
}

// TestShortPeriods: a period reads back as it was typed.
func TestShortPeriods(t *testing.T) {
	for d, want := range map[time.Duration]string{3 * hour: "3h", 7 * day2: "7d", 90 * time.Minute: "90m", 100 * time.Second: "100s", 24 * hour: "1d"} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
		if _, l, err := tenants.ParseLimit("orders", "1", short(d)); err != nil || l.Per != d {
			t.Errorf("%q reads back as %v, %v", short(d), l.Per, err)
		}
	}
}
