package health

import (
	"net/netip"
	"time"
)

// State is what is known of a target.
type State int

// The states of a target.
const (
	Unknown  State = iota // no probe has ended yet
	Up                    // it serves
	Suspect               // it was up, and something speaks against it
	Draining              // it answers, and asks for no new connections
	Down                  // it does not answer
)

var stateNames = [...]string{"unknown", "up", "suspect", "draining", "down"}

// String is "unknown", "up", "suspect", "draining" or "down"; what is no state is
// unknown too.
func (s State) String() string {
	if s < Unknown || s > Down {
		s = Unknown
	}
	return stateNames[s]
}

// Transition is one change of a target's state.
type Transition struct {
	Target   netip.AddrPort
	From, To State     // never equal; To is never Unknown
	Reason   string    // why, in one short line
	At       time.Time // when that was found out; has a monotonic reading
}

// Status is what a Checker knows of one target.
type Status struct {
	Target    netip.AddrPort
	State     State
	Since     time.Time     // of the last transition; zero while Unknown
	Reason    string        // of the last transition; "" while Unknown
	LastProbe time.Duration // how long the last probe took; 0 before the first has ended
	Expiry    time.Time     // of the certificate that the target showed last; zero: it has shown none
}

// Evidence is what somebody else found out against a target: one who could not
// connect to it, say. It makes a suspect, and never decides alone.
type Evidence struct {
	Reason string // in one short line
	// Provocable says that a client can have caused it. Such evidence that a probe
	// refutes is not listened to again for 10 s, so that one bad client can't keep
	// a target under suspicion.
	Provocable bool
}
