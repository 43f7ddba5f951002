package tenants

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
)

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
	Blind      bool       `json:",omitempty"` // our own recursive name servers answered nothing at all
}

// Answers is a fingerprint of what DNS says of delegation and CAA, the same for two looks that saw the same. It is empty
// when not everybody could be asked: silence is no answer. Which server said it does not matter, many zones change theirs.
func (c Check) Answers() string {
	var said []string
	for _, a := range c.Delegation {
		said = append(said, fmt.Sprintf("%s %q", a.Result, a.Got))
		if a.Result == Silent {
			return ""
		}
	}
	for _, a := range c.CAA {
		if a.Failed != "" {
			return ""
		}
		for _, r := range a.Records {
			said = append(said, r.line(a.Name))
		}
	}
	if c.Blind || len(c.Delegation) == 0 {
		return ""
	}
	slices.Sort(said)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(slices.Compact(said), "\n"))))
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
