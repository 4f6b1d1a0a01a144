package proxy

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// defaultConnect is used when Timeouts.Connect is not given: longer than one
// lost SYN (sent again after 1 s).
const defaultConnect = 2 * time.Second

// connect gives c a backend leg: that of the backend whose turn it is or, when
// it can't be had, of another one; each ready backend is tried once at most. No
// byte of the client has been read yet, so nothing is lost by trying again.
func (lp *loop) connect(c *conn) {
	for {
		i, found := lp.l.pool.pick(c.tried)
		if !found {
			why := allFailed
			if len(c.tried) == 0 {
				why = noBackend
			}
			lp.refuse(c, why)
			return
		}
		c.target, c.stats, c.started = int32(i), lp.l.stats[i], lp.clock()
		err := lp.dial(c)
		switch {
		case err == nil:
			lp.attach(c)
			return
		case errors.Is(err, unix.EINPROGRESS):
			lp.wheel.set(&c.timer, c.started+lp.connectTimeout)
			return
		}
		lp.giveUp(c, err)
	}
}

// dial begins an attempt. It returns nil when the backend is connected already,
// EINPROGRESS when an event will tell.
func (lp *loop) dial(c *conn) error {
	sa := lp.sockaddrs[c.target]
	if sa == nil { // it has a zone, of which the interface may come and go
		var err error
		if sa, err = sockaddr(lp.l.pool.backends[c.target]); err != nil {
			return err
		}
	}
	family := unix.AF_INET
	if _, is := sa.(*unix.SockaddrInet6); is {
		family = unix.AF_INET6
	}
	// Not bound to a local address: with one all backends together would have
	// the 28,000 local ports that each can have.
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if errno != 0 {
		return errno
	}
	c.legs[backendSide] = leg{fd: int32(fd), writable: true}
	if err := setAll(int32(fd), lp.legOptions); err != nil {
		return err
	}
	err := unix.Connect(int(fd), sa)
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	if err := lp.watch(c, backendSide); err != nil {
		return err
	}
	return err
}

// giveUp counts an attempt that failed and closes its leg.
func (lp *loop) giveUp(c *conn, err error) {
	// A child between fork and exec has the descriptor too, and until then its
	// events would be taken for those of the next attempt. Not there is fine.
	_ = unix.EpollCtl(int(lp.ep), unix.EPOLL_CTL_DEL, int(c.legs[backendSide].fd), nil)
	lp.resetLeg(c, backendSide)
	lp.wheel.stop(&c.timer)
	c.stats.attempts[resultOf(err)].Inc()
	c.tried = append(c.tried, int(c.target))
}

// connected ends an attempt as the kernel says that it ended.
func (lp *loop) connected(c *conn, failed bool) {
	if failed {
		errno, err := unix.GetsockoptInt(int(c.legs[backendSide].fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && errno != 0 {
			err = unix.Errno(errno)
		}
		if err != nil {
			lp.giveUp(c, err)
			lp.connect(c)
			return
		}
	}
	lp.attach(c)
}

// attach ends the connect phase: c is relayed from now on.
func (lp *loop) attach(c *conn) {
	lp.wheel.stop(&c.timer)
	c.phase = relaying
	c.stats.attempts[ok].Inc()
	c.stats.relayed.Add(1)
	c.stats.active.Add(1)
	lp.l.metrics.connect.Observe((lp.clock() - c.started).Seconds())
	lp.limit(c, lp.l.cfg.Timeouts.Idle)
	lp.pump(c)
}

func resultOf(err error) result {
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return ok
	case errors.Is(err, syscall.ECONNREFUSED):
		return connectRefused
	case errors.As(err, &timeout) && timeout.Timeout():
		return connectTimeout
	default:
		return connectError
	}
}
