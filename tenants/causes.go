package tenants

import "strings"

// unforeseen stands for certificates that expired although nothing was found to be wrong with them.
var unforeseen = Explanation{
	Short: "Expired with no cause found", Happened: "It expired although nothing was found to be wrong",
	Why: "Its last check and its last order were fine.",
	Who: OperatorDo, Do: "Look whether the portal was running when it should have renewed.",
}

// Unrenewed is unforeseen in the words of whoever's certificate it is.
var Unrenewed = Explanation{
	Short: "Not renewed in time", Happened: "It was not renewed in time",
	Why: "Nothing was found to be wrong with its record or with its last order.",
	Who: OperatorDo, Do: "Nothing for you to do. We order the next version by ourselves, at any hour.", Heals: true,
}

// Standing is the cause in words for many certificates together: those that had been issued before, so their record was
// right once. The empty Code is explained too: nothing was found, yet they expired.
func (c Code) Standing() Explanation {
	if c == "" {
		return unforeseen
	}
	return Explain(Finding{Code: c}.afterProof())
}

// Known reports whether this version has words for the code.
func (c Code) Known() bool {
	_, ok := explanations[c]
	return ok && !strings.Contains(string(c), "/")
}

// repairs are what the operator does about causes that are the operator's.
var repairs = map[Code]string{
	"":                "See whether the portal was running and could order at that time. Its log and the audit log of the domain say what it did.",
	WriteRefused:      "Repair the portal’s access to its zone: the credentials, and the permission to write TXT records. The orders then go on by themselves.",
	WriteSilent:       "See whether the DNS server of our zone runs and can be reached from here. The orders then go on by themselves.",
	ResolverSilent:    "See whether the recursive name servers in the configuration answer this machine. The checks then go on by themselves.",
	CAUntrusted:       "Read the raw answer on the page of one domain. For a private authority, or a proxy that opens TLS, add its root to the file that PERENNIAL_ACME_ROOT_FILE names and restart the portal. See that the clock of this machine is right. If the authority’s own certificate ran out, tell the authority. The orders then go on by themselves.",
	CABroken:          "Read the authority’s raw answer on the page of one domain, and report it to the authority. Certificates that are valid stay valid.",
	RevocationRefused: "Read the authority’s raw answer on the page of the certificate, or ask the authority to revoke it. We ask again from time to time.",
	RehearsalNowhere:  "Name the authority’s staging directory in the configuration, or tell the tenants that there are no dry runs. Certificates are not affected.",
	CAProfile:         "Choose another profile for this authority in the settings of the portal. The next orders name that one.",
	CAAccount:         "Read the authority’s raw answer on the page of one domain, and repair the account there if you can. For another external account binding, retire the authority and add the same directory again with it; for the one of the settings, change PERENNIAL_ACME_EAB_KEY_ID and PERENNIAL_ACME_EAB_KEY and restart. New orders then go to a new account, and what the old one ordered stays known.",
}

// ForOperator is what the operator does about the cause, or may leave to others, in a sentence or two.
func (c Code) ForOperator() string {
	if text, ok := repairs[c]; ok {
		return text
	}
	switch e := c.Standing(); {
	case e.Heals:
		return "Nothing. We try again by ourselves."
	case e.Who == Customer:
		return "Write to the tenants whose certificates expire first. Each sees what to change on the page of its domain."
	case e.Who == DNSHost:
		return "Write to the tenants whose certificates expire first. Their DNS provider has to act, and they see it on the page of their domain."
	case e.Who == CADo:
		return "Ask the authority. Its own words are on the page of each domain."
	}
	return "Read the raw answer on the page of one domain."
}
