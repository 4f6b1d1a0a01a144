package proxy

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// kernel is all that a loop asks of the kernel, so that a test can stand in for
// it. No call but wait ever waits: each does what can be done now, and gives
// EAGAIN if that is nothing.
type kernel interface {
	transport

	// now is the time since the kernel was opened.
	now() time.Duration
	// wait takes events of what is watched. It waits for the first one up to so
	// many milliseconds, for ever if they are negative.
	wait(events []unix.EpollEvent, ms int) (int, error)
	// watch has changes of a descriptor told from now on, once each (epoll(7),
	// EPOLLET), and tagged; unwatch ends that.
	watch(fd int32, events uint32, tag tag) error
	unwatch(fd int32)

	// accept takes a client, and its address if from is not nil.
	accept(ln int32, from *unix.RawSockaddrAny) (int32, unix.Errno)
	// dial makes a socket with options and begins to connect it, in somebody
	// else's name if as is valid. The error is nil when it is connected already
	// and EINPROGRESS when an event will tell; with any other one there is no
	// socket.
	dial(as netip.Addr, to netip.AddrPort, opts []option) (int32, error)
	// dialed is what became of it.
	dialed(fd int32) error
	// ends are the addresses of a connected socket: its peer's, and its own.
	ends(fd int32) (peer, own netip.AddrPort, err error)
	// moved is a number that grows whenever a peer of one of the legs sent
	// bytes or acknowledged some.
	moved(legs *[2]leg) (uint64, unix.Errno)

	// quiet is for how long no bytes came or went on either leg.
	quiet(legs *[2]leg) (time.Duration, unix.Errno)

	// finish sends a FIN, abort a RST at once; the descriptor stays.
	finish(fd int32) unix.Errno
	abort(fd int32) unix.Errno
}

// transport moves bytes.
type transport interface {
	recv(fd int32, p []byte) (int, unix.Errno)
	send(fd int32, p []byte) (int, unix.Errno)
	splice(from, to, most int32) (int, unix.Errno)
	// pipe makes a pipe of a size in bytes; nil when descriptors have run out
	// or the user may have no more of that size.
	pipe(size int32) *pipe
	// close gives a descriptor back. A socket ends in peace: what is written
	// still goes out, and then a FIN.
	close(fd int32)
}

// tag comes back with the events of a descriptor: whose it is, and since when.
type tag struct {
	id         int32
	generation uint32
}
