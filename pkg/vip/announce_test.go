package vip

import (
	"slices"
	"testing"
	"time"
)

func TestAnnouncementSchedule(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		start := time.Now()
		b.hold(time.Hour)
		want := []time.Duration{0, 100, 1200, 2300, 3400, 4500, 5600, 35600, 65600} // ms
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
		if n := b.Status().Unsent; n != 14 {
			b.Errorf("%d refused frames counted, want 14", n)
		}
	})
}
