package proxy_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// pour writes without end; what ended it comes out of the channel.
func pour(c *net.TCPConn) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(struct{ io.Writer }{c}, script(1, 1<<40))
		ended <- err
	}()
	return ended
}

func readerResets(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		ended := pour(from)
		if _, err := io.CopyN(io.Discard, struct{ io.Reader }{to}, 1<<20); err != nil {
			t.Fatal(err)
		}
		abort(t, to)
		if err := <-ended; !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
			t.Errorf("write gave %v, want ECONNRESET or EPIPE", err)
		}
		holds(t, f, 0)
	})
}

// writerResets: what arrives before the reset is the beginning of what was sent.
func writerResets(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		ended := pour(from)
		got, n, err := digest(io.LimitReader(to, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		abort(t, from)
		<-ended
		if want, _, _ := digest(script(1, n)); got != want {
			t.Error("other bytes arrived than were sent")
		}
		hearReset(t, to)
		holds(t, f, 0)
	})
}

// stoppedReaderResets: nothing is on its way any more when the RST comes.
func stoppedReaderResets(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		fill(t, from, 1<<30)
		abort(t, to)
		hearReset(t, from)
		holds(t, f, 0)
	})
}

// stoppedReaderIsReset: a RST does not wait behind bytes that nobody reads.
func stoppedReaderIsReset(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		fill(t, from, 1<<30)
		abort(t, from)
		resetSilently(t, to)
		holds(t, f, 0)
	})
}

// stoppedReaderCloses: Linux makes a RST of a close with unread bytes (RFC 2525,
// 2.17).
func stoppedReaderCloses(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		fill(t, from, 1<<30)
		to.Close()
		hearReset(t, from)
		holds(t, f, 0)
	})
}

// halfClosedBulkResets: who asked, said that it was all, and was answered with
// more than it reads, dies.
func halfClosedBulkResets(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		finish(t, to)
		hearEOF(t, from)
		fill(t, from, 1<<30)
		abort(t, to)
		resetSilently(t, from)
		holds(t, f, 0)
	})
}
