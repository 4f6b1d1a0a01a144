// Package health finds out which backends serve, by asking each of them again and
// again and by listening to what connections find out, and tells every change.
//
// A probe's way: probe → verdict → rise and fall → transition → whoever is to
// know. A Session asks one target (HTTPS, HTTP, TCP); a tally, which is pure,
// decides when verdicts in a row make a change; each target has a goroutine of its
// own, which never asks it twice at once.
//
// A verdict is one of three: ready; not ready, when the target answers and asks for
// no new connections; dead, when it does not answer. So a target is up, draining or
// down. The first thing that speaks against one that is up makes it a suspect: it
// is asked at the fast pace, on connections of their own, until that is refuted or
// proven, and meanwhile others serve in its place.
//
// Some failures leave open what became of the target: silence on a kept connection,
// evidence of others, and what this host lacks itself (descriptors, local ports, its
// client certificate). They make a suspect, and a probe of its own has to decide:
// neither a client nor a shortage here can bring a target down.
//
// A target that has not answered yet is unknown. Its first verdict decides alone: a
// start must not refuse clients for rise times the interval.
//
// The package follows no redirect, uses no proxy, presents no credentials but the
// client certificate that it is given, and never touches a pool or a lease: it
// calls notify.
package health
