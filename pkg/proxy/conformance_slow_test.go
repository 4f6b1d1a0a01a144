package proxy_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// stillFor is how long nothing has to move until a writer counts as stopped. No
// event says that nothing will move any more.
const stillFor = 500 * time.Millisecond

// fill writes script 7 until nobody takes any more, and returns how much it was.
func fill(t *testing.T, c *net.TCPConn, most int64) (sent int64) {
	t.Helper()
	src, buf := script(7, most), make([]byte, 64<<10)
	defer c.SetWriteDeadline(time.Now().Add(*patience))
	for sent < most {
		n, _ := io.ReadFull(src, buf)
		c.SetWriteDeadline(time.Now().Add(stillFor))
		n, err := c.Write(buf[:n])
		sent += int64(n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return sent
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return sent
}

// buffers is how much the kernel may hold of one direction: in the two sockets
// of each leg (tcp(7), tcp_rmem and tcp_wmem) and in a pipe.
func buffers(t *testing.T) int64 {
	t.Helper()
	sum := int64(1 << 20)
	for _, name := range []string{"tcp_rmem", "tcp_wmem"} {
		text, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(text))
		most, err := strconv.ParseInt(fields[len(fields)-1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += 2 * most
	}
	return sum
}

// readerStops: who has 1 GiB to send is stopped by a reader that does not read,
// once the kernel's buffers are full, and nothing is lost when it reads again.
func readerStops(t *testing.T, start starter) {
	b := newBackend(t)
	bound := min(buffers(t), 128<<20)
	sides(t, start(t, proxy.Config{}, b.addr), b, func(t *testing.T, from, to *net.TCPConn) {
		sent := fill(t, from, 1<<30)
		t.Logf("stopped after %d KiB", sent>>10)
		if sent > bound {
			t.Errorf("%d bytes vanished into a proxy whose reader takes none; the buffers of all sockets are %d", sent, bound)
		}
		finish(t, from)
		if err := receive(to, 7, sent); err != nil {
			t.Fatal(err)
		}
	})
}

// readerPauses: a window that is zero for long enough to be probed, and opens.
func readerPauses(t *testing.T, start starter) {
	const n = 32 << 20
	b := newSmallBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	var g errgroup.Group
	g.Go(func() error { return send(client, 3, n) })
	read := 0
	slow := readerFunc(func(p []byte) (int, error) {
		if read++; read%8 == 0 && read <= 32 {
			<-time.After(300 * time.Millisecond) // the kernel's first probe comes after 200 ms
		}
		return server.Read(p)
	})
	if err := receive(slow, 3, n); err != nil {
		t.Fatal(err)
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// dribbles: a few bytes every few milliseconds, both ways at once.
func dribbles(t *testing.T, start starter) {
	const n = 300
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	slowly := func(c *net.TCPConn, seed byte) error {
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		src := script(seed, n)
		return sendFrom(c, readerFunc(func(p []byte) (int, error) {
			<-tick.C
			return src.Read(p[:min(len(p), 3)])
		}))
	}
	var g errgroup.Group
	g.Go(func() error { return slowly(client, 1) })
	g.Go(func() error { return slowly(server, 2) })
	g.Go(func() error { return receive(server, 1, n) })
	g.Go(func() error { return receive(client, 2, n) })
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// byteReaders: both read one byte at a time what was sent in one piece.
func byteReaders(t *testing.T, start starter) {
	const n = 20_000
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	var g errgroup.Group
	g.Go(func() error { return send(client, 1, n) })
	g.Go(func() error { return send(server, 2, n) })
	g.Go(func() error { return receive(iotest.OneByteReader(server), 1, n) })
	g.Go(func() error { return receive(iotest.OneByteReader(client), 2, n) })
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// tinyWindows: both ends offer windows of a few KiB.
func tinyWindows(t *testing.T, start starter) {
	b := newSmallBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	d := net.Dialer{Control: smallBuffers}
	c, err := d.DialContext(t.Context(), "tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, keep(t, c.(*net.TCPConn)), b.accept(t), 200_000)
}

// closeBeforeSlowReader: who wrote has closed, and is not there any more, long
// before all is read.
func closeBeforeSlowReader(t *testing.T, start starter) {
	const n = 2 << 20
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		to.SetReadBuffer(16 << 10)
		var g errgroup.Group
		g.Go(func() error { return errors.Join(send(from, 3, n), from.Close()) })
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		slow := readerFunc(func(p []byte) (int, error) {
			<-tick.C
			return to.Read(p)
		})
		if err := errors.Join(receive(slow, 3, n), g.Wait()); err != nil {
			t.Fatal(err)
		}
		to.Close()
		holds(t, f, 0)
	})
}

// newSmallBackend is a backend whose receive buffer is as small as can be.
func newSmallBackend(t *testing.T) *backend {
	t.Helper()
	lc := net.ListenConfig{Control: smallBuffers}
	ln, err := lc.Listen(t.Context(), "tcp", loopback.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return asBackend(t, ln)
}

func smallBuffers(_, _ string, rc syscall.RawConn) error {
	var err error
	cerr := rc.Control(func(fd uintptr) {
		err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 4<<10))
	})
	return errors.Join(err, cerr)
}
