package app

import (
	"log/slog"
	"net/netip"
	"time"

	"perennial/tenants"
)

// Config is every setting of the portal. The comment of a field is its manual: the README's table and the text of
// --help are made from it (manual.go, kept fresh by TestManual), so it speaks to the person who runs the portal.
//
// A setting is a flag (--base-url) or an environment variable (PERENNIAL_BASE_URL); the flag wins. A secret can also
// be put into a file that the variable with _FILE at its end names (PERENNIAL_OIDC_CLIENT_SECRET_FILE).
type Config struct {
	// Address and port to listen on. A proxy in front of it speaks TLS with the world.
	Listen string `name:"listen" group:"Web" default:"127.0.0.1:8080"`
	// Address under which people reach the portal, such as https://certs.example.com. Required; plain http only on loopback.
	BaseURL string `name:"base-url" group:"Web"`
	// Networks of the proxies in front of the portal, separated by commas. Only from them the client's address is taken out of X-Forwarded-For.
	TrustedProxies []netip.Prefix `name:"trusted-proxies" group:"Web"`

	// Where everything is kept: sqlite:PATH for one process, postgres://… for one or more. A secret, since it may hold a password.
	Database tenants.Secret `name:"database" group:"Data" default:"sqlite:perennial.db"`
	// File with the key that seals private keys and credentials. Made on the first start; without it they cannot be read again, so keep a copy apart from the database.
	KeyFile string `name:"key-file" group:"Data" default:"perennial.key"`

	// Issuer URL of the OpenID Provider. Required. The redirect URI to register there is the base URL followed by /signin/callback.
	OIDCIssuer string `name:"oidc-issuer" group:"Sign-in"`
	// The portal's client id at the provider. Required.
	OIDCClientID string `name:"oidc-client-id" group:"Sign-in"`
	// The portal's client secret at the provider. Required; a secret.
	OIDCClientSecret tenants.Secret `name:"oidc-client-secret" group:"Sign-in"`
	// Claim of the ID token that lists a person's groups. Tenants map groups to roles.
	OIDCGroupsClaim string `name:"oidc-groups-claim" group:"Sign-in" default:"groups"`
	// Group whose members are operators: they create tenants and see everything but private keys. Without it, tenants are made with the admin command.
	OperatorGroup string `name:"operator-group" group:"Sign-in"`
	// Group whose members see everything but private keys and change nothing.
	AuditorGroup string `name:"auditor-group" group:"Sign-in"`
	// Further origins that signing in passes through, when the provider hands people on to another: https://host, separated by commas. Browsers stop there otherwise.
	OIDCOrigins []string `name:"oidc-origins" group:"Sign-in"`

	// Directory URL of the ACME certificate authority.
	ACMEDirectory string `name:"acme-directory" group:"Certificate authority" default:"https://acme-v02.api.letsencrypt.org/directory"`
	// Directory URL that dry runs go to: the whole path, of which nothing is kept. Without it, the authority's own staging directory where one is known; write none for no dry runs.
	ACMEStagingDirectory string `name:"acme-staging-directory" group:"Certificate authority"`
	// The authority's name on pages. Without it, the known name or the directory's host is shown.
	ACMEName string `name:"acme-name" group:"Certificate authority"`
	// You have read the authority's terms of service and agree. Required.
	ACMEAcceptTerms bool `name:"acme-accept-terms" group:"Certificate authority"`
	// E-mail addresses the authority may write to, separated by commas.
	ACMEContacts []string `name:"acme-contacts" group:"Certificate authority"`
	// Certificate profile to ask for. Without it, the authority chooses.
	ACMEProfile string `name:"acme-profile" group:"Certificate authority"`
	// PEM file with the roots that the directory's own TLS certificate must chain to. Without it, the system's roots.
	ACMERootFile string `name:"acme-root-file" group:"Certificate authority"`
	// Key id of the external account binding, if the authority asks for one. Another one opens a new account.
	ACMEEABKeyID string `name:"acme-eab-key-id" group:"Certificate authority"`
	// HMAC key of the external account binding, base64url as the authority gives it; a secret.
	ACMEEABKey tenants.Secret `name:"acme-eab-key" group:"Certificate authority"`
	// How many new orders the account may place, such as 300/3h. Without it, what is known of the authority; the portal waits rather than being refused.
	ACMEOrders tenants.Limit `name:"acme-orders" group:"Certificate authority"`
	// How long at most after a challenge was answered the authority is asked for the first time. The portal learns how soon is worth it.
	ACMEFirstPoll time.Duration `name:"acme-first-poll" group:"Certificate authority" default:"1s"`

	// Zone in which every customer's record points to a label of its own, such as acme.example.net. Required; the portal writes its TXT records here.
	DelegationZone string `name:"delegation-zone" group:"DNS"`
	// How that zone is written: rfc2136 or route53. Required.
	DNSProvider string `name:"dns-provider" group:"DNS"`
	// rfc2136: name server that takes the updates, host:port.
	RFC2136Server string `name:"rfc2136-server" group:"DNS"`
	// rfc2136: name of the TSIG key.
	RFC2136KeyName string `name:"rfc2136-key-name" group:"DNS"`
	// rfc2136: algorithm of the TSIG key: hmac-sha256, hmac-sha384 or hmac-sha512.
	RFC2136KeyAlg string `name:"rfc2136-key-alg" group:"DNS" default:"hmac-sha256"`
	// rfc2136: the TSIG key, base64; a secret.
	RFC2136Key tenants.Secret `name:"rfc2136-key" group:"DNS"`
	// route53: access key id. The server's own AWS identity is never used.
	Route53AccessKeyID string `name:"route53-access-key-id" group:"DNS"`
	// route53: secret access key; a secret.
	Route53SecretAccessKey tenants.Secret `name:"route53-secret-access-key" group:"DNS"`
	// route53: region that signs the requests.
	Route53Region string `name:"route53-region" group:"DNS" default:"us-east-1"`
	// route53: id of the delegation zone's hosted zone.
	Route53HostedZoneID string `name:"route53-hosted-zone-id" group:"DNS"`
	// Recursive resolvers, IP:port, separated by commas. Without it, those of /etc/resolv.conf.
	Resolvers []string `name:"resolvers" group:"DNS"`
	// Ask name servers at private addresses too, for domains and an authority inside one's own network.
	PrivateNameServers bool `name:"private-name-servers" group:"DNS"`
	// Development only: IP:port asked in place of every authoritative name server.
	AuthoritativeAddress string `name:"authoritative-address" group:"DNS"`
	// Development only: accept names such as shop.example that no public authority certifies (RFC 6761).
	AllowSpecialUse bool `name:"allow-special-use" group:"DNS"`

	// How many domains one process works on at the same time.
	Workers int `name:"workers" group:"Process" default:"32"`
	// How log lines look: text or json.
	LogFormat string `name:"log-format" group:"Process" default:"text"`
	// Least important log lines to write: debug, info, warn or error.
	LogLevel slog.Level `name:"log-level" group:"Process" default:"info"`
}

// DSN is the database for store.Open.
func (c Config) DSN() string { return string(c.Database.Reveal()) }

// DNSSettings are the settings of the chosen DNS provider under the names that dns.OpenWriter gives them.
func (c Config) DNSSettings() map[string]tenants.Secret {
	plain := func(s string) tenants.Secret { return tenants.NewSecret([]byte(s)) }
	switch c.DNSProvider {
	case "rfc2136":
		return map[string]tenants.Secret{"server": plain(c.RFC2136Server), "key_name": plain(c.RFC2136KeyName),
			"key_alg": plain(c.RFC2136KeyAlg), "key": c.RFC2136Key}
	case "route53":
		return map[string]tenants.Secret{"access_key_id": plain(c.Route53AccessKeyID), "secret_access_key": c.Route53SecretAccessKey,
			"region": plain(c.Route53Region), "hosted_zone_id": plain(c.Route53HostedZoneID)}
	}
	return nil
}
