package proxy_test

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// TestSetConfig: what comes from now on is served in another way; what is there goes on.
func TestSetConfig(t *testing.T) {
	elsewhere := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for name, tc := range map[string]struct {
		cfg  proxy.Config
		then func(t *testing.T, f *front, b *backend)
	}{
		"Allow": {proxy.Config{Allow: elsewhere}, func(t *testing.T, f *front, _ *backend) { refused(t, f) }},
		"Idle": {proxy.Config{Timeouts: proxy.Timeouts{Idle: 20 * time.Millisecond}}, func(t *testing.T, f *front, b *backend) {
			c, _ := f.connect(t, b)
			hearReset(t, c)
		}},
		"HalfClosed": {proxy.Config{Timeouts: proxy.Timeouts{HalfClosed: 20 * time.Millisecond}}, func(t *testing.T, f *front, b *backend) {
			c, _ := f.connect(t, b)
			finish(t, c)
			hearReset(t, c)
		}},
		"ProxyProtocol": {proxy.Config{ProxyProtocol: 1}, func(t *testing.T, f *front, b *backend) {
			c := f.dial(t)
			_, in := b.meet(t)
			in.expect(t, 1, local(c), f.Addr())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			f := open(t, proxy.Config{}, b.addr)
			client, server := f.connect(t, b)
			if err := f.SetConfig(tc.cfg); err != nil {
				t.Fatal(err)
			}
			tc.then(t, f, b)
			talk(t, client, server)
			if err := f.SetConfig(proxy.Config{}); err != nil {
				t.Fatal(err)
			}
			again, server := f.connect(t, b)
			talk(t, again, server)
		})
	}
}

func TestSetConfigRefuses(t *testing.T) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	if err := f.SetConfig(proxy.Config{ProxyProtocol: 3, Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}); err == nil {
		t.Error("there is no version 3")
	}
	client, server := f.connect(t, b)
	talk(t, client, server)
}

// TestSetLimits: clients that are there count, and nobody is sent away.
func TestSetLimits(t *testing.T) {
	b := newBackend(t)
	limiter := proxy.NewLimiter(proxy.Limits{})
	f := open(t, proxy.Config{Limiter: limiter}, b.addr)
	var clients, servers []*net.TCPConn
	for range 3 {
		c, s := f.connect(t, b)
		clients, servers = append(clients, c), append(servers, s)
	}
	limiter.SetLimits(proxy.Limits{Connections: 2})
	refused(t, f)
	if n := f.value(t, "kshalb_proxy_connections_limit"); n != 2 {
		t.Errorf("the limit is %v", n)
	}
	for i := range 2 {
		clients[i].Close()
		servers[i].Close()
	}
	holds(t, f, 1)
	limiter.SetLimits(proxy.Limits{Connections: 3, PerSource: 1, NewPerSecond: 1000})
	c, s := f.connect(t, b) // who was there is not known by source
	refused(t, f)
	talk(t, c, s)
	limiter.SetLimits(proxy.Limits{})
	c.Close()
	s.Close()
	holds(t, f, 1)
	c, s = f.connect(t, b)
	talk(t, c, s)
	talk(t, clients[2], servers[2])
}

// TestSetRebalance: rebalancing begins, and ends, while clients are there.
func TestSetRebalance(t *testing.T) {
	one, two := serving(t, echo), serving(t, echo)
	f := openWith(t, proxy.Config{}, proxy.PoolConfig{Balance: proxy.LeastConn}, one, two)
	f.pool.SetState(two, proxy.Down)
	for range 8 {
		say(t, f.dial(t), "x")
	}
	holds(t, f, 8)
	f.pool.SetState(two, proxy.Up)
	rebalanced := func() float64 { return f.value(t, "kshalb_proxy_rebalanced_total") }
	if n := rebalanced(); n != 0 {
		t.Fatalf("%v were sent away", n)
	}
	if err := f.SetConfig(proxy.Config{Rebalance: proxy.Rebalance{Within: time.Second, Idle: time.Millisecond, MaxPerSecond: 100}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "some were sent away", func() bool { return rebalanced() > 0 })
}

// TestSetPoolConfig: with Source all clients of an address get the same backend.
func TestSetPoolConfig(t *testing.T) {
	f := open(t, proxy.Config{}, serving(t, saying("a")), serving(t, saying("b")))
	if first, second := answer(t, f), answer(t, f); first == second {
		t.Fatal("no turns are taken")
	}
	f.pool.SetConfig(proxy.PoolConfig{Balance: proxy.Source})
	first := answer(t, f)
	for range 3 {
		if got := answer(t, f); got != first {
			t.Errorf("%s, after %s", got, first)
		}
	}
	f.pool.SetConfig(proxy.PoolConfig{})
	if first, second := answer(t, f), answer(t, f); first == second {
		t.Error("no turns are taken")
	}
}

// TestSetConfigAmid: while clients come and go, none of them is lost.
func TestSetConfigAmid(t *testing.T) {
	f := open(t, proxy.Config{}, serving(t, echo))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			c := f.dial(t)
			say(t, c, "x")
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Error(err)
			}
			c.Close()
		}
	}()
	all := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		default:
		}
		cfg := proxy.Config{Timeouts: proxy.Timeouts{User: time.Duration(n%3) * 10 * time.Second}}
		if n%2 == 0 {
			cfg.Allow = all
		}
		if err := f.SetConfig(cfg); err != nil {
			t.Fatal(err)
		}
	}
}

func TestForget(t *testing.T) {
	m := proxy.NewMetrics(nil)
	m.Forget("nobody") // no series, no harm
	f := open(t, proxy.Config{}, serving(t, saying("a")))
	if answer(t, f); f.value(t, "kshalb_proxy_connections_total") != 1 {
		t.Fatal("nothing is counted")
	}
	f.metrics.Forget("test")
	for _, name := range []string{"kshalb_proxy_connections_total", "kshalb_proxy_bytes_total", "kshalb_proxy_refused_total"} {
		if n := f.value(t, name, "test"); n != 0 {
			t.Errorf("%s: %v", name, n)
		}
	}
}
