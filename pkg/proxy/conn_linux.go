package proxy

import (
	"time"

	"golang.org/x/sys/unix"
)

// watch has events of a leg told from now on. They are told once, when
// something changes, and so one registration is enough.
func (lp *loop) watch(c *conn, side int) error {
	const events = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLPRI
	return lp.kernel.watch(c.legs[side].fd, events, tag{c.timer.id<<1 | int32(side), c.generation})
}

// told takes what the kernel says of a leg.
func (lp *loop) told(c *conn, side int, events uint32) {
	l := &c.legs[side]
	failed := events&unix.EPOLLERR != 0
	if c.phase == connecting && side == backendSide {
		if events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 {
			l.readable, l.careful = true, true
		}
		if failed || events&unix.EPOLLOUT != 0 {
			lp.connected(c, failed)
		}
		return
	}
	l.readable = l.readable || events&^unix.EPOLLOUT != 0
	l.writable = l.writable || events&unix.EPOLLOUT != 0
	l.careful = l.careful || events&(unix.EPOLLRDHUP|unix.EPOLLPRI|unix.EPOLLHUP) != 0
	switch {
	case c.again && side == backendSide:
	case failed && side == backendSide:
		lp.lastWords(c, side)
		lp.backendGone(c)
	case failed:
		lp.lastWords(c, side)
		lp.reset(c)
	case c.phase != relaying:
	case c.bulk():
		lp.later(c) // what is small goes first
	default:
		lp.pump(c)
	}
}

// later gives c another turn, after the events that are there.
func (lp *loop) later(c *conn) {
	if !c.queued {
		c.queued = true
		lp.todo = append(lp.todo, c.timer.id)
	}
}

// lastWords passes on what came before a RST, as far as it can go at once.
func (lp *loop) lastWords(c *conn, side int) {
	if c.phase == relaying && !c.flows[side].done {
		lp.moveFrom(c, side)
	}
}

// pump moves what can be moved, both ways, and ends what has ended. It returns
// how many bytes it moved.
func (lp *loop) pump(c *conn) (moved int) {
	if c.again {
		return 0
	}
	done, again := 0, false
	for side := range c.flows {
		if !c.flows[side].done {
			n, v := lp.moveFrom(c, side)
			moved += n
			if v == failed && lp.blamed == &c.legs[backendSide] {
				lp.backendGone(c)
				return moved
			}
			if v == failed {
				lp.reset(c)
				return moved
			}
			again = again || v == more
		}
		if c.flows[side].done {
			done++
		}
	}
	switch {
	case c.flows[backendSide].done && c.mute() && (c.hello.state == heard || c.from.l.pool.another(c.target, c.tried)):
		lp.afresh(c) // it stops, and had taken one more client before
		return moved
	case done == 2:
		lp.end(c, lp.closeLeg) // sends the FIN that is missing
	case done == 1 && !c.half:
		lp.halfClose(c)
	}
	if again && c.phase == relaying {
		lp.later(c)
	}
	return moved
}

// moveFrom moves what one side has sent.
func (lp *loop) moveFrom(c *conn, side int) (n int, v verdict) {
	lp.hello = nil
	if side == clientSide {
		lp.hello = &c.hello
	}
	n, v = lp.move(&c.flows[side], &c.legs[side], &c.legs[1-side])
	lp.count(c, side, n)
	return n, v
}

// halfClose passes on the end of the one direction that has ended.
func (lp *loop) halfClose(c *conn) {
	to := backendSide
	if c.flows[backendSide].done {
		to = clientSide
	}
	if lp.kernel.finish(c.legs[to].fd) != 0 {
		lp.reset(c)
		return
	}
	c.half = true
	if half := c.from.l.now.Load().Timeouts.HalfClosed; c.still.limit == 0 || half < c.still.limit {
		lp.limit(c, half)
	}
}

func (lp *loop) count(c *conn, side, n int) {
	switch {
	case n == 0:
	case side == clientSide:
		c.stats.in.Add(float64(c.unaddressed(n)))
	default:
		if !c.answered {
			c.answered = true
			lp.forget(&c.hello)
		}
		c.stats.out.Add(float64(n))
	}
}

// limit begins to watch that something moves, from now on; 0 is no limit. It
// costs nothing per packet: the kernel is asked every now and then.
func (lp *loop) limit(c *conn, limit time.Duration) {
	if limit > 0 {
		c.still = stillness{limit: limit}
		lp.wheel.set(&c.timer, lp.now+limit/4) // most half-closed connections have ended by then
	}
}

// timeout is the timer of c: an attempt to connect took too long, or it is time
// to see whether something has moved.
func (lp *loop) timeout(c *conn) {
	if c.phase == connecting {
		lp.retry(c, unix.ETIMEDOUT)
		return
	}
	n, errno := lp.kernel.moved(&c.legs)
	if errno != 0 {
		lp.reset(c)
		return
	}
	now := lp.kernel.now()
	again, over := c.still.observe(now, n)
	if over {
		lp.reset(c)
		return
	}
	lp.wheel.set(&c.timer, now+again)
}

// resetThose resets the connections that are meant: first the legs of all the
// clients, who are waited for, and of whom it tells how many they were.
func (lp *loop) resetThose(reply chan<- int, meant func(*conn) bool) {
	n := 0
	lp.conns.each(func(c *conn) {
		if meant(c) {
			lp.kernel.abort(c.legs[clientSide].fd)
			n++
		}
	})
	reply <- n
	lp.conns.each(func(c *conn) {
		if meant(c) {
			lp.reset(c)
		}
	})
}

// elsewhere has those that a backend has not answered try another one.
func (lp *loop) elsewhere(l *Listener, m *member) {
	lp.conns.each(func(c *conn) {
		if c.from.l == l && c.target == m && (c.phase == connecting || c.mute()) {
			lp.afresh(c)
		}
	})
}

// reset ends c with a RST on both legs, which have been sent when it returns.
// A leg that still connects may be connected for the backend already.
func (lp *loop) reset(c *conn) { lp.end(c, lp.resetLeg) }

// end ends c in one way or the other and gives back all that it has.
func (lp *loop) end(c *conn, how func(*conn, int)) {
	lp.wheel.stop(&c.timer)
	how(c, clientSide)
	how(c, backendSide)
	lp.forget(&c.hello)
	for i := range c.flows {
		lp.empty(&c.flows[i])
	}
	if c.phase == relaying {
		c.stats.active.Add(-1)
	}
	if c.target != nil && !c.dismissed {
		c.target.load.Add(-1)
	}
	a := c.from
	source := c.source
	lp.conns.remove(c)
	a.l.limiter.leave(source)
	a.l.live.Add(-1)
	a.live--
	lp.leave(a)
}

// empty throws away what a flow holds.
func (lp *loop) empty(f *flow) {
	if f.block != nil {
		lp.giveBlock(f)
		f.pending = 0
	}
	switch {
	case f.pipe == nil:
	case f.pending > 0:
		lp.pipes.drop(f.pipe)
		f.pipe = nil
	default:
		lp.release(f)
	}
}

// closeLeg closes a leg in peace: what is written still goes out, then a FIN.
func (lp *loop) closeLeg(c *conn, side int) {
	if l := &c.legs[side]; l.fd != noFD {
		lp.kernel.close(l.fd)
		l.fd = noFD
	}
}

// resetLeg closes a leg with a RST instead of a FIN; bytes not yet sent are
// thrown away.
func (lp *loop) resetLeg(c *conn, side int) {
	if l := &c.legs[side]; l.fd != noFD {
		lp.kernel.abort(l.fd)
		lp.closeLeg(c, side)
	}
}
