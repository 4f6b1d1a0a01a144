// Package health finds out which backends are ready, by asking each of them
// again and again, and tells every change.
//
// A probe's way: probe → rise and fall → transition → whoever is to know. A
// Prober asks once (HTTPS, HTTP, TCP); a tally, which is pure, decides when
// results in a row make a change; a Checker asks one listener's targets, each
// from a goroutine of its own, at a jittered interval, and never asks a target
// twice at once.
//
// A backend that has not answered yet is unknown. Its first result decides
// alone: a start must not refuse clients for rise times the interval.
//
// Each probe is a connection of its own, as a new client's would be. The
// package follows no redirect, uses no proxy, presents no credentials, and
// never touches a pool or a lease: it calls notify.
package health
