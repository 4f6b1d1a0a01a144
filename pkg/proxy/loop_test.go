package proxy

import (
	"bytes"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

const halfClosed = 5 * time.Second

// world is one loop on a fake kernel, with a listener of three backends.
type world struct {
	t      *rapid.T
	k      *fakeKernel
	lp     *loop
	l      *Listener
	ln     int32
	budget budget
	pairs  map[int32]int32 // client's leg: backend's, of all that ever were relayed
	told   bool            // connections were reset by order
	away   map[int32]bool  // clients that were sent away
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, k: newFakeKernel(t), pairs: map[int32]int32{}, away: map[int32]bool{}}
	w.budget.give(pipeBudget)
	w.lp = newLoop(&w.budget)
	w.lp.on(w.k)
	var backends []netip.AddrPort
	for port := range uint16(3) {
		backends = append(backends, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), port+1))
	}
	pool := NewPool(PoolConfig{}, Even(backends...))
	for _, b := range backends {
		pool.SetState(b, Up)
	}
	version := rapid.IntRange(0, 2).Draw(t, "PROXY protocol")
	transparent := rapid.Bool().Draw(t, "transparent")
	w.l = NewListener(Config{Name: "fake", ProxyProtocol: version, Transparent: transparent, Timeouts: Timeouts{
		Connect: time.Second, Retry: 300 * time.Millisecond, Idle: 2 * halfClosed, HalfClosed: halfClosed,
	}}, pool, nil, slog.New(slog.DiscardHandler), NewMetrics(nil))
	w.k.meanwhile = func(fd int32) {
		switch rapid.IntRange(0, 29).Draw(t, "meanwhile") {
		case 0, 1, 2:
			w.peer()
		case 3:
			w.k.peerResets(fd)
		}
	}
	w.ln = w.k.socket(&fakeSocket{listens: true})
	w.l.serving.Add(1)
	w.order(message{order: serve, on: w.l, socket: w.ln})
	w.lp.turn(0)
	return w
}

// order tells the loop something and has it obey at once.
func (w *world) order(what message) int {
	reply := make(chan int, 1)
	what.reply = reply
	w.lp.obey(what)
	return <-reply
}

// turn is one of the loop's, after which all has to be right.
func (w *world) turn() {
	n, _ := w.k.wait(w.lp.events[:], 0)
	w.lp.turn(n)
	w.lp.conns.each(func(c *conn) {
		if c.phase == relaying {
			w.pairs[c.legs[clientSide].fd] = c.legs[backendSide].fd
		}
	})
	for client, backend := range w.pairs {
		w.passed(client, backend, w.introduction(client))
		w.passed(backend, client, nil)
		if a, b := w.k.sockets[client], w.k.sockets[backend]; w.away[client] && !a.finished && a.failure == 0 && b.failure == 0 {
			w.t.Fatalf("%d was sent away without an end", client)
		}
		w.excused(client, backend)
	}
	for _, p := range w.lp.pipes.spare {
		if held := w.k.pipes[p.r]; len(*held) > 0 {
			w.t.Fatalf("a spare pipe holds %d bytes", len(*held))
		}
	}
}

// excused: nobody is reset without a reason.
func (w *world) excused(client, backend int32) {
	a, b := w.k.sockets[client], w.k.sockets[backend]
	silent := b.fin && b.sent == 0 // of whom another one was to take over
	if a.aborted && a.failure == 0 && b.failure == 0 && !silent && !w.told && w.k.time < halfClosed {
		w.t.Fatalf("%d and %d are reset although nothing is wrong", client, backend)
	}
}

