package proxy_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// absent is an address of TEST-NET-1 (RFC 5737), which no host has.
var absent = netip.MustParseAddrPort("192.0.2.1:0")

func listener(cfg proxy.Config) *proxy.Listener {
	return proxy.NewListener(cfg, proxy.NewPool(proxy.PoolConfig{}, nil), proxy.NewLoops(2), slog.New(slog.DiscardHandler), proxy.NewMetrics(nil))
}

// close ends a listener that was opened.
func closeListener(t *testing.T, l *proxy.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestListenErrors(t *testing.T) {
	taken := newBackend(t).addr
	for _, tc := range []struct {
		name string
		bind netip.AddrPort
		is   error
		says string
	}{
		{"taken", taken, syscall.EADDRINUSE, "choose another port"},
		{"absent", absent, syscall.EADDRNOTAVAIL, "no interface of this host"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := listener(proxy.Config{Bind: tc.bind}).Listen()
			if !errors.Is(err, tc.is) {
				t.Fatalf("error %v, want %v", err, tc.is)
			}
			for _, part := range []string{"listen on " + tc.bind.String() + ": ", tc.says} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

// A listener that is only opened, because something else failed, closes in
// silence.
func TestOpenedOnly(t *testing.T) {
	var log strings.Builder
	l := proxy.NewListener(proxy.Config{Bind: loopback}, proxy.NewPool(proxy.PoolConfig{}, nil), proxy.NewLoops(2), slog.New(slog.NewTextHandler(&log, nil)), proxy.NewMetrics(nil))
	if err := l.Listen(); err != nil {
		t.Fatal(err)
	}
	closeListener(t, l)
	if log.Len() > 0 {
		t.Errorf("it says %q", log.String())
	}
	again := listener(proxy.Config{Bind: l.Addr()})
	if err := again.Listen(); err != nil {
		t.Fatalf("the port is not free: %v", err)
	}
	closeListener(t, again)
}

func TestFreeBind(t *testing.T) {
	for _, bind := range []netip.AddrPort{absent, netip.MustParseAddrPort("[2001:db8::1]:0")} {
		l := listener(proxy.Config{Bind: bind, FreeBind: true})
		if err := l.Listen(); errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Logf("no IPv6 here: %v", err)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if got := l.Addr(); got.Addr() != bind.Addr() || got.Port() == 0 {
			t.Errorf("bound %s for %s", got, bind)
		}
		closeListener(t, l)
	}
}

func TestListenerServesOnce(t *testing.T) {
	l := listener(proxy.Config{Name: "once", Bind: loopback})
	if err := l.Run(t.Context()); err == nil {
		t.Error("Run without Listen gives no error")
	}
	if err := l.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := l.Listen(); err == nil {
		t.Error("a second Listen gives no error")
	}
	addr := l.Addr()
	closeListener(t, l)
	if err := l.Run(t.Context()); err == nil {
		t.Error("a second Run gives no error")
	}

	again := listener(proxy.Config{Bind: addr})
	if err := again.Listen(); err != nil {
		t.Fatalf("the port is not free after Run: %v", err)
	}
	closeListener(t, again)
}

// TestWildcardFamily: 0.0.0.0 is IPv4 only, as it says.
func TestWildcardFamily(t *testing.T) {
	l := listener(proxy.Config{Bind: netip.MustParseAddrPort("0.0.0.0:0")})
	if err := l.Listen(); err != nil {
		t.Fatal(err)
	}
	if a := l.Addr().Addr(); !a.Is4() {
		t.Errorf("bound %s", a)
	}
	closeListener(t, l)
}

// TestNamesake: an old listener that drains beside a new one of the same name
// does not spoil the metrics.
func TestNamesake(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := proxy.NewMetrics(reg)
	pool := proxy.NewPool(proxy.PoolConfig{}, proxy.Even(absent))
	for range 2 {
		l := proxy.NewListener(proxy.Config{Name: "same", Bind: loopback}, pool, proxy.NewLoops(2), slog.New(slog.DiscardHandler), m)
		if err := l.Listen(); err != nil {
			t.Fatal(err)
		}
		defer closeListener(t, l)
	}
	if _, err := reg.Gather(); err != nil {
		t.Error(err)
	}
}

// TestLegOptions looks at the sockets that the process has of one connection.
func TestLegOptions(t *testing.T) {
	b := newBackend(t)
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{User: 15 * time.Second}}, b.addr)
	client, server := f.connect(t, b)
	talk(t, client, server) // both legs are set up
	// The legs are what is there besides the test's own ends of them.
	legs := map[string]bool{ // local address > peer's
		f.Addr().String() + ">" + client.LocalAddr().String(): false,
		server.RemoteAddr().String() + ">" + b.addr.String():  false,
	}
	for _, fd := range descriptors(t, "socket:") {
		leg := ends(fd)
		if _, is := legs[leg]; !is {
			continue
		}
		legs[leg] = true
		for _, o := range []struct {
			name             string
			level, opt, want int
		}{
			{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 5},
			{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 5},
			{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
			{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 15000},
		} {
			if got, err := unix.GetsockoptInt(fd, o.level, o.opt); err != nil || got != o.want {
				t.Errorf("%s: %s is %d (%v), want %d", leg, o.name, got, err, o.want)
			}
		}
	}
	for leg, found := range legs {
		if !found {
			t.Errorf("no socket %s", leg)
		}
	}
}

// ends returns a TCP socket's addresses as "local>peer".
func ends(fd int) string {
	name := func(sa unix.Sockaddr, err error) string {
		if in, is := sa.(*unix.SockaddrInet4); is && err == nil {
			return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)).String()
		}
		return ""
	}
	return name(unix.Getsockname(fd)) + ">" + name(unix.Getpeername(fd))
}

// descriptors returns the process' descriptors of a kind ("socket:", "pipe:").
func descriptors(t testing.TB, kind string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var fds []int
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err != nil || !strings.HasPrefix(to, kind) {
			continue
		}
		fd := 0
		for _, digit := range e.Name() {
			fd = 10*fd + int(digit-'0')
		}
		fds = append(fds, fd)
	}
	return fds
}

