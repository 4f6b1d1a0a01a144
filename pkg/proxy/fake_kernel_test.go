package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// fakeKernel has sockets whose peers a test plays. As with epoll, a change puts
// a socket among those that are ready, and what is told is its state when the
// events are taken. No descriptor is ever used again.
type fakeKernel struct {
	t       *rapid.T
	time    time.Duration
	sockets map[int32]*fakeSocket
	pipes   map[int32]*[]byte // by either end
	ready   []int32           // changed and watched
	waiting []int32           // clients to be accepted
	forked  bool              // a child has all descriptors that are closed now
	last    int32             // the newest descriptor
	refuse  bool              // what can be refused for want of memory or descriptors is

	meanwhile func(from int32) // happens just before bytes are read
}

// fakeSocket is a leg, or a listening socket.
type fakeSocket struct {
	listens    bool
	connecting bool
	failure    unix.Errno // of connecting, or that it was reset
	toldOf     bool       // of that: the kernel does it once

	sent int    // bytes of its peer so far
	in   []byte // of those, what is not read yet
	fin  bool   // no more will come

	out  []byte // what the peer was sent
	room int    // for more
	full bool   // somebody was told that there is none

	finished, aborted, closed bool // by the loop
	held                      bool // closed, but a child has it

	watched bool
	events  uint32
	tag     tag
}

func newFakeKernel(t *rapid.T) *fakeKernel {
	return &fakeKernel{t: t, sockets: map[int32]*fakeSocket{}, pipes: map[int32]*[]byte{}, meanwhile: func(int32) {}}
}

func (k *fakeKernel) fd() int32 { k.last++; return k.last }

func (k *fakeKernel) socket(s *fakeSocket) int32 {
	fd := k.fd()
	k.sockets[fd] = s
	return fd
}

// use returns what a descriptor stands for; it has to be there still.
func (k *fakeKernel) use(fd int32) *fakeSocket {
	s := k.sockets[fd]
	if s == nil || s.closed {
		k.t.Fatalf("descriptor %d is used, which is closed", fd)
	}
	return s
}

// script is byte i of all that is sent on a descriptor. Some begin with a
// ClientHello of 305 bytes.
func script(fd int32, i int) byte {
	if hello := [...]byte{22, 3, 1, 1, 44, 1}; fd%2 == 0 && i < len(hello) {
		return hello[i]
	}
	return byte(int(fd)*31 + i + i>>8*7)
}

// The peers' doings.

func (k *fakeKernel) changed(fd int32) {
	if s := k.sockets[fd]; s.watched && (!s.closed || s.held) && !slices.Contains(k.ready, fd) {
		k.ready = append(k.ready, fd)
	}
}

func (k *fakeKernel) peerSends(fd int32, n int) {
	s := k.sockets[fd]
	for range n {
		s.in = append(s.in, script(fd, s.sent))
		s.sent++
	}
	k.changed(fd)
}

func (k *fakeKernel) peerReads(fd int32, n int) {
	s := k.sockets[fd]
	s.room += n
	if s.full {
		s.full = false
		k.changed(fd)
	}
}

func (k *fakeKernel) peerFinishes(fd int32) {
	k.sockets[fd].fin = true
	k.changed(fd)
}

func (k *fakeKernel) peerResets(fd int32) {
	if s := k.sockets[fd]; s.failure == 0 {
		s.failure = unix.ECONNRESET
	}
	k.changed(fd)
}

func (k *fakeKernel) connects(fd int32, failure unix.Errno) {
	s := k.sockets[fd]
	s.connecting, s.failure = false, failure
	k.changed(fd)
}

// What the loop asks for.

func (k *fakeKernel) now() time.Duration { return k.time }

func (s *fakeSocket) state(waiting int) (events uint32) {
	set := func(is bool, e uint32) {
		if is {
			events |= e
		}
	}
	if s.listens {
		set(waiting > 0, unix.EPOLLIN)
		return events & s.events
	}
	set(len(s.in) > 0 || s.fin, unix.EPOLLIN)
	set(s.fin, unix.EPOLLRDHUP)
	set(s.fin && s.finished, unix.EPOLLHUP)
	set(s.room > 0 && !s.connecting, unix.EPOLLOUT)
	set(s.failure != 0, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP)
	return events & (s.events | unix.EPOLLERR | unix.EPOLLHUP)
}

// wait tells of some that are ready, in any order.
func (k *fakeKernel) wait(events []unix.EpollEvent, _ int) (n int, _ error) {
	k.ready = rapid.Permutation(k.ready).Draw(k.t, "order")
	most := rapid.IntRange(0, len(k.ready)).Draw(k.t, "events")
	for _, fd := range k.ready[:most] {
		s := k.sockets[fd]
		if state := s.state(len(k.waiting)); state != 0 && (!s.closed || s.held) {
			events[n] = unix.EpollEvent{Events: state, Fd: s.tag.id, Pad: int32(s.tag.generation)}
			n++
		}
	}
	k.ready = k.ready[most:]
	return n, nil
}

func (k *fakeKernel) watch(fd int32, events uint32, tag tag) error {
	if k.refuse {
		return unix.ENOMEM
	}
	s := k.use(fd)
	s.watched, s.events, s.tag = true, events, tag
	if s.state(len(k.waiting)) != 0 {
		k.changed(fd)
	}
	return nil
}

