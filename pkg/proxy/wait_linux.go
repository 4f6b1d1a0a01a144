package proxy

import (
	"runtime"
	"time"
)

const (
	// spinFor is how long a loop that expects an event soon asks for it again
	// and again, rather than sleep and be woken. (50 µs gave a lone request 1.2
	// times the rate for half as much CPU again, where all share two cores.)
	spinFor = 20 * time.Microsecond
	// maxSpin is how sure a loop can be that spinning pays.
	maxSpin = 16
)

// wait takes the next events. It waits for them only when nothing else is to be
// done, and first spins if that has lately paid: to be woken costs a thread
// more than a short wait does.
func (lp *loop) wait() (int, error) {
	n, err := lp.poll()
	if n != 0 || err != nil || len(lp.accepting) > 0 || len(lp.todo) > 0 {
		return n, err
	}
	asleep := lp.kernel.now()
	if lp.spin > 0 && runtime.NumCPU() > 1 {
		for lp.kernel.now()-asleep < spinFor {
			if n, err := lp.poll(); n != 0 || err != nil {
				lp.spin = min(lp.spin+1, maxSpin)
				return n, err
			}
		}
		lp.spin -= 2
	}
	ms, due := lp.untilTimer(asleep)
	if due {
		return 0, nil
	}
	n, err = lp.kernel.wait(lp.events[:], ms)
	if lp.kernel.now()-asleep < spinFor {
		lp.spin = min(lp.spin+1, maxSpin)
	}
	return n, err
}

// poll takes the events that are there.
func (lp *loop) poll() (int, error) { return lp.kernel.wait(lp.events[:], 0) }

// untilTimer returns how long to wait, in milliseconds (-1: for an event only),
// or that a timer is due.
func (lp *loop) untilTimer(now time.Duration) (ms int, due bool) {
	at, is := lp.wheel.next()
	if !is {
		return -1, false
	}
	left := at - now
	return int((left + time.Millisecond - 1) / time.Millisecond), left <= 0
}
