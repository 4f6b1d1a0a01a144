package bench

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// serve gives each connection to a port of its own on loopback to handle, in a
// goroutine, and closes it after that.
func serve(b *testing.B, handle func(*net.TCPConn)) netip.AddrPort {
	b.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	b.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// relay returns the address of a listener of kshalb in front of backend, with
// the timeouts of the default configuration.
func relay(b *testing.B, backend netip.AddrPort) netip.AddrPort {
	b.Helper()
	pool := proxy.NewPool([]netip.AddrPort{backend})
	pool.SetReady(backend, true)
	l := proxy.NewListener(proxy.Config{
		Name: "bench", Bind: netip.MustParseAddrPort("127.0.0.1:0"), MaxConnections: 20000,
		Timeouts: proxy.Timeouts{Connect: 2 * time.Second, HalfClosed: 30 * time.Second, User: 15 * time.Second},
	}, pool, slog.New(slog.DiscardHandler), proxy.NewMetrics(nil))
	if err := l.Listen(); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return l.Addr()
}

// eachWay runs measure against the backend itself and through kshalb.
func eachWay(b *testing.B, backend netip.AddrPort, measure func(*testing.B, netip.AddrPort)) {
	b.Run("direct", func(b *testing.B) { measure(b, backend) })
	b.Run("relayed", func(b *testing.B) { measure(b, relay(b, backend)) })
}

func dial(to netip.AddrPort) (*net.TCPConn, error) {
	return net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(to))
}

// countCPU starts counting the processor time of this process: client, backend,
// kshalb, and the kernel for them. Calling what it returns reports it for each
// of the b.N operations between.
func countCPU(b *testing.B) (report func()) {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op") }
}
