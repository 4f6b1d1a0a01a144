package proxy

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// acceptBatch is how many clients are accepted before others have their turn.
const acceptBatch = 64

// accept accepts and starts the connections that wait, up to a batch.
func (lp *loop) accept() {
	for range acceptBatch {
		fd, errno := lp.accept4()
		switch {
		case errno == 0:
			if lp.suspended {
				lp.suspended = false
				lp.l.episode.well()
			}
			lp.admit(fd)
		case errno == unix.EAGAIN:
			lp.acceptable = false
			return
		case errno == unix.EINTR, isPeersFault(errno):
		default:
			lp.suspend(errno)
			return
		}
	}
}

// accept4 takes a client, with its address in lp.from if that is of interest.
func (lp *loop) accept4() (int32, unix.Errno) {
	var from, size unsafe.Pointer
	if len(lp.l.cfg.Allow) > 0 {
		lp.fromSize = uint32(unsafe.Sizeof(lp.from))
		from, size = unsafe.Pointer(&lp.from), unsafe.Pointer(&lp.fromSize)
	}
	fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(lp.ln), uintptr(from), uintptr(size), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int32(fd), errno
}

// suspend pauses accepting; clients wait meanwhile.
func (lp *loop) suspend(errno unix.Errno) {
	pause, begins := lp.l.episode.fail(lp.start.Add(lp.now))
	if begins {
		lp.l.log.Warn("accepting is suspended, clients wait: raise the limit of open files or lower the one of connections",
			"err", errno, "connections", lp.l.live.Load())
	}
	lp.suspended, lp.acceptable = true, false
	lp.wheel.set(&lp.acceptTimer, lp.now+pause)
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
func (lp *loop) admit(fd int32) {
	limit := int64(lp.l.cfg.MaxConnections)
	switch {
	case !lp.allowed():
		lp.turnAway(fd, notAllowed)
	case lp.l.live.Add(1) > limit && limit > 0:
		lp.l.live.Add(-1)
		lp.turnAway(fd, overLimit)
	default:
		c := lp.conns.add()
		c.phase = connecting
		c.legs[clientSide] = leg{fd: fd, writable: true}
		c.legs[backendSide] = leg{fd: noFD}
		if lp.watch(c, clientSide) != nil {
			lp.reset(c) // the kernel has no memory for one more
			return
		}
		lp.connect(c)
	}
}

// turnAway counts first: a client that was refused finds itself counted.
func (lp *loop) turnAway(fd int32, why reason) {
	lp.l.refused[why].Inc()
	resetLeg(fd)
}

// refuse is turnAway for a client that was let in.
func (lp *loop) refuse(c *conn, why reason) {
	lp.l.refused[why].Inc()
	lp.reset(c)
}

// allowed looks at the client that accept4 took last.
func (lp *loop) allowed() bool {
	if len(lp.l.cfg.Allow) == 0 {
		return true
	}
	var from netip.Addr
	switch lp.from.Addr.Family {
	case unix.AF_INET:
		from = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&lp.from)).Addr)
	case unix.AF_INET6:
		from = netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(&lp.from)).Addr).Unmap()
	}
	return slices.ContainsFunc(lp.l.cfg.Allow, func(p netip.Prefix) bool { return p.Contains(from) })
}
