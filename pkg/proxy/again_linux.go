package proxy

import "golang.org/x/sys/unix"

// mute reports whether the backend of c has not said a word, and all that the client
// said can be said to another one.
func (c *conn) mute() bool {
	return c.phase == relaying && !c.answered && !c.dismissed && c.flows[backendSide].pending == 0 &&
		c.hello.again() && !c.flows[clientSide].ended
}

// backendGone ends c, whose backend has reset it, unless another one can take over.
func (lp *loop) backendGone(c *conn) {
	if c.phase == relaying && !c.answered && !c.dismissed {
		c.from.l.accuse(c.target, Evidence{Reason: "reset before the first byte", Provocable: true})
	}
	if c.mute() {
		lp.afresh(c)
		return
	}
	lp.reset(c)
}

// afresh has c get another backend, later: events of the leg that it has may still
// be among those at hand, and would be taken for those of the next one.
func (lp *loop) afresh(c *conn) {
	c.again = true
	lp.later(c)
}

// startOver gives c another backend, which is told what the client has said so far.
func (lp *loop) startOver(c *conn) {
	c.again = false
	if c.phase == relaying {
		if !c.mute() {
			lp.reset(c)
			return
		}
		c.stats.active.Add(-1)
		c.phase, c.half, c.still, c.unsaid = connecting, false, stillness{}, 0
		for i := range c.flows {
			lp.empty(&c.flows[i])
		}
		c.flows = [2]flow{}
	}
	lp.retry(c, unix.ECONNABORTED) // nothing new against the backend
}

// repeat has the backend told what the client has said to an earlier one.
func (lp *loop) repeat(c *conn) {
	if c.hello.bytes == nil {
		return
	}
	f := &c.flows[clientSide]
	if f.block == nil {
		f.block = lp.takeBlock()
		f.off, f.pending = 0, 0
	}
	n := copy(f.block[f.pending:], c.hello.bytes[:c.hello.size])
	f.pending += int32(n)
}
