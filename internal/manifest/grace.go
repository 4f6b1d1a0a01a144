package manifest

import (
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/hooks"
)

const (
	// eachPart is what a part of kshalb may take to end beyond the times that it
	// knows of, most of it for nothing but a processor.
	eachPart = 2 * time.Second
	// soManyParts end on every host, with or without an election.
	soManyParts, withElection = 6, 5
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

// Grace is how long a stop may take on a host of a role: parts end one after the other,
// each within its time (internal/app/lifecycle.go; a test there adds them up).
func Grace(cfg *config.Config, role Role) time.Duration {
	p := pod{Options: Options{Role: role}, cfg: cfg}
	all := p.Drain() + soManyParts*eachPart + hooks.StopTime
	if p.Votes() {
		lifetime := cfg.Election.Lease + time.Second // of the address, in whole seconds
		all += withElection*eachPart + lifetime
		all += time.Duration(len(cfg.VIPs)) * (2*eachPart + lifetime)
	}
	return (all + steps - 1) / steps * steps
}

// Grace is that of the pod, in seconds.
func (p pod) Grace() int64 { return int64(Grace(p.cfg, p.Role) / time.Second) }
