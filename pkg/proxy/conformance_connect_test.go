package proxy_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
)

func roundRobin(t *testing.T, open opener) {
	addrs := []netip.AddrPort{serving(t, saying("a")), serving(t, saying("b")), serving(t, saying("c"))}
	f := open(t, proxy.Config{}, addrs...)
	share := func(n int) map[string]int {
		got := map[string]int{}
		for range n {
			got[answer(t, f)]++
		}
		return got
	}
	expect := func(got, want map[string]int) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("distribution %v, want %v", got, want)
		}
	}
	expect(share(60), map[string]int{"a": 20, "b": 20, "c": 20})
	f.pool.SetState(addrs[1], proxy.Down)
	expect(share(60), map[string]int{"a": 30, "c": 30})
	f.pool.SetState(addrs[1], proxy.Up)
	expect(share(60), map[string]int{"a": 20, "b": 20, "c": 20})
	for _, b := range f.Status().Backends {
		if want := map[netip.AddrPort]uint64{addrs[0]: 70, addrs[1]: 40, addrs[2]: 70}[b.Backend]; b.Connections != want {
			t.Errorf("%s: %d connections, want %d", b.Backend, b.Connections, want)
		}
	}
}

// refusedConnect: a backend that is gone but still called ready costs no client
// anything, and its load falls on the others alike.
func refusedConnect(t *testing.T, start starter) {
	f := start(t, proxy.Config{}, refusing(t), serving(t, saying("b")), serving(t, saying("c")))
	got := map[string]int{}
	for range 60 {
		got[answer(t, f)]++
	}
	if got["b"] != 30 || got["c"] != 30 {
		t.Errorf("distribution %v, want 30 each", got)
	}
}

func blackholedConnect(t *testing.T, start starter) {
	const limit = 200 * time.Millisecond
	f := start(t, proxy.Config{Timeouts: proxy.Timeouts{Connect: limit}}, blackhole(t), serving(t, saying("b")))
	begun := time.Now()
	if got := answer(t, f); got != "b" {
		t.Errorf("answered by %q", got)
	}
	if d := time.Since(begun); d < limit {
		t.Errorf("the first backend was given up after %s", d)
	}
}

func nothingReady(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	f.pool.SetState(b.addr, proxy.Down)
	refused(t, f)
	if n := f.value(t, "kshalb_proxy_refused_total", "no_backend"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
	f.pool.SetState(b.addr, proxy.Up)
	client, server := f.connect(t, b)
	exchange(t, client, server, 1)
}

func allFail(t *testing.T, start starter) {
	refused(t, start(t, proxy.Config{}, refusing(t), refusing(t)))
}

// failuresCounted: each ready backend is tried once, and each attempt counted.
func failuresCounted(t *testing.T, open opener) {
	f := open(t, proxy.Config{}, refusing(t), refusing(t))
	refused(t, f)
	expect := func(n float64, metric, label string) {
		t.Helper()
		if got := f.value(t, metric, label); got != n {
			t.Errorf("%s %s is %v, want %v", metric, label, got, n)
		}
	}
	expect(1, "kshalb_proxy_refused_total", "all_failed")
	expect(2, "kshalb_proxy_connections_total", "connect_refused")

	timeouts := proxy.Timeouts{Connect: 100 * time.Millisecond}
	f = open(t, proxy.Config{Timeouts: timeouts}, blackhole(t), refusing(t), serving(t, saying("c")))
	answer(t, f)
	for _, result := range []string{"connect_timeout", "connect_refused", "ok"} {
		expect(1, "kshalb_proxy_connections_total", result)
	}
}

func limitConnections(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{Limiter: proxy.NewLimiter(proxy.Limits{Connections: 2})}, b.addr)
	client, server := f.connect(t, b)
	f.connect(t, b)
	refused(t, f)
	if n := f.value(t, "kshalb_proxy_refused_total", "limit"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
	exchange(t, client, server, 1000) // ends it
	eventually(t, "there is room again", func() bool { return f.Status().Active == 1 })
	f.connect(t, b)
}

func allowedSources(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, b.addr)
	f.connect(t, b)
	f = open(t, proxy.Config{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, b.addr)
	refused(t, f)
	if n := f.value(t, "kshalb_proxy_refused_total", "not_allowed"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
}
