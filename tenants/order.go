package tenants

import (
	"slices"
	"time"
)

// OrderState is how far an attempt has come. The intention is saved before each effect, so that whoever finds
// the row after a crash knows what may already have happened.
type OrderState string

const (
	Planned   OrderState = "planned"   // key sealed, row written; the CA may or may not know of it (see Placing)
	Ordered   OrderState = "ordered"   // order URL saved
	Proving   OrderState = "proving"   // every challenge record saved, then written, then answered
	Ready     OrderState = "ready"     // all authorizations valid
	Finalized OrderState = "finalized" // CSR sent
	Issued    OrderState = "issued"    // chain saved, matched and checked: a version exists
	Failed    OrderState = "failed"    // ended without a version
)

// OpenStates are the states of an order that has not ended, in their order.
var OpenStates = []OrderState{Planned, Ordered, Proving, Ready, Finalized}

var orderMoves = map[OrderState][]OrderState{
	Planned:   {Ordered, Failed},
	Ordered:   {Proving, Ready, Failed},
	Proving:   {Ready, Failed},
	Ready:     {Finalized, Issued, Failed}, // issued: the certificate came before finalized was saved
	Finalized: {Issued, Failed},
}

// May reports whether an order may go from s to next. Issued and Failed are final.
func (s OrderState) May(next OrderState) bool { return slices.Contains(orderMoves[s], next) }

// Open reports whether the order still has something to do.
func (s OrderState) Open() bool { return s != Issued && s != Failed }

// Order is one attempt to obtain a version.
type Order struct {
	ID          OrderID
	Tenant      TenantID
	Domain      DomainID
	Certificate CertificateID
	Issuer      IssuerID
	Account     AccountID // ours there
	State       OrderState
	Revision    int // every save adds one and refuses to overwrite another's
	Names       []string
	Profile     string
	Reason      Reason
	CSR         string    // the customer's own, PEM; empty when the key is ours
	Detour      string    // one sentence: why it is not placed with the preferred issuer; empty when it is
	Replaces    string    // ARI certificate id of the version it replaces, empty when the CA offers no ARI
	Placing     time.Time // saved before newOrder is sent: from then on the CA may know of the order
	URL         string
	FinalizeURL string
	ResultURL   string    // of the certificate
	Expires     time.Time // after this the CA forgets the order
	Challenges  []Challenge
	Finding     Finding  // of the last attempt
	Attempts    int      // failures in a row of the present step
	Cost        []Charge // what it spent of the CA's limits; none for what the CA does not count
	Reached     map[OrderState]time.Time
	Created     time.Time
	Ended       time.Time
}

// Flying reports whether newOrder may have been sent and was not answered yet.
func (o Order) Flying() bool { return o.State == Planned && !o.Placing.IsZero() }

// Unsigned reports whether no CSR was sent for the order, so that nobody can have signed a certificate.
func (o Order) Unsigned() bool { return o.State == Planned || o.State == Ordered || o.State == Proving }

// Unplaced reports whether the order is only planned: nothing of it was sent.
func (o Order) Unplaced() bool { return o.State == Planned && o.Placing.IsZero() }

// Challenge is one DNS-01 challenge of an order (RFC 8555, section 8.4) and the TXT record that answers it.
type Challenge struct {
	ID        ChallengeID
	Order     OrderID
	Authz     string    // authorization URL
	URL       string    // challenge URL
	Record    string    // where the TXT record is written: the delegation's target, no trailing dot
	Zone      string    // the zone it is written in
	Value     string    // base64url(SHA-256(key authorization))
	Presented time.Time // saved before the record is written
	Seen      time.Time // every authoritative server answered with it
	Answered  time.Time // the CA was told
	Valid     time.Time // the CA agreed
	Cleaned   time.Time // our value is gone from DNS
}

// Dirty reports whether our TXT value may still be in DNS.
func (c Challenge) Dirty() bool { return !c.Presented.IsZero() && c.Cleaned.IsZero() }
