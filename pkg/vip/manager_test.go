package vip

import (
	"context"
	"errors"
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
	host *fakeHost
	stop func() error
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
	b.Hold(1, time.Now().Add(d))
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
	address, rules := b.host.holds()
	if address != want || rules != want {
		b.Errorf("address %v, redirect %v; want both %v", address, rules, want)
	}
	if got := b.Status().Assigned; got != want {
		b.Errorf("Status().Assigned is %v, want %v", got, want)
	}
}

func TestTakeAndLetGoInOrder(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.calls("redirect", "assign", "announce")
		b.answers(true)
		if err := b.Withdraw(b.Context()); err != nil {
			b.Error(err)
		}
		b.calls("remove", "unredirect")
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
		b.calls("remove", "unredirect")
		b.answers(false)
	})
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
		if n := count(b.host.take(), "assign"); n != 50 {
			b.Errorf("%d assignments, want one for each of 50 holds", n)
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
		b.Hold(1, time.Time{})
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
		b.Hold(3, now.Add(time.Second))
		b.Hold(5, now.Add(3*time.Second))
		b.Hold(4, now.Add(2*time.Second))
		synctest.Wait()
		if s := b.Status(); s.Term != 5 || s.Deadline != now.Add(3*time.Second) {
			b.Errorf("status %+v", s)
		}
	})
}

// Each step is given the deadline and takes longer than what is left of it.
func TestDeadlinePassesDuringStep(t *testing.T) {
	for _, step := range []string{"redirect", "assign", "announce"} {
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
		b.calls("assign", "remove", "unredirect", "redirect", "assign", "remove", "unredirect")
		b.host.breaks("assign", nil)
		b.hold(3 * time.Second)
		b.calls("redirect", "assign", "announce")
	})
}

func TestLostAddressIsPutBackAndAnnounced(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute) // without renewal the fake's address expires after a second
		b.after(1050 * time.Millisecond)
		b.host.take()
		b.hold(2 * time.Minute)
		b.calls("assign", "announce")
	})
}

func TestFailedRemoval(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(900 * time.Millisecond)
		b.host.breaks("remove", errBroken)
		b.host.take()
		if err := b.Withdraw(b.Context()); !errors.Is(err, errBroken) {
			b.Errorf("Withdraw says %v", err)
		}
		if s := b.Status(); !s.Assigned || !errors.Is(s.Err, errBroken) {
			b.Errorf("status %+v", s)
		}
		b.after(2 * retryAfter)
		b.calls("remove", "remove", "remove") // the redirect stays as long as the address
		b.host.breaks("remove", nil)
		b.after(retryAfter)
		b.calls("remove", "unredirect")
		b.answers(false)
		b.after(time.Minute)
		b.calls()
	})
}

// A Hold after a failed removal starts from a clean host.
func TestHoldAfterFailedRemoval(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(900 * time.Millisecond)
		b.host.breaks("remove", errBroken)
		_ = b.Withdraw(b.Context())
		b.host.take()
		b.hold(time.Second)
		b.calls("remove")
		b.host.breaks("remove", nil)
		b.hold(2 * time.Second)
		b.calls("remove", "unredirect", "redirect", "assign", "announce")
		b.answers(true)
		b.after(3 * retryAfter)
		b.calls() // no retry is left that would take it away
	})
}

func TestRemovalIsGivenUpAfterTheLifetime(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(500 * time.Millisecond)
		b.host.breaks("remove", errBroken)
		b.after(Linger(time.Second) + 2*retryAfter)
		if b.Status().Assigned {
			b.Error("still assigned when its lifetime must have passed")
		}
		b.host.take()
		b.after(time.Minute)
		b.calls()
	})
}

func TestStopWithdraws(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.take()
		if err := b.stop(); err != nil {
			b.Error(err)
		}
		b.calls("remove", "unredirect", "close")
		b.answers(false)
		if err := b.Withdraw(context.Background()); err != nil {
			b.Error("Withdraw after Run:", err)
		}
	})
}

