package vip

import "time"

const (
	// repeatAfter is a little more than the second (sysctl locktime) in which
	// Linux ignores another change of a neighbour that it has just learnt
	// (net/ipv4/arp.c, arp_process).
	repeatAfter = 1100 * time.Millisecond
	// repeats of the first announcement, for frames that got lost.
	repeats = 5
	// soonAfter is how long after the first one the second follows: a path that
	// has just healed may carry frames a moment later than the messages that told
	// of it, and clients must not wait a second for that.
	soonAfter = 100 * time.Millisecond
)

// announceAfter returns how long after the n-th announcement of a taking, from
// 1, the next one follows. The first one is made at once.
func announceAfter(n int, refresh time.Duration) time.Duration {
	switch {
	case n == 1:
		return soonAfter
	case n <= 1+repeats:
		return repeatAfter
	}
	return refresh
}
