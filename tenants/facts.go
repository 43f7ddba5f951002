package tenants

import "time"

// Facts is everything that is known about one domain, gathered in one read. Next decides from it alone.
type Facts struct {
	Domain      Domain
	Certificate Certificate
	Issuer      Issuer  // that the open order is placed with; without one, that the next will be
	Offers      []Offer // in order of preference: the only one is Issuer unless the policy allows another
	Signer      Issuer  // that the current version came from; zero before the first
	Hours       Hours   // of the tenant
	Policy      Policy  // of the tenant, in its present form since PolicySince (zero: always)
	PolicySince time.Time
	Current     *Version // nil before the first
	Exposed     bool     // somebody reported the key of the customer's own CSR, here or in any other certificate
	Order       *Order   // the open one, or the last one while its TXT values are not cleaned; else nil
	Failures    int      // orders that failed in a row, since DNS last changed
	LastFailed  time.Time
	Releasing   bool            // a person gave the domain up, or its reservation ran out: clean up, then released
	Asked       bool            // a person asked for a look and did not get it yet
	Leftover    []Challenge     // of closed orders, still dirty
	Authz       []Authorization // to deactivate when releasing
	Revoking    []Version       // versions of the lineage that somebody asked to revoke and that are not revoked yet
	Rehearsal   *Rehearsal      // one that is asked for, under way, or not tidied up; else nil
}

// Names are what the open order asks for, or else what the next one will.
func (f Facts) Names() []string {
	if f.Order != nil && f.Order.State.Open() {
		return f.Order.Names
	}
	return f.Certificate.Names
}

// Authorization is what an account of ours won at an issuer, and may live on there (RFC 8555, section 7.1.4).
type Authorization struct {
	URL     string
	Issuer  IssuerID
	Account AccountID
}

// Act is the one thing to do next for a domain.
type Act string

const (
	ActWait        Act = "wait"         // nothing before Step.At
	ActLook        Act = "look"         // ask DNS: delegation, CAA
	ActPlan        Act = "plan"         // make a key and an order row
	ActAdvance     Act = "advance"      // take the open order one step further
	ActEndOrder    Act = "end order"    // end the open order, so that another issuer can be asked
	ActClean       Act = "clean"        // remove our TXT values
	ActAskARI      Act = "ask ari"      // ask the CA when to renew
	ActPlanRenewal Act = "plan renewal" // write the verdict of Due to the certificate
	ActExpire      Act = "expire"       // notAfter passed: say so
	ActRelease     Act = "release"      // deactivate authorizations, end the claim
	ActRevoke      Act = "revoke"       // tell the authority that Step.Version is not to be trusted any more
)

// Step is a decision of Next.
type Step struct {
	Act     Act
	At      time.Time // for ActWait and ActRehearse: when to ask again
	Why     string    // one sentence, for the page and the log
	Reason  Reason    // for ActPlan
	Version VersionID // for ActRevoke
	Finding Finding   // for ActEndRehearsal
}
