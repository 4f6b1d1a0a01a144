package vip

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var testVIP = testConfig().Address

// kernelRig is a manager that runs in a namespace of its own.
type kernelRig struct {
	*testing.T
	*Manager
	host, peer namespace
	taken      taken
}

// taken is a log that says when the VIP has been taken. The kernel's own word,
// RTM_NEWADDR, comes a little before the address has its route.
type taken chan struct{}

func (c taken) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("VIP taken")) {
		c <- struct{}{}
	}
	return len(line), nil
}

// running starts a manager of cfg in host, in the middle of nothing held.
func running(t *testing.T, cfg Config) *kernelRig {
	t.Helper()
	host, peer := cable(t)
	said := make(taken, 100)
	m, err := New(cfg, slog.New(slog.NewTextHandler(said, nil)), NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := host.start(func() error { return m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &kernelRig{t, m, host, peer, said}
}

// hold takes the VIP.
func (k *kernelRig) hold(d time.Duration) {
	k.Helper()
	k.Hold(1, time.Now().Add(d))
	select {
	case <-k.taken:
	case <-time.After(10 * time.Second):
		k.Fatalf("not taken: %+v", k.Status())
	}
}

// keep takes the VIP as a lease does, and extends it until stop is called.
func (k *kernelRig) keep() (stop func()) {
	k.Helper()
	ctx, cancel := context.WithCancel(k.Context())
	done := make(chan struct{})
	k.hold(time.Second)
	go func() {
		defer close(done)
		renew(ctx, k.Manager)
	}()
	return func() { cancel(); <-done }
}

// renew extends the time that m holds the VIP, again and again.
func renew(ctx context.Context, m *Manager) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		m.Hold(1, time.Now().Add(time.Second))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (k *kernelRig) withdraw() {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), 10*time.Second)
	defer cancel()
	if err := k.Withdraw(ctx); err != nil {
		k.Fatal(err)
	}
}
