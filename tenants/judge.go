package tenants

import (
	"fmt"
	"slices"
	"strings"
)

// Judge says what one look at DNS means for an order of names. The zero Finding means that it may be placed: every
// authoritative server answered with our delegation, and CAA lets the issuer issue for each of the names.
//
// A server that could not be asked is never held against the customer: as long as no server answered with anything
// but our record, the finding is DNSSilent or DNSBroken. One server that still lacks the record is enough to wait, because
// the CA may ask that one. When our own recursive servers are silent, nothing else of the look counts.
func Judge(d Delegation, issuer Issuer, names []string, c Check) Finding {
	if c.Blind {
		return delegationFinding(ResolverSilent, d, c, nil)
	}
	if f := judgeDelegation(d, c); !f.OK() {
		return f
	}
	return judgeCAA(issuer, names, c)
}

func judgeDelegation(d Delegation, c Check) Finding {
	by := map[Answer][]Asked{}
	for _, a := range c.Delegation {
		by[a.Result] = append(by[a.Result], a)
	}
	right, missing, differs := len(by[Right]), len(by[Missing]), len(by[Differs])
	switch {
	case right > 0 && right == len(c.Delegation):
		return Finding{}
	case missing+differs == 0:
		return delegationFinding(silence(by[Silent]), d, c, by[Silent])
	case right > 0:
		return delegationFinding(DelegationPartial, d, c, slices.Concat(by[Missing], by[Differs]))
	case differs > 0:
		return delegationFinding(DelegationDiffers, d, c, by[Differs])
	case c.Zone == "" && missing > 0: // nobody below the registry knows the name
		return delegationFinding(DomainMissing, d, c, by[Missing])
	}
	return delegationFinding(DelegationMissing, d, c, by[Missing])
}

// silence tells servers that answer SERVFAIL from servers that do not answer.
func silence(servers []Asked) Code {
	broken := func(a Asked) bool { return strings.Contains(a.Got, "SERVFAIL") }
	if len(servers) > 0 && !slices.ContainsFunc(servers, func(a Asked) bool { return !broken(a) }) {
		return DNSBroken
	}
	return DNSSilent
}

func delegationFinding(code Code, d Delegation, c Check, blamed []Asked) Finding {
	f := Finding{Code: code, Args: map[string]string{
		"name": d.Base, "record": d.Name(), "target": d.Target(), "zone": c.Zone,
	}}
	if len(blamed) > 0 && c.Zone != "" { // without a zone only a recursive server was asked, which is nobody's
		f.Args["server"], f.Args["got"] = blamed[0].Server, blamed[0].Got
	}
	var raw []string
	for _, a := range c.Delegation {
		raw = append(raw, fmt.Sprintf("%s: %s", a.Server, a.Got))
	}
	f.Raw = strings.Join(raw, "\n")
	return f
}

// judgeCAA climbs as a CA does (RFC 8659, section 3): the first name with records decides, and a name that could
// not be asked forbids.
func judgeCAA(issuer Issuer, names []string, c Check) Finding {
	if len(issuer.CAA) == 0 {
		return Finding{} // a CA that publishes no identity cannot be named by a record
	}
	for _, asked := range c.CAA {
		switch {
		case asked.Failed != "":
			return Finding{Code: CAAUnknown, Raw: asked.Failed, Args: map[string]string{
				"ca": issuer.Name, "at": asked.Name, "got": asked.Failed}}
		case len(asked.Records) > 0:
			return judgeNames(issuer, names, asked)
		}
	}
	return Finding{}
}

// judgeNames asks for each name: the same records may allow one of them and forbid its wildcard.
func judgeNames(issuer Issuer, names []string, asked AskedCAA) Finding {
	for _, name := range names {
		if f := judgeRecords(issuer, strings.HasPrefix(name, "*."), asked); !f.OK() {
			return f
		}
	}
	return Finding{}
}

// Why a CAA record set forbids. Without a case it names only other authorities.
const (
	caseNobody   = "nobody"   // issue ";", or values that no CA can read
	caseAccount  = "account"  // accounturi names another account (RFC 8657, section 3)
	caseMethod   = "method"   // validationmethods leaves out dns-01 (RFC 8657, section 4)
	caseCritical = "critical" // a property that must be understood and is not (RFC 8659, section 4.1)
	allowed      = "allowed"
)

