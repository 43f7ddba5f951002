package views

import (
	"time"

	"perennial/tenants"
)

// changing is the form of a certificate's settings under a policy that forbids some of them.
func changing() SettingsPage {
	return SettingsPage{DomainPage: certified(), Policy: tenants.Policy{KeyTypes: []tenants.KeyType{tenants.P256, tenants.P384}, OwnCSR: true},
		Offers: []tenants.Offer{{Issuer: letsEncrypt()}},
		Typed:  tenants.SettingsForm{Names: "alone", KeyType: "P-256", Strategy: "rotate"}}
}

// choosing is the same where everything can be chosen: two authorities, profiles, and a domain of its own for the wildcard.
func choosing() SettingsPage {
	p := changing()
	p.Offers[0].Profiles = map[string]string{
		"classic":    "https://letsencrypt.org/docs/profiles#classic",
		"shortlived": "https://letsencrypt.org/docs/profiles#shortlived",
		"tlsserver":  "https://letsencrypt.org/docs/profiles#tlsserver",
	}
	p.Offers = append(p.Offers, tenants.Offer{Issuer: tenants.Issuer{ID: "iss_2", Name: "Second CA"}})
	p.Policy.Issuers, p.Policy.FailoverAfter, p.Sibling = []tenants.IssuerID{"iss_1", "iss_2"}, 6, "dom_2"
	p.Typed.Names, p.Typed.Profile = "both", "shortlived"
	p.Effect = &tenants.SettingsEffect{Renew: true, Token: "6f1f", Text: "We order version 8 at once for checkout.acme.example and *.checkout.acme.example with a P-256 key and the profile shortlived. Version 7 stays valid until its own end.",
		Rows: []tenants.Change{{Field: "Names", Before: "checkout.acme.example", After: "checkout.acme.example and *.checkout.acme.example"},
			{Field: "Authority", Before: "as the policy has it, Let’s Encrypt first", After: "as the policy has it, Let’s Encrypt first"},
			{Field: "Key type", Before: "P-256", After: "P-256"}, {Field: "Profile", Before: "the authority’s default", After: "shortlived"}}}
	return p
}

func changed() SettingsPage {
	p := changing()
	p.Typed.KeyType = "P-384"
	p.Effect = &tenants.SettingsEffect{Renew: true, Token: "6f1e", Text: "We order version 8 at once with a P-384 key. Version 7 stays valid until its own end.",
		Rows: []tenants.Change{{Field: "Key type", Before: "P-256", After: "P-384"}, {Field: "Your CSR", Before: "none", After: "none"}}}
	return p
}

func wrongCSR() SettingsPage {
	p := changing()
	p.Typed = tenants.SettingsForm{Names: "all", Prefers: "iss_gone", KeyType: "P-256", Strategy: "csr", CSR: "hello", Profile: "ended"}
	p.Lacking = tenants.Finding{Code: tenants.KeyNeeded}.With("case", "none")
	p.Errors = map[string]string{"csr": "This is not a CSR in PEM.", "key_type": "The policy allows no RSA-2048 keys.", "strategy": "It is not said where the key comes from.",
		"names": "There is no such choice of names.", "authority": "The policy allows no certificates from this authority.", "profile": "Let’s Encrypt offers no profiles."}
	return p
}

func pausing() PausePage { return PausePage{ConfirmPage: confirm(certified(), "", "")} }

func wrongPause() PausePage {
	p := pausing()
	p.Form = tenants.PauseForm{Date: "2099-01-01", Time: "10:00"}
	p.Errors = map[string]string{"until": "A pause ends at the safety line.", "why": "The reason is missing."}
	return p
}

func paused() DomainPage {
	p := certified()
	p.Certificate.PausedUntil, p.Certificate.PausedBy, p.Certificate.PausedWhy = p.Now.Add(48*time.Hour), "ops@acme.example", "the shop freezes"
	return p
}

// withOwnKey is a certificate for a key of the customer's own, which lacks the CSR for the next version.
func withOwnKey() DomainPage {
	p := certified()
	current := *p.Current
	current.OwnKey, p.Current, p.Certificate.Strategy = true, &current, tenants.OwnCSR
	p.Domain.Finding = tenants.Finding{Code: tenants.KeyNeeded}.With("case", "old").With("limit", "90 days").With("made", "3 Jan 2027, 10:00 UTC")
	return p
}
