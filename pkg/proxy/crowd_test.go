package proxy_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// crowd is a large number of sockets that block, each call for as long as there
// is patience: neither a goroutine each nor an event loop is needed.
type crowd []int

// socket makes one of a crowd.
func socket(t *testing.T, flags int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	patient(t, fd)
	return fd
}

func patient(t *testing.T, fd int) {
	t.Helper()
	tv := unix.NsecToTimeval(int64(*patience))
	if err := errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv),
	); err != nil {
		t.Fatal(err)
	}
}

// from binds a client to one of some loopback addresses, each of which has all
// the local ports.
func from(t *testing.T, fd, i int) {
	t.Helper()
	if err := errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 1, byte(1 + i%8)}}),
	); err != nil {
		t.Fatal(err)
	}
}

// uninterrupted calls do again when a signal, as the runtime sends them to its
// threads, has ended it: with a timeout that is not done for it (signal(7)).
func uninterrupted(do func() (int, error)) (int, error) {
	for {
		if n, err := do(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func read(fd int, p []byte) (int, error) {
	return uninterrupted(func() (int, error) { return unix.Read(fd, p) })
}

// narrow has the kernel keep little of what comes for a client.
func narrow(t *testing.T, fd int) {
	t.Helper()
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10); err != nil {
		t.Fatal(err)
	}
}

// arrive adds n clients that are connected, or on their way. Each is prepared before.
func (c *crowd) arrive(t *testing.T, to netip.AddrPort, n, flags int, prepare ...func(t *testing.T, fd int)) {
	t.Helper()
	sa := &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	for range n {
		fd := socket(t, flags)
		from(t, fd, len(*c))
		*c = append(*c, fd)
		for _, do := range prepare {
			do(t, fd)
		}
		// One that was interrupted goes on as one that does not block.
		if err := unix.Connect(fd, sa); err != nil && !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.EINTR) {
			t.Fatalf("client %d: connect: %v", len(*c), err)
		}
	}
}

// accept adds n that connect to a listening socket.
func (c *crowd) accept(ln, n int) error {
	for range n {
		fd, err := uninterrupted(func() (int, error) {
			fd, _, err := unix.Accept4(ln, unix.SOCK_CLOEXEC)
			return fd, err
		})
		if err != nil {
			return err
		}
		*c = append(*c, fd)
	}
	return nil
}

// say has each client say its number.
func (c crowd) say(t *testing.T) {
	t.Helper()
	for i, fd := range c {
		word := binary.BigEndian.AppendUint32(nil, uint32(i))
		if n, err := uninterrupted(func() (int, error) { return unix.Write(fd, word) }); n != 4 || err != nil {
			t.Fatalf("client %d of %d: wrote %d bytes and got %v", i, len(c), n, err)
		}
	}
}

// echo gives each back what it said.
func (c crowd) echo() error {
	var word [4]byte
	for i, fd := range c {
		if n, err := read(fd, word[:]); n != 4 {
			return fmt.Errorf("server %d of %d, of client %s: read %d bytes: %w", i, len(c), ends(fd), n, cmp.Or(err, io.ErrUnexpectedEOF))
		}
		if _, err := uninterrupted(func() (int, error) { return unix.Write(fd, word[:]) }); err != nil {
			return err
		}
	}
	return nil
}

// hear expects what say said.
func (c crowd) hear(t *testing.T) {
	t.Helper()
	var word [4]byte
	for i, fd := range c {
		n, err := read(fd, word[:])
		if n != 4 || err != nil || binary.BigEndian.Uint32(word[:]) != uint32(i) {
			t.Fatalf("client %d of %d: read %d bytes (%x) and %v", i, len(c), n, word, err)
		}
	}
}

// flood sends until nobody takes any more, and returns how much was taken.
func (c crowd) flood(t *testing.T) (sent int) {
	t.Helper()
	p := make([]byte, 64<<10)
	for _, fd := range c {
		if err := errors.Join(unix.SetNonblock(fd, true), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, len(p))); err != nil {
			t.Fatal(err)
		}
	}
	// What the relay takes meanwhile makes room again; twenty rounds without any are
	// as good as an end.
	for quiet := 0; quiet < 20; quiet++ {
		for _, fd := range c {
			n, err := uninterrupted(func() (int, error) { return unix.Write(fd, p) })
			if err != nil && !errors.Is(err, unix.EAGAIN) {
				t.Fatal(err)
			}
			if n > 0 {
				sent += n
				quiet = 0
			}
		}
	}
	for _, fd := range c {
		if err := unix.SetNonblock(fd, false); err != nil {
			t.Fatal(err)
		}
	}
	return sent
}

// hearReset expects a RST at each.
func (c crowd) hearReset(t *testing.T) {
	t.Helper()
	for i, fd := range c {
		if n, err := read(fd, make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
			t.Fatalf("%d of %d: read %d bytes and %v, want ECONNRESET", i, len(c), n, err)
		}
	}
}

// leave closes all, with a RST.
func (c *crowd) leave() {
	for _, fd := range *c {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(fd)
	}
	*c = nil
}

// listeners opens n sockets for a crowd's servers.
func listeners(t *testing.T, n int) (fds []int, addrs []netip.AddrPort) {
	t.Helper()
	for range n {
		fd, addr := boundSocket(t)
		patient(t, fd)
		if err := unix.Listen(fd, 1<<16-1); err != nil {
			t.Fatal(err)
		}
		fds, addrs = append(fds, fd), append(addrs, addr)
	}
	return fds, addrs
}
