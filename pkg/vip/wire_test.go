package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wire is an interface of the peer, and what has come over it from whoever
// answers for the VIP. The times are the kernel's, taken when a frame arrived,
// so that a test process that is late reads the same.
type wire struct {
	*testing.T
	vip  netip.Addr
	fd   int
	ifi  *net.Interface
	stop func()

	mu    sync.Mutex
	seen  map[string][]time.Time // by kind of answer
	asks  map[string][]byte
	heard chan struct{} // one slot: something was seen
}

// wire listens on an interface of n.
func (n namespace) wire(t *testing.T, ifname string, vip netip.Addr) *wire {
	t.Helper()
	w := &wire{T: t, vip: vip, seen: map[string][]time.Time{}, heard: make(chan struct{}, 1)}
	n.do(t, func() (err error) {
		if w.ifi, err = net.InterfaceByName(ifname); err != nil {
			return err
		}
		w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
			unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20000}),
			unix.Bind(w.fd, w.sockaddr()))
	})
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() { w.listen(ctx) })
	tasks.Go(func() { w.ask(ctx) })
	w.stop = sync.OnceFunc(func() { cancel(); tasks.Wait(); _ = unix.Close(w.fd) })
	t.Cleanup(w.stop)
	return w
}

func (w *wire) sockaddr() *unix.SockaddrLinklayer {
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
	return &unix.SockaddrLinklayer{Protocol: all, Ifindex: w.ifi.Index}
}

// asking sends these frames again and again from now on.
func (w *wire) asking(frames map[string][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asks = frames
}

func (w *wire) ask(ctx context.Context) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		w.mu.Lock()
		frames := w.asks
		w.mu.Unlock()
		for _, f := range frames {
			_ = unix.Sendto(w.fd, f, 0, w.sockaddr()) // the queue may be full
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *wire) listen(ctx context.Context) {
	frame, control := make([]byte, 2048), make([]byte, 256)
	for ctx.Err() == nil {
		n, c, _, from, err := unix.Recvmsg(w.fd, frame, control, 0)
		if err != nil {
			continue // nothing for a while
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype != unix.PACKET_OUTGOING {
			w.note(frame[:n], control[:c])
		}
	}
}

func (w *wire) note(frame, control []byte) {
	kind := answerOf(frame, w.vip)
	if kind == "" {
		return
	}
	at, err := stamp(control)
	if err != nil {
		w.Error(err)
	}
	w.mu.Lock()
	w.seen[kind] = append(w.seen[kind], at)
	w.mu.Unlock()
	select {
	case w.heard <- struct{}{}:
	default:
	}
}

// stamp reads the kernel's time of arrival.
func stamp(control []byte) (time.Time, error) {
	msgs, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return time.Time{}, err
	}
	for _, m := range msgs {
		if m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
			ts := (*unix.Timespec)(unsafe.Pointer(&m.Data[0]))
			return time.Unix(ts.Unix()), nil
		}
	}
	return time.Time{}, fmt.Errorf("a frame without a time")
}

// between returns how many answers of each kind came after one time and up to
// another.
func (w *wire) between(after, upTo time.Time) map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for kind, times := range w.seen {
		for _, at := range times {
			if at.After(after.Round(0)) && !at.After(upTo.Round(0)) {
				n[kind]++
			}
		}
	}
	return n
}

// last returns the time of the last answer of all kinds.
func (w *wire) last() (last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, times := range w.seen {
		for _, at := range times {
			if at.After(last) {
				last = at
			}
		}
	}
	return last
}

// until waits until all kinds have been seen after a time, or gives up at a
// deadline.
func (w *wire) until(after, deadline time.Time, kinds ...string) bool {
	for {
		got := w.between(after, deadline)
		missing := false
		for _, k := range kinds {
			missing = missing || got[k] == 0
		}
		if !missing {
			return true
		}
		select {
		case <-w.heard:
		case <-time.After(time.Until(deadline)):
			return false
		}
	}
}

// echo answers UDP datagrams to addr, which need not be there yet.
func (n namespace) echo(t testing.TB, addr netip.AddrPort) {
	t.Helper()
	n.do(t, func() error {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			ctlErr := c.Control(func(fd uintptr) {
				err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1))
			})
			return errors.Join(ctlErr, err)
		}}
		c, err := lc.ListenPacket(t.Context(), "udp", addr.String())
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = c.Close() })
		go reflect(c)
		return nil
	})
}

func reflect(c net.PacketConn) {
	buf := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(buf[:n], from)
	}
}
