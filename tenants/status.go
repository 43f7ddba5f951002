package tenants

import (
	"strings"
	"time"
)

// StatusAfter is what a domain's status becomes once finding f is known. It draws the line between what waits
// for the customer, what heals by itself and what will not fix itself.
func StatusAfter(f Facts, finding Finding, now time.Time) Status {
	switch {
	case f.Domain.Status == Released:
		return Released
	case f.Current != nil && !now.Before(f.Current.NotAfter):
		return Expired
	case finding.OK():
		return healthy(f)
	case f.Current == nil && forRecord(finding.Code):
		return Waiting
	case passes(f, finding) && !(f.Current != nil && (pastSafety(f, now) || !f.Certificate.Revoked.IsZero())):
		return healthy(f)
	}
	return Failing
}

func healthy(f Facts) Status {
	switch {
	case f.Order != nil && f.Order.State.Open():
		return Renewing
	case f.Current != nil && f.Certificate.Revoked.IsZero():
		return Active
	case f.Domain.Proved.IsZero():
		return Waiting
	}
	return Renewing
}

// forRecord reports whether the finding means that the customer's record is not there yet.
func forRecord(c Code) bool {
	switch c {
	case DelegationMissing, DelegationDiffers, DelegationPartial, DomainMissing:
		return true
	}
	return false
}

// passes reports whether the finding may be over by itself: could-not-ask is not wrong, a limit passes, and an order
// may fail once. Two in a row are no accident any more. A CSR that the next version lacks has time until the safety line,
// unless that version is needed at once.
func passes(f Facts, finding Finding) bool {
	if finding.Code == KeyNeeded {
		return f.Current != nil && !f.Certificate.Plan.Reason.Emergency()
	}
	return finding.Code == DNSBroken || Explain(finding).Heals && f.Failures < 2
}

func pastSafety(f Facts, now time.Time) bool {
	line := f.Certificate.Plan.NoLater
	return !line.IsZero() && !now.Before(line)
}

// Merge is the finding that stands after a look at DNS. A good look clears what DNS had caused, but not what the
// CA or our own zone said of the last order: only an order that succeeds clears that.
func Merge(standing, looked Finding) Finding {
	if looked.OK() && !standing.ofDNS() {
		return standing
	}
	return looked
}

// ofDNS reports whether the customer's DNS caused the finding, so that a look tells whether it stands.
func (f Finding) ofDNS() bool { return strings.HasPrefix(string(f.Code), "dns.") }
