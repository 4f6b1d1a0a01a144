package vip

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// among runs a manager with neighbours whose frames the test makes up.
func among(t *testing.T, change func(*Config), body func(b *rig, says func(hardware))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeHost()
		f.others = make(chan hardware)
		cfg := testConfig()
		cfg.Peer = func(hw net.HardwareAddr) string {
			if hardware(hw) == aPeer {
				return "master2"
			}
			return ""
		}
		change(&cfg)
		m := fakeManagerOf(cfg, f, prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		synctest.Wait()
		body(&rig{T: t, Manager: m, host: f}, func(hw hardware) { f.others <- hw; synctest.Wait() })
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestNeighboursAreAskedFirst(t *testing.T) {
	told := 0
	among(t, func(c *Config) { c.Changed = func() { told++ } }, func(b *rig, says func(hardware)) {
		if err := b.Able(); !errors.Is(err, ErrAsking) {
			b.Error(err)
		}
		b.after(4 * time.Second)
		if err := b.Able(); err != nil || told != 1 {
			b.Errorf("%v, told %d times", err, told)
		}
		b.calls("ask", "ask", "ask")
		says(aStranger)
		if err := b.Able(); err == nil || told != 2 {
			b.Errorf("a stranger has it: %v, told %d times", err, told)
		}
		b.Settle()
		synctest.Wait()
		if err := b.Able(); err != nil || told != 3 || b.Status().Conflict == nil {
			b.Errorf("settled: %v, told %d times, %+v", err, told, b.Status())
		}
	})
}

func TestNeighboursAreContradicted(t *testing.T) {
	among(t, func(*Config) {}, func(b *rig, says func(hardware)) {
		b.hold(time.Hour)
		b.after(time.Minute)
		b.host.take()
		says(thisHost)
		b.calls()
		says(aStranger)
		b.calls("announce")
		says(aStranger)
		b.calls()
		if c := b.Status().Conflict; c == nil || hardware(c.MAC) != aStranger {
			b.Errorf("%+v", c)
		}
		says(aPeer)
		b.after(time.Second)
		b.calls("announce", "announce") // as after a taking
		if err := b.Withdraw(b.Context()); err != nil {
			b.Error(err)
		}
		b.host.take()
		says(aStranger)
		says(aPeer)
		b.calls()
	})
}

// Who has not been heard for long is not told of, whether anything happens or not.
func TestConflictIsForgotten(t *testing.T) {
	among(t, func(c *Config) { c.Force = true }, func(b *rig, says func(hardware)) {
		says(aStranger)
		b.after(shown - time.Second)
		if b.Status().Conflict == nil {
			b.Error("forgotten too soon")
		}
		b.after(2 * time.Second)
		if c := b.Status().Conflict; c != nil {
			b.Errorf("still told of: %+v", c)
		}
	})
}

func TestForceAsksNobody(t *testing.T) {
	among(t, func(c *Config) { c.Force = true }, func(b *rig, says func(hardware)) {
		says(aStranger)
		b.after(time.Minute)
		if err := b.Able(); err != nil {
			b.Error(err)
		}
		b.calls()
	})
}

// Once it is known that the address is free, a manager that waits asks the kernel
// for nothing, and one that holds for nothing but its announcements.
func TestIdleIsIdle(t *testing.T) {
	among(t, func(*Config) {}, func(b *rig, _ func(hardware)) {
		b.after(4 * time.Second)
		b.host.takeAll()
		b.after(time.Hour)
		if calls := b.host.takeAll(); len(calls) > 0 {
			b.Errorf("waiting for an hour: %v", calls)
		}
		b.hold(2 * time.Hour)
		b.after(time.Minute)
		b.host.takeAll()
		b.after(time.Hour)
		if calls := b.host.takeAll(); len(calls) != 120 || count(calls, "announce") != 120 {
			b.Errorf("holding for an hour: %d calls, %v", len(calls), calls[:min(len(calls), 5)])
		}
	})
}
