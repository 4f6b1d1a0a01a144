package proxy_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// patience is how long a test waits for something that has to happen. It is
// never waited for in a test that passes.
var patience = flag.Duration("proxy.patience", 60*time.Second, "how long to wait for what has to happen")

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// front is a running listener under test.
type front struct {
	*proxy.Listener
	pool *proxy.Pool
	reg  *prometheus.Registry
	end  context.CancelFunc // of Run's context
	done chan struct{}      // closed when Run has returned
}

// open starts a listener in front of backends, all ready. It is stopped, and
// has to be empty then, when the test ends.
func open(t testing.TB, cfg proxy.Config, backends ...netip.AddrPort) *front {
	t.Helper()
	if !cfg.Bind.IsValid() {
		cfg.Bind = loopback
	}
	cfg.Name = "test"
	reg := prometheus.NewRegistry()
	f := &front{pool: proxy.NewPool(backends), reg: reg, done: make(chan struct{})}
	for _, b := range backends {
		f.pool.SetReady(b, true)
	}
	loops := running(t)
	f.Listener = proxy.NewListener(cfg, f.pool, loops, slog.New(slog.DiscardHandler), proxy.NewMetrics(reg))
	if err := f.Listen(); err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, f.end = context.WithCancel(context.Background())
	go func() {
		defer close(f.done)
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		f.Reset()
		f.stop(t)
	})
	return f
}

// running starts event loops. They end when the test does, after all that runs
// on them.
func running(t testing.TB) *proxy.Loops {
	t.Helper()
	loops := proxy.NewLoops(proxy.DefaultLoops())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loops.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return loops
}

// stop ends the listener and waits until it has gone.
func (f *front) stop(t testing.TB) {
	t.Helper()
	f.end()
	select {
	case <-f.done:
	case <-time.After(*patience):
		t.Fatal("Run does not return")
	}
	if n := f.Status().Active; n != 0 {
		t.Errorf("%d connections active after Run", n)
	}
}

func (f *front) clients(testing.TB) int { return int(f.Status().Active) }

func (f *front) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	return dial(t, f.Addr())
}

func (f *front) connect(t testing.TB, b *backend) (client, server *net.TCPConn) {
	t.Helper()
	return connect(t, f.Addr(), b)
}

func dial(t testing.TB, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	return keep(t, c)
}

// keep bounds what a test does on c in time and closes c in the end.
func keep(t testing.TB, c *net.TCPConn) *net.TCPConn {
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(*patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// connect connects a client and returns both ends: the client's and the
// backend's.
func connect(t testing.TB, to netip.AddrPort, b *backend) (client, server *net.TCPConn) {
	t.Helper()
	client = dial(t, to)
	return client, b.accept(t)
}

// value returns a metric of the listener; want are values of some of its
// labels. Several series are summed up.
func (f *front) value(t testing.TB, name string, want ...string) float64 {
	t.Helper()
	families, err := f.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]bool{}
			for _, l := range m.GetLabel() {
				labels[l.GetValue()] = true
			}
			all := true
			for _, w := range want {
				all = all && labels[w]
			}
			if all {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// eventually polls what only shows in a state that gives no event.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(*patience); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, *patience)
		}
	}
}

// holds waits until f has so many clients.
func holds(t testing.TB, f balancer, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d clients are there", n), func() bool { return f.clients(t) == n })
}

// backend is a server whose connections a test takes one by one.
type backend struct {
	*net.TCPListener
	addr netip.AddrPort
}

func newBackend(t testing.TB) *backend { return newBackendOn(t, loopback) }

func newBackendOn(t testing.TB, addr netip.AddrPort) *backend {
	t.Helper()
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &backend{ln, ln.Addr().(*net.TCPAddr).AddrPort()}
}

func (b *backend) accept(t testing.TB) *net.TCPConn {
	t.Helper()
	if err := b.SetDeadline(time.Now().Add(*patience)); err != nil {
		t.Fatal(err)
	}
	c, err := b.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	return keep(t, c)
}

// serving starts a backend that runs handle for each connection and closes it
// then.
func serving(t testing.TB, handle func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	b := newBackend(t)
	var conns sync.Map
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := b.AcceptTCP()
			if err != nil {
				return
			}
			conns.Store(c, nil)
			wg.Go(func() {
				defer conns.Delete(c)
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		b.Close()
		conns.Range(func(c, _ any) bool { c.(*net.TCPConn).Close(); return true })
		wg.Wait()
	})
	return b.addr
}

func echo(c *net.TCPConn) { io.Copy(c, c) }

// saying makes a handler that says who it is to everybody.
func saying(name string) func(*net.TCPConn) {
	return func(c *net.TCPConn) { io.WriteString(c, name) }
}

// refusing returns an address where nobody listens, and keeps it so: the port
// is bound, but not listened on.
func refusing(t testing.TB) netip.AddrPort {
	t.Helper()
	_, addr := boundSocket(t)
	return addr
}

func boundSocket(t testing.TB) (int, netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, netip.AddrPortFrom(loopback.Addr(), uint16(sa.(*unix.SockaddrInet4).Port))
}

// blackhole returns an address that answers no SYN: its accept queue (a backlog
// of 0 holds one connection) is full, and the kernel then drops them.
func blackhole(t testing.TB) netip.AddrPort {
	t.Helper()
	return newBlackhole(t).addr
}

// newBlackhole returns a blackhole that answers once its first connection is
// accepted.
func newBlackhole(t testing.TB) *backend {
	t.Helper()
	fd, addr := boundSocket(t)
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	own, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(own), "blackhole")
	defer file.Close() // ln has a duplicate
	ln, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	dial(t, addr)
	return &backend{ln.(*net.TCPListener), addr}
}

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

// refused connects and expects to be reset at once. The RST may even overtake
// the end of connect.
func refused(t testing.TB, f balancer) {
	t.Helper()
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(f.Addr()))
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	hearReset(t, keep(t, c))
}

// answer connects and returns all that it is told.
func answer(t testing.TB, f balancer) string {
	t.Helper()
	var said strings.Builder
	c := f.dial(t)
	if _, err := io.Copy(&said, c); err != nil {
		t.Fatal(err)
	}
	c.Close()
	return said.String()
}

// sides calls do for both directions of a connection.
func sides(t *testing.T, f balancer, b *backend, do func(t *testing.T, from, to *net.TCPConn)) {
	t.Helper()
	for name, swap := range map[string]bool{"to the server": false, "to the client": true} {
		t.Run(name, func(t *testing.T) {
			from, to := f.connect(t, b)
			if swap {
				from, to = to, from
			}
			do(t, from, to)
		})
	}
}

// atOnce runs all and waits for them.
func atOnce(all ...func()) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, do := range all {
		wg.Go(func() {
			<-start
			do()
		})
	}
	close(start)
	wg.Wait()
}
