package sockmap

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// leg is one direction of a relayed connection, as user space sees it.
type leg struct {
	*flow
	src        int
	buf, rest  []byte
	eof, done  bool
	resumed    int // how often it was given back to the kernel
	early      int // how often the kernel told an end too soon
	undrained  int // how often redirected bytes had to be waited for
	redirected uint64
}

// step moves what it can. It returns whether to look again soon, of what no
// event tells.
func (l *leg) step() (again bool, err error) {
	for !l.done {
		if len(l.rest) > 0 || l.eof {
			if ok, err := l.mayWrite(); !ok {
				l.undrained++
				return true, err
			}
		}
		switch {
		case len(l.rest) > 0:
			n, err := unix.Write(l.dst, l.rest)
			if err != nil {
				return false, unlessAgain(err)
			}
			l.rest = l.rest[n:]
			l.wrote(n)
			continue
		case l.eof:
			l.done = true
			return false, unix.Shutdown(l.dst, unix.SHUT_WR)
		}
		n, err := unix.Read(l.src, l.buf)
		switch {
		case err == unix.EAGAIN:
			l.resume()
			l.resumed++
			return false, nil
		case err != nil:
			return false, err
		case n == 0 && !l.ended():
			l.early++
			return true, nil
		case n == 0:
			l.eof = true
		}
		l.rest = l.buf[:n]
	}
	return false, nil
}

func unlessAgain(err error) error {
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	return err
}

// relay relays between two sockets, by the kernel and user space in turns, until
// both directions have ended.
func relay(m *Map, id uint32, a, b int) (legs [2]leg, err error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return legs, err
	}
	defer unix.Close(ep)
	fds := [2]int{a, b}
	for i := range legs {
		f, err := newFlow(m, 2*id+uint32(i), fds[1-i])
		if err != nil {
			return legs, err
		}
		legs[i] = leg{flow: f, src: fds[i], buf: make([]byte, 16<<10)}
		ev := &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(i)}
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fds[i], ev); err != nil {
			return legs, err
		}
	}
	if err := m.Promote(id, a, b); err != nil {
		return legs, err
	}
	for timeout := 0; !legs[0].done || !legs[1].done; {
		var events [4]unix.EpollEvent
		if _, err := unix.EpollWait(ep, events[:], timeout); err != nil && err != unix.EINTR {
			return legs, err
		}
		timeout = 1000
		for i := range legs {
			again, err := legs[i].step()
			if err != nil {
				return legs, err
			}
			if again {
				timeout = 1
			}
		}
	}
	for i := range legs {
		legs[i].redirected = m.word64(legs[i].key, flowRedirected).Load()
	}
	return legs, nil
}

// TestStreams: streams of random pieces both ways at once, through small
// buffers and large ones, so that kernel and user space take turns. Each has its
// hash.
func TestStreams(t *testing.T) {
	m := mustOpen(t, careful)
	conns := 100
	if testing.Short() {
		conns = 20
	}
	var all sync.WaitGroup
	turn := make(chan uint32, 8)
	var mu sync.Mutex
	var total leg
	for id := range uint32(cap(turn)) {
		turn <- id
	}
	var passed uint64
	for seed := range conns {
		id := <-turn
		all.Go(func() {
			legs := stream(t, m, id, int64(seed))
			turn <- id
			mu.Lock()
			defer mu.Unlock()
			for _, l := range legs {
				total.resumed += l.resumed
				total.early += l.early
				total.undrained += l.undrained
				total.redirected += l.redirected
				if l.flow != nil {
					passed += l.consumed
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d turns, %d early ends, %d waits for the kernel's queue, %d bytes redirected, %d passed",
		total.resumed, total.early, total.undrained, total.redirected, passed)
}

func stream(t *testing.T, m *Map, id uint32, seed int64) [2]leg {
	a, client := pair(t)
	b, server := pair(t)
	fds := [2]int{descriptor(t, a, seed), descriptor(t, b, seed)}
	var ends sync.WaitGroup
	for i, from := range []*net.TCPConn{client, server} {
		to := []*net.TCPConn{server, client}[i]
		sum := make(chan string, 1)
		r := rand.New(rand.NewSource(2*seed + int64(i)))
		ends.Go(func() {
			s, err := produce(from, r)
			if err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			sum <- s
		})
		ends.Go(func() {
			h := sha256.New()
			n, err := io.Copy(h, struct{ io.Reader }{to})
			if got := fmt.Sprintf("%x", h.Sum(nil)); err != nil || got != <-sum {
				t.Errorf("seed %d, direction %d: %d bytes, not those that were sent (%v)", seed, i, n, err)
			}
		})
	}
	legs, err := relay(m, id, fds[0], fds[1])
	if err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	ends.Wait()
	for _, fd := range fds {
		m.forget(fd)
		unix.Close(fd)
	}
	client.Close()
	server.Close()
	return legs
}

// produce writes a stream of about two million bytes, and returns its hash.
func produce(w *net.TCPConn, r *rand.Rand) (string, error) {
	h := sha256.New()
	w.Write([]byte("a"))
	h.Write([]byte("a"))
	for range 500 + r.Intn(1000) {
		n := 1 + r.Intn(1500)
		if r.Intn(30) == 0 {
			n = 1 + r.Intn(100000)
		}
		p := make([]byte, n)
		r.Read(p)
		h.Write(p)
		if _, err := w.Write(p); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)), w.CloseWrite()
}

// descriptor takes the descriptor of a connection. Every other one gets a send
// buffer so small that little may be redirected at once.
func descriptor(t *testing.T, c *net.TCPConn, seed int64) int {
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	if seed%2 == 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 20000)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