// introduction is what the backend of a client hears before it.
func (w *world) introduction(client int32) []byte {
	version := w.l.now.Load().ProxyProtocol
	if version == 0 {
		return nil
	}
	b, err := proxyHeader(version, fakePeer(client), fakeOwn)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// passed: what came out is what went in, in order and behind what is said first,
// and the end is the end.
func (w *world) passed(from, to int32, first []byte) {
	src, dst := w.k.sockets[from], w.k.sockets[to]
	n := min(len(first), len(dst.out))
	if !bytes.Equal(first[:n], dst.out[:n]) {
		w.t.Fatalf("from %d to %d: first came %q, want %q", from, to, dst.out[:n], first)
	}
	out := dst.out[n:]
	for i, b := range out {
		if i >= src.sent || b != script(from, i) {
			w.t.Fatalf("from %d to %d: byte %d of %d is none of those sent", from, to, i, len(out))
		}
	}
	dst.out = dst.out[:len(dst.out):len(dst.out)]
	if dst.finished && !dst.aborted && !w.away[to] && (!src.fin || n < len(first) || len(out) != src.sent) {
		w.t.Fatalf("from %d to %d: the end came after %d of %d bytes (end sent: %t)", from, to, len(out), src.sent, src.fin)
	}
}

// act lets a peer, or somebody else, do something.
func (w *world) act() {
	k := w.k
	switch rapid.IntRange(0, 14).Draw(w.t, "act") {
	case 0, 1:
		fd := k.socket(&fakeSocket{room: 1000})
		k.waiting = append(k.waiting, fd)
		k.changed(w.ln)
	case 2:
		k.refuse = !k.refuse
	case 3:
		b := rapid.SampledFrom(w.l.pool.Backends()).Draw(w.t, "backend")
		w.l.pool.SetState(b.Address, rapid.SampledFrom([]State{Down, Draining, Suspect, Up}).Draw(w.t, "state"))
	case 4:
		k.time += time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(w.t, "pass"))
	case 5:
		if rapid.IntRange(0, 9).Draw(w.t, "reset") == 0 {
			w.told = true
			w.order(message{order: resetBackend, on: w.l, backend: w.l.pool.order[1]})
		}
	case 6:
		k.forked = !k.forked
	case 7:
		w.shed()
	default:
		w.peer()
	}
}

// shed sends some away, of whose backend's load they are no part from then on.
func (w *world) shed() {
	m := w.l.pool.order[0]
	before, most := m.load.Load(), rapid.IntRange(0, 3).Draw(w.t, "most")
	n := w.order(message{order: shed, on: w.l, backend: m, n: most, idle: 20 * time.Second * (w.k.time / time.Second % 2)})
	if n > most || m.load.Load() != before-int64(n) {
		w.t.Fatalf("%d of %d were sent away; the load was %d and is %d", n, most, before, m.load.Load())
	}
	w.lp.conns.each(func(c *conn) {
		if c.dismissed {
			w.away[c.legs[clientSide].fd] = true
		}
	})
}

// peer lets the peer of any socket do something that it still can.
func (w *world) peer() {
	k := w.k
	var able []int32
	for fd := range k.last + 1 {
		if s := k.sockets[fd]; s != nil && !s.closed && !s.listens && s.failure == 0 {
			able = append(able, fd)
		}
	}
	if len(able) == 0 {
		return
	}
	fd := rapid.SampledFrom(able).Draw(w.t, "socket")
	s := k.sockets[fd]
	act := rapid.IntRange(0, 9).Draw(w.t, "peer")
	switch {
	case s.connecting && act < 2:
		k.connects(fd, unix.ECONNREFUSED)
	case s.connecting:
		k.connects(fd, 0)
	case act < 4 && !s.fin:
		k.peerSends(fd, rapid.SampledFrom([]int{1, 200, small - 1, small, small + 1, 100_000, 2 * turn}).Draw(w.t, "bytes"))
	case act < 8:
		k.peerReads(fd, rapid.SampledFrom([]int{1, 5000, small, 200_000, 2 * turn}).Draw(w.t, "room"))
	case act == 8:
		k.peerFinishes(fd)
	case rapid.IntRange(0, 3).Draw(w.t, "peer resets") == 0:
		k.peerResets(fd)
	}
}

