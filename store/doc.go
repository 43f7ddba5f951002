// Package store is the memory of Perennial: one concrete database over SQLite or Postgres.
//
// # Doors
//
// [DB.As] is the only door to tenant rows: every statement of a [Scope] method carries the tenant of its actor, and
// another tenant's object is not found, never forbidden. [DB.Platform] is for the operator's pages across tenants,
// [DB.System] for jobs, sessions and commands.
//
// # Transactions
//
// An exported method that changes something is one transaction: authorise, load, ask tenants for the decision, write
// rows, audit entry and job, commit. A transaction that recorded no audit entry refuses to commit, except for
// housekeeping, which changes nothing that a person could ask about: leases, the ledger, sessions being used. The
// transaction carries now. Nothing inside a transaction may touch the network, the pool or another transaction:
// SQLite has one writing connection, so that would wait for itself.
//
// One row of domains, locked first, guards everything that hangs on it: its certificate, versions, orders and
// challenges. Rows that many transactions share (counters, entry numbers) come last and in sorted order, so that
// two transactions never wait for each other in a circle.
//
// # The life of a domain row
//
// [Scope.RegisterDomains] makes it, due at once. [System.Claim] hands due rows out, [System.Begin] starts work on
// one under a lease, [System.Rest] ends it and says when to look again. While a lease runs, agenda.next_action_at is the end
// of the lease: a dead worker's row becomes due by itself. A River job only says "look at this row now"; losing or
// doubling one changes nothing. saveDomain is the only statement that writes what pages show of a domain, and
// keeps the counters of the home page exact.
package store
