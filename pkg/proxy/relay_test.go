package proxy

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// fakeTransport is two sockets with one direction between them, and pipes. Like
// epoll's its events tell changes only.
type fakeTransport struct {
	in     []byte // waits in the source
	fin    bool   // and then comes its end
	urgent int    // so many bytes are before an urgent mark, 0: there is none
	room   int    // what the destination takes now
	full   bool   // somebody was told that it takes no more
	out    []byte // what it has taken

	pipes map[int32][]byte // by the descriptor that is written to
	lent  int
	none  bool // no pipe is to be had

	readable, writable, careful bool // events that nobody was told yet
}

const (
	srcFD  = 1
	dstFD  = 2
	pipeFD = 10 // and on
)

func (k *fakeTransport) waiting(most int) []byte {
	n := min(len(k.in), most)
	if k.urgent > 0 {
		n = min(n, k.urgent)
	}
	return k.in[:n]
}

func (k *fakeTransport) taken(n int) {
	k.in = k.in[n:]
	k.urgent = max(k.urgent-n, 0)
}

func (k *fakeTransport) recv(_ int32, p []byte) (int, unix.Errno) {
	n := copy(p, k.waiting(len(p)))
	if n == 0 && !k.fin {
		return 0, unix.EAGAIN
	}
	k.taken(n)
	return n, 0
}

func (k *fakeTransport) send(_ int32, p []byte) (int, unix.Errno) {
	n := min(len(p), k.room)
	k.full = k.full || n < len(p)
	if n == 0 {
		return 0, unix.EAGAIN
	}
	k.room -= n
	k.out = append(k.out, p[:n]...)
	return n, 0
}

func (k *fakeTransport) splice(from, to, most int32) (int, unix.Errno) {
	if to == dstFD {
		held := k.pipes[from]
		n, errno := k.send(to, held[:min(len(held), int(most))])
		k.pipes[from] = held[n:]
		return n, errno
	}
	some := k.waiting(min(int(most), 40_000)) // its slots are used up sooner
	if len(some) == 0 && !k.fin {
		return 0, unix.EAGAIN
	}
	k.pipes[to] = append(k.pipes[to], some...)
	k.taken(len(some))
	return len(some), 0
}

func (k *fakeTransport) pipe(int32) *pipe { return nil }
func (k *fakeTransport) close(int32)      {}

func (k *fakeTransport) take() *pipe {
	if k.none {
		return nil
	}
	k.lent++
	fd := int32(pipeFD + k.lent)
	return &pipe{r: fd, w: fd, size: 1 << 20}
}

func (k *fakeTransport) give(p *pipe) {
	if len(k.pipes[p.w]) > 0 {
		panic("a pipe is given back with bytes in it")
	}
	k.lent--
}

// TestMove: in whatever order bytes, room, the end and the events of them come,
// every byte arrives, in order, and then the end; and what is idle holds
// nothing.
func TestMove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := &fakeTransport{pipes: map[int32][]byte{}}
		m := &mover{transport: k, lender: k, buf: new(block)}
		src, dst := leg{fd: srcFD}, leg{fd: dstFD, writable: true}
		var f flow
		var sent []byte
		deliver := func() {
			src.readable, dst.writable = src.readable || k.readable, dst.writable || k.writable
			src.careful = src.careful || k.careful
			k.readable, k.writable, k.careful = false, false, false
			for v := more; v == more && !f.done; {
				before := len(k.out)
				var n int
				if n, v = m.move(&f, &src, &dst); v == failed || n != len(k.out)-before {
					t.Fatalf("verdict %d, %d bytes told and %d moved", v, n, len(k.out)-before)
				}
			}
		}
		makeRoom := func(n int) {
			k.room += n
			k.writable, k.full = k.writable || k.full, false
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				if k.fin {
					continue
				}
				n := rapid.SampledFrom([]int{1, 200, small - 1, small, small + 1, 100_000, 3 << 20}).Draw(t, "bytes")
				p := bytes.Repeat([]byte{byte(len(sent)), byte(n), 7}, n/3+1)[:n]
				if k.urgent == 0 && rapid.IntRange(0, 9).Draw(t, "urgent") == 0 {
					k.urgent, k.careful = len(k.in)+rapid.IntRange(1, n).Draw(t, "mark"), true
				}
				sent, k.in, k.readable = append(sent, p...), append(k.in, p...), true
			case 2:
				makeRoom(rapid.SampledFrom([]int{1, 5000, small, 200_000, 1 << 21}).Draw(t, "room"))
			case 3:
				k.fin, k.readable, k.careful = true, true, true
			case 4:
				k.none = !k.none
			case 5:
				deliver()
			}
		}
		makeRoom(1 << 30)
		deliver()
		if !bytes.Equal(k.out, sent) {
			t.Fatalf("%d bytes arrived of %d, or not those", len(k.out), len(sent))
		}
		if f.done != k.fin {
			t.Fatalf("the end came %t, it was seen %t", k.fin, f.done)
		}
		if f.pipe != nil || f.block != nil || k.lent != 0 {
			t.Fatalf("an idle direction holds %+v", f)
		}
	})
}
