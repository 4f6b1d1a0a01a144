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
	l := c.from.l
	for {
		m := l.pool.pick(c.bucket, c.tried)
		if m == nil {
			why := allFailed
			if len(c.tried) == 0 {
				why = noBackend
			}
			lp.refuse(c, why)
			return
		}
		m.load.Add(1)
		c.target, c.stats, c.started = m, l.statsOf(m), lp.kernel.now()
		err := lp.dial(c)
		switch {
		case err == nil:
			lp.attach(c)
			return
		case errors.Is(err, unix.EINPROGRESS):
			lp.wheel.set(&c.timer, c.started+l.patience(len(c.tried)))
			return
		}
		lp.giveUp(c, err)
	}
}

// dial begins an attempt. It returns nil when the backend is connected already,
// EINPROGRESS when an event will tell.
func (lp *loop) dial(c *conn) error {
	l := c.from.l
	as, err := lp.speaksAs(c)
	if err != nil {
		return err
	}
	fd, dialed := lp.kernel.dial(as, c.target.address, l.now.Load().legOptions)
	if fd == noFD {
		return dialed
	}
	c.legs[backendSide] = leg{fd: fd, writable: true}
	if err := lp.watch(c, backendSide); err != nil {
		return err
	}
	return dialed
}

// giveUp counts an attempt that failed and closes its leg.
func (lp *loop) giveUp(c *conn, err error) {
	if fd := c.legs[backendSide].fd; fd != noFD {
		// A child between fork and exec has the descriptor too, and until then
		// its events would be taken for those of the next attempt.
		lp.kernel.unwatch(fd)
		lp.resetLeg(c, backendSide)
	}
	lp.wheel.stop(&c.timer)
	c.target.load.Add(-1)
	c.stats.attempts[resultOf(err)].Inc()
	if reason := againstBackend(err); reason != "" {
		c.from.l.accuse(c.target, Evidence{Reason: reason})
	}
	c.tried = append(c.tried, c.target)
	c.target, c.again = nil, false
}

// retry gives up an attempt and begins another one.
func (lp *loop) retry(c *conn, err error) {
	lp.giveUp(c, err)
	lp.connect(c)
}

// connected ends an attempt as the kernel says that it ended.
func (lp *loop) connected(c *conn, failed bool) {
	if failed {
		if err := lp.kernel.dialed(c.legs[backendSide].fd); err != nil {
			lp.retry(c, err)
			return
		}
	}
	lp.attach(c)
}

// attach ends the connect phase: c is relayed from now on.
func (lp *loop) attach(c *conn) {
	l := c.from.l
	lp.wheel.stop(&c.timer)
	c.phase = relaying
	c.stats.attempts[ok].Inc()
	c.stats.active.Add(1)
	l.metrics.connect.Observe((lp.kernel.now() - c.started).Seconds())
	lp.limit(c, l.now.Load().Timeouts.Idle)
	if !lp.introduce(c) {
		lp.reset(c)
		return
	}
	lp.repeat(c)
	lp.pump(c)
}

// patience is how long an attempt may take when so many have failed before: little
// while there are other backends, as nothing of the client's was read yet.
func (l *Listener) patience(failed int) time.Duration {
	s := l.now.Load()
	if r := s.Timeouts.Retry; r > 0 && r < s.connectTimeout && l.pool.Usable() > failed+1 {
		return r
	}
	return s.connectTimeout
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

// againstBackend says what a failed attempt tells of the backend; "" is nothing, as
// with an error of this host's own.
func againstBackend(err error) string {
	for _, errno := range []syscall.Errno{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN,
	} {
		if errors.Is(err, errno) {
			return "connect: " + errno.Error()
		}
	}
	return ""
}
