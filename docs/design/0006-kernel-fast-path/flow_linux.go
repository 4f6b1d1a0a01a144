package sockmap

import "golang.org/x/sys/unix"

// flow is user space's side of one direction. It belongs to one goroutine.
type flow struct {
	m   *Map
	key uint32
	dst int

	base     uint64 // of the positions of dst's send queue
	consumed uint64 // bytes that user space read and wrote
	drained  uint64 // so many redirected bytes are known to be in dst's send queue
}

// newFlow makes one, before the sockets are promoted and when all that was read
// is written.
func newFlow(m *Map, key uint32, dst int) (*flow, error) {
	base, err := settled(dst)
	return &flow{m: m, key: key, dst: dst, base: base}, err
}

// mayWrite says whether all that was redirected is in dst's send queue. Until
// then it waits in a queue of the kernel's worker (net/core/skmsg.c,
// sk_psock_backlog), and neither a byte nor a FIN may be sent to dst.
func (f *flow) mayWrite() (bool, error) {
	redirected := f.m.word64(f.key, flowRedirected).Load()
	if redirected == f.drained {
		return true, nil
	}
	at, err := position(f.dst)
	if err != nil || at-f.base < f.consumed+redirected {
		return false, err
	}
	f.drained = redirected
	return true, nil
}

// wrote counts what was read from src and written to dst.
func (f *flow) wrote(n int) { f.consumed += uint64(n) }

// ended says whether a read of nothing is the end of the stream. The kernel says
// so too while bytes for user space wait behind redirected ones: TestEarlyEOF.
func (f *flow) ended() bool { return f.m.word64(f.key, flowPassed).Load() == f.consumed }

// resume lets the kernel redirect again, once nothing more was to be read.
func (f *flow) resume() { f.m.word64(f.key, flowResume).Store(f.consumed) }

// position is how many bytes were put into a socket's send queue, but for a
// constant; it may be a little behind.
func position(fd int) (uint64, error) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, err
	}
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ) // after what was acknowledged: never too much
	return info.Bytes_acked + uint64(n), err
}

// settled is the exact position, if nobody writes meanwhile: nothing was
// acknowledged between the two things that it is made of.
func settled(fd int) (uint64, error) {
	for {
		before, err := position(fd)
		if err != nil {
			return 0, err
		}
		n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		if err != nil {
			return 0, err
		}
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || info.Bytes_acked+uint64(n) == before {
			return before, err
		}
	}
}
