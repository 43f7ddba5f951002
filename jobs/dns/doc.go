// Package dns looks at customers' DNS and writes challenge records into our own.
//
// A [Resolver] answers two questions. Look: is a domain's delegation in place at every authoritative server, and
// what do the CAA records on the way up say? Visible: does every authoritative server of our delegation zone
// already show a TXT value? It judges nothing; [perennial/tenants.Judge] does. What it trusts:
//
//   - Delegations and TXT values are asked of the authoritative servers themselves, never of a cache: an order is
//     placed on the strength of this answer.
//   - Where those servers are, and CAA, is asked of the configured recursive servers. When these validate DNSSEC,
//     a broken zone shows up as SERVFAIL here just as it does at a CA.
//   - An answer counts only when it carries our random id and repeats our question; anything else on the socket
//     is ignored. Every failure to get one is itself an answer, [perennial/tenants.Silent], and never "wrong".
//
// A [Writer] is one account at one DNS provider. It adds and removes single TXT values, so that several orders
// can prove the same name at the same time. It is the only user of libdns, whose providers differ in manners:
// the catalogue says for each what it needs and how it must be handled.
package dns