func judgeRecords(issuer Issuer, wildcard bool, asked AskedCAA) Finding {
	tag, verdict, blamed := "issue", allowed, CAA{}
	if wildcard && slices.ContainsFunc(asked.Records, CAA.isWild) {
		tag = "issuewild"
	}
	for _, r := range asked.Records {
		if r.Flags&128 != 0 && !r.known() {
			return caaFinding(issuer, asked, tag, caseCritical, r)
		}
	}
	for _, r := range ofTag(asked.Records, tag) {
		v := r.allows(issuer)
		if v == allowed {
			return Finding{}
		}
		if telling(v) > telling(verdict) {
			verdict, blamed = v, r
		}
	}
	if verdict == allowed { // no property of the tag: nothing is restricted
		return Finding{}
	}
	return caaFinding(issuer, asked, tag, verdict, blamed)
}

func ofTag(records []CAA, tag string) (of []CAA) {
	for _, r := range records {
		if strings.EqualFold(r.Tag, tag) {
			of = append(of, r)
		}
	}
	return of
}

// telling orders the causes by how near the records come to allowing us: the nearest is the one to explain.
func telling(verdict string) int {
	return slices.Index([]string{allowed, caseNobody, "", caseMethod, caseAccount}, verdict)
}

func (r CAA) isWild() bool { return strings.EqualFold(r.Tag, "issuewild") }

// known reports whether CAs understand the tag: RFC 8659, and issuemail of RFC 9495.
func (r CAA) known() bool {
	return slices.Contains([]string{"issue", "issuewild", "iodef", "issuemail"}, strings.ToLower(r.Tag))
}

// allows reads the value of an issue or issuewild property (RFC 8659, section 4.2). One that breaks the grammar allows nobody.
func (r CAA) allows(issuer Issuer) string {
	domain, rest, _ := strings.Cut(r.Value, ";")
	domain = strings.Trim(domain, " \t")
	params, ok := parseParams(rest)
	switch {
	case !ok, domain == "":
		return caseNobody
	case !slices.ContainsFunc(issuer.CAA, func(us string) bool { return strings.EqualFold(us, domain) }):
		return ""
	}
	if methods, ok := params["validationmethods"]; ok && !slices.Contains(strings.Split(methods, ","), "dns-01") {
		return caseMethod
	}
	if account, ok := params["accounturi"]; ok && account != issuer.Account {
		return caseAccount
	}
	return allowed
}

// parseParams reads tag=value pairs divided by semicolons; ok is false for anything else, and for a tag that comes twice.
func parseParams(s string) (params map[string]string, ok bool) {
	params = map[string]string{}
	if strings.Trim(s, " \t") == "" {
		return params, true
	}
	for part := range strings.SplitSeq(s, ";") {
		tag, value, found := strings.Cut(part, "=")
		tag, value = strings.ToLower(strings.Trim(tag, " \t")), strings.Trim(value, " \t")
		if _, twice := params[tag]; !found || tag == "" || twice || strings.ContainsAny(value, " \t") {
			return nil, false
		}
		params[tag] = value
	}
	return params, true
}

func caaFinding(issuer Issuer, asked AskedCAA, tag, kase string, blamed CAA) Finding {
	f := Finding{Code: CAAForbids, Args: map[string]string{
		"ca": issuer.Name, "at": asked.Name, "case": kase, "value": blamed.Value, "tag": blamed.Tag,
		"line": CAA{Tag: tag, Value: issuer.CAA[0]}.line(asked.Name),
	}}
	var raw []string
	for _, r := range asked.Records {
		raw = append(raw, r.line(asked.Name))
	}
	f.Raw = strings.Join(raw, "\n")
	return f
}

// line is the record as a zone file has it.
func (r CAA) line(at string) string {
	return fmt.Sprintf("%s. CAA %d %s %q", strings.TrimSuffix(at, "."), r.Flags, r.Tag, r.Value)
}
