package proxy_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// dialFrom connects from an address of this host; nil: the client was reset at once.
func dialFrom(t *testing.T, source string, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	c, err := net.DialTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(source), 0)), net.TCPAddrFromAddrPort(to))
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return keep(t, c)
}

// served reports whether a client has a backend that echoes.
func served(t *testing.T, c *net.TCPConn) bool {
	t.Helper()
	if c == nil {
		return false
	}
	if _, err := c.Write([]byte("x")); err != nil {
		return false
	}
	n, err := c.Read(make([]byte, 1))
	if n == 0 && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("neither served nor reset: %v", err)
	}
	return n == 1
}

// TestFloodOfOne: while one source connects without end, over its limits, another
// one's connections go on and it gets new ones.
func TestFloodOfOne(t *testing.T) {
	const flooder, other = "127.0.0.2", "127.0.0.3"
	for name, tc := range map[string]struct {
		limits proxy.Limits
		kept   bool // the flooder keeps its connections
	}{
		"per_source": {proxy.Limits{PerSource: 5, Connections: 50}, true},
		"rate":       {proxy.Limits{NewPerSecond: 20}, false},
		"both":       {proxy.Limits{PerSource: 5, Connections: 50, NewPerSecond: 20}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, proxy.Config{Limiter: proxy.NewLimiter(tc.limits)}, serving(t, echo))
			kept := dialFrom(t, other, f.Addr())
			in, out, start := 0, 0, time.Now()
			flood := func() {
				for range 100 {
					c := dialFrom(t, flooder, f.Addr())
					if !served(t, c) {
						out++
						continue
					}
					if in++; !tc.kept {
						abort(t, c)
					}
				}
			}
			for range 3 {
				flood()
				if !served(t, kept) {
					t.Fatal("the other's connection was reset")
				}
				if !served(t, dialFrom(t, other, f.Addr())) {
					t.Error("the other was refused")
				}
			}
			slow := time.Since(start) > 5*time.Second // then it may be no flood
			if tc.kept && in != 5 || out == 0 && !slow {
				t.Errorf("%d of the flood were let in and %d refused", in, out)
			}
			why := map[string]string{"both": "per_source"}[name]
			if why == "" {
				why = name
			}
			if n := f.value(t, "kshalb_proxy_refused_total", why); n != float64(out) {
				t.Errorf("%v refusals are counted as %s, want %d", n, why, out)
			}
		})
	}
}

// TestLimitsAreShared: two listeners with one Limiter are held to it together, and
// what one's client leaves is the other's.
func TestLimitsAreShared(t *testing.T) {
	limiter := proxy.NewLimiter(proxy.Limits{Connections: 3, PerSource: 2})
	backend := serving(t, echo)
	one, two := open(t, proxy.Config{Limiter: limiter}, backend), open(t, proxy.Config{Limiter: limiter}, backend)
	first := dialFrom(t, "127.0.0.2", one.Addr())
	if !served(t, first) || !served(t, dialFrom(t, "127.0.0.2", two.Addr())) {
		t.Fatal("one for each listener is too many")
	}
	if served(t, dialFrom(t, "127.0.0.2", two.Addr())) {
		t.Error("a source has more than it may, over two listeners")
	}
	if !served(t, dialFrom(t, "127.0.0.3", two.Addr())) || served(t, dialFrom(t, "127.0.0.4", one.Addr())) {
		t.Error("there are not three in all")
	}
	abort(t, first)
	holds(t, one, 0)
	if !served(t, dialFrom(t, "127.0.0.2", two.Addr())) {
		t.Error("there is no room where one has left")
	}
}
