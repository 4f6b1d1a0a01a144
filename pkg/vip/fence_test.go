package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestArmBeforeHold(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		if diff := cmp.Diff([]string{"prepare", "follow"}, b.host.takeAll()); diff != "" {
			b.Errorf("when Run starts (-want +got):\n%s", diff)
		}
		b.hold(time.Minute)
		want := []string{"arm", "follow", "redirect", "assign", "open", "announce"}
		if diff := cmp.Diff(want, b.host.takeAll()); diff != "" {
			b.Errorf("taking (-want +got):\n%s", diff)
		}
		if !b.Status().Fenced {
			b.Error("held and not fenced")
		}
		b.hold(2 * time.Minute)
		if diff := cmp.Diff([]string{"arm", "open", "assign"}, b.host.takeAll()); diff != "" {
			b.Errorf("extending (-want +got):\n%s", diff)
		}
		if b.host.on != 2 {
			b.Errorf("switched to attempt %d, want 2", b.host.on)
		}
		if err := b.stop(); err != nil {
			b.Error(err)
		}
		want = []string{"shut", "remove", "unredirect", "unfence", "close"}
		if diff := cmp.Diff(want, b.host.takeAll()); diff != "" {
			b.Errorf("stopping (-want +got):\n%s", diff)
		}
		if b.Status().Fenced {
			b.Error("still fenced")
		}
	})
}

// A kernel without a piece is found once, told once, and held without a fence.
func TestNoFence(t *testing.T) {
	for _, found := range []string{"prepare", "arm"} {
		t.Run(found, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				f := newFakeHost()
				m, _ := fakeManager(f)
				m.fence.fence.log = slog.New(slog.NewTextHandler(&log, nil))
				f.breaks("prepare", errBroken)
				f.breaks(found, fmt.Errorf("asked in vain: %w", errNoFence))
				done := started(t, m)
				for attempt := range uint64(3) {
					if linger, err := m.Arm(attempt, time.Minute); linger != Linger(time.Second) || err != nil {
						t.Errorf("Arm says %v, %v", linger, err)
					}
				}
				m.Hold(1, 2, time.Now().Add(500*time.Millisecond))
				synctest.Wait()
				s := m.Status()
				if !s.Assigned || s.Fenced || !errors.Is(s.FenceErr, errNoFence) || s.Err != nil {
					t.Errorf("status %+v", s)
				}
				<-time.After(time.Second)
				done()
				want := []string{"prepare", "redirect", "assign", "announce", "announce", "remove", "unredirect", "close"}
				if found == "arm" {
					want = append([]string{"prepare", "arm"}, want[1:]...)
				}
				if diff := cmp.Diff(want, f.takeAll()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				if n := strings.Count(log.String(), "no kernel fence"); n != 1 {
					t.Errorf("told %d times:\n%s", n, log.String())
				}
			})
		})
	}
}

// started runs m until the function that it returns is called.
func started(t *testing.T, m *Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	synctest.Wait()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestArmRefuses(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.host.takeAll()
		for name, test := range map[string]struct {
			attempt uint64
			lease   time.Duration
			want    string
		}{
			"no time":       {1, 0, "less than a millisecond"},
			"too short":     {1, time.Millisecond - 1, "less than a millisecond"},
			"none too soon": {1, -time.Second, "less than a millisecond"},
		} {
			if _, err := b.Arm(test.attempt, test.lease); err == nil || !strings.Contains(err.Error(), test.want) {
				b.Errorf("%s: Arm says %v", name, err)
			}
		}
		b.arm(time.Second)
		if _, err := b.Arm(1, time.Second); err == nil || !strings.Contains(err.Error(), "armed before") {
			b.Errorf("arming twice says %v", err)
		}
		b.after(time.Hour)
		if _, err := b.Arm(1, time.Second); err == nil {
			b.Error("armed again after it has ended")
		}
		b.host.breaks("arm", errBroken)
		if linger, err := b.Arm(2, time.Second); linger != 0 || !errors.Is(err, errBroken) {
			b.Errorf("Arm says %v, %v", linger, err)
		}
		b.host.breaks("arm", nil)
		if _, err := b.Arm(2, time.Second); err == nil {
			b.Error("an attempt of which nobody knows whether it is armed was armed again")
		}
		if n := count(b.host.takeAll(), "arm"); n != 2 {
			b.Errorf("the kernel was asked %d times, want 2", n)
		}
	})
}

func TestHoldOfAnAttemptThatWasNotArmed(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.Hold(1, 7, time.Now().Add(time.Second))
		synctest.Wait()
		b.calls("redirect", "assign", "shut", "remove", "unredirect")
		if err := b.Status().Err; err == nil || !strings.Contains(err.Error(), "never armed") {
			b.Errorf("Status().Err is %v", err)
		}
	})
}

func TestFailedSwitchLetsGo(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Second)
		b.host.take()
		b.host.breaks("open", errBroken)
		b.hold(2 * time.Second)
		b.calls("open", "shut", "remove", "unredirect", // let go, and tried anew:
			"redirect", "assign", "open", "shut", "remove", "unredirect")
		b.answers(false)
		if err := b.Status().Err; !errors.Is(err, errBroken) {
			b.Errorf("Status().Err is %v", err)
		}
		b.host.breaks("open", nil)
		b.hold(3 * time.Second)
		b.answers(true)
	})
}

