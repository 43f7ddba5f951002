package views

import (
	"strings"
	"testing"
	"time"

	"perennial/tenants"
)

// leaked is a certificate whose current version is to be revoked, or is.
func leaked(r tenants.Revocation) DomainPage {
	p := certified()
	p.Versions[0].Revocation = asking(r)
	p.Certificate.Compromised = noon.Add(-hour)
	if p.Domain.Status = tenants.Renewing; !r.Done.IsZero() {
		p.Certificate.Revoked = r.Done
	}
	return p
}

// replaced is a certificate whose version before is to be revoked.
func replaced(r tenants.Revocation) DomainPage {
	p := certified()
	p.Versions[1].Revocation = asking(r)
	return p
}

func asking(r tenants.Revocation) tenants.Revocation {
	r.Asked, r.By, r.Reason, r.Wait = noon.Add(-hour), "ops@acme.example", tenants.RevokeKeyCompromise, day2
	return r
}

func caFinding(c tenants.Code) tenants.Finding {
	return tenants.Finding{Code: c, Args: map[string]string{"ca": "Let’s Encrypt", "name": "checkout.acme.example"}}
}

func failingLeaked() DomainPage {
	p := failingRemoved()
	p.Versions[0].Revocation = asking(tenants.Revocation{})
	return p
}

// leakedOwnKey waits for a CSR in place of one whose key was reported.
func leakedOwnKey() DomainPage {
	p := withOwnKey()
	p.Versions = append([]tenants.Version{*p.Current}, p.Versions[1:]...)
	p.Current = &p.Versions[0]
	p.Current.Revocation = asking(tenants.Revocation{})
	p.Certificate.Compromised, p.Domain.Status, p.Domain.Since = noon.Add(-hour), tenants.Failing, noon.Add(-hour)
	p.Domain.Finding = tenants.Finding{Code: tenants.KeyNeeded}.With("case", "exposed")
	return p
}

func wrongRevocation() ConfirmPage {
	p := revokeConfirm(certified(), certified().Versions[0])
	p.Revoke.Name = "checkout.acme"
	p.Errors = map[string]string{"name": "This is not the name. Type checkout.acme.example to revoke its version 7.",
		"reason": "Authorities do not take this reason. Choose one of the list.", "wait": "This is none of the times. Choose one of the list.",
		"how": "Nothing is chosen. Choose how the version is to go."}
	return p
}

// The first sentence says whose turn it is, and the notes how far each revocation has come.
func TestRevocationWords(t *testing.T) {
	for name, c := range map[string]struct {
		page DomainPage
		want []string
	}{
		"waits for a CSR": {leakedOwnKey(), []string{"Your turn:</strong> make a new key and paste the CSR for it under Change certificate. We order the next version at once.",
			"The key of the present CSR was reported", "It waits for version 8, which does not come: the next version needs another CSR from you.",
			"whoever has the key can pretend to be checkout.acme.example", "/settings"}},
		"waits for its successor": {leaked(tenants.Revocation{}), []string{"getting version 8, which takes the place of version 7",
			"revoked 24 hours after version 8 is issued", "will be revoked after version 8"}},
		"its time is known": {replaced(tenants.Revocation{At: noon.Add(3 * hour)}), []string{"Your turn:", "put version 7 in place. Version 6 is revoked at 15:06 UTC, or as soon as you say so.",
			"Version 6 is revoked at 15:06 UTC, in 3 hours.", "It is in place, revoke version 6 now", "will be revoked in 3 hours"}},
		"authority is silent": {replaced(tenants.Revocation{At: noon, Tries: 3, Next: noon.Add(4 * time.Minute), Finding: caFinding(tenants.CASilent)}),
			[]string{"Version 6 is not revoked yet.", "We cannot reach Let’s Encrypt.", "We try again in 4 minutes."}},
		"authority refuses": {replaced(tenants.Revocation{At: noon, Tries: 3, Finding: caFinding(tenants.RevocationRefused)}),
			[]string{"Let’s Encrypt refuses to revoke the version.", "Whoever runs this portal has to look at the raw answer"}},
		"revoked": {leaked(tenants.Revocation{At: noon, Done: noon}), []string{"version 7 is revoked, so we are getting version 8 now", "12:06 UTC, the key may be known to others", "clients may refuse it"}},
		"older one revoked": {replaced(tenants.Revocation{At: noon, Done: noon.Add(-5 * day2)}),
			[]string{"18 Nov, the key may be known to others", "Nothing for you to do."}},
		"no successor comes": {failingLeaked(), []string{"It waits for version 4, which does not come: the DNS record was removed.", "has the key can pretend to be", "Revoke at once"}},
		"revoked, and no successor comes": {func() DomainPage {
			p := failingLeaked()
			p.Certificate.Revoked = noon
			return p
		}(), []string{"The certificate is revoked.", "Visitors may see an error already."}},
	} {
		page := strings.Join(strings.Fields(render(t, Domain(c.page))), " ")
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
	}
}

func TestExplanationIsALinkOnlyWhenItIsSecure(t *testing.T) {
	for url, want := range map[string]bool{"https://ca.example/why": true, "http://ca.example/why": false, "javascript:alert(1)": false, "": false} {
		p := certified()
		p.Certificate.ARI.ExplanationURL = url
		page := render(t, Domain(p))
		if got := strings.Contains(page, `id="why-more" href="`+url+`" rel="noreferrer"`); got != want {
			t.Errorf("%q is a link: %v", url, got)
		}
		if !want && strings.Contains(page, "why-more") {
			t.Errorf("%q leaves a link", url)
		}
	}
}

func TestWhoMayRevoke(t *testing.T) {
	for _, role := range tenants.Roles {
		p := replaced(tenants.Revocation{At: noon.Add(hour)})
		p.Page = acmePage(role)
		page, may := render(t, Domain(p)), p.Actor.May(tenants.RevokeCertificate)
		for _, mark := range []string{`id="revoke"`, `id="revoke-dialog"`, `id="revocation-6-now"`} {
			if got := strings.Contains(page, mark); got != may {
				t.Errorf("%s: %s is %v", role, mark, got)
			}
		}
	}
}