func TestStopTriesForTheLifetime(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.breaks("remove", errBroken)
		start := time.Now()
		if err := b.stop(); !errors.Is(err, errBroken) {
			b.Errorf("Run returned %v", err)
		}
		if took := time.Since(start); took < Linger(time.Second) || took > Linger(time.Second)+2*retryAfter {
			b.Errorf("gave up after %v", took)
		}
	})
}

func TestHoldDuringWithdrawIsDropped(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.slows("remove", time.Second)
		withdrawn := make(chan error, 1)
		go func() { withdrawn <- b.Withdraw(context.Background()) }()
		b.after(500 * time.Millisecond)
		b.hold(2 * time.Minute)
		if err := <-withdrawn; err != nil {
			b.Error(err)
		}
		synctest.Wait()
		b.answers(false)
		b.hold(2 * time.Minute) // told anew
		b.answers(true)
		b.host.slows("remove", 0)
	})
}

func TestWithdrawGivesUpWaiting(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.slows("remove", time.Second)
		ctx, cancel := context.WithTimeout(b.Context(), 100*time.Millisecond)
		defer cancel()
		if err := b.Withdraw(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("Withdraw says %v", err)
		}
		b.after(time.Second)
		b.answers(false) // the order stood
	})
}

func TestWithdrawsAtOnce(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.slows("remove", time.Second)
		done := make(chan error, 20)
		for range cap(done) {
			go func() {
				done <- b.Withdraw(context.Background())
				b.Hold(2, time.Now().Add(time.Minute)) // must not spoil those that still wait
			}()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				b.Error(err)
			}
		}
		b.host.slows("remove", 0)
	})
}

func TestWithdrawBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeHost()
		m, _ := fakeManager(f)
		m.Hold(1, time.Now().Add(time.Minute))
		if err := m.Withdraw(t.Context()); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"close"}, f.take()); diff != "" {
			t.Error(diff)
		}
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
		for _, c := range []string{"redirect", "assign", "remove", "unredirect"} {
			if n := count(calls, c); n != 1000 {
				b.Errorf("%d calls of %s, want 1000", n, c)
			}
		}
	})
}

func TestAnnouncementSchedule(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		start := time.Now()
		b.hold(time.Hour)
		want := []time.Duration{0, 1100, 2200, 3300, 4400, 5500, 35500, 65500} // ms
		for _, at := range want {
			b.after(time.Until(start.Add(at*time.Millisecond - 1)))
			if got := b.host.take(); at > 0 && slices.Contains(got, "announce") {
				b.Errorf("announced before %v ms", int64(at))
			}
			b.after(1)
			if got := b.host.take(); at > 0 && count(got, "announce") != 1 {
				b.Errorf("at %v ms: %v", int64(at), got)
			}
		}
	})
}

func TestRefusedAnnouncementsAreCounted(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.host.breaks("announce", errBroken)
		b.hold(time.Minute)
		b.after(6 * time.Second)
		if !b.Status().Assigned {
			b.Error("let go for want of announcements")
		}
		if n := b.Status().Unsent; n != 12 {
			b.Errorf("%d refused frames counted, want 12", n)
		}
	})
}

// A manager that holds nothing has nothing to wake up for.
func TestIdleHasNoTimer(t *testing.T) {
	f := newFakeHost()
	m, _ := fakeManager(f)
	h := newHolder(m)
	if !h.next().IsZero() {
		t.Error("a new holder has a timer")
	}
	h.hold(order{1, time.Now().Add(time.Minute)})
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
		m.Hold(1, time.Now().Add(time.Minute))
		<-time.After(2 * time.Second)
		if diff := cmp.Diff(map[string]float64{
			"kshalb_vip_announcements_total[test]": 4,
			"kshalb_vip_assigned[test]":            1,
			"kshalb_vip_fence[deadline test]":      1,
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
