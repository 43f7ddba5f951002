package tenants

import (
	"fmt"
	"time"
)

// NextKey is where the key of a version comes from. Exactly one of the three is set.
type NextKey struct {
	Make  KeyType   // we make one
	Reuse VersionID // the one of that version serves once more
	CSR   string    // the customer's own, PEM
}

// Why a customer's own CSR does not do for the next version: cases of KeyNeeded.
const (
	caseNoCSR     = "none"      // there is none
	caseForbidden = "forbidden" // the policy allows no CSRs any more
	caseWrongCSR  = "wrong"     // CheckCSR refuses it by now: a key type that the policy forbids
	caseOldKey    = "old"       // the policy's longest use of a key is over then
	caseExposed   = "exposed"   // the key was reported
)

// NextKey is where the key of a version comes from that is ordered at now. The finding is not OK when only the customer
// can bring the key, and did not: then nothing can be ordered.
func (f Facts) NextKey(now time.Time) (NextKey, Finding) {
	c := f.Certificate
	switch {
	case c.Strategy == OwnCSR:
		return NextKey{CSR: c.CSR}, f.csrFinding(now)
	case f.Current != nil && !f.Current.OwnKey && !f.RenewalFacts().NewKey(now):
		return NextKey{Reuse: f.Current.ID}, Finding{}
	}
	return NextKey{Make: f.Policy.KeyFor(c.KeyType)}, Finding{}
}

// OfKey is the finding of an authority's refusal of a CSR or of the key in it. Only the customer can mend the customer's own
// (own). A key of ours that served the current version (served) gives way to another one; a new one it cannot have been.
func (f Finding) OfKey(own, served bool) Finding {
	switch {
	case own:
		f.Code = CARefusesCSR
	case served:
		f.Code = CARefusesKey
	}
	return f
}

// Lacking is the finding that stands when a version that is to be ordered at `at` lacks its key: it is known as soon as the
// renewal is planned, so that the customer has all the time there is.
func (f Facts) Lacking(at time.Time) Finding {
	if f.Certificate.Strategy != OwnCSR || f.Order != nil && f.Order.State.Open() {
		return Finding{}
	}
	return f.csrFinding(at)
}

func (f Facts) csrFinding(at time.Time) Finding {
	c := f.Certificate
	lacks := Finding{Code: KeyNeeded}.With("name", f.Domain.Name)
	switch {
	case !f.Policy.AllowsStrategy(OwnCSR):
		return lacks.With("case", caseForbidden)
	case c.CSR == "":
		return lacks.With("case", caseNoCSR)
	}
	csr, err := CheckCSR(c.CSR, c.Names, f.Policy)
	if err != nil {
		return lacks.With("case", caseWrongCSR).With("why", err.(*Error).Text)
	}
	if f.Exposed {
		return lacks.With("case", caseExposed)
	}
	if f.Current == nil || csr.SPKI != f.Current.SPKI {
		return Finding{} // a key that the lineage did not use yet
	}
	return f.usedUp(lacks, at)
}

// usedUp is the finding when the current version's key may not serve another one.
func (f Facts) usedUp(lacks Finding, at time.Time) Finding {
	r := f.RenewalFacts()
	switch {
	case !r.NewKey(at):
		return Finding{}
	case r.reported():
		return lacks.With("case", caseExposed)
	}
	return lacks.With("case", caseOldKey).With("limit", counted(f.Policy.KeyDays(), "day")).
		With("made", r.clock(r.KeyCreated)).With("until", r.clock(r.KeyCreated.Add(f.Policy.MaxKeyAge())))
}

// Standing is the finding that stands while the portal waits: what DNS or the authority caused, or else what the next
// version lacks.
func (f Facts) Standing(now time.Time) Finding {
	if s := f.Domain.Finding; !s.OK() && s.Code != KeyNeeded && !f.needless(s, now) {
		return s
	}
	return f.Lacking(later(f.Certificate.Plan.At, now))
}

// needless reports whether a finding is about an order that nobody needs any more: the version before it is good, and by now
// the next renewal is planned for later.
func (f Facts) needless(s Finding, now time.Time) bool {
	return !s.ofDNS() && f.Order == nil && f.Current != nil && now.Before(f.Current.NotAfter) && f.Certificate.Plan.At.After(now)
}

// foreignKey says why a key that a version of the lineage had may not come back in a customer's CSR; served is the newest
// such version, nil for none.
func (f Facts) foreignKey(served *Version) string {
	switch {
	case served == nil:
		return ""
	case !served.OwnKey:
		return fmt.Sprintf("The key of this CSR is the one of version %d, which we made and keep. Make a new key that only you have.", served.Number)
	case f.Current == nil || served.SPKI != f.Current.SPKI:
		return fmt.Sprintf("The key of this CSR served version %d and was replaced since. Make a new key.", served.Number)
	}
	return ""
}
