package jobs_test

import (
	"strings"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/jobs/dns"
	"perennial/store/storetest"
	"perennial/tenants"
)

// Each trouble ends in the right state with the right sentence, before and after the first certificate, and heals by
// itself once its cause is gone.
func TestTroubles(t *testing.T) {
	const base = "shop.acme.example"
	ca := func(p acme.Problem) func(*world) {
		p.Reached = true
		return func(w *world) {
			w.ca.limit = func() *acme.Problem { q := p; return &q }
		}
	}
	delegation := func(a tenants.Answer, got string) func(*world) {
		return func(w *world) { w.dns.set(base, a); w.dns.got = got }
	}
	tests := []struct {
		name         string
		begin        func(*world)
		code         tenants.Code
		first, later tenants.Status // before and after the first certificate
		says         string         // in the headline or the reason
	}{
		{"CA answers 500", ca(acme.Problem{Code: tenants.CASilent, Status: 500}), tenants.CASilent, tenants.Renewing, tenants.Renewing, "cannot reach Test CA"},
		{"CA does not answer", func(w *world) { w.ca.down = func() bool { return true } }, tenants.CASilent, tenants.Renewing, tenants.Renewing, "cannot reach Test CA"},
		{"CA is not trusted", func(w *world) { w.ca.down, w.ca.untrusted = func() bool { return true }, true }, tenants.CAUntrusted, tenants.Renewing, tenants.Renewing, "do not trust the connection to Test CA"},
		{"CA answers 429", ca(acme.Problem{Code: tenants.CARateLimited, Status: 429, RetryAfter: time.Minute}), tenants.CARateLimited, tenants.Renewing, tenants.Renewing, "asks us to wait"},
		{"CA refuses the name", ca(acme.Problem{Code: tenants.CARefuses, Status: 400}), tenants.CARefuses, tenants.Failing, tenants.Failing, "does not issue for this name"},
		{"CA refuses our account", ca(acme.Problem{Code: tenants.CAAccount, Status: 403}), tenants.CAAccount, tenants.Failing, tenants.Failing, "refuses our account"},
		{"our zone refuses", func(w *world) { w.dns.refuse = &dns.Fault{Code: tenants.WriteRefused, Raw: "REFUSED"} }, tenants.WriteRefused, tenants.Failing, tenants.Failing, "refused a record"},
		{"our DNS is silent", func(w *world) { w.dns.refuse = &dns.Fault{Code: tenants.WriteSilent, Raw: "time-out"} }, tenants.WriteSilent, tenants.Renewing, tenants.Renewing, "does not answer"},
		{"our record does not spread", func(w *world) { w.dns.slow = true }, tenants.PropagationSlow, tenants.Renewing, tenants.Renewing, "not everywhere yet"},
		{"record missing", delegation(tenants.Missing, "NXDOMAIN"), tenants.DelegationMissing, tenants.Waiting, tenants.Failing, "DNS record"},
		{"record differs", delegation(tenants.Differs, "other.example"), tenants.DelegationDiffers, tenants.Waiting, tenants.Failing, "other.example"},
		{"name servers answer SERVFAIL", delegation(tenants.Silent, "SERVFAIL"), tenants.DNSBroken, tenants.Waiting, tenants.Active, "SERVFAIL"},
		{"name servers are silent", delegation(tenants.Silent, "no answer"), tenants.DNSSilent, tenants.Waiting, tenants.Active, "could not ask"},
		{"our own name servers are silent", func(w *world) { w.dns.blind = true }, tenants.ResolverSilent, tenants.Waiting, tenants.Active, "says nothing about your records"},
		{"CAA forbids", func(w *world) {
			w.dns.caa = map[string][]tenants.CAA{base: {{Tag: "issue", Value: "old-ca.example"}}}
		}, tenants.CAAForbids, tenants.Failing, tenants.Failing, "CAA record"},
	}
	heal := func(w *world) {
		w.ca.limit, w.ca.down, w.dns.refuse, w.dns.slow, w.dns.caa, w.dns.blind = nil, nil, nil, false, nil, false
		w.dns.set(base, tenants.Right)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				trouble := func(id tenants.DomainID, status tenants.Status) {
					t.Helper()
					var v = w.view(id)
					w.until(time.Second, 30*time.Minute, func() bool {
						v = w.view(id)
						return v.Domain.Finding.Code == test.code && v.Domain.Status == status
					})
					e := tenants.Explain(v.Domain.Finding)
					if text := e.Happened + " " + e.Why; !strings.Contains(text, test.says) {
						t.Errorf("%q does not say %q", text, test.says)
					}
				}
				test.begin(w)
				id := w.register(base)
				trouble(id, test.first)
				heal(w)
				w.status(id, tenants.Active)

				test.begin(w)
				w.must(w.scope.RenewNow(w.ctx, id))
				w.must(w.scope.CheckNow(w.ctx, id))
				trouble(id, test.later)
				heal(w)
				w.until(10*time.Second, 3*time.Hour, func() bool { return len(w.view(id).Versions) == 2 })
				if v := w.status(id, tenants.Active); !v.Domain.Finding.OK() {
					t.Errorf("finding %+v stayed", v.Domain.Finding)
				}
				w.until(time.Second, time.Hour, func() bool { return len(w.dns.left()) == 0 })
				storetest.Consistent(t, w.dsn, time.Now())
			})
		})
	}
}
