package tenants

import (
	"fmt"
	"strings"
	"time"
)

// Code names a cause for ever: pages print it, documentation explains it, statistics count it.
type Code string

const (
	DelegationMissing Code = "dns.delegation.missing" // no CNAME yet, or it was removed
	DelegationDiffers Code = "dns.delegation.differs" // the CNAME points elsewhere
	DelegationPartial Code = "dns.delegation.partial" // some servers have it, some not yet
	DNSSilent         Code = "dns.silent"             // the domain's name servers do not answer
	ResolverSilent    Code = "dns.resolver.silent"    // our own recursive name servers do not answer
	DNSBroken         Code = "dns.servfail"           // they answer SERVFAIL: often broken DNSSEC
	DomainMissing     Code = "dns.nxdomain"           // the domain itself does not exist
	CAAForbids        Code = "dns.caa.forbidden"      // a CAA record names only other authorities
	CAAUnknown        Code = "dns.caa.servfail"       // CAA could not be asked, which forbids issuance
	WriteRefused      Code = "zone.write.refused"     // our own delegation zone refused the TXT record
	WriteSilent       Code = "zone.write.silent"      // our own DNS server does not answer
	PropagationSlow   Code = "zone.propagation"       // not every server of our zone shows the TXT yet
	ChallengeInvalid  Code = "ca.challenge.invalid"   // the CA looked and did not agree
	CARateLimited     Code = "ca.rate_limited"        // 429
	CASilent          Code = "ca.silent"              // no answer, time-out, 5xx
	CAUntrusted       Code = "ca.untrusted"           // it was not asked: we do not trust its server's TLS certificate
	CARefuses         Code = "ca.rejected_identifier" // the CA will not issue for this name
	CABroken          Code = "ca.broken_answer"       // an answer that breaks the protocol or our checks
	CAStuck           Code = "ca.stuck"               // processing without end
	CAAccount         Code = "ca.account"             // account refused: EAB, terms, deactivated
	CAProfile         Code = "ca.profile"             // the CA does not offer the profile that was asked for
	RevocationRefused Code = "ca.revocation"          // the CA does not revoke what we ask it to
	CARefusesCSR      Code = "ca.csr"                 // the customer's own CSR, or its key
	CARefusesKey      Code = "ca.key"                 // a key of ours that served a version before
	BudgetSpent       Code = "ca.budget"              // our own ledger says wait
	FailedTooOften    Code = "ca.failures"            // so many proofs failed that another one could make the CA refuse the name
	FailedInARow      Code = "ca.failures.row"        // so many proofs failed in a row that the CA would pause the name
	ReservationOver   Code = "claim.reservation_over" // the record never came
	KeyNeeded         Code = "key.csr"                // the next version needs another CSR of the customer's own
)

// Why a dry run ends that found nothing wrong.
const (
	RehearsalOvertaken Code = "dryrun.overtaken" // something real had to be done meanwhile
	RehearsalLate      Code = "dryrun.late"      // it found no end in time
	RehearsalAccount   Code = "dryrun.account"   // CAA allows our account for real orders alone
	RehearsalNowhere   Code = "dryrun.nowhere"   // there is no staging directory any more
)

// Finding is a cause met in one place. Its zero value means: nothing is wrong.
type Finding struct {
	Code Code
	Args map[string]string // what the sentence needs: name, record, ca, server, until …
	Raw  string            // the library's or the server's own words, shown folded away

	Since time.Time `json:",omitzero"` // when a trouble began that is tried again more and more rarely
}

// Lasting is the finding of a try after which the one before it had left another: what is the same began back then.
func (f Finding) Lasting(before Finding, now time.Time) Finding {
	if f.Since = now; before.Code == f.Code && !before.Since.IsZero() {
		f.Since = before.Since
	}
	return f
}

// Again is when to try again what has been failing since f.Since: in 8 seconds at first, then in half of the time that it
// has lasted, at most half an hour, stretched as in Backoff.
func (f Finding) Again(now time.Time, seed string) time.Time {
	pause := min(max(now.Sub(f.Since)/2, 8*time.Second), 30*time.Minute)
	return now.Add(pause + time.Duration(float64(pause)*0.2*fraction(seed)))
}

// Cleaned is the finding that stands after our values were removed from DNS: that our zone takes no writes is over.
func (f Finding) Cleaned() Finding {
	if strings.HasPrefix(string(f.Code), "zone.") {
		return Finding{}
	}
	return f
}

// caseChosen is that of a CAProfile which a person chose for the certificate.
const caseChosen = "chosen"

// WithProfile is the finding with the profile of the order that met it.
func (f Finding) WithProfile(o Order, c Certificate) Finding {
	if f.Code != CAProfile {
		return f
	}
	if f = f.With("profile", o.Profile); o.Profile == c.Profile {
		return f.With("case", caseChosen)
	}
	return f
}

// OK reports whether nothing is wrong.
func (f Finding) OK() bool { return f.Code == "" }

// Who must act.
type Who string

const (
	Customer   Who = "customer"  // whoever runs the customer's DNS
	OperatorDo Who = "operator"  // the portal's operator
	CADo       Who = "authority" // the CA
	DNSHost    Who = "dns host"  // the customer's DNS provider
	Nobody     Who = "nobody"    // it heals by itself
)

// Explanation is a finding in words.
type Explanation struct {
	Short    string // for lists: "DNS record was removed"
	Happened string // headline: "Example CA refuses to renew"
	Why      string // one sentence
	Who      Who
	Do       string // one sentence: what to do, or what we do meanwhile
	Heals    bool   // without anybody's help
}

// Explain puts a finding into words. Unknown codes are explained too, so that a row written by a later
// version never breaks a page.
func Explain(f Finding) Explanation { return explain(f) }

// Short is Explain(f).Short alone, for lists, which have no use for the sentences.
func (f Finding) Short() string {
	e, f := f.lookUp()
	return f.fill(e.Short)
}

// WithUntil is the finding with the instant until which something lasts, as people at now read it: by the clock, and with the
// day when that is not today.
func (f Finding) WithUntil(at, now time.Time) Finding {
	at, form := at.UTC(), "15:04 UTC"
	if at.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		form = "2 Jan 2006, 15:04 UTC"
	}
	return f.With("until", at.Format(form))
}

func (f Finding) arg(key, otherwise string) string {
	if v := f.Args[key]; v != "" {
		return v
	}
	return otherwise
}

func (f Finding) String() string { return fmt.Sprintf("%s %v", f.Code, f.Args) }
