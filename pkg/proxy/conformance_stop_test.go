package proxy_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

func resetAll(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	talk(t, client, server)
	half, halfServer := f.connect(t, b)
	finish(t, half)
	hearEOF(t, halfServer)
	if n := f.Reset(); n != 2 {
		t.Errorf("%d connections were reset, want 2", n)
	}
	for _, c := range []*net.TCPConn{client, server, half} {
		hearReset(t, c)
	}
	resetSilently(t, halfServer)
	if n := f.Reset(); n != 0 {
		t.Errorf("%d connections were reset a second time", n)
	}
	client, server = f.connect(t, b)
	exchange(t, client, server, 1)
}

// resetOfOne: only the connections to one backend are reset, amid much too.
func resetOfOne(t *testing.T, open opener) {
	b, other := newBackend(t), newBackend(t)
	f := open(t, proxy.Config{}, b.addr, other.addr)
	client, server := f.connect(t, b)
	busy, spared := f.connect(t, other)
	ended := pour(client)
	if _, err := io.ReadFull(server, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if n := f.ResetBackend(netip.MustParseAddrPort("192.0.2.1:1")); n != 0 {
		t.Errorf("%d connections of a stranger were reset", n)
	}
	if n := f.ResetBackend(b.addr); n != 1 {
		t.Errorf("%d connections were reset, want 1", n)
	}
	<-ended
	hearReset(t, server)
	exchange(t, busy, spared, 100_000)
}

func resetConnecting(t *testing.T, open opener) {
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Connect: time.Hour}}, blackhole(t))
	client := f.dial(t)
	holds(t, f, 1)
	if n := f.Reset(); n != 1 {
		t.Errorf("%d connections were reset, want 1", n)
	}
	hearReset(t, client)
	holds(t, f, 0)
	if n := f.value(t, "kshalb_proxy_connections_total"); n != 0 {
		t.Errorf("%v attempts counted; the backend did not fail, it was not waited for", n)
	}
}

func drainToTheEnd(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Drain: time.Hour}}, b.addr)
	client, server := f.connect(t, b)
	f.end()
	eventually(t, "the socket is closed", func() bool {
		c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(f.Addr()))
		if err == nil {
			abort(t, c)
		}
		return errors.Is(err, unix.ECONNREFUSED)
	})
	say(t, client, "still here?")
	hear(t, server, "still here?")
	exchange(t, client, server, 1<<20)
	f.stop(t)
}

func drainNoLonger(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Drain: 50 * time.Millisecond}}, b.addr)
	client, server := f.connect(t, b)
	talk(t, client, server)
	f.stop(t)
	hearReset(t, client)
	hearReset(t, server)
}

func drainConnecting(t *testing.T, open opener) {
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Connect: time.Hour, Drain: 50 * time.Millisecond}}, blackhole(t))
	client := f.dial(t)
	holds(t, f, 1)
	f.stop(t)
	hearReset(t, client)
}

// resetAmidMuch: connections with bytes on their way, some stopped, are reset
// like those without.
func resetAmidMuch(t *testing.T, open opener) {
	const n = 20
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	var clients, servers []*net.TCPConn
	var ended []<-chan error
	for i := range n {
		client, server := f.connect(t, b)
		ended = append(ended, pour(client))
		if i%2 == 0 {
			ended = append(ended, pour(server))
			go digest(client)
		}
		go digest(io.LimitReader(server, int64(i)<<20))
		clients, servers = append(clients, client), append(servers, server)
	}
	eventually(t, "all are relayed", func() bool { return f.Status().Backends[0].Active == n })
	if got := f.Reset(); got != n {
		t.Errorf("%d connections were reset, want %d", got, n)
	}
	for _, err := range ended {
		if err := <-err; !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
			t.Errorf("write gave %v, want ECONNRESET or EPIPE", err)
		}
	}
	for i := range clients {
		resetSilently(t, clients[i])
		resetSilently(t, servers[i])
	}
	holds(t, f, 0)
}