// A fence that can't be closed must not keep the address.
func TestFailedShutRemovesAllTheSame(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.take()
		b.host.breaks("shut", errBroken)
		if err := b.Withdraw(b.Context()); err != nil {
			b.Error(err)
		}
		b.calls("shut", "remove", "unredirect")
		if s := b.Status(); s.Assigned || s.Fenced {
			b.Errorf("status %+v", s)
		}
	})
}

// The fence stays, closed, when the address may still be there.
func TestFenceStaysWithAnAddress(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.breaks("remove", errBroken)
		b.host.takeAll()
		if err := b.stop(); !errors.Is(err, errBroken) {
			b.Errorf("Run returned %v", err)
		}
		calls := b.host.takeAll()
		if calls[0] != "shut" || count(calls, "unfence") != 0 || calls[len(calls)-1] != "close" {
			b.Errorf("calls %v", calls)
		}
	})
}

func TestFailedUnfenceIsTold(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.host.breaks("unfence", errBroken)
		if err := b.stop(); !errors.Is(err, errBroken) {
			b.Errorf("Run returned %v", err)
		}
	})
}

// Where the kernel can't guard announcements, the rest of the fence is there.
func TestExposedAnnouncements(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.host.breaks("follow", errBroken)
		b.hold(time.Minute)
		b.answers(true)
		if s := b.Status(); !s.Fenced || !errors.Is(s.FenceErr, errBroken) || s.Err != nil {
			b.Errorf("status %+v", s)
		}
		b.host.breaks("follow", nil)
		if err := b.Withdraw(b.Context()); err != nil {
			b.Error(err)
		}
		b.hold(time.Minute)
		if s := b.Status(); s.FenceErr != nil {
			b.Errorf("status %+v", s)
		}
	})
}

// Run starts without a fence that may come later.
func TestFailedPrepareIsNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeHost()
		f.breaks("prepare", errBroken)
		m, _ := fakeManager(f)
		done := started(t, m)
		defer done()
		if s := m.Status(); s.FenceErr != nil {
			t.Errorf("status %+v", s)
		}
		if linger, err := m.Arm(1, time.Second); linger != 0 || err != nil {
			t.Errorf("Arm says %v, %v", linger, err)
		}
	})
}

// The deadline ends layer 1 while the fence still stands open.
func TestArmedLongerThanHeld(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.Hold(1, b.arm(time.Hour), time.Now().Add(time.Second))
		b.after(time.Second - 1)
		b.answers(true)
		b.after(1)
		b.answers(false)
	})
}

// A pause between the look at the deadline and the kernel call after it, for
// however long, leaves a fence that is closed.
func TestPauseLeavesClosedFence(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(500 * time.Millisecond)
		b.Hold(1, 1, time.Now().Add(time.Hour)) // a deadline that nobody looks at
		b.after(499 * time.Millisecond)
		if _, _, open := b.host.holds(); !open {
			b.Error("closed too early")
		}
		b.after(time.Millisecond)
		if _, _, open := b.host.holds(); open {
			b.Error("open after its lease")
		}
	})
}

func TestAnnounceAgain(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.Announce()
		b.after(time.Minute)
		b.calls() // nothing is held
		b.hold(time.Hour)
		b.after(time.Minute)
		b.host.take()
		start := time.Now()
		for range 10 { // they come together
			b.Announce()
		}
		synctest.Wait()
		b.calls("announce")
		b.after(6*time.Second - time.Since(start))
		if n := count(b.host.take(), "announce"); n != 6 {
			b.Errorf("%d announcements followed, want 6", n)
		}
		if err := b.Withdraw(b.Context()); err != nil {
			b.Error(err)
		}
		b.host.take()
		b.Announce()
		b.after(time.Minute)
		b.calls()
	})
}

// Announce does not come back to what is to be let go.
func TestAnnounceWhileRemovalFails(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.breaks("remove", errBroken)
		_ = b.Withdraw(b.Context())
		b.host.take()
		b.Announce()
		synctest.Wait()
		b.calls()
		b.host.breaks("remove", nil)
	})
}

// The window says of any series of numbers what a list of all of them would say.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		used := map[uint64]bool{}
		var top uint64
		near := rapid.Uint64Range(0, 200)
		for range rapid.IntRange(0, 50).Draw(t, "numbers") {
			n := near.Draw(t, "n")
			if rapid.IntRange(0, 20).Draw(t, "jump") == 0 {
				n += top
			}
			tooOld := top >= 64 && n <= top-64
			if got, want := w.add(n), !used[n] && !tooOld; got != want {
				t.Fatalf("add(%d) is %v, want %v; top %d", n, got, want, top)
			}
			if !tooOld {
				used[n] = true
			}
			top = max(top, n)
			if got := w.has(n); got == tooOld {
				t.Fatalf("has(%d) is %v just after", n, got)
			}
		}
		for n := range used {
			if got, want := w.has(n), top-n < 64; got != want {
				t.Fatalf("has(%d) is %v, want %v; top %d", n, got, want, top)
			}
		}
	})
}