// settle lets everything that can happen without a peer happen: they only read.
func (w *world) settle() {
	w.k.refuse, w.k.meanwhile = false, func(int32) {}
	w.k.time += maxPause // accepting goes on
	for range 1000 {
		w.turn()
		full := false
		for fd, s := range w.k.sockets {
			full = full || s.full
			w.k.peerReads(fd, 1<<20)
		}
		if !full && len(w.k.ready)+len(w.lp.todo)+len(w.lp.accepting) == 0 {
			return
		}
	}
	w.t.Fatal("the loop is never done")
}

// complete: nobody waits to be accepted, and every byte and every end of a
// connection that lives has arrived.
func (w *world) complete() {
	if n := len(w.k.waiting); n > 0 {
		w.t.Fatalf("%d clients are not accepted", n)
	}
	w.lp.conns.each(func(c *conn) {
		if c.phase != relaying {
			return
		}
		for side := range c.legs {
			if c.dismissed && side == backendSide {
				continue // nobody hears it any more
			}
			src, dst := w.k.sockets[c.legs[side].fd], w.k.sockets[c.legs[1-side].fd]
			ours := 0
			if side == clientSide {
				ours = len(w.introduction(c.legs[clientSide].fd))
			}
			if len(dst.out)-ours != src.sent || dst.finished != src.fin || src.failure != 0 {
				w.t.Fatalf("from %d to %d: %d of %d bytes, end sent %t and passed on %t, failure %v",
					c.legs[side].fd, c.legs[1-side].fd, len(dst.out), src.sent, src.fin, dst.finished, src.failure)
			}
			if f := &c.flows[side]; f.pipe != nil || f.block != nil {
				w.t.Fatalf("a flow that waits holds %+v", f)
			}
		}
	})
}

// nothingLeft: after the last connection has gone nothing is held.
func (w *world) nothingLeft() {
	w.told = true
	w.order(message{order: stopAccepting, on: w.l})
	if n := len(w.k.waiting); n > 0 && !w.k.refuse {
		w.t.Fatalf("%d clients that had been told that they were connected were not let in", n)
	}
	w.order(message{order: resetAll, on: w.l})
	for range 3 {
		w.k.time += time.Second
		w.turn()
	}
	for client, backend := range w.pairs {
		a, b := w.k.sockets[client], w.k.sockets[backend]
		if (a.aborted || b.aborted) != (a.aborted && b.aborted) && !w.away[client] {
			w.t.Fatalf("of %d and %d only one was reset", client, backend)
		}
	}
	lp := w.lp
	if lp.acceptors[0] != nil {
		w.t.Fatalf("the loop counts %d connections of a listener that has none", lp.acceptors[0].live)
	}
	if left := w.k.left(); len(left) > 0 || lp.conns.live != 0 || lp.wheel.count != 0 || w.l.live.Load() != 0 {
		w.t.Fatalf("left: %v, %d connections (%d), %d timers", left, lp.conns.live, w.l.live.Load(), lp.wheel.count)
	}
	if left := w.budget.left.Load(); left != pipeBudget {
		w.t.Fatalf("%d bytes of the budget are lost", pipeBudget-left)
	}
	for _, m := range w.l.pool.order {
		if n := m.load.Load(); n != 0 {
			w.t.Fatalf("%s is left with a load of %d", m.address, n)
		}
	}
	for _, b := range w.l.Status().Backends {
		if b.Active != 0 {
			w.t.Fatalf("%d connections of %s are counted as active", b.Active, b.Backend)
		}
	}
}

// anyOrder plays peers, a kernel that runs short, and time, in any order.
func anyOrder(t *rapid.T) {
	w := newWorld(t)
	for range rapid.IntRange(1, 80).Draw(t, "steps") {
		if rapid.Bool().Draw(t, "turn") {
			w.turn()
		} else {
			w.act()
		}
	}
	w.settle()
	w.complete()
	w.nothingLeft()
}

// TestLoop: whatever happens in whatever order, bytes and ends arrive as they
// were sent, both sides end alike, and nothing is left.
func TestLoop(t *testing.T) { rapid.Check(t, anyOrder) }

func FuzzLoop(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyOrder)) }
