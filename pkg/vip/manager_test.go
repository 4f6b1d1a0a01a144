package vip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rig is a running manager over a fake host, in fake time.
type rig struct {
	*testing.T
	*Manager
	host    *fakeHost
	stop    func() error
	attempt uint64
}

// arm arms the next attempt for d and returns it.
func (b *rig) arm(d time.Duration) uint64 {
	b.Helper()
	b.attempt++
	if linger, err := b.Arm(b.attempt, max(d, time.Millisecond)); linger != 0 || err != nil {
		b.Errorf("Arm says %v, %v", linger, err)
	}
	return b.attempt
}

// inFakeTime runs body with a manager whose Run has settled.
func inFakeTime(t *testing.T, body func(b *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeHost()
		m, _ := fakeManager(f)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		synctest.Wait()
		stopped := false
		b := &rig{T: t, Manager: m, host: f, stop: func() error { stopped = true; cancel(); return <-done }}
		body(b)
		if !stopped {
			if err := b.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// hold tells the manager to hold for d and lets it do so.
func (b *rig) hold(d time.Duration) {
	deadline := time.Now().Add(d)
	b.Hold(1, b.arm(d), deadline)
	synctest.Wait()
}

// after lets d pass.
func (b *rig) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (b *rig) calls(want ...string) {
	b.Helper()
	if diff := cmp.Diff(want, b.host.take()); diff != "" {
		b.Errorf("calls to the kernel (-want +got):\n%s", diff)
	}
}

func (b *rig) answers(want bool) {
	b.Helper()
	address, rules, open := b.host.holds()
	if address != want || rules != want || open != want {
		b.Errorf("address %v, redirect %v, fence %v; want all %v", address, rules, open, want)
	}
	if got := b.Status().Assigned; got != want {
		b.Errorf("Status().Assigned is %v, want %v", got, want)
	}
}

func TestTakeAndLetGoInOrder(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.calls("redirect", "assign", "open", "announce")
		b.answers(true)
		if err := b.Withdraw(b.Context()); err != nil {
			b.Error(err)
		}
		b.calls("shut", "remove", "unredirect")
		b.answers(false)
		b.after(5 * time.Minute)
		if err := b.Withdraw(b.Context()); err != nil {
			b.Error("second Withdraw:", err)
		}
		b.calls() // no announcement follows, and there is nothing to remove
	})
}

func TestDeadlineLetsGoByItself(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(500 * time.Millisecond)
		b.after(499 * time.Millisecond)
		b.answers(true)
		b.host.take()
		b.after(time.Millisecond)
		b.calls("shut", "remove", "unredirect")
		b.answers(false)
	})
}

// TestMovedIsTold: each coming and going of the address, before Withdraw returns.
func TestMovedIsTold(t *testing.T) {
	var told []string
	moved := func(here bool, term uint64) { told = append(told, fmt.Sprint(here, " ", term)) }
	among(t, func(c *Config) { c.Moved, c.Force = moved, true }, func(b *rig, _ func(hardware)) {
		b.hold(500 * time.Millisecond)
		b.hold(time.Second)
		b.after(2 * time.Second)
		b.hold(time.Minute)
		if err := b.Withdraw(b.Context()); err != nil || len(told) != 4 {
			b.Errorf("%v, told %q by then", err, told)
		}
	})
	if want := []string{"true 1", "false 1", "true 1", "false 1"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestHoldExtends(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		since := time.Now()
		for range 50 {
			b.hold(500 * time.Millisecond)
			b.after(100 * time.Millisecond)
		}
		b.answers(true)
		s := b.Status()
		if s.Since != since || s.Deadline != time.Now().Add(400*time.Millisecond) || s.Interface != "fake0" || s.Term != 1 {
			b.Errorf("status %+v", s)
		}
		calls := b.host.take()
		if n := count(calls, "open"); n != 50 {
			b.Errorf("the fence was switched %d times, want once for each of 50 holds", n)
		}
		// A lifetime of 1 s lasts until the deadline of a hold 450 ms later.
		if n := count(calls, "assign"); n != 10 {
			b.Errorf("%d assignments in 5 s, want one each 500 ms", n)
		}
		b.after(399 * time.Millisecond)
		b.answers(true)
		b.after(time.Millisecond)
		b.answers(false)
	})
}

func TestStaleHoldDoesNothing(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(0)
		b.hold(-time.Second)
		b.Hold(1, 1, time.Time{})
		synctest.Wait()
		b.calls()

		b.hold(500 * time.Millisecond)
		b.host.take()
		b.hold(400 * time.Millisecond) // earlier than what is known
		b.calls()
		b.after(450 * time.Millisecond)
		b.answers(true)
	})
}

func TestNewestDeadlineWins(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		now := time.Now()
		for _, d := range []time.Duration{1, 3, 2} {
			b.arm(d * time.Second)
		}
		b.Hold(3, 1, now.Add(time.Second))
		b.Hold(5, 2, now.Add(3*time.Second))
		b.Hold(4, 3, now.Add(2*time.Second))
		synctest.Wait()
		if s := b.Status(); b.host.on != 2 || s.Term != 5 || s.Deadline != now.Add(3*time.Second) {
			b.Errorf("status %+v", s)
		}
	})
}

