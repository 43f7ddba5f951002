package dns

import (
	"cmp"
	"encoding/base64"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"perennial/tenants"

	"github.com/miekg/dns"
)

// provider is one line of the catalogue: what an account there needs and how it is opened.
type provider struct {
	name     string
	title    string // for sentences
	settings []setting
	limit    time.Duration // the longest that one write may take, waiting for its turn included
	open     func(values map[string]string) (hand, error)
}

// setting is one thing to configure.
type setting struct {
	name     string
	what     string // continues "The setting key_name …": "is the name of the TSIG key"
	fallback string // used when it is left out; a setting without one is required
	secret   bool
	tidy     func(string) (value string, ok bool) // brings it into the one form that the provider understands
}

// catalogue lists the providers. A new one is a line here and a hand.
func catalogue() []provider {
	return []provider{
		{
			name: "rfc2136", title: "DNS update (RFC 2136)", limit: 15 * time.Second, open: openRFC2136,
			settings: []setting{
				{name: "server", what: "is the primary name server, as host or host:port", tidy: tidyServer},
				{name: "key_name", what: "is the name of the TSIG key, as the name server knows it", tidy: tidyKeyName},
				{name: "key_alg", what: "is the TSIG algorithm: hmac-sha256, hmac-sha512, hmac-sha384, hmac-sha224 or hmac-sha1", fallback: "hmac-sha256", tidy: tidyAlgorithm},
				{name: "key", what: "is the TSIG secret in base64", secret: true, tidy: tidyKey},
			},
		},
		{
			name: "route53", title: "Amazon Route 53", limit: time.Minute, open: openRoute53,
			settings: []setting{
				{name: "access_key_id", what: "is the id of an access key that may change the hosted zone", tidy: tidyWord},
				{name: "secret_access_key", what: "is the secret of that access key", secret: true, tidy: tidyWord},
				{name: "region", what: "is the region that requests are signed for", fallback: "us-east-1", tidy: tidyRegion},
				{name: "hosted_zone_id", what: "is the id of the public hosted zone, such as Z0123456789ABCDEFGHIJ", tidy: tidyHostedZone},
			},
		},
	}
}

func providerNamed(name string) (provider, bool) {
	all := catalogue()
	i := slices.IndexFunc(all, func(p provider) bool { return p.name == name })
	if i < 0 {
		return provider{}, false
	}
	return all[i], true
}

func providerNames() (names []string) {
	for _, p := range catalogue() {
		names = append(names, p.name)
	}
	return names
}

// check brings the settings into order, or says everything that is wrong with them.
func (p provider) check(settings map[string]tenants.Secret) (map[string]string, error) {
	values, faults := make(map[string]string), make(map[string]string)
	for _, s := range p.settings {
		given := strings.TrimSpace(string(settings[s.name].Reveal()))
		value, ok := s.tidy(cmp.Or(given, s.fallback))
		switch {
		case given == "" && s.fallback == "":
			faults[s.name] = "The setting " + s.name + " is missing. It " + s.what + "."
		case !ok:
			faults[s.name] = "The setting " + s.name + " cannot be used. It " + s.what + "."
		}
		values[s.name] = value
	}
	for name := range settings {
		if _, known := values[name]; !known {
			faults[name] = p.unknown(name)
		}
	}
	if len(faults) == 0 {
		return values, nil
	}
	return nil, &tenants.Error{Kind: tenants.Invalid, Text: p.complaint(faults), Fields: faults}
}

func (p provider) unknown(name string) string {
	switch {
	case p.name == "route53" && name == "endpoint":
		return "The setting endpoint does not exist. Set the environment variable AWS_ENDPOINT_URL_ROUTE_53 to use another address of the service."
	case p.name == "route53" && name == "profile":
		return "The setting profile is not accepted. Give an access key with access_key_id and secret_access_key."
	}
	var names []string
	for _, s := range p.settings {
		names = append(names, s.name)
	}
	return "The setting " + strconv.Quote(name) + " is not known. Use only: " + strings.Join(names, ", ") + "."
}

// complaint puts all faults into one text, known settings first and in the catalogue's order.
func (p provider) complaint(faults map[string]string) string {
	lines := []string{p.title + " is not set up completely."}
	rest := maps.Clone(faults)
	for _, s := range p.settings {
		if text, ok := rest[s.name]; ok {
			lines = append(lines, text)
			delete(rest, s.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		lines = append(lines, rest[name])
	}
	return strings.Join(lines, " ")
}

func (p provider) secrets(values map[string]string) (secrets []string) {
	for _, s := range p.settings {
		if s.secret {
			secrets = append(secrets, values[s.name])
		}
	}
	return secrets
}

func tidyServer(s string) (string, bool) {
	s = withPort(s, "53")
	host, port, err := net.SplitHostPort(s)
	n, odd := strconv.ParseUint(port, 10, 16)
	return s, err == nil && odd == nil && n > 0 && (net.ParseIP(host) != nil || plainName(strings.ToLower(host)))
}

// tidyKeyName makes the canonical form: the library looks the key of a signed answer up by exactly this text.
func tidyKeyName(s string) (string, bool) {
	s = dns.CanonicalName(s)
	return s, s != "." && plainName(s)
}

func tidyAlgorithm(s string) (string, bool) {
	s = dns.CanonicalName(s)
	return s, slices.Contains([]string{dns.HmacSHA1, dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512}, s)
}

func tidyKey(s string) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(s)
	return s, err == nil && len(raw) > 0
}

func tidyWord(s string) (string, bool) { return s, !strings.ContainsFunc(s, notGraphic) }

func notGraphic(r rune) bool { return r <= ' ' || r > '~' }

func tidyRegion(s string) (string, bool) {
	s = strings.ToLower(s)
	return s, s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// tidyHostedZone takes the id with or without the prefix that the service's own answers carry.
func tidyHostedZone(s string) (string, bool) {
	s = strings.TrimPrefix(s, "/hostedzone/")
	return s, s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
