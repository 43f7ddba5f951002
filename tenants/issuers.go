package tenants

import (
	"net/url"
	"time"
)

// known holds what is public about an authority's limits, by the host of its directory.
type known struct {
	name    string
	limits  Limits
	freeARI bool
}

const week = 7 * 24 * time.Hour

// knownIssuers are dated facts. Let's Encrypt: https://letsencrypt.org/docs/rate-limits/, read 2026-11-22; renewals that
// name what they replace (RFC 9773, section 5) are exempt from all of its limits. Its staging environment has
// higher ones: https://letsencrypt.org/docs/staging-environment/, same day.
var knownIssuers = map[string]known{
	"acme-v02.api.letsencrypt.org": {"Let’s Encrypt", Limits{
		OrdersPerAccount:      {300, 3 * time.Hour},
		CertificatesPerDomain: {50, week},
		CertificatesPerSet:    {5, week},
		FailuresPerName:       {5, time.Hour},
	}, true},
	"acme-staging-v02.api.letsencrypt.org": {"Let’s Encrypt staging", Limits{
		OrdersPerAccount:      {1500, 3 * time.Hour},
		CertificatesPerDomain: {30000, week},
		CertificatesPerSet:    {30000, week},
		FailuresPerName:       {200, time.Hour},
	}, true},
}

// NewIssuer is an issuer with what is known of its directory filled in: its name, its limits. Of an unknown one
// the host is the name, and nothing is limited until the CA says so.
func NewIssuer(directory string) Issuer {
	host := directory
	if u, err := url.Parse(directory); err == nil && u.Host != "" {
		host = u.Hostname()
	}
	k, ok := knownIssuers[host]
	if !ok {
		k.name = host
	}
	return Issuer{Name: k.name, Directory: directory, Limits: k.limits, FreeARI: k.freeARI}
}
