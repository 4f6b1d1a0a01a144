package proxy_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// patience is how long a test waits for something that has to happen. It is
// never waited for in a test that passes.
var patience = flag.Duration("proxy.patience", 60*time.Second, "how long to wait for what has to happen")

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// front is a running listener under test.
type front struct {
	*proxy.Listener
	pool    *proxy.Pool
	reg     *prometheus.Registry
	metrics *proxy.Metrics
	end     context.CancelFunc // of Run's context
	done    chan struct{}      // closed when Run has returned
}

// open starts a listener in front of backends, all ready. It is stopped, and
// has to be empty then, when the test ends.
func open(t testing.TB, cfg proxy.Config, backends ...netip.AddrPort) *front {
	t.Helper()
	return openWith(t, cfg, proxy.PoolConfig{}, backends...)
}

// openWith is open with a pool of one's own kind.
func openWith(t testing.TB, cfg proxy.Config, pool proxy.PoolConfig, backends ...netip.AddrPort) *front {
	t.Helper()
	if !cfg.Bind.IsValid() {
		cfg.Bind = loopback
	}
	cfg.Name = "test"
	reg := prometheus.NewRegistry()
	f := &front{pool: proxy.NewPool(pool, proxy.Even(backends...)), reg: reg, done: make(chan struct{})}
	for _, b := range backends {
		f.pool.SetState(b, proxy.Up)
	}
	loops := running(t)
	f.metrics = proxy.NewMetrics(reg)
	f.Listener = proxy.NewListener(cfg, f.pool, loops, slog.New(slog.DiscardHandler), f.metrics)
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
