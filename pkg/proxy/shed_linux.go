package proxy

import (
	"cmp"
	"slices"
	"time"
)

// glances is how many connections are asked at once for how long they are idle: two
// system calls each, half a microsecond.
const glances = 512

// shed sends up to n connections of a listener away from a backend, the idlest ones
// of those that it looks at, and returns how many.
func (lp *loop) shed(what message) int {
	type one struct {
		c     *conn
		quiet time.Duration
	}
	var may []one
	now := lp.kernel.now()
	lp.conns.each(func(c *conn) {
		if c.from.l == what.on && c.target == what.backend && now-c.started >= what.idle && c.settled() && c.from.l.pool.wouldMove(c) {
			may = append(may, one{c: c})
		}
	})
	if len(may) > glances {
		from := lp.glance % len(may)
		lp.glance += glances
		may = append(may[from:], may[:from]...)[:glances]
	}
	for i := range may {
		if quiet, errno := lp.kernel.quiet(&may[i].c.legs); errno == 0 {
			may[i].quiet = quiet
		}
	}
	may = slices.DeleteFunc(may, func(o one) bool { return o.quiet < what.idle })
	slices.SortFunc(may, func(a, b one) int { return cmp.Compare(b.quiet, a.quiet) })
	may = may[:min(what.n, len(may))]
	for _, o := range may {
		lp.dismiss(o.c)
	}
	return len(may)
}

// settled says that all which c's peers sent was passed on, as far as it is known
// without asking.
func (c *conn) settled() bool {
	return c.phase == relaying && !c.half && !c.queued &&
		c.flows[clientSide].pending == 0 && c.flows[backendSide].pending == 0 &&
		c.legs[clientSide].writable && c.legs[backendSide].writable
}

// dismiss sends a client away in peace: it gets a FIN, and what it still sends is
// relayed until it ends its side, or Timeouts.HalfClosed has passed.
//
// The FIN goes to the client first: it alone can go elsewhere, and it knows within
// half a round trip. Ending the backend's side first would lose a request that is on
// its way just the same, for longer, and reset the client of a backend that takes no
// notice. No answer of the last Idle is awaited, as no request came: what crosses
// the FIN alone is unanswered, as with any server that ends an idle connection.
func (lp *loop) dismiss(c *conn) {
	c.dismissed = true
	c.target.load.Add(-1)
	c.stats.sentAway.Inc()
	lp.release(&c.flows[backendSide])
	c.flows[backendSide] = flow{ended: true, done: true}
	lp.halfClose(c)
}
