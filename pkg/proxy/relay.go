package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

const (
	// small is up to how many waiting bytes are copied through a buffer; more
	// are spliced. It is a TLS record's size.
	small = 16 << 10
	// chunk is how many bytes are spliced before they are counted.
	chunk = 256 << 10
)

// buffers are lent for one read and one write each; a connection that waits
// has none.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[small]byte {
	if buf, ok := b.pool.Get().(*[small]byte); ok {
		return buf
	}
	return new([small]byte)
}

func (b *buffers) put(buf *[small]byte) { b.pool.Put(buf) }

// relay moves bytes between the legs of c until both directions have ended or
// one leg has failed, and leaves both closed. It adds what it moved to in
// (client to backend) and out.
//
// This is the seam: another way to move bytes replaces this function.
func relay(c *conn, t Timeouts, bufs *buffers, in, out prometheus.Counter) {
	r := &pair{conn: c, watch: newWatch(c, t)}
	var wg sync.WaitGroup
	wg.Go(func() { r.carry(&flow{src: c.backend, dst: c.client, bytes: out, bufs: bufs}) })
	r.carry(&flow{src: c.client, dst: c.backend, bytes: in, bufs: bufs})
	wg.Wait()
	r.watch.stop()
}

// pair is the two directions of a connection.
type pair struct {
	conn  *conn
	watch *watch
	ended atomic.Int32 // directions that had their FIN
}

// carry runs one direction to its end and passes that end on. While the other
// direction goes on it stays to see a RST from its own source, which nobody
// else reads any more.
func (r *pair) carry(f *flow) {
	if err := f.run(); err != nil {
		r.conn.reset()
		return
	}
	if r.ended.Add(1) == 2 {
		r.conn.close() // sends this direction's FIN
		return
	}
	if f.dst.CloseWrite() != nil {
		r.conn.reset()
		return
	}
	r.watch.halfClosed()
	if awaitReset(f.src) == nil {
		r.conn.reset()
	}
}

// flow is one direction of a connection.
type flow struct {
	src, dst *net.TCPConn
	bytes    prometheus.Counter
	bufs     *buffers

	raw     syscall.RawConn // of src
	limited io.LimitedReader

	// The outcome of readOnce and count; fields, so that one bound method can
	// be used for the life of the flow.
	buf *[small]byte
	n   int
	err error
}

// run moves bytes until src ends (nil) or something fails.
func (f *flow) run() error {
	raw, err := f.src.SyscallConn()
	if err != nil {
		return err
	}
	f.raw, f.limited.R = raw, f.src
	readOnce, count := f.readOnce, f.count
	for {
		n, err := f.copyOnce(readOnce)
		if err != nil || n == 0 {
			return err
		}
		if n < small {
			continue
		}
		if err := f.splice(count); err != nil {
			return err
		}
	}
}

// copyOnce waits for bytes and copies what there is, at most a buffer full. It
// returns 0 at the end of src.
func (f *flow) copyOnce(readOnce func(uintptr) bool) (int, error) {
	if err := f.raw.Read(readOnce); err != nil {
		return 0, err
	}
	if f.buf == nil {
		return 0, f.err
	}
	n, err := f.dst.Write(f.buf[:f.n])
	f.bufs.put(f.buf)
	f.bytes.Add(float64(n))
	return n, err
}

// readOnce reads into a borrowed buffer, which it keeps only when it holds
// bytes. It returns false when there is nothing to read yet.
func (f *flow) readOnce(fd uintptr) bool {
	f.buf = f.bufs.get()
	for {
		f.n, f.err = unix.Read(int(fd), f.buf[:])
		if !errors.Is(f.err, unix.EINTR) {
			break
		}
	}
	if f.n > 0 {
		return true
	}
	f.bufs.put(f.buf)
	f.buf = nil
	return !errors.Is(f.err, unix.EAGAIN)
}

// splice moves what waits in src without copying it, as long as that is much.
// It asks for no more than is there: a splice that waits would hold a pipe
// (two descriptors and up to 1 MiB) while the connection is idle, and stop for
// good before an urgent byte. Only an io.LimitedReader may stand between the
// sockets, else package net copies.
func (f *flow) splice(count func(uintptr)) error {
	for {
		if err := f.raw.Control(count); err != nil {
			return err
		}
		if f.err != nil || f.n <= small {
			return f.err
		}
		f.limited.N = int64(min(f.n, chunk))
		n, err := f.dst.ReadFrom(&f.limited)
		f.bytes.Add(float64(n))
		if err != nil || n == 0 {
			return err
		}
	}
}

func (f *flow) count(fd uintptr) { f.n, f.err = queued(int(fd)) }
