package proxy_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// backend is a server whose connections a test takes one by one.
type backend struct {
	*net.TCPListener
	addr       netip.AddrPort
	introduced bool // each connection begins by saying whose it is
}

func newBackend(t testing.TB) *backend { return newBackendOn(t, loopback) }

func newBackendOn(t testing.TB, addr netip.AddrPort) *backend {
	t.Helper()
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return asBackend(t, ln)
}

func asBackend(t testing.TB, ln net.Listener) *backend {
	return &backend{ln.(*net.TCPListener), ln.Addr().(*net.TCPAddr).AddrPort(), strings.Contains(t.Name(), introducing)}
}

// introducing is in the names of tests whose backends are told who connects.
const introducing = "PROXY_v2"

// hear takes off a connection what it is introduced by, and no byte more.
func (b *backend) hear(c *net.TCPConn) error {
	if !b.introduced {
		return nil
	}
	var head [16]byte // 12 of the signature, 2 of kinds, 2 of the length of the rest
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint16(head[14:])))
	return err
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
	if err := b.hear(keep(t, c)); err != nil {
		t.Fatal("hear who connects:", err)
	}
	return c
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
				if b.hear(c) == nil {
					handle(c)
				}
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
	b := asBackend(t, ln)
	first := dial(t, addr)
	if b.introduced {
		say(t, first, string(proxy.LocalHeader(2)))
	}
	return b
}
