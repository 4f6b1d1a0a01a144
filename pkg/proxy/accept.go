package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// backoff is how long accepting pauses when descriptors or memory have run out.
type backoff struct {
	pause  time.Duration
	failed time.Time
}

const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
	// calm is how long all must have been well for a failure to begin a new
	// episode. It is longer than any pause, and long enough that a process that
	// sways at its limit does not fill the log.
	calm = 10 * time.Second
)

// fail returns the next pause, and whether this failure begins an episode.
func (b *backoff) fail(now time.Time) (pause time.Duration, begins bool) {
	begins = b.failed.IsZero() || now.Sub(b.failed) > calm
	b.failed = now
	b.pause = min(max(2*b.pause, minPause), maxPause)
	return b.pause, begins
}

// accept accepts and starts connections until ln is closed.
func (l *Listener) accept(ctx context.Context, ln *net.TCPListener) {
	var b backoff
	for {
		client, err := ln.AcceptTCP()
		switch {
		case err == nil:
			b.pause = 0
			l.admit(client)
		case errors.Is(err, net.ErrClosed):
			return
		case isPeersFault(err):
		default:
			pause, begins := b.fail(time.Now())
			if begins {
				l.log.Warn("accepting is suspended, clients wait: raise the limit of open files or lower the one of connections",
					"err", err, "connections", l.live.count())
			}
			wait(ctx, pause)
		}
	}
}

// isPeersFault reports whether an error of accept(2) is about the one
// connection that was to be accepted. The manual page lists what Linux hands
// over from a connection that has failed already, to be treated like EAGAIN.
func isPeersFault(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && slices.Contains([]syscall.Errno{
		syscall.ECONNABORTED, syscall.EPERM, syscall.EPROTO, syscall.ENOPROTOOPT, syscall.EOPNOTSUPP,
		syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENONET,
	}, errno)
}

// wait waits for d, or less when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// admit starts serving a client, or refuses it.
func (l *Listener) admit(client *net.TCPConn) {
	c := newConn(client)
	switch {
	case !l.allowed(client):
		l.refuse(c, notAllowed)
	case !l.live.add(c, l.cfg.MaxConnections):
		l.refuse(c, overLimit)
	default:
		go l.serve(c)
	}
}

// refuse counts first: a client that was refused finds itself counted.
func (l *Listener) refuse(c *conn, why reason) {
	l.refused[why].Inc()
	c.reset()
}

func (l *Listener) allowed(client *net.TCPConn) bool {
	if len(l.cfg.Allow) == 0 {
		return true
	}
	from := client.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(l.cfg.Allow, func(p netip.Prefix) bool { return p.Contains(from) })
}

// serve is the life of a connection after accept.
func (l *Listener) serve(c *conn) {
	defer l.live.remove(c)
	b := l.connect(c)
	if b == nil {
		return
	}
	b.relayed.Add(1)
	b.active.Add(1)
	defer b.active.Add(-1)
	relay(c, l.cfg.Timeouts, &l.bufs, b.in, b.out)
}
