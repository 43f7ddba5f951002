// Package jobs is the hands of Perennial: everything slow, remote or periodic.
//
// There is one kind of job, *tend*, and its argument is the id of a domain. Whoever tends a domain takes a lease
// on its row, reads the facts, asks [tenants.Next] what the next act is, does it, saves it, and asks again until
// the answer is to wait. The row is the truth and a job is only a hint: a lost job is found again by Scan, a
// doubled one meets the lease and ends.
//
// # Recording the intention before the effect
//
// Every call that changes the outside world is preceded by a saved row that says what is about to happen:
//
//	order row, sealed key      → (nothing yet)
//	Placing                    → newOrder       after a crash the order is looked for at the CA, then adopted
//	state ordered, order URL   → read the authorizations
//	Presented on each challenge → write the TXT value, answer    both are idempotent
//	state ready                → finalize        after a crash the order's own status says whether it happened
//	state ready, still         → download        idempotent; state finalized is saved if the CA lets us wait for it
//	revoke_at on a version     → revokeCert      a CA that was told before says so
//	state issued               → remove the TXT values            dirty rows are cleaned by whoever comes next
//
// A look at DNS, or what the CA says of renewal, is written down before the next act. Where it changes nothing and there is
// none, it is written together with the end of the turn: most turns of a domain that is well are of this kind.
//
// A failure has three forms: try again at an instant, wait for somebody or something (a limit, a record), or end
// the order. All three carry a tenants.Finding, which is what the page explains.
package jobs
