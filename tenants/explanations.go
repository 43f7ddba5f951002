package tenants

import (
	"maps"
	"strings"
	"time"
)

// explanations holds every finding in words. A key is a Code, or a Code, a slash and what Args["case"] says, for
// causes that differ in what to do about them. {arg|otherwise} stands for an argument of the finding and the
// words used without it:
//
//	name    the domain's name                ca      the issuer's name for people
//	record  _acme-challenge.<domain>         at      the name whose CAA records decide
//	target  what the record must point to    tag     the CAA tag at fault
//	zone    the zone that holds the record   line    the CAA record to add, as a zone file has it
//	server  the first name server at fault   until   an instant for people, see WithUntil
//	got     what that server answered        act     "issue" or "renew"
//	seen    how many servers show our TXT    asked   of how many
//	limit   the policy's longest use of a key made   since when the key is in use
//	why     what CheckCSR says of the CSR    profile the ACME profile that was asked for
var explanations = map[Code]Explanation{
	DelegationMissing: {
		Short: "Add 1 DNS record", Happened: "The DNS record is not there yet",
		Why: "{server|Your name server} knows no record at {record|_acme-challenge}.",
		Who: Customer, Do: "Add the CNAME record {record|_acme-challenge} with the target {target|shown here}. We notice it by ourselves.",
	},
	DelegationMissing + "/removed": {
		Short: "DNS record was removed", Happened: "The DNS record was removed",
		Why: "It was right before, but now {server|your name server} knows no record at {record|_acme-challenge}.",
		Who: Customer, Do: "Set the CNAME record {record|_acme-challenge} with the target {target|shown here} again. Renewals then go on by themselves.",
	},
	DelegationDiffers: {
		Short: "Change 1 DNS record", Happened: "The DNS record points to another service",
		Why: "{server|Your name server} answers {got|with another target}.",
		Who: Customer, Do: "Replace the target of {record|_acme-challenge} with {target|the one shown here}. We notice it by ourselves.",
	},
	DelegationDiffers + "/removed": {
		Short: "Name no longer points to us", Happened: "The DNS record was changed",
		Why: "It was right before, but now {server|your name server} answers {got|with another target}.",
		Who: Customer, Do: "Set the target of {record|_acme-challenge} to {target|the one shown here} again. Renewals then go on by themselves.",
	},
	DelegationPartial: {
		Short: "DNS record is spreading", Happened: "Not every name server has the record yet",
		Why: "{server|One name server} still gives another answer, and the authority may ask that one.",
		Who: Nobody, Do: "We look again by ourselves. If it stays so for an hour, tell your DNS provider that {server|one name server} lags behind.", Heals: true,
	},
	DNSSilent: {
		Short: "DNS lookup times out", Happened: "We could not ask your name servers",
		Why: "{server|The name server} of {name|your domain} does not answer us.",
		Who: DNSHost, Do: "We ask again by ourselves, and your records need no change. If it lasts, tell your DNS provider.", Heals: true,
	},
	ResolverSilent: {
		Short: "Our DNS lookups fail", Happened: "Our own name servers do not answer",
		Why: "We could ask nobody about {name|the domain}, which says nothing about your records.",
		Who: OperatorDo, Do: "Nothing for you to do. We ask again by ourselves and go on as soon as we get an answer.", Heals: true,
	},
	DNSBroken: {
		Short: "DNS answers with an error", Happened: "Your name servers answer with an error",
		Why: "{server|The name server} of {name|your domain} answers SERVFAIL, often because its DNSSEC signatures are broken.",
		Who: DNSHost, Do: "Ask your DNS provider to repair {zone|the zone}. We ask again by ourselves and go on as soon as it answers.",
	},
	DomainMissing: {
		Short: "Domain does not exist", Happened: "{name|The domain} does not exist",
		Why: "The registry knows no such domain, so it was never registered or has run out.",
		Who: Customer, Do: "Register the domain or renew it with your registrar. If the name is misspelt, give it up here and add the right one.",
	},
	CAAForbids: {
		Short: "CAA record forbids it", Happened: "{ca|The authority} refuses to {act|issue}",
		Why: "A CAA record at {at|the domain} names only another authority.",
		Who: Customer, Do: "Add the record {line|that allows the authority}. We notice it by ourselves.",
	},
	CAAForbids + "/" + caseNobody: {
		Short: "CAA record forbids it", Happened: "{ca|The authority} refuses to {act|issue}",
		Why: "A CAA record at {at|the domain} allows no authority at all.",
		Who: Customer, Do: "Add the record {line|that allows the authority}. We notice it by ourselves.",
	},
	CAAForbids + "/" + caseAccount: {
		Short: "CAA record names another account", Happened: "{ca|The authority} refuses to {act|issue}",
		Why: "A CAA record at {at|the domain} allows {ca|the authority}, but only for another account than ours.",
		Who: Customer, Do: "Add the record {line|that allows the authority}. We notice it by ourselves.",
	},
	CAAForbids + "/" + caseMethod: {
		Short: "CAA record forbids proof by DNS", Happened: "{ca|The authority} refuses to {act|issue}",
		Why: "A CAA record at {at|the domain} allows {ca|the authority}, but not with the method dns-01.",
		Who: Customer, Do: "Add dns-01 to the methods of that record, or add the record {line|that allows the authority}. We notice it by ourselves.",
	},
	CAAForbids + "/" + caseCritical: {
		Short: "CAA record forbids it", Happened: "{ca|The authority} refuses to {act|issue}",
		Why: "A CAA record at {at|the domain} is marked as critical, but authorities do not know the tag {tag|it has}.",
		Who: Customer, Do: "Remove the record with the tag {tag|that is marked}, or set its flags to 0. We notice it by ourselves.",
	},
	CAAUnknown: {
		Short: "CAA lookup fails", Happened: "We could not ask for CAA records",
		Why: "The answer for {at|the domain} is {got|an error}, and without one {ca|the authority} may not issue.",
		Who: DNSHost, Do: "We ask again by ourselves. If it lasts, tell your DNS provider that lookups of CAA records at {at|the domain} fail.", Heals: true,
	},
	WriteRefused: {
		Short: "Our DNS refuses the record", Happened: "Our own DNS zone refused a record",
		Why: "The zone {zone|for challenges} did not take the record that answers the authority.",
		Who: OperatorDo, Do: "Nothing for you to do. Whoever runs this portal has to repair its access to that zone.",
	},
	WriteSilent: {
		Short: "Our DNS does not answer", Happened: "Our own DNS server does not answer",
		Why: "We could not write the record that answers the authority.",
		Who: OperatorDo, Do: "Nothing for you to do. We try again by ourselves.", Heals: true,
	},
	PropagationSlow: {
		Short: "Our record is spreading", Happened: "Our record is not everywhere yet",
		Why: "{seen|Only some} of {asked|our} name servers show it so far, and the authority may ask any of them.",
		Who: Nobody, Do: "Nothing for you to do. We look again by ourselves and then go on.", Heals: true,
	},
	ChallengeInvalid: {
		Short: "Proof was not accepted", Happened: "{ca|The authority} did not accept the proof",
		Why: "It looked at {record|the challenge record} and did not find what it had asked for.",
		Who: Nobody, Do: "We look at your DNS again and order once more. If it keeps failing, compare {record|the record} at all your name servers.", Heals: true,
	},
	CARateLimited: {
		Short: "{ca|Authority} asks us to wait", Happened: "{ca|The authority} asks us to wait",
		Why: "One of its limits is used up until {until|later}.",
		Who: Nobody, Do: "Nothing for you to do. The order goes on by itself, earliest expiry first.", Heals: true,
	},
	CASilent: {
		Short: "Order waits for {ca|the authority}", Happened: "We cannot reach {ca|the authority}",
		Why: "It does not answer, or answers that it is out of order.",
		Who: CADo, Do: "Nothing for you to do. We try again by ourselves.", Heals: true,
	},
	CAUntrusted: {
		Short: "No trusted way to {ca|the authority}", Happened: "We do not trust the connection to {ca|the authority}",
		Why: "Its TLS certificate fails our check: a proxy on the way may have opened the connection, its root may be unknown here, it may have run out, or our clock may be wrong.",
		Who: OperatorDo, Do: "Nothing for you to do. Whoever runs this portal has to repair it. We try again by ourselves.", Heals: true,
	},
	CARefuses: {
		Short: "{ca|Authority} refuses the name", Happened: "{ca|The authority} does not issue for this name",
		Why: "Its rules exclude {name|the name}, whatever DNS says.",
		Who: CADo, Do: "Ask {ca|the authority} to allow the name, then choose Check now. Its own words are below.",
	},
	CABroken: {
		Short: "{ca|Authority} gave a wrong answer", Happened: "{ca|The authority} gave an answer we do not trust",
		Why: "It breaks the protocol or fails our checks, so nothing of it was kept.",
		Who: OperatorDo, Do: "Nothing for you to do. Whoever runs this portal has to look at the raw answer.",
	},
	CAStuck: {
		Short: "{ca|Authority} does not finish", Happened: "{ca|The authority} does not finish the order",
		Why: "It has been processing for too long without a result.",
		Who: CADo, Do: "Nothing for you to do. We end this order and place another one by ourselves.", Heals: true,
	},
	CAAccount: {
		Short: "{ca|Authority} refuses our account", Happened: "{ca|The authority} refuses our account",
		Why: "The account is not accepted, or its terms or its external binding have changed.",
		Who: OperatorDo, Do: "Nothing for you to do. Whoever runs this portal has to repair the account.",
	},
	CAProfile: {
		Short: "{ca|Authority} has no such profile", Happened: "{ca|The authority} does not offer the profile {profile|that we asked for}",
		Why: "The settings of this portal ask for it, and {ca|the authority} has ended or renamed it.",
		Who: OperatorDo, Do: "Whoever runs this portal has to choose another profile. Until then you can choose one for this certificate under Change certificate.",
	},
	CAProfile + "/" + caseChosen: {
		Short: "Choose another profile", Happened: "{ca|The authority} no longer offers the profile {profile|that was chosen}",
		Why: "It was chosen for this certificate, and {ca|the authority} has ended or renamed it.",
		Who: Customer, Do: "Choose another profile under Change certificate, or leave it to the authority. We order with it at once.",
	},
	RevocationRefused: {
		Short: "{ca|Authority} refuses to revoke", Happened: "{ca|The authority} refuses to revoke the version",
		Why: "It does not let our account revoke this certificate.",
		Who: OperatorDo, Do: "We ask again from time to time. Whoever runs this portal has to look at the raw answer, or ask {ca|the authority} to revoke it.",
	},
	CARefusesCSR: {
		Short: "{ca|Authority} refuses your CSR", Happened: "{ca|The authority} refuses your CSR",
		Why: "It does not take the request, or the key in it. Its own words are below.",
		Who: Customer, Do: "Make a new key and paste the CSR for it under Change certificate. We order with it at once.",
	},
	CARefusesKey: {
		Short: "{ca|Authority} refuses the key", Happened: "{ca|The authority} does not take the present key again",
		Why: "The key was to serve one more version, and {ca|the authority} blocks it.",
		Who: Nobody, Do: "We order again with a new key by ourselves. If anything pins the old key, change that once the next version is there.", Heals: true,
	},
	BudgetSpent: {
		Short: "Order waits for its place", Happened: "The order waits for its place",
		Why: "We have used what {ca|the authority} allows until {until|later}.",
		Who: Nobody, Do: "Nothing for you to do. The order starts by itself, earliest expiry first.", Heals: true,
	},
	FailedTooOften: {
		Short: "Order waits after failures", Happened: "The next order waits, because several failed",
		Why: "One more failed proof of {name|the name} and {ca|the authority} could refuse it, so we wait until {until|later}.",
		Who: Nobody, Do: "We order again by ourselves. Until then, compare {record|the record} at all your name servers.", Heals: true,
	},
	FailedInARow: {
		Short: "Proof keeps failing", Happened: "The proof failed too many times in a row",
		Why: "If {name|the name} goes on failing, {ca|the authority} shuts it out until somebody asks there for mercy, so we stop long before.",
		Who: Customer, Do: "Compare {record|the record} at all your name servers with {target|the target shown here} and repair what differs. We notice a change and order again by ourselves.",
	},
	KeyNeeded: {
		Short: "Paste another CSR", Happened: "The next version needs another CSR from you",
		Why: "The key is yours, so we cannot make another one.",
		Who: Customer, Do: "Make a new key and paste the CSR for it under Change certificate. We order the next version with it.",
	},
	KeyNeeded + "/" + caseNoCSR: {
		Short: "Paste a CSR", Happened: "The next version needs a CSR from you",
		Why: "The key is to be yours, and there is no CSR for it yet.",
		Who: Customer, Do: "Make a key and paste the CSR for it under Change certificate. We order the next version with it.",
	},
	KeyNeeded + "/" + caseForbidden: {
		Short: "Own CSRs are no longer allowed", Happened: "The policy no longer allows a CSR of your own",
		Why: "It was changed since you pasted the one that this certificate is ordered with.",
		Who: Customer, Do: "Leave the key to us under Change certificate, or ask an admin to allow CSRs of your own again.",
	},
	KeyNeeded + "/" + caseWrongCSR: {
		Short: "Paste another CSR", Happened: "The next version needs another CSR from you",
		Why: "{why|The policy no longer allows the key of the present one.}",
		Who: Customer, Do: "Make a new key and paste the CSR for it under Change certificate. We order the next version with it.",
	},
	KeyNeeded + "/" + caseOldKey: {
		Short: "Paste another CSR", Happened: "The next version needs another CSR from you",
		Why: "The policy allows no key for longer than {limit|so long}, and the key of the present CSR is in use since {made|then}.",
		Who: Customer, Do: "Make a new key and paste the CSR for it under Change certificate. We order the next version with it.",
	},
	KeyNeeded + "/" + caseExposed: {
		Short: "Paste another CSR", Happened: "The next version needs another CSR from you",
		Why: "The key of the present CSR was reported, so that it must not serve another version.",
		Who: Customer, Do: "Make a new key and paste the CSR for it under Change certificate. We order the next version at once.",
	},
	ReservationOver: {
		Short: "Reservation ended", Happened: "The reservation of this name ended",
		Why: "The record {record|_acme-challenge} did not come in time.",
		Who: Customer, Do: "Add the domain again, which gives it a new record to set.",
	},
	RehearsalOvertaken: {
		Short: "A real order goes first", Happened: "A real order became due",
		Why: "It goes first, so the dry run was ended. That says nothing about your DNS.",
		Who: Nobody, Do: "Nothing for you to do. Ask for another dry run once that order is done.", Heals: true,
	},
	RehearsalOvertaken + "/released": {
		Short: "The domain was given up", Happened: "The domain was given up",
		Why: "The dry run was ended with it.",
		Who: Nobody, Do: "Nothing for you to do.", Heals: true,
	},
	RehearsalLate: {
		Short: "It took too long", Happened: "The dry run did not end in time",
		Why: "A dry run has 10 minutes, and {ca|the authority} did not finish within them.",
		Who: CADo, Do: "Nothing for you to do. Ask for another dry run later; real orders have more patience.", Heals: true,
	},
	RehearsalAccount: {
		Short: "CAA allows real orders only", Happened: "The CAA record allows only our account for real orders",
		Why: "Dry runs have an account of their own at {ca|the staging directory}, and the record’s accounturi does not name that one.",
		Who: Nobody, Do: "Nothing has to be changed. Real orders are not affected, the record allows them.", Heals: true,
	},
	RehearsalNowhere: {
		Short: "No staging directory", Happened: "There is no staging directory any more",
		Why: "Whoever runs this portal took the one of {ca|the authority} out of the settings.",
		Who: OperatorDo, Do: "Nothing for you to do. Real orders go on as always.",
	},
}

