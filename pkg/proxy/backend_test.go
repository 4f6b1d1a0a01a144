package proxy_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// backend is a server whose connections a test takes one by one.
type backend struct {
	*net.TCPListener
	addr netip.AddrPort
}

func newBackend(t testing.TB) *backend { return newBackendOn(t, loopback) }

func newBackendOn(t testing.TB, addr netip.AddrPort) *backend {
	t.Helper()
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &backend{ln, ln.Addr().(*net.TCPAddr).AddrPort()}
}

func (b *backend) accept(t testing.TB) *net.TCPConn {
	t.Helper()
	if err := b.SetDeadline(time.Now().Add(*patience)); err != nil {
		t.Fatal(err)
	}
	c, err := b.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	return keep(t, c)
}

// serving starts a backend that runs handle for each connection and closes it
// then.
func serving(t testing.TB, handle func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	b := newBackend(t)
	var conns sync.Map
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := b.AcceptTCP()
			if err != nil {
				return
			}
			conns.Store(c, nil)
			wg.Go(func() {
				defer conns.Delete(c)
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		b.Close()
		conns.Range(func(c, _ any) bool { c.(*net.TCPConn).Close(); return true })
		wg.Wait()
	})
	return b.addr
}

func echo(c *net.TCPConn) { io.Copy(c, c) }

// saying makes a handler that says who it is to everybody.
func saying(name string) func(*net.TCPConn) {
	return func(c *net.TCPConn) { io.WriteString(c, name) }
}

// refusing returns an address where nobody listens, and keeps it so: the port
// is bound, but not listened on.
func refusing(t testing.TB) netip.AddrPort {
	t.Helper()
	_, addr := boundSocket(t)
	return addr
}

func boundSocket(t testing.TB) (int, netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, netip.AddrPortFrom(loopback.Addr(), uint16(sa.(*unix.SockaddrInet4).Port))
}

// blackhole returns an address that answers no SYN: its accept queue (a backlog
// of 0 holds one connection) is full, and the kernel then drops them.
func blackhole(t testing.TB) netip.AddrPort {
	t.Helper()
	return newBlackhole(t).addr
}

// newBlackhole returns a blackhole that answers once its first connection is
// accepted.
func newBlackhole(t testing.TB) *backend {
	t.Helper()
	fd, addr := boundSocket(t)
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	own, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(own), "blackhole")
	defer file.Close() // ln has a duplicate
	ln, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	dial(t, addr)
	return &backend{ln.(*net.TCPListener), addr}
}
