package health

import (
	"net/netip"
	"time"
)

// State is what is known of a target.
type State int

// The states of a target.
const (
	Unknown State = iota // no probe has ended yet
	Up
	Down
)

// String is "unknown", "up" or "down".
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	default:
		return "unknown"
	}
}

// Transition is one change of a target's state.
type Transition struct {
	Target   netip.AddrPort
	From, To State     // never equal; To is never Unknown
	Reason   string    // why, in one short line
	At       time.Time // the end of the probe that decided; has a monotonic reading
}

// Status is what a Checker knows of one target.
type Status struct {
	Target    netip.AddrPort
	State     State
	Since     time.Time     // of the last transition; zero while Unknown
	Reason    string        // of the last transition; "" while Unknown
	LastProbe time.Duration // how long the last probe took; 0 before the first has ended
}

// tally counts results in a row and decides when they change the state. It is
// pure: no clock, no lock. Rise and fall are at least 1.
type tally struct {
	rise, fall int
	state      State
	against    int // results in a row that speak against the state
}

// add counts one result and tells whether it changed the state.
func (t *tally) add(ok bool) bool {
	to, need := Down, t.fall
	if ok {
		to, need = Up, t.rise
	}
	if to == t.state {
		t.against = 0
		return false
	}
	t.against++
	if t.state != Unknown && t.against < need {
		return false
	}
	t.state, t.against = to, 0
	return true
}
