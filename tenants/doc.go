// Package tenants is the core of Perennial: its nouns, its rules and its decisions.
//
// Everything here is pure. No function reads a clock, opens a connection or starts a goroutine: who needs the
// time passes it in, and who needs randomness passes that in too. The package imports nothing of ours, so a
// decision that a page shows, a job acts upon and a test pins is one and the same function.
//
// # The nouns
//
// A [Tenant] owns [Domain] claims. A claim is proved by a [Delegation]: one permanent CNAME from
// _acme-challenge.<name> to a label that nobody else was ever given. From a proven claim grows a [Certificate],
// a lineage of [Version]s; each version is won by one [Order] at an [Issuer].
//
// # The life of a domain
//
//	waiting ──(delegation seen at every authoritative server, CAA allows)──▶ renewing (first order)
//	renewing ──(version issued)──▶ active ──(Due)──▶ renewing ──▶ active …
//	any of them ──(a check or an order failed)──▶ failing ──(heals)──▶ renewing
//	active, renewing, failing ──(notAfter passed)──▶ expired
//	all ──(given up, or the reservation ran out)──▶ released, which is final
//
// [Next] looks at the [Facts] of one domain and says which single act comes next. Whoever asks acts, saves, and
// asks again; there is no other scheduler.
package tenants
