package tenants

import (
	"encoding/binary"
	"time"
)

// Outcome is how an act that the audit log records ended.
type Outcome string

const (
	Done    Outcome = "done"
	Refused Outcome = "denied" // the actor was not allowed
	Broke   Outcome = "failed" // allowed, tried, did not work
)

// Action is the verb of an audit entry: "domain.register", "certificate.issue" …
type Action string

const (
	DidSignIn       Action = "session.start"
	DidSignOut      Action = "session.end"
	DidSignInDenied Action = "session.denied"
	DidAddTenant    Action = "tenant.add"
	DidSaveTenant   Action = "tenant.change"
	DidRegister     Action = "domain.register"
	DidChangeHours  Action = "tenant.hours"
	DidChangePolicy Action = "tenant.policy"
	DidCheck        Action = "domain.check" // a person asked for it
	DidProve        Action = "domain.prove" // the delegation was first seen everywhere
	DidFail         Action = "domain.fail"  // entered failing
	DidHeal         Action = "domain.heal"
	DidRelease      Action = "domain.release"
	DidExpire       Action = "certificate.expire"
	DidAskRenewal   Action = "certificate.renew"  // a person asked
	DidAskRevoke    Action = "certificate.revoke" // a person asked
	DidRevoke       Action = "certificate.revoked"
	DidFailRevoke   Action = "certificate.revoke_fail" // the authority did not do it; it is asked again
	DidChangeCert   Action = "certificate.change"      // what the next versions are ordered with
	DidPause        Action = "renewal.pause"
	DidResume       Action = "renewal.resume"
	DidPlanOrder    Action = "order.plan"
	DidPlaceOrder   Action = "order.place"
	DidFailOrder    Action = "order.fail"
	DidIssue        Action = "certificate.issue"
	DidDownload     Action = "certificate.download"
	DidDownloadKey  Action = "key.download"
	DidPlanRenewal  Action = "renewal.plan"
	DidClean        Action = "challenge.clean"
	DidExport       Action = "audit.export"
	DidOpen         Action = "access" // denied access to something
	DidAccount      Action = "issuer.account"
	DidAddIssuer    Action = "issuer.add"
	DidChangeIssuer Action = "issuer.change"
	DidRetireIssuer Action = "issuer.retire"
	DidChangeLimits Action = "issuer.limits"
	DidExportKey    Action = "issuer.key.export"
	DidRollKey      Action = "issuer.key.change"
	DidStartEvent   Action = "event.start" // many are replaced
	DidStopEvent    Action = "event.stop"
	DidEndEvent     Action = "event.end"
)

// Change is one field before and after.
type Change struct{ Field, Before, After string }

// Entry is one line of the audit log. Entries are written in the transaction of the change they record and
// never changed afterwards.
type Entry struct {
	ID      EntryID
	Number  int64    // 1, 2, 3 … within the tenant, without gaps
	Tenant  TenantID // empty for acts on the platform
	At      time.Time
	Actor   Actor
	Action  Action
	Outcome Outcome
	Object  string // id of what was acted upon
	Subject string // its name for people: "shop.acme.example"
	Text    string // the rest of the sentence after the actor's name: "added shop.acme.example."
	Changes []Change
}

// Canonical is the entry as bytes that never change: every field in order, each with its length in front, so
// that no two different entries share an encoding. It is what gets hashed, never JSON read back from a table. Left out
// is only Actor.Tenant, which is not stored: the entry's Tenant says where the act happened.
func (e Entry) Canonical() []byte {
	b := []byte("perennial entry v1\n")
	num := func(n int64) { b = binary.BigEndian.AppendUint64(b, uint64(n)) }
	str := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	str(string(e.ID))
	num(e.Number)
	str(string(e.Tenant))
	num(e.At.UnixMicro())
	for _, s := range []string{string(e.Actor.Kind), e.Actor.Name, e.Actor.Issuer, e.Actor.Subject,
		string(e.Actor.Role), string(e.Actor.Platform), e.Actor.Address, e.Actor.RequestID,
		string(e.Action), string(e.Outcome), e.Object, e.Subject, e.Text} {
		str(s)
	}
	num(int64(len(e.Changes)))
	for _, c := range e.Changes {
		str(c.Field)
		str(c.Before)
		str(c.After)
	}
	return b
}
