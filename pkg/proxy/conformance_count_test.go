package proxy_test

import (
	"testing"

	"github.com/kshalb/kshalb/pkg/proxy"
)

func counted(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{Limiter: proxy.NewLimiter(proxy.Limits{Connections: 7})}, b.addr)
	if n := f.value(t, "kshalb_proxy_connections_limit"); n != 7 {
		t.Errorf("the limit is %v, want 7", n)
	}
	client, server := f.connect(t, b)
	eventually(t, "the connection is active", func() bool {
		return f.value(t, "kshalb_proxy_connections_active", b.addr.String()) == 1
	})
	if s := f.Status(); s.Active != 1 || len(s.Backends) != 1 || s.Backends[0] !=
		(proxy.BackendStatus{Backend: b.addr, State: proxy.Up, Active: 1, Connections: 1}) {
		t.Errorf("status %+v", s)
	}
	go func() { send(client, 1, 300_000) }()
	if err := receive(server, 1, 300_000); err != nil {
		t.Fatal(err)
	}
	send(server, 2, 20)
	if err := receive(client, 2, 20); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection is gone", func() bool {
		return f.value(t, "kshalb_proxy_connections_active", b.addr.String()) == 0
	})
	if in, out := f.value(t, "kshalb_proxy_bytes_total", "in"), f.value(t, "kshalb_proxy_bytes_total", "out"); in != 300_000 || out != 20 {
		t.Errorf("%v bytes in and %v out", in, out)
	}
	if n := f.value(t, "kshalb_proxy_connect_duration_seconds"); n != 1 {
		t.Errorf("%v connects measured, want 1", n)
	}
}

// countedMeanwhile: a watch that lives for days is seen in the counters.
func countedMeanwhile(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	say(t, server, "event")
	hear(t, client, "event")
	eventually(t, "the bytes are counted", func() bool { return f.value(t, "kshalb_proxy_bytes_total", "out") == 5 })
}
