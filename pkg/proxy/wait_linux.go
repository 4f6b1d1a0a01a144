package proxy

import (
	"errors"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxSpin is how sure a loop can be that spinning pays.
const maxSpin = 16

// wait takes the next events. It waits for them only when nothing else is to be
// done, and first spins if that has lately paid: to be woken costs a thread
// more than a short wait does.
func (lp *loop) wait() (int, error) {
	n, err := lp.poll()
	if n != 0 || err != nil || lp.acceptable || len(lp.todo) > 0 {
		return n, err
	}
	asleep := lp.clock()
	if lp.spin > 0 && runtime.NumCPU() > 1 {
		for lp.clock()-asleep < spinFor {
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
	// The scheduler has to know of this call, which may take long.
	n, err = unix.EpollWait(int(lp.ep), lp.events[:], ms)
	if lp.clock()-asleep < spinFor {
		lp.spin = min(lp.spin+1, maxSpin)
	}
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
}

// poll takes the events that are there.
func (lp *loop) poll() (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(lp.ep), uintptr(unsafe.Pointer(&lp.events[0])), maxEvents, 0, 0, 0)
	if errno == unix.EINTR {
		return 0, nil
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

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