func (k *fakeKernel) unwatch(fd int32) {
	k.use(fd).watched = false
	k.ready = slices.DeleteFunc(k.ready, func(r int32) bool { return r == fd })
}

func (k *fakeKernel) accept(ln int32, _ *unix.RawSockaddrAny) (int32, unix.Errno) {
	k.use(ln)
	switch {
	case len(k.waiting) == 0:
		return noFD, unix.EAGAIN
	case k.refuse:
		return noFD, unix.EMFILE
	}
	fd := k.waiting[0]
	k.waiting = k.waiting[1:]
	return fd, 0
}

func (k *fakeKernel) dial(netip.Addr, netip.AddrPort, []option) (int32, error) {
	how := rapid.IntRange(0, 9).Draw(k.t, "dial")
	room := rapid.SampledFrom([]int{1000, 20}).Draw(k.t, "room")
	switch {
	case k.refuse:
		return noFD, unix.EMFILE
	case how == 0:
		return noFD, unix.ECONNREFUSED
	case how == 1:
		return k.socket(&fakeSocket{room: room}), nil
	}
	return k.socket(&fakeSocket{room: room, connecting: true}), unix.EINPROGRESS
}

func (k *fakeKernel) dialed(fd int32) error {
	s := k.use(fd)
	if s.failure == 0 || s.toldOf {
		return nil
	}
	s.toldOf = true
	return s.failure
}

// ends are the addresses that the peer of fd has by its number.
func (k *fakeKernel) ends(fd int32) (peer, own netip.AddrPort, err error) {
	if k.use(fd).failure != 0 {
		return peer, own, unix.ENOTCONN
	}
	return fakePeer(fd), fakeOwn, nil
}

var fakeOwn = netip.MustParseAddrPort("192.0.2.9:443")

func fakePeer(fd int32) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, 1}), uint16(fd))
}

func (k *fakeKernel) moved(legs *[2]leg) (sum uint64, _ unix.Errno) {
	for _, l := range legs {
		s := k.use(l.fd)
		sum += uint64(s.sent + len(s.out))
	}
	return sum, 0
}

func (k *fakeKernel) quiet(legs *[2]leg) (time.Duration, unix.Errno) {
	for _, l := range legs {
		k.use(l.fd)
	}
	return time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(k.t, "quiet")), 0
}

func (k *fakeKernel) finish(fd int32) unix.Errno {
	s := k.use(fd)
	switch {
	case s.finished:
		k.t.Fatalf("a second end on descriptor %d", fd)
	case s.failure != 0:
		return unix.ENOTCONN
	}
	s.finished = true
	return 0
}

func (k *fakeKernel) abort(fd int32) unix.Errno {
	k.use(fd).aborted = true
	return 0
}

func (k *fakeKernel) close(fd int32) {
	if p, is := k.pipes[fd]; is {
		if p == nil {
			k.t.Fatalf("descriptor %d of a pipe is closed twice", fd)
		}
		k.pipes[fd] = nil
		return
	}
	s := k.use(fd)
	s.closed, s.held = true, k.forked
	if s.held {
		k.changed(fd) // as its abort did
	}
	// The kernel answers bytes that nobody will read by a RST.
	s.aborted = s.aborted || len(s.in) > 0
	s.finished = true
}

func (k *fakeKernel) recv(fd int32, p []byte) (int, unix.Errno) {
	k.meanwhile(fd)
	s := k.use(fd)
	n := copy(p, s.in)
	s.in = s.in[n:]
	switch {
	case n > 0, s.fin && s.failure == 0, s.toldOf:
		return n, 0
	case s.failure != 0:
		s.toldOf = true
		return 0, s.failure
	}
	return 0, unix.EAGAIN
}

func (k *fakeKernel) send(fd int32, p []byte) (int, unix.Errno) {
	s := k.use(fd)
	switch {
	case s.finished:
		k.t.Fatalf("bytes are sent after the end on descriptor %d", fd)
	case s.failure != 0:
		return 0, unix.EPIPE
	}
	n := min(len(p), s.room)
	s.full = s.full || n < len(p)
	s.room -= n
	s.out = append(s.out, p[:n]...)
	if n == 0 {
		return 0, unix.EAGAIN
	}
	return n, 0
}

func (k *fakeKernel) splice(from, to, most int32) (int, unix.Errno) {
	if p := k.pipes[from]; p != nil {
		n, errno := k.send(to, (*p)[:min(len(*p), int(most))])
		*p = (*p)[n:]
		return n, errno
	}
	buf := make([]byte, min(int(most), 40_000)) // its slots are used up sooner
	n, errno := k.recv(from, buf)
	*k.pipes[to] = append(*k.pipes[to], buf[:n]...)
	return n, errno
}

func (k *fakeKernel) pipe(size int32) *pipe {
	if k.refuse {
		return nil
	}
	p := &pipe{r: k.fd(), w: k.fd(), size: size}
	held := &[]byte{}
	k.pipes[p.r], k.pipes[p.w] = held, held
	return p
}

// left names what is still open.
func (k *fakeKernel) left() (fds []string) {
	for fd, s := range k.sockets {
		if !s.closed {
			fds = append(fds, fmt.Sprintf("socket %d", fd))
		}
	}
	for fd, p := range k.pipes {
		if p != nil {
			fds = append(fds, fmt.Sprintf("pipe %d", fd))
		}
	}
	return fds
}
