package proxy

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// acceptBatch is how many clients of a listener are accepted before others have
// their turn.
const acceptBatch = 64

// acceptor is what one loop has of one listener: a listening socket, and the
// clients from it. The kernel deals out clients among the loops' sockets.
type acceptor struct {
	l      *Listener
	fd     int32  // noFD once it is closed
	serial uint32 // no other one of the loop had it
	timer  timer  // accepting goes on then; its id is that of the events, too
	live   int    // connections, connecting ones too

	queued    bool // among those with clients that wait
	suspended bool // the last accept failed for want of something
}

// serve begins to accept from a listening socket, which is the loop's from then
// on. It returns 0 when that cannot be: the socket is still the caller's then.
func (lp *loop) serve(l *Listener, socket int32) int {
	lp.serial++
	a := &acceptor{l: l, fd: socket, serial: lp.serial}
	i := slices.Index(lp.acceptors, nil)
	if i < 0 {
		i = len(lp.acceptors)
		lp.acceptors = append(lp.acceptors, nil)
	}
	a.timer.id = firstAcceptorID - int32(i)
	if err := lp.kernel.watch(socket, unix.EPOLLIN, tag{a.timer.id, a.serial}); err != nil {
		return 0
	}
	lp.acceptors[i] = a
	lp.retune(a) // it may have been told before
	return 1
}

func (lp *loop) acceptorOf(l *Listener) *acceptor {
	i := slices.IndexFunc(lp.acceptors, func(a *acceptor) bool { return a != nil && a.l == l })
	if i < 0 {
		return nil
	}
	return lp.acceptors[i]
}

// lastBatches bounds how many clients are let in while a listener stops: as many as
// wait at most, since net.core.somaxconn is 4096 unless somebody changed it.
const lastBatches = 4096 / acceptBatch

// stopAccepting lets those in who wait already, and then nobody any more: the
// kernel has told them that they are connected.
func (lp *loop) stopAccepting(a *acceptor) {
	if a == nil || a.fd == noFD {
		return
	}
	for range lastBatches {
		if !lp.acceptFrom(a) {
			break
		}
	}
	lp.stop(a)
}

// stop closes the listening socket; the kernel resets clients that wait there.
func (lp *loop) stop(a *acceptor) {
	if a == nil || a.fd == noFD {
		return
	}
	lp.wheel.stop(&a.timer)
	lp.kernel.close(a.fd)
	a.fd = noFD
	lp.leave(a)
}

// leave forgets an acceptor that was stopped once the last connection has gone,
// and tells its listener.
func (lp *loop) leave(a *acceptor) {
	if a.fd == noFD && a.live == 0 {
		lp.acceptors[firstAcceptorID-a.timer.id] = nil
		a.l.serving.Done()
	}
}

// acceptable says that clients may wait.
func (lp *loop) acceptable(a *acceptor) {
	if !a.queued && a.fd != noFD && !a.timer.isSet() {
		a.queued = true
		lp.accepting = append(lp.accepting, a)
	}
}

// accept accepts from all listeners with clients that wait, a batch from each.
func (lp *loop) accept() {
	n := len(lp.accepting)
	for _, a := range lp.accepting[:n] {
		a.queued = false
		if a.fd != noFD && lp.acceptFrom(a) {
			lp.acceptable(a)
		}
	}
	lp.accepting = slices.Delete(lp.accepting, 0, n)
}

// acceptFrom returns whether more may wait.
func (lp *loop) acceptFrom(a *acceptor) (more bool) {
	var from *unix.RawSockaddrAny
	lp.from.Addr.Family = unix.AF_UNSPEC
	if a.l.asksWho() {
		from = &lp.from
	}
	for range acceptBatch {
		fd, errno := lp.kernel.accept(a.fd, from)
		switch {
		case errno == 0:
			if a.suspended {
				a.suspended = false
				a.l.episode.well()
			}
			lp.admit(a, fd)
		case errno == unix.EAGAIN:
			return false
		case errno == unix.EINTR, isPeersFault(errno):
		default:
			lp.suspend(a, errno)
			return false
		}
	}
	return true
}

// suspend pauses accepting; clients wait meanwhile.
func (lp *loop) suspend(a *acceptor, errno unix.Errno) {
	pause, begins := a.l.episode.fail(lp.now)
	if begins {
		a.l.log.Warn("accepting is suspended, clients wait: raise the limit of open files or lower the one of connections",
			"err", errno, "connections", a.l.live.Load())
	}
	a.suspended = true
	lp.wheel.set(&a.timer, lp.now+pause)
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

// admit starts serving a client, or refuses it.
func (lp *loop) admit(a *acceptor, fd int32) {
	from := lp.client(a.l, fd)
	if !allowed(from, a.l.now.Load().Allow) {
		lp.turnAway(a.l, fd, notAllowed)
		return
	}
	source, why, ok := a.l.limiter.enter(from)
	if !ok {
		lp.turnAway(a.l, fd, why)
		return
	}
	a.l.live.Add(1)
	a.live++
	c := lp.conns.add()
	c.from, c.phase, c.source = a, connecting, source
	if from.IsValid() {
		c.bucket = bucketOf(from)
	}
	c.legs[clientSide] = leg{fd: fd, writable: true}
	c.legs[backendSide] = leg{fd: noFD}
	if lp.watch(c, clientSide) != nil {
		lp.reset(c) // the kernel has no memory for one more
		return
	}
	lp.connect(c)
}

// turnAway counts first: a client that was refused finds itself counted.
func (lp *loop) turnAway(l *Listener, fd int32, why reason) {
	l.refused[why].Inc()
	lp.kernel.abort(fd)
	lp.kernel.close(fd)
}

// refuse is turnAway for a client that was let in.
func (lp *loop) refuse(c *conn, why reason) {
	c.from.l.refused[why].Inc()
	lp.reset(c)
}

// allowed reports whether a client is among those that are served.
func allowed(from netip.Addr, sources []netip.Prefix) bool {
	return len(sources) == 0 || slices.ContainsFunc(sources, func(p netip.Prefix) bool { return p.Contains(from) })
}

// client is the address of the client that was accepted last, if that matters.
func (lp *loop) client(l *Listener, fd int32) netip.Addr {
	switch lp.from.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&lp.from)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(&lp.from)).Addr).Unmap()
	}
	if !l.asksWho() {
		return netip.Addr{}
	}
	peer, _, _ := lp.kernel.ends(fd) // it matters since a moment ago; one that has gone is nobody
	return peer.Addr().Unmap()
}
