package proxy

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// defaultConnect is used when Timeouts.Connect is not given: longer than one
// lost SYN (sent again after 1 s).
const defaultConnect = 2 * time.Second

// newDialer makes the dialer for backends. Keepalive is set by legOptions only,
// and MPTCP is out of the question: it neither splices nor has TCP_USER_TIMEOUT.
func newDialer(t Timeouts) *net.Dialer {
	d := &net.Dialer{
		Timeout:   t.Connect,
		KeepAlive: -1,
		Control:   legOptions(t.User),
	}
	if d.Timeout <= 0 {
		d.Timeout = defaultConnect
	}
	d.SetMultipathTCP(false)
	return d
}

// connect gives c a backend leg: that of the backend whose turn it is or, when
// it can't be had, of another one; each ready backend is tried once at most. No
// byte of the client has been read yet, so nothing is lost by trying again. It
// returns nil when c was refused or has ended meanwhile.
func (l *Listener) connect(c *conn) *backendStats {
	var tried []int
	for {
		i, found := l.pool.pick(tried)
		if !found {
			why := allFailed
			if len(tried) == 0 {
				why = noBackend
			}
			l.refuse(c, why)
			return nil
		}
		leg, err := l.dial(c.ctx, l.stats[i])
		switch {
		case err == nil && c.attach(leg):
			return l.stats[i]
		case c.ctx.Err() != nil:
			return nil
		}
		tried = append(tried, i)
	}
}

// dial makes one attempt and counts what became of it, unless ctx ended first.
func (l *Listener) dial(ctx context.Context, b *backendStats) (*net.TCPConn, error) {
	start := time.Now()
	// Not DialTCP: without a local address it binds to 0.0.0.0:0, and then all
	// backends together have the 28,000 local ports that each could have. An
	// address in numbers asks no resolver and is dialled once.
	c, err := l.dialer.DialContext(ctx, "tcp", b.address)
	if ctx.Err() != nil && err != nil {
		return nil, err
	}
	b.attempts[resultOf(err)].Inc()
	if err != nil {
		return nil, err
	}
	l.metrics.connect.Observe(time.Since(start).Seconds())
	return c.(*net.TCPConn), nil
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
