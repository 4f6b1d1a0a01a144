package proxy

import "golang.org/x/sys/unix"

const (
	// small is up to how many waiting bytes are copied through the loop's
	// buffer; more are spliced. It is a TLS record's size.
	small = 16 << 10
	// turn is how much one direction moves before others have their turn.
	turn = 1 << 20
)

// leg is one socket of a connection and what is known of it. The kernel tells
// changes only (EPOLLET), so what was told has to be kept until it has been
// proven wrong.
type leg struct {
	fd       int32
	readable bool
	writable bool
	// careful: a short read does not mean that all was read. An end, or bytes
	// behind an urgent one, may follow, and no event will tell it again.
	careful bool
}

// block holds what could not be written at once and has no pipe.
type block [small]byte

// flow is one direction of a connection. While it waits for bytes it holds
// neither pipe nor block.
type flow struct {
	pipe    *pipe
	block   *block
	pending int32 // bytes that were read and not yet written: in block, else in pipe
	off     int32 // where they begin in block
	bulk    bool  // the last read filled its buffer
	ended   bool  // src had its FIN
	done    bool  // and all before it was written
}

// verdict is what a direction came to.
type verdict int

const (
	waits  verdict = iota // for an event
	more                  // there may be more to do; others first
	failed                // both legs are to be reset
)

// mover moves bytes from one leg to another. It belongs to one loop.
type mover struct {
	hello     *hello // what is read is kept here, too; nil: not so
	blamed    *leg   // whose failure the last move met
	transport transport
	lender    interface {
		take() *pipe // nil: copy
		give(empty *pipe)
	}
	buf    *block
	blocks []*block // spare ones
}

// maxBlocks is how many spare blocks are kept for the next readers that stop.
const maxBlocks = 64

// move moves what it can, about a turn at most. It returns how many bytes were
// written to dst.
func (m *mover) move(f *flow, src, dst *leg) (n int, v verdict) {
	m.blamed = src // until it is dst
	for n < turn {
		switch {
		case f.pending > 0:
			if !dst.writable {
				return n, waits
			}
			k, ok := m.flush(f, dst)
			n += k
			if !ok {
				return n, failed
			}
		case f.ended:
			m.release(f)
			f.done = true
			return n, waits
		// Back-pressure: nothing is read for a peer that takes nothing.
		case !src.readable || !dst.writable:
			m.release(f)
			return n, waits
		default:
			k, ok := m.fill(f, src, dst)
			n += k
			if !ok {
				return n, failed
			}
		}
	}
	return n, more
}

// fill reads once, and writes what was copied. It returns how much it wrote,
// and whether all is well.
func (m *mover) fill(f *flow, src, dst *leg) (n int, ok bool) {
	if f.bulk {
		if filled, ok := m.spliceIn(f, src); filled || !ok || !src.readable {
			return 0, ok
		}
	}
	m.release(f)
	n, errno := m.transport.recv(src.fd, m.buf[:])
	switch {
	case errno == unix.EAGAIN:
		src.readable = false
		return 0, true
	case errno == unix.EINTR:
		return 0, true
	case errno != 0:
		return 0, false
	case n == 0:
		f.ended = true
		return 0, true
	}
	m.hear(m.buf[:n])
	f.bulk = n == small
	if !f.bulk && !src.careful {
		src.readable = false // what comes from now on is an event
	}
	return m.write(f, dst, m.buf[:n])
}

// spliceIn fills a pipe. It is not filled when no pipe was to be had, or nothing
// is there, or the end, or an urgent byte, before which a splice stops for good.
// Unless it is certain a read tells which. A read would not tell of an error: a
// socket gives that once (sock_error, include/net/sock.h), and then says that
// the end was reached.
func (m *mover) spliceIn(f *flow, src *leg) (filled, ok bool) {
	if f.pipe == nil {
		if f.pipe = m.lender.take(); f.pipe == nil {
			return false, true
		}
	}
	n, errno := m.transport.splice(src.fd, f.pipe.w, f.pipe.size)
	switch {
	case errno == 0:
		m.forget(m.hello)
		f.pending, f.bulk = int32(n), n >= small
		return n > 0, true
	case errno == unix.EAGAIN && !src.careful:
		src.readable = false
		return false, true
	case errno == unix.EAGAIN, errno == unix.EINTR:
		f.bulk = false
		return false, true
	}
	return false, false
}

// write writes p, and keeps what dst does not take.
func (m *mover) write(f *flow, dst *leg, p []byte) (n int, ok bool) {
	n, errno := m.transport.send(dst.fd, p)
	switch {
	case errno == 0 && n == len(p):
		return n, true
	case errno == unix.EAGAIN, errno == unix.EINTR:
		n = 0
	case errno != 0:
		m.blamed = dst
		return 0, false
	}
	dst.writable = errno == unix.EINTR
	f.block = m.takeBlock()
	f.off, f.pending = 0, int32(copy(f.block[:], p[n:]))
	return n, true
}

// flush writes what is pending.
func (m *mover) flush(f *flow, dst *leg) (n int, ok bool) {
	var errno unix.Errno
	if f.block != nil {
		n, errno = m.transport.send(dst.fd, f.block[f.off:f.off+f.pending])
	} else {
		n, errno = m.transport.splice(f.pipe.r, dst.fd, f.pending)
	}
	switch {
	case errno == unix.EAGAIN:
		dst.writable = false
		return 0, true
	case errno == unix.EINTR:
		return 0, true
	case errno != 0 || n == 0:
		m.blamed = dst
		return 0, false
	}
	f.pending -= int32(n)
	f.off += int32(n)
	if f.pending == 0 && f.block != nil {
		m.giveBlock(f)
	}
	return n, true
}

// hear keeps what was read as long as it may have to be said again.
func (m *mover) hear(p []byte) {
	if m.hello != nil && m.hello.again() && !m.hello.add(p, m.takeBlock) {
		m.forget(m.hello)
	}
}

// forget ends that: it will not be said again.
func (m *mover) forget(h *hello) {
	if h == nil {
		return
	}
	h.state = lost
	if h.bytes != nil {
		m.putBlock(h.bytes)
		h.bytes = nil
	}
}

// release gives back a pipe that is empty.
func (m *mover) release(f *flow) {
	if f.pipe != nil {
		m.lender.give(f.pipe)
		f.pipe = nil
	}
}

func (m *mover) takeBlock() *block {
	n := len(m.blocks)
	if n == 0 {
		return new(block)
	}
	b := m.blocks[n-1]
	m.blocks = m.blocks[:n-1]
	return b
}

func (m *mover) giveBlock(f *flow) {
	m.putBlock(f.block)
	f.block = nil
}

func (m *mover) putBlock(b *block) {
	if len(m.blocks) < maxBlocks {
		m.blocks = append(m.blocks, b)
	}
}
