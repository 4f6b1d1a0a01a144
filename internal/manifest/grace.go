package manifest

import (
	"time"
)

const (
	// eachPart is what a part of kshalb may take to end beyond the times that it
	// knows of, most of it for nothing but a processor.
	eachPart = 2 * time.Second
	// soManyParts end on every host, with or without an election.
	soManyParts, withElection = 5, 5
	// steps is what the whole is rounded up to: it is for people, too.
	steps = 10 * time.Second
)

// Drain is the longest time that a listener gives its connections on stop. All of
// them begin at once.
func (p pod) Drain() (longest time.Duration) {
	for _, l := range p.listeners() {
		longest = max(longest, l.Timeouts.Drain)
	}
	return longest
}

// Grace is how many seconds a stop may take at most: parts end one after the other,
// each within its time (internal/app/lifecycle.go). A test there adds them up.
func (p pod) Grace() int64 {
	all := p.Drain() + soManyParts*eachPart
	for _, l := range p.listeners() {
		all += l.Check.Timeout + eachPart
	}
	if p.Votes() {
		lifetime := p.cfg.Election.Lease + time.Second // of the address, in whole seconds
		all += withElection*eachPart + lifetime
		all += time.Duration(len(p.cfg.VIPs)) * (2*eachPart + lifetime)
	}
	return int64((all + steps - 1) / steps * steps / time.Second)
}
