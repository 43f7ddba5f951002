// Package acme speaks to one certificate authority over ACME (RFC 8555), with renewal information (RFC 9773),
// external account binding and profiles. It is the only importer of lego, of which it uses the low-level
// acme/api alone: no polling, no waiting, no DNS. Each method is one step that the caller saves before the next.
//
// # Invariants
//
// The authority is not trusted. Everything it says is bounded (bodies, lists, times), every URL it hands out must
// lie on the directory's own scheme, host and port, both when it is read and again when it is used, and what it
// issues is nothing until [CheckChain] has agreed.
//
// Every error is a *[Problem] or the caller's own context's error. A bad nonce is retried here, nothing else is:
// when to come back is the engine's decision.
//
// # The life of a call
//
// lego has no contexts, so each call gets an api.Core of its own whose http.Client carries the caller's. Such a
// core is cheap because the transport beneath answers the directory and the nonces from memory; connections,
// directory and nonces are shared by all calls of a [Client]. So a certificate costs seven requests.
package acme
