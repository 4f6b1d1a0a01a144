// Package hooks runs commands of the operator's when something has changed: who holds
// a VIP, or the state of a backend.
//
// Each [Hook] has a queue and a goroutine of its own. It runs for one event at a time,
// in their order, and no hook waits for another one. [Hooks.Tell] only puts an event
// into the queues: whoever calls it never waits for a command, so that a lease, a probe
// or a connection doesn't either. A command that is too slow loses events that later
// ones make out of date, and never the last one of what it is about as long as others
// can go.
//
// A command gets a fixed environment (see [Event]) and a process group, which ends with
// it: when its time is over by SIGTERM and then SIGKILL, and when it ends by itself
// whatever it has left behind in there.
package hooks
