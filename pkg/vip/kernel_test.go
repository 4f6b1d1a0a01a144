package vip

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"
)

var testVIP, testVIP6 = testConfig().Address, testConfig6().Address

// kernelRig is a manager that runs in a namespace of its own.
type kernelRig struct {
	*testing.T
	*Manager
	host, peer namespace
	said       said
	attempt    uint64
}

// said is a log that says when the VIP can be armed and when it has been taken.
// The kernel's own word, RTM_NEWADDR, comes a little before the address has its
// route.
type said struct{ built, taken chan struct{} }

func (c said) Write(line []byte) (int, error) {
	switch {
	case bytes.Contains(line, []byte("kernel fence built")):
		c.built <- struct{}{}
	case bytes.Contains(line, []byte("VIP taken")):
		c.taken <- struct{}{}
	}
	return len(line), nil
}

// running starts a manager of cfg in host, in the middle of nothing held.
func running(t *testing.T, cfg Config) *kernelRig {
	t.Helper()
	host, peer := cable(t)
	says := said{make(chan struct{}, 100), make(chan struct{}, 100)}
	m, err := newTestManager(cfg, slog.New(slog.NewTextHandler(says, nil)))
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
	k := &kernelRig{T: t, Manager: m, host: host, peer: peer, said: says}
	k.wait(says.built)
	return k
}

func (k *kernelRig) wait(said chan struct{}) {
	k.Helper()
	select {
	case <-said:
	case <-time.After(10 * time.Second):
		k.Fatalf("not built or not taken: %+v", k.Status())
	}
}

// arm arms the next attempt.
func (k *kernelRig) arm(d time.Duration) uint64 {
	k.Helper()
	k.attempt++
	if _, err := k.Arm(k.attempt, d); err != nil {
		k.Fatal(err)
	}
	return k.attempt
}

// hold takes the VIP.
func (k *kernelRig) hold(d time.Duration) {
	k.Helper()
	deadline := time.Now().Add(d)
	k.Hold(1, k.arm(d), deadline)
	k.wait(k.said.taken)
}

// keep takes the VIP as a lease does, and extends it until stop is called.
func (k *kernelRig) keep() (stop func()) {
	k.Helper()
	ctx, cancel := context.WithCancel(k.Context())
	done := make(chan struct{})
	k.hold(time.Second)
	go func() {
		defer close(done)
		k.attempt = renew(ctx, k.Manager, k.attempt, time.Second)
	}()
	return func() { cancel(); <-done }
}

// renew extends the time that m holds the VIP, again and again, with attempts
// after the given one; it returns the last one.
func renew(ctx context.Context, m *Manager, attempt uint64, lease time.Duration) uint64 {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		attempt++
		if _, err := m.Arm(attempt, lease); err == nil {
			m.Hold(1, attempt, time.Now().Add(lease))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return attempt
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
