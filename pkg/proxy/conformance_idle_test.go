package proxy_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
)

func idleEnds(t *testing.T, start starter) {
	const idle = 300 * time.Millisecond
	b := newBackend(t)
	client, server := start(t, proxy.Config{Timeouts: proxy.Timeouts{Idle: idle}}, b.addr).connect(t, b)
	say(t, client, "x")
	last := time.Now()
	hear(t, server, "x")
	hearReset(t, client)
	if d := time.Since(last); d < idle {
		t.Errorf("ended after %s, too early", d)
	}
	hearReset(t, server)
}

// pings says something every now and then for d.
func pings(t *testing.T, from, to *net.TCPConn, every, d time.Duration) {
	t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		say(t, from, "x")
		hear(t, to, "x")
	}
}

func idleSpares(t *testing.T, start starter) {
	const idle = 2 * time.Second
	b := newBackend(t)
	client, server := start(t, proxy.Config{Timeouts: proxy.Timeouts{Idle: idle}}, b.addr).connect(t, b)
	pings(t, server, client, idle/10, 2*idle)
}

func halfClosedEnds(t *testing.T, start starter) {
	const limit = 300 * time.Millisecond
	b := newBackend(t)
	f := start(t, proxy.Config{Timeouts: proxy.Timeouts{Idle: time.Hour, HalfClosed: limit}}, b.addr)
	client, server := f.connect(t, b)
	begun := time.Now()
	finish(t, client)
	hearEOF(t, server)
	hearReset(t, client)
	if d := time.Since(begun); d < limit {
		t.Errorf("ended after %s, too early", d)
	}
	resetSilently(t, server)
}

func halfClosedSpares(t *testing.T, start starter) {
	const limit = 2 * time.Second
	b := newBackend(t)
	f := start(t, proxy.Config{Timeouts: proxy.Timeouts{HalfClosed: limit}}, b.addr)
	client, server := f.connect(t, b)
	finish(t, client)
	hearEOF(t, server)
	pings(t, server, client, limit/10, 2*limit)
	server.Close()
	hearEOF(t, client)
}

// halfClosedSlowReader: the sender wrote all at once, only the reader is slow;
// for a proxy a single write may take longer than the limit.
func halfClosedSlowReader(t *testing.T, start starter) {
	const limit, n = 2 * time.Second, 16 << 20
	b := newBackend(t)
	f := start(t, proxy.Config{Timeouts: proxy.Timeouts{HalfClosed: limit}}, b.addr)
	client, server := f.connect(t, b)
	client.SetReadBuffer(16 << 10)
	finish(t, client)
	hearEOF(t, server)
	sent := make(chan error, 1)
	go func() { sent <- send(server, 3, n) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	begun := time.Now()
	slow := readerFunc(func(p []byte) (int, error) {
		if time.Since(begun) < 2*limit {
			<-tick.C
			p = p[:min(len(p), 64<<10)]
		}
		return client.Read(p)
	})
	if err := errors.Join(receive(slow, 3, n), <-sent); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begun); d < 2*limit {
		t.Errorf("the reader took only %s; that proves nothing", d)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
