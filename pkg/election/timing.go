package election

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of [Timing]. They are part of the protocol: [Silence] is computed
// from them, so all nodes of a cluster must be built with the same ones.
const (
	MinLease = 300 * time.Millisecond
	MaxLease = 2 * time.Second
	MinRenew = 60 * time.Millisecond

	// maxLinger is the longest that the address of a killed daemon may outlive
	// the lease where the kernel cannot fence it: an address lifetime of two whole
	// seconds and the kernel's slack.
	maxLinger = 3500 * time.Millisecond

	maxKeep = MaxLease + maxLinger
)

const (
	// driftShare is the part added to a voter's time for clocks that run at
	// different rates: 2/1000, for two clocks that are each off by 1000 ppm.
	driftShare  = 500
	driftMargin = 20 * time.Millisecond

	reserveTime  = 100 * time.Millisecond // a released grant waits for its named successor
	staggerStep  = 15 * time.Millisecond  // between candidates of neighbouring rank
	retryJitter  = 40 * time.Millisecond  // so that two candidates do not collide twice
	contestGrace = 10 * time.Millisecond  // after a refusal, for the other answers
	unarmedPause = time.Second            // after the fence could not be armed
	unfitPenalty = 500 * time.Millisecond // a node without a ready backend lets the others ask first
)

// Silence is how long a voter that starts says nothing: longer than any grant
// that it can have given before it forgot.
const Silence = maxKeep + maxKeep/driftShare + driftMargin

// Timing says how long a lease lives and how often it is renewed.
type Timing struct {
	Lease time.Duration // MinLease to MaxLease
	Renew time.Duration // MinRenew to Lease/3
}

// Validate returns an error that names each value out of its bounds.
func (t Timing) Validate() error {
	var errs []error
	if t.Lease < MinLease || t.Lease > MaxLease {
		errs = append(errs, fmt.Errorf("lease %s: must be from %s to %s", t.Lease, MinLease, MaxLease))
	}
	if t.Renew < MinRenew || 3*t.Renew > t.Lease {
		errs = append(errs, fmt.Errorf("renew %s: must be from %s to a third of the lease (%s)", t.Renew, MinRenew, t.Lease/3))
	}
	return errors.Join(errs...)
}

// voterTime is how long a voter refuses everybody else once asked to keep a
// grant: longer than the asker's own time by the drift bound (rule 3).
func voterTime(keep time.Duration) time.Duration {
	return keep + keep/driftShare + driftMargin
}
