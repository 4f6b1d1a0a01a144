package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

func everySize(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sizes := []int64{0, 1, 2, 1447, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64 << 10, 256<<10 + 1, 1 << 20, 16 << 20}
	if *large {
		sizes = append(sizes, 1<<30)
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			client, server := f.connect(t, b)
			exchange(t, client, server, n)
		})
	}
}

// needIPv6 returns the loopback of IPv6, and skips where there is none.
func needIPv6(t *testing.T) netip.AddrPort {
	t.Helper()
	v6 := netip.MustParseAddrPort("[::1]:0")
	ln, err := net.Listen("tcp6", v6.String())
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	ln.Close()
	return v6
}

func families(t *testing.T, start starter) {
	v6 := needIPv6(t)
	for _, at := range []netip.AddrPort{loopback, v6} {
		for _, behind := range []netip.AddrPort{loopback, v6} {
			b := newBackendOn(t, behind)
			f := start(t, proxy.Config{Bind: at}, b.addr)
			client, server := f.connect(t, b)
			exchange(t, client, server, 100_000)
		}
	}
}

func clientFirst(t *testing.T, start starter) {
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	say(t, client, "hello")
	hear(t, server, "hello")
	say(t, server, "welcome")
	hear(t, client, "welcome")
}

func serverFirst(t *testing.T, start starter) {
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	say(t, server, "220 ready")
	hear(t, client, "220 ready")
	say(t, client, "thanks")
	hear(t, server, "thanks")
}

func nobodySpeaks(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	hearEOF(t, server)
	server.Close()
	holds(t, f, 0)
}

func smallAndLarge(t *testing.T, start starter) {
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	buf := make([]byte, 1<<20)
	for i := range 200 {
		n := []int{1, 200, 1 << 10, 20 << 10, 1 << 20}[i%5]
		sent := make(chan error, 1)
		go func() {
			_, err := io.Copy(client, script(byte(i), int64(n)))
			sent <- err
		}()
		want, _ := io.ReadAll(script(byte(i), int64(n)))
		if _, err := io.ReadFull(server, buf[:n]); err != nil {
			t.Fatal(err)
		}
		if string(want) != string(buf[:n]) {
			t.Fatalf("message %d of %d bytes arrived as something else", i, n)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
}

// byteByByte: each byte is passed on before the next is there.
func byteByByte(t *testing.T, start starter) {
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	for range 500 {
		say(t, client, "?")
		hear(t, server, "?")
		say(t, server, "!")
		hear(t, client, "!")
	}
}

// pipelined: many writes of 1 to 100 bytes, both ways, without waiting.
func pipelined(t *testing.T, start starter) {
	const n = 1 << 20
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	small := func(seed byte) io.Reader {
		src, size := script(seed, n), 0
		return readerFunc(func(p []byte) (int, error) {
			size = size%100 + 1
			return src.Read(p[:size])
		})
	}
	var g errgroup.Group
	g.Go(func() error { return sendFrom(client, small(1)) })
	g.Go(func() error { return sendFrom(server, small(2)) })
	g.Go(func() error { return receive(server, 1, n) })
	g.Go(func() error { return receive(client, 2, n) })
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// finWithData: the FIN is in the segment of the last bytes, as TCP_CORK makes
// it, and so there is one event for both.
func finWithData(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	for _, n := range []int64{1, 1000, 16 << 10, 40_000} {
		sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
			cork(t, from)
			var g errgroup.Group
			g.Go(func() error { return send(from, 1, n) })
			if err := errors.Join(receive(to, 1, n), g.Wait()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func cork(t *testing.T, c *net.TCPConn) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := rc.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1)
	}); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
}

func urgentByte(t *testing.T, start starter)     { urgent(t, start, 100_000) }
func urgentAmidMuch(t *testing.T, start starter) { urgent(t, start, 8<<20) }

// urgent: the stream goes on around an urgent byte, which may be lost.
func urgent(t *testing.T, start starter, n int64) {
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	before, _ := io.ReadAll(script(1, n))
	after, _ := io.ReadAll(script(2, n))
	sent := make(chan error, 1)
	go func() {
		_, err := client.Write(before)
		rc, _ := client.SyscallConn()
		err = errors.Join(err, rc.Write(func(fd uintptr) bool {
			return !errors.Is(unix.Send(int(fd), []byte("!"), unix.MSG_OOB), unix.EAGAIN)
		}))
		_, werr := client.Write(after)
		sent <- errors.Join(err, werr, client.CloseWrite())
	}()
	got, err := io.ReadAll(server)
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	all := string(before) + string(after)
	if len(got) == len(all)+1 {
		all = string(before) + "!" + string(after)
	}
	if string(got) != all {
		t.Fatalf("%d bytes arrived, and not those around the urgent byte", len(got))
	}
}
