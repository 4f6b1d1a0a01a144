package proxy

import (
	"errors"
	"math"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// linux is the real kernel, with an epoll set of its own. A call that can't wait
// needs no word with Go's scheduler: it is made raw.
type linux struct {
	ep       int32
	opened   time.Time
	fromSize uint32
	info     unix.TCPInfo
	to, as   sockaddr // of the connect that is made
}

func openLinux() (*linux, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &linux{ep: int32(ep), opened: time.Now()}, err
}

func (k *linux) now() time.Duration { return time.Since(k.opened) }

func (k *linux) wait(events []unix.EpollEvent, ms int) (n int, err error) {
	n, err = k.nap(events, ms)
	if n == 0 && err == nil && (ms > napFor || ms < 0) {
		// The scheduler has to know of this one.
		n, err = unix.EpollWait(int(k.ep), events, ms)
	}
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
}

// napFor is how long, in milliseconds, a loop waits with the scheduler unaware.
// A busy loop never waits longer, and so keeps its processor: else it would be
// taken away a hundred times a second, and looking for such processors every 20
// µs is 5 % of all that a busy relay does. The scheduler, when it wants the
// processor, interrupts the nap with a signal.
const napFor = 1

func (k *linux) nap(events []unix.EpollEvent, ms int) (int, error) {
	if ms < 0 {
		ms = napFor
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(k.ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(min(ms, napFor)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (k *linux) watch(fd int32, events uint32, tag tag) error {
	ev := unix.EpollEvent{Events: events | unix.EPOLLET, Fd: tag.id, Pad: int32(tag.generation)}
	return unix.EpollCtl(int(k.ep), unix.EPOLL_CTL_ADD, int(fd), &ev)
}

func (k *linux) unwatch(fd int32) {
	_ = unix.EpollCtl(int(k.ep), unix.EPOLL_CTL_DEL, int(fd), nil) // not there is fine
}

func (k *linux) accept(ln int32, from *unix.RawSockaddrAny) (int32, unix.Errno) {
	var size unsafe.Pointer
	if from != nil {
		k.fromSize = uint32(unsafe.Sizeof(*from))
		size = unsafe.Pointer(&k.fromSize)
	}
	fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(ln), uintptr(unsafe.Pointer(from)), uintptr(size), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int32(fd), errno
}

// dial binds the socket to no local address of this host: with one all backends
// together would have the 28,000 local ports that each can have.
func (k *linux) dial(as netip.Addr, to netip.AddrPort, opts []option) (int32, error) {
	sa, family, err := k.to.of(to)
	if err != nil {
		return noFD, err
	}
	sock, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if errno != 0 {
		return noFD, errno
	}
	fd := int32(sock)
	if err = setAll(fd, opts); err == nil && as.IsValid() {
		err = k.impersonate(fd, as)
	}
	if err == nil {
		err = unix.Connect(int(fd), sa)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		k.close(fd)
		return noFD, err
	}
	return fd, err
}

func (k *linux) dialed(fd int32) error {
	errno, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	return err
}

func (k *linux) ends(fd int32) (peer, own netip.AddrPort, err error) {
	sa, err := unix.Getpeername(int(fd))
	if err != nil {
		return peer, own, err
	}
	return addrPort(sa), boundTo(fd), nil
}

// moved adds up what the kernel counts, which sees also a slow reader for whom
// all has been written long ago.
func (k *linux) moved(legs *[2]leg) (sum uint64, _ unix.Errno) {
	for i := range legs {
		if errno := k.ask(legs[i].fd); errno != 0 {
			return 0, errno
		}
		sum += k.info.Bytes_acked + k.info.Bytes_received
	}
	return sum, 0
}

// quiet is what the kernel keeps anyhow, in milliseconds. A leg begins quiet when it
// is connected (tcp_finish_connect, tcp_rcv_state_process, net/ipv4/tcp_input.c).
func (k *linux) quiet(legs *[2]leg) (time.Duration, unix.Errno) {
	least := uint32(math.MaxUint32)
	for i := range legs {
		if errno := k.ask(legs[i].fd); errno != 0 {
			return 0, errno
		}
		least = min(least, k.info.Last_data_recv, k.info.Last_data_sent)
	}
	return time.Duration(least) * time.Millisecond, 0
}

// ask has k.info told.
func (k *linux) ask(fd int32) unix.Errno {
	size := uint32(unsafe.Sizeof(k.info))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&k.info)), uintptr(unsafe.Pointer(&size)), 0)
	return errno
}

func (k *linux) finish(fd int32) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	return errno
}

// abort is connect(2) to AF_UNSPEC, which runs the code of a close with
// SO_LINGER 0 (tcp_disconnect, net/ipv4/tcp.c), but runs it now: close does
// nothing while another process has the descriptor, and a child has it between
// fork and exec. So the RST is out before the caller goes on, say to take the
// address away.
func (k *linux) abort(fd int32) unix.Errno {
	unspec := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unspec)), unsafe.Sizeof(unspec))
	if errno != 0 {
		_ = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	return errno
}

func (k *linux) close(fd int32) { closeFD(fd) }

func (k *linux) recv(fd int32, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	return int(n), errno
}

func (k *linux) send(fd int32, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func (k *linux) splice(from, to, most int32) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(most), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(n), errno
}

func (k *linux) pipe(size int32) *pipe {
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC) != nil {
		return nil
	}
	p := &pipe{r: int32(fds[0]), w: int32(fds[1]), size: size}
	if _, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, int(size)); err != nil {
		k.close(p.r)
		k.close(p.w)
		return nil
	}
	return p
}

// closeFD gives a descriptor back. Nothing is to be done about an error: it is
// given back in any case.
func closeFD(fd int32) {
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}
