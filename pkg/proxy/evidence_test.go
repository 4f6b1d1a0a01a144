package proxy_test

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// report is what a listener found out.
type report struct {
	backend netip.AddrPort
	proxy.Evidence
}

// reporting returns a configuration that tells a channel.
func reporting() (proxy.Config, chan report) {
	reports := make(chan report, 100)
	return proxy.Config{Report: func(b netip.AddrPort, e proxy.Evidence) { reports <- report{b, e} }}, reports
}

func expectReport(t *testing.T, reports chan report, want report) {
	t.Helper()
	select {
	case got := <-reports:
		if got != want {
			t.Errorf("reported %v, want %v", got, want)
		}
	case <-time.After(*patience):
		t.Errorf("nothing was reported, want %v", want)
	}
}

// TestRetry: nobody waits for a backend that does not answer while there is another
// one; for the last one the whole time of a connect is waited.
func TestRetry(t *testing.T) {
	cfg, reports := reporting()
	cfg.Timeouts = proxy.Timeouts{Connect: time.Hour, Retry: 20 * time.Millisecond}
	silent := blackhole(t)
	f := open(t, cfg, silent, serving(t, saying("b")))
	if got := answer(t, f); got != "b" {
		t.Errorf("answered by %q", got)
	}
	expectReport(t, reports, report{silent, proxy.Evidence{Reason: "connect: connection timed out"}})

	cfg, reports = reporting()
	cfg.Timeouts = proxy.Timeouts{Connect: 300 * time.Millisecond, Retry: time.Millisecond}
	silent = blackhole(t)
	f = open(t, cfg, silent)
	begun := time.Now()
	refused(t, f)
	if took := time.Since(begun); took < cfg.Timeouts.Connect {
		t.Errorf("the only backend was given up after %s", took)
	}
	expectReport(t, reports, report{silent, proxy.Evidence{Reason: "connect: connection timed out"}})
}

func TestRefusalIsEvidence(t *testing.T) {
	cfg, reports := reporting()
	gone := refusing(t)
	f := open(t, cfg, gone, serving(t, saying("b")))
	answer(t, f)
	expectReport(t, reports, report{gone, proxy.Evidence{Reason: "connect: connection refused"}})
}

// TestResetIsEvidence: a backend that resets before it has said anything may be
// dying; one that has spoken may do as it likes, and so may clients.
func TestResetIsEvidence(t *testing.T) {
	cfg, reports := reporting()
	b := newBackend(t)
	f := open(t, cfg, b.addr)

	client, server := f.connect(t, b)
	say(t, server, "hello")
	hear(t, client, "hello")
	abort(t, server)
	hearReset(t, client)

	client, server = f.connect(t, b)
	talk(t, client, server)
	abort(t, client)
	hearReset(t, server)

	client, server = f.connect(t, b)
	talk(t, client, server)
	abort(t, server)
	hearReset(t, client)
	expectReport(t, reports, report{b.addr, proxy.Evidence{Reason: "reset before the first byte", Provocable: true}})
	if len(reports) > 0 {
		t.Errorf("reported besides: %v", <-reports)
	}
}

// TestResetBackendWhileConnecting: a client whose connection to a backend that is
// found dead was not made yet gets another one.
func TestResetBackendWhileConnecting(t *testing.T) {
	silent := blackhole(t)
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Connect: time.Hour}}, silent, serving(t, saying("b")))
	client := f.dial(t)
	eventually(t, "it connects to the silent one", func() bool { return f.Status().Active == 1 })
	f.pool.SetState(silent, proxy.Down)
	f.ResetBackend(silent)
	if got, err := io.ReadAll(client); string(got) != "b" || err != nil {
		t.Errorf("answered by %q (%v)", got, err)
	}
}

// TestSetBackends: a connection outlives its backend's place in the pool, and can
// still be reset; the series of a backend go with it.
func TestSetBackends(t *testing.T) {
	old, successor := newBackend(t), newBackend(t)
	f := open(t, proxy.Config{}, old.addr)
	client, server := f.connect(t, old)

	f.pool.Set(proxy.Even(successor.addr))
	f.pool.SetState(successor.addr, proxy.Up)
	f.connect(t, successor)
	talk(t, client, server)
	if n := f.ResetBackend(old.addr); n != 1 {
		t.Errorf("%d connections reset, want 1", n)
	}
	eventually(t, "it is gone", func() bool { return f.Status().Active == 1 })
	another := newBackend(t)
	f.pool.Set(proxy.Even(successor.addr, another.addr))
	f.Status()
	if n := f.value(t, "kshalb_proxy_connections_total", old.addr.String()); n != 0 {
		t.Errorf("a backend that is gone is still counted: %v", n)
	}
}
