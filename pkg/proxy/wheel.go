package proxy

import (
	"math/bits"
	"time"
)

const (
	// tick is the grain of the wheel. A timer is never early, and late by up to
	// one tick besides what its loop is busy with.
	tick = 10 * time.Millisecond
	// slots is how many ticks one turn of the wheel takes; a power of two.
	slots = 512
)

// timer is an entry of a wheel. It is part of what it belongs to, so that
// setting one allocates nothing. The zero timer is stopped.
type timer struct {
	next, prev *timer
	due        int64 // in ticks
	id         int32 // whose it is; the owner's to choose
}

func (t *timer) isSet() bool { return t.next != nil }

// wheel is a hashed timing wheel (Varghese and Lauck, "Hashed and Hierarchical
// Timing Wheels", 1987, scheme 6): setting and stopping cost the same whatever
// the number of timers, and a timer of more than one turn stays in its slot. It
// has no clock: time is what it is told, counted from the loop's start.
type wheel struct {
	slots [slots]timer       // heads of rings
	used  [slots / 64]uint64 // which slots have entries
	now   int64              // ticks that were advanced over
	count int
}

func newWheel() *wheel {
	w := &wheel{}
	for i := range w.slots {
		head := &w.slots[i]
		head.next, head.prev = head, head
	}
	return w
}

// set makes t due at a time; if it was set already, then no more at that one.
func (w *wheel) set(t *timer, at time.Duration) {
	w.stop(t)
	t.due = max(int64((at+tick-1)/tick), w.now+1)
	i := t.due % slots
	head := &w.slots[i]
	t.prev, t.next = head.prev, head
	t.prev.next, head.prev = t, t
	w.used[i/64] |= 1 << (i % 64)
	w.count++
}

// stop takes t out of the wheel; nothing happens when it is not set.
func (w *wheel) stop(t *timer) {
	if !t.isSet() {
		return
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev = nil, nil
	w.count--
	i := t.due % slots
	if head := &w.slots[i]; head.next == head {
		w.used[i/64] &^= 1 << (i % 64)
	}
}

// advance stops each timer that is due at now and hands it to fire, which may
// set and stop any timer.
func (w *wheel) advance(now time.Duration, fire func(*timer)) {
	to := int64(now / tick)
	if w.count == 0 {
		w.now = max(w.now, to)
		return
	}
	// After a long sleep one turn sees every slot.
	for from := max(w.now+1, to-slots+1); from <= to; from++ {
		w.now = from
		w.expire(from, to, fire)
	}
}

// expire fires the timers of one slot that are due at to. They leave the slot
// first: what fire sets or stops may be in it too.
func (w *wheel) expire(slot, to int64, fire func(*timer)) {
	var due timer
	due.next, due.prev = &due, &due
	head := &w.slots[slot%slots]
	for t := head.next; t != head; {
		next := t.next
		if t.due <= to {
			t.prev.next, t.next.prev = t.next, t.prev
			t.prev, t.next = due.prev, &due
			t.prev.next, due.prev = t, t
		}
		t = next
	}
	for due.next != &due {
		t := due.next
		w.stop(t)
		fire(t)
	}
}

// next returns when to advance again, at the latest; false when no timer is
// set. It may name a slot whose timers are due in a later turn.
func (w *wheel) next() (time.Duration, bool) {
	if w.count == 0 {
		return 0, false
	}
	first := w.now + 1
	for d := int64(0); d <= slots; {
		i := (first + d) % slots
		if word := w.used[i/64] >> (i % 64); word != 0 {
			return time.Duration(first+d+int64(bits.TrailingZeros64(word))) * tick, true
		}
		d += 64 - i%64
	}
	return time.Duration(first+slots) * tick, true
}
