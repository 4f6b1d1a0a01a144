package proxy_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// script makes the same n bytes whenever it is read.
func script(seed byte, n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), n)
}

func digest(r io.Reader) (sum [sha256.Size]byte, n int64, err error) {
	h := sha256.New()
	// Hidden behind a plain Reader, so that tests see the bytes themselves.
	n, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, 64<<10))
	return [sha256.Size]byte(h.Sum(nil)), n, err
}

// send writes a script and half-closes.
func send(c *net.TCPConn, seed byte, n int64) error {
	return sendFrom(c, script(seed, n))
}

// sendFrom writes what r gives, piece by piece, and half-closes.
func sendFrom(c *net.TCPConn, r io.Reader) error {
	if n, err := io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, make([]byte, 64<<10)); err != nil {
		return fmt.Errorf("send: %w after %d bytes", err, n)
	}
	return c.CloseWrite()
}

// receive reads up to the end and compares with a script.
func receive(c io.Reader, seed byte, n int64) error {
	want, _, _ := digest(script(seed, n))
	got, m, err := digest(c)
	switch {
	case err != nil:
		return fmt.Errorf("receive: %w after %d of %d bytes", err, m, n)
	case m != n:
		return fmt.Errorf("received %d bytes of %d", m, n)
	case got != want:
		return fmt.Errorf("received %d bytes, and they are not those that were sent", n)
	}
	return nil
}

// exchange sends n bytes each way at once and checks them.
func exchange(t testing.TB, a, b *net.TCPConn, n int64) {
	t.Helper()
	var g errgroup.Group
	g.Go(func() error { return send(a, 1, n) })
	g.Go(func() error { return send(b, 2, n) })
	g.Go(func() error { return receive(a, 2, n) })
	g.Go(func() error { return receive(b, 1, n) })
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func say(t testing.TB, c *net.TCPConn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t testing.TB, c *net.TCPConn, text string) {
	t.Helper()
	buf := make([]byte, len(text))
	if _, err := io.ReadFull(c, buf); err != nil {
		t.Fatalf("read %q: %v", text, err)
	}
	if string(buf) != text {
		t.Fatalf("read %q, want %q", buf, text)
	}
}

// talk makes sure that a connection has left its connect phase.
func talk(t testing.TB, client, server *net.TCPConn) {
	t.Helper()
	say(t, client, "hello")
	hear(t, server, "hello")
}

func hearEOF(t testing.TB, c *net.TCPConn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("read %d bytes and %v, want EOF", n, err)
	}
}

func hearReset(t testing.TB, c *net.TCPConn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read gave %v, want ECONNRESET", err)
	}
}

// resetSilently waits until c, of which the end was read already, is reset.
func resetSilently(t testing.TB, c *net.TCPConn) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := rc.Read(func(fd uintptr) bool {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		return err != nil || info.State == unix.BPF_TCP_CLOSE
	}); err != nil {
		t.Fatalf("wait for a reset: %v", err)
	}
}

// abort closes c with a RST.
func abort(t testing.TB, c *net.TCPConn) {
	t.Helper()
	if err := errors.Join(c.SetLinger(0), c.Close()); err != nil {
		t.Fatal(err)
	}
}

func finish(t testing.TB, c *net.TCPConn) {
	t.Helper()
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
}