// Each step is given the deadline and takes longer than what is left of it.
func TestDeadlinePassesDuringStep(t *testing.T) {
	for _, step := range []string{"redirect", "assign", "open", "announce"} {
		t.Run(step, func(t *testing.T) {
			inFakeTime(t, func(b *rig) {
				b.host.slows(step, time.Second)
				b.hold(500 * time.Millisecond)
				b.after(2 * time.Second)
				b.answers(false)
				if got := b.host.take(); slices.Contains(got, step) {
					b.Errorf("%s was done after the deadline: %v", step, got)
				}
			})
		})
	}
}

func TestFailedTakeTakesBackAndTriesAgain(t *testing.T) {
	for step, want := range map[string][]string{
		"able":     nil,
		"redirect": {"redirect", "unredirect"},
		"assign":   {"redirect", "assign", "remove", "unredirect"},
		"open":     {"redirect", "assign", "open", "shut", "remove", "unredirect"},
	} {
		t.Run(step, func(t *testing.T) {
			inFakeTime(t, func(b *rig) {
				b.host.breaks(step, errBroken)
				b.hold(time.Second)
				b.calls(want...)
				b.answers(false)
				if err := b.Status().Err; !errors.Is(err, errBroken) {
					b.Errorf("Status().Err is %v", err)
				}
				b.host.breaks(step, nil)
				b.hold(2 * time.Second)
				b.answers(true)
				if err := b.Status().Err; err != nil {
					b.Errorf("Status().Err is still %v", err)
				}
			})
		})
	}
}

func TestFailedRenewalTakesAnew(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Second)
		b.host.take()
		b.host.breaks("assign", errBroken)
		b.hold(2 * time.Second)
		b.calls("open", "assign", "shut", "remove", "unredirect", "redirect", "assign", "remove", "unredirect")
		b.host.breaks("assign", nil)
		b.hold(3 * time.Second)
		b.calls("redirect", "assign", "open", "announce")
	})
}

func TestLostAddressIsPutBackAndAnnounced(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute) // without renewal the fake's address expires after a second
		b.after(1050 * time.Millisecond)
		b.host.take()
		b.hold(2 * time.Minute)
		b.calls("open", "assign", "announce")
	})
}

func TestRunOnlyOnce(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		if err := b.Manager.Run(b.Context()); err == nil {
			b.Error("a second Run was let in")
		}
	})
}

func TestThousandCycles(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		for i := range 1000 {
			b.hold(time.Duration(1+i%3) * time.Second)
			b.answers(true)
			if i%2 == 0 {
				b.after(4 * time.Second)
			} else if err := b.Withdraw(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.answers(false)
		}
		calls := b.host.take()
		for _, c := range []string{"redirect", "assign", "open", "shut", "remove", "unredirect"} {
			if n := count(calls, c); n != 1000 {
				b.Errorf("%d calls of %s, want 1000", n, c)
			}
		}
	})
}

// A manager that holds nothing has nothing to wake up for.
func TestIdleHasNoTimer(t *testing.T) {
	f := newFakeHost()
	m, _ := fakeManager(f)
	if _, err := m.Arm(1, time.Minute); err != nil {
		t.Error(err)
	}
	h := newHolder(m)
	if !h.next().IsZero() {
		t.Error("a new holder has a timer")
	}
	h.hold(order{1, 1, time.Now().Add(time.Minute)})
	if h.next().IsZero() {
		t.Error("a holder that holds has no timer")
	}
	if err := h.letGo("test"); err != nil || !h.next().IsZero() {
		t.Errorf("after letting go: timer at %v, error %v", h.next(), err)
	}
}

func TestAble(t *testing.T) {
	f := newFakeHost()
	m, _ := fakeManager(f)
	if err := m.Able(); !errors.Is(err, ErrAsking) {
		t.Errorf("before Run, Able says %v", err)
	}
	m.obstacle = nil
	if err := m.Able(); err != nil {
		t.Error(err)
	}
	f.breaks("able", errBroken)
	if err := m.Able(); !errors.Is(err, errBroken) {
		t.Errorf("Able says %v", err)
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeHost()
		m, reg := fakeManager(f)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		synctest.Wait()
		if _, err := m.Arm(1, time.Minute); err != nil {
			t.Error(err)
		}
		m.Hold(1, 1, time.Now().Add(time.Minute))
		<-time.After(2 * time.Second)
		if diff := cmp.Diff(map[string]float64{
			"kshalb_vip_announcements_total[test]": 6,
			"kshalb_vip_assigned[test]":            1,
			"kshalb_vip_conflicts_total[test]":     0,
			"kshalb_vip_fence[deadline test]":      1,
			"kshalb_vip_fence[kernel test]":        1,
			"kshalb_vip_fence[lifetime test]":      1,
		}, gauges(t, reg)); diff != "" {
			t.Errorf("while held (-want +got):\n%s", diff)
		}
		f.breaks("remove", errBroken)
		_ = m.Withdraw(t.Context())
		if got := gauges(t, reg); got["kshalb_vip_fence[deadline test]"] != 0 || got["kshalb_vip_fence[lifetime test]"] != 1 {
			t.Errorf("with a failed removal: %v", got)
		}
		f.breaks("remove", nil)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := gauges(t, reg); got["kshalb_vip_assigned[test]"] != 0 || got["kshalb_vip_fence[lifetime test]"] != 0 {
			t.Errorf("after stop: %v", got)
		}
	})
}

func count(calls []string, what string) (n int) {
	for _, c := range calls {
		if c == what {
			n++
		}
	}
	return n
}
