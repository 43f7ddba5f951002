// Code generated from the comments of Config by TestManual -update. DO NOT EDIT.

package app

// manual is what --help says about a setting; empty for anything else.
func manual(setting string) string {
	switch setting {
	case "listen":
		return "Address and port to listen on. A proxy in front of it speaks TLS with the world."
	case "base-url":
		return "Address under which people reach the portal, such as https://certs.example.com. Required; plain http only on loopback."
	case "trusted-proxies":
		return "Networks of the proxies in front of the portal, separated by commas. Only from them the client's address is taken out of X-Forwarded-For."
	case "database":
		return "Where everything is kept: sqlite:PATH for one process, postgres://… for one or more. A secret, since it may hold a password."
	case "key-file":
		return "File with the key that seals private keys and credentials. Made on the first start; without it they cannot be read again, so keep a copy apart from the database."
	case "oidc-issuer":
		return "Issuer URL of the OpenID Provider. Required. The redirect URI to register there is the base URL followed by /signin/callback."
	case "oidc-client-id":
		return "The portal's client id at the provider. Required."
	case "oidc-client-secret":
		return "The portal's client secret at the provider. Required; a secret."
	case "oidc-groups-claim":
		return "Claim of the ID token that lists a person's groups. Tenants map groups to roles."
	case "operator-group":
		return "Group whose members are operators: they create tenants and see everything but private keys. Without it, tenants are made with the admin command."
	case "auditor-group":
		return "Group whose members see everything but private keys and change nothing."
	case "oidc-origins":
		return "Further origins that signing in passes through, when the provider hands people on to another: https://host, separated by commas. Browsers stop there otherwise."
	case "acme-directory":
		return "Directory URL of the ACME certificate authority."
	case "acme-staging-directory":
		return "Directory URL that dry runs go to: the whole path, of which nothing is kept. Without it, the authority's own staging directory where one is known; write none for no dry runs."
	case "acme-name":
		return "The authority's name on pages. Without it, the known name or the directory's host is shown."
	case "acme-accept-terms":
		return "You have read the authority's terms of service and agree. Required."
	case "acme-contacts":
		return "E-mail addresses the authority may write to, separated by commas."
	case "acme-profile":
		return "Certificate profile to ask for. Without it, the authority chooses."
	case "acme-root-file":
		return "PEM file with the roots that the directory's own TLS certificate must chain to. Without it, the system's roots."
	case "acme-eab-key-id":
		return "Key id of the external account binding, if the authority asks for one. Another one opens a new account."
	case "acme-eab-key":
		return "HMAC key of the external account binding, base64url as the authority gives it; a secret."
	case "acme-orders":
		return "How many new orders the account may place, such as 300/3h. Without it, what is known of the authority; the portal waits rather than being refused."
	case "acme-first-poll":
		return "How long at most after a challenge was answered the authority is asked for the first time. The portal learns how soon is worth it."
	case "delegation-zone":
		return "Zone in which every customer's record points to a label of its own, such as acme.example.net. Required; the portal writes its TXT records here."
	case "dns-provider":
		return "How that zone is written: rfc2136 or route53. Required."
	case "rfc2136-server":
		return "rfc2136: name server that takes the updates, host:port."
	case "rfc2136-key-name":
		return "rfc2136: name of the TSIG key."
	case "rfc2136-key-alg":
		return "rfc2136: algorithm of the TSIG key: hmac-sha256, hmac-sha384 or hmac-sha512."
	case "rfc2136-key":
		return "rfc2136: the TSIG key, base64; a secret."
	case "route53-access-key-id":
		return "route53: access key id. The server's own AWS identity is never used."
	case "route53-secret-access-key":
		return "route53: secret access key; a secret."
	case "route53-region":
		return "route53: region that signs the requests."
	case "route53-hosted-zone-id":
		return "route53: id of the delegation zone's hosted zone."
	case "resolvers":
		return "Recursive resolvers, IP:port, separated by commas. Without it, those of /etc/resolv.conf."
	case "private-name-servers":
		return "Ask name servers at private addresses too, for domains and an authority inside one's own network."
	case "authoritative-address":
		return "Development only: IP:port asked in place of every authoritative name server."
	case "allow-special-use":
		return "Development only: accept names such as shop.example that no public authority certifies (RFC 6761)."
	case "workers":
		return "How many domains one process works on at the same time."
	case "log-format":
		return "How log lines look: text or json."
	case "log-level":
		return "Least important log lines to write: debug, info, warn or error."
	}
	return ""
}