// unexplained stands for codes of a later version.
var unexplained = Explanation{
	Short: "Something failed", Happened: "Something failed that this version has no words for",
	Why: "Its code is {code|unknown}.",
	Who: OperatorDo, Do: "Whoever runs this portal finds the cause in the raw answer.",
}

func explain(f Finding) Explanation {
	e, f := f.lookUp()
	for _, text := range []*string{&e.Short, &e.Happened, &e.Why, &e.Do} {
		*text = f.fill(*text)
	}
	return e
}

// lookUp is the finding's entry of the table and the finding with all that the entry asks for.
func (f Finding) lookUp() (Explanation, Finding) {
	if f.OK() {
		return Explanation{}, f
	}
	if e, ok := explanations[f.Code+Code("/"+f.Args["case"])]; ok {
		return e, f
	}
	if e, ok := explanations[f.Code]; ok {
		return e, f
	}
	return unexplained, f.With("code", string(f.Code))
}

// fill puts the finding's arguments into a text of the table. What an argument holds is never read as a placeholder.
func (f Finding) fill(text string) string {
	before, rest, found := strings.Cut(text, "{")
	if !found {
		return text
	}
	hole, rest, _ := strings.Cut(rest, "}")
	key, otherwise, _ := strings.Cut(hole, "|")
	return before + f.arg(key, otherwise) + f.fill(rest)
}

// With is the finding with one more argument; f keeps its own.
func (f Finding) With(key, value string) Finding {
	args := maps.Clone(f.Args)
	if args == nil {
		args = map[string]string{}
	}
	args[key] = value
	f.Args = args
	return f
}

// After is the finding of a claim that was proved at that instant, zero for never. A record that is missing or
// different now was removed or changed then, and its explanation says so.
func (f Finding) After(proved time.Time) Finding {
	if proved.IsZero() {
		return f
	}
	return f.afterProof()
}

func (f Finding) afterProof() Finding {
	if f.Code != DelegationMissing && f.Code != DelegationDiffers {
		return f
	}
	return f.With("case", "removed")
}

// Words are who must act, for pages.
func (w Who) Words() string {
	switch w {
	case Customer:
		return "Whoever runs your DNS"
	case OperatorDo:
		return "Whoever runs this portal"
	case CADo:
		return "The authority"
	case DNSHost:
		return "Your DNS provider"
	}
	return "Nobody"
}
