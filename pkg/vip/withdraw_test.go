package vip

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
		b.calls("shut", "remove", "remove", "remove") // the redirect stays as long as the address
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
		b.calls("remove", "unredirect", "redirect", "assign", "open", "announce")
		b.answers(true)
		b.after(3 * retryAfter)
		b.calls("announce") // no retry is left that would take it away
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

// Holds that keep coming don't put off giving up.
func TestHoldsDuringFailedRemoval(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(500 * time.Millisecond)
		b.host.breaks("remove", errBroken)
		_ = b.Withdraw(b.Context())
		for range 30 {
			b.after(retryAfter / 2)
			b.hold(time.Second)
			b.after(retryAfter / 2)
			b.hold(time.Second)
		}
		if !b.Status().Assigned {
			b.Error("not taken anew after the lifetime of what could not be removed")
		}
		b.host.breaks("remove", nil)
	})
}

func TestStopWithdraws(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.take()
		if err := b.stop(); err != nil {
			b.Error(err)
		}
		b.calls("shut", "remove", "unredirect", "close")
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
				b.Hold(2, 1, time.Now().Add(time.Minute)) // must not spoil those that still wait
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
		m.Hold(1, 1, time.Now().Add(time.Minute))
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
