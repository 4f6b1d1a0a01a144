package proxy

import "time"

// wait takes the next events. It waits for them only when nothing else is to be
// done. It looks first: a wait with a time is dearer, and with a look before it a
// lone client has 1.2 times the rate.
func (lp *loop) wait() (int, error) {
	n, err := lp.kernel.wait(lp.events[:], 0)
	if n != 0 || err != nil || len(lp.accepting) > 0 || len(lp.todo) > 0 {
		return n, err
	}
	return lp.kernel.wait(lp.events[:], lp.untilTimer(lp.kernel.now()))
}

// untilTimer returns in how many milliseconds the next timer is due; -1: there
// is none.
func (lp *loop) untilTimer(now time.Duration) int {
	at, is := lp.wheel.next()
	if !is {
		return -1
	}
	return int(max(at-now+time.Millisecond-1, 0) / time.Millisecond)
}
