package views

import (
	"time"

	"perennial/tenants"
)

// changing is the form of a certificate's settings under a policy that forbids some of them.
func changing() SettingsPage {
	return SettingsPage{DomainPage: certified(), Policy: tenants.Policy{KeyTypes: []tenants.KeyType{tenants.P256, tenants.P384}, OwnCSR: true},
		Typed: tenants.SettingsForm{KeyType: "P-256", Strategy: "rotate"}}
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
	p.Typed = tenants.SettingsForm{KeyType: "P-256", Strategy: "csr", CSR: "hello"}
	p.Lacking = tenants.Finding{Code: tenants.KeyNeeded}.With("case", "none")
	p.Errors = map[string]string{"csr": "This is not a CSR in PEM.", "key_type": "The policy allows no RSA-2048 keys.", "strategy": "It is not said where the key comes from."}
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
