package tenants

import "time"

// Answer is what one question to one server came to.
type Answer string

const (
	Right   Answer = "right"   // what we need
	Missing Answer = "missing" // the server answered: no such record
	Differs Answer = "differs" // the server answered with something else
	Silent  Answer = "silent"  // could not ask: no answer, SERVFAIL, REFUSED. Never shown as wrong
)

// Check is one look at a domain's DNS: what was asked, what came back. It decides nothing; Judge does.
type Check struct {
	At         time.Time
	Zone       string // apex of the zone that holds the challenge name; empty when none was found
	Delegation []Asked
	CAA        []AskedCAA // from the name upwards, as a CA climbs (RFC 8659, section 3)
	Wildcard   bool
	Blind      bool `json:",omitempty"` // our own recursive name servers answered nothing at all
}

// Asked is one authoritative server's answer for the delegation.
type Asked struct {
	Server string // host name of the name server
	Got    string // the CNAME's target, or the failure in words: "NXDOMAIN", "SERVFAIL", "no answer"
	Result Answer
}

// AskedCAA is the answer for one name on the way up the tree.
type AskedCAA struct {
	Name    string
	Records []CAA  // empty: none here, look one up
	Failed  string // not empty: could not ask ("SERVFAIL"), which forbids issuance (RFC 8659, section 3)
}

// CAA is one record (RFC 8659, section 4.1).
type CAA struct {
	Flags uint8
	Tag   string
	Value string
}