// TestIdleHoldsNoPipe: connections that moved much and are idle now hold their
// sockets only. (Spare pipes are closed once nobody has needed them for a while.)
func TestIdleHoldsNoPipe(t *testing.T) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	before := len(descriptors(t, "pipe:"))
	for range 20 {
		client, server := f.connect(t, b)
		go io.Copy(client, script(1, 4<<20))
		if n, err := io.CopyN(io.Discard, struct{ io.Reader }{server}, 4<<20); err != nil {
			t.Fatalf("%v after %d bytes", err, n)
		}
	}
	eventually(t, "no pipe is held", func() bool { return len(descriptors(t, "pipe:")) <= before })
	if n := f.Status().Active; n != 20 {
		t.Errorf("%d connections are active, want 20", n)
	}
}

// TestNothingIsLeft counts goroutines and sockets around connections that end
// in every way. It runs beside no other test.
func TestNothingIsLeft(t *testing.T) {
	sockets, goroutines := len(descriptors(t, "socket:")), runtime.NumGoroutine()
	t.Run("connections", func(t *testing.T) {
		b := newBackend(t)
		timeouts := proxy.Timeouts{Idle: time.Hour, HalfClosed: time.Hour, Connect: time.Hour}
		f := open(t, proxy.Config{Timeouts: timeouts}, b.addr)
		for range 10 {
			client, server := f.connect(t, b)
			exchange(t, client, server, 100_000)
			client, _ = f.connect(t, b)
			abort(t, client)
			_, server = f.connect(t, b)
			abort(t, server)
			client, _ = f.connect(t, b)
			finish(t, client)
			f.connect(t, b)
		}
		f.pool.SetState(b.addr, proxy.Down)
		refused(t, f)

		f = open(t, proxy.Config{Timeouts: timeouts}, blackhole(t), refusing(t))
		for range 10 {
			f.dial(t)
		}
		eventually(t, "some connect", func() bool { return f.Status().Active > 0 })
	})
	eventually(t, "all is gone", func() bool {
		return len(descriptors(t, "socket:")) <= sockets && runtime.NumGoroutine() <= goroutines
	})
}
