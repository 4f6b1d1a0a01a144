package proxy

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// dumbWheel is a wheel that looks at every timer.
type dumbWheel map[int32]time.Duration

// advance returns whose timers are due.
func (d dumbWheel) advance(now time.Duration) (due []int32) {
	for id, at := range d {
		if (at+tick-1)/tick <= now/tick {
			due = append(due, id)
			delete(d, id)
		}
	}
	slices.Sort(due)
	return due
}

// TestWheel: whatever is set, moved and stopped fires once, neither early nor
// more than a tick late, however seldom the wheel is advanced.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, dumb := newWheel(), dumbWheel{}
		timers := make([]timer, 20)
		for i := range timers {
			timers[i].id = int32(i)
		}
		now := time.Duration(0)
		far := int64(3 * slots * tick)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			one := &timers[rapid.IntRange(0, len(timers)-1).Draw(t, "timer")]
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				at := now + time.Duration(rapid.Int64Range(1, far).Draw(t, "in"))
				w.set(one, at)
				dumb[one.id] = at
			case 2:
				w.stop(one)
				delete(dumb, one.id)
			case 3:
				now += time.Duration(rapid.Int64Range(0, far).Draw(t, "pass"))
				var got []int32
				w.advance(now, func(f *timer) { got = append(got, f.id) })
				slices.Sort(got)
				if want := dumb.advance(now); !slices.Equal(got, want) {
					t.Fatalf("at %s %v fired, want %v", now, got, want)
				}
			}
			if w.count != len(dumb) {
				t.Fatalf("%d timers are set, want %d", w.count, len(dumb))
			}
		}
	})
}

// TestWheelNext: a loop that sleeps as long as it is told is never late, and
// does not wake for nothing more than once a turn for each timer.
func TestWheelNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWheel()
		start := time.Duration(rapid.Int64Range(0, int64(2*slots*tick)).Draw(t, "start"))
		w.advance(start, nil)
		if _, is := w.next(); is {
			t.Fatal("something is due in an empty wheel")
		}
		var one timer
		in := time.Duration(rapid.Int64Range(1, int64(5*slots*tick)).Draw(t, "in"))
		w.set(&one, start+in)
		now, fired := start, false
		for wakes := 0; !fired; wakes++ {
			at, is := w.next()
			if !is || at <= now || wakes > 6 {
				t.Fatalf("at %s, after %d wakes: next %s, %t", now, wakes, at, is)
			}
			now = at
			w.advance(now, func(*timer) { fired = true })
		}
		if late := now - (start + in); late < 0 || late > tick {
			t.Fatalf("fired %s late", late)
		}
	})
}

// TestWheelFiringSets: a timer may set itself and others again as it fires.
func TestWheelFiringSets(t *testing.T) {
	w := newWheel()
	a, b := timer{id: 1}, timer{id: 2}
	w.set(&a, tick)
	w.set(&b, tick)
	var fired []int32
	fire := func(t *timer) {
		fired = append(fired, t.id)
		w.set(&a, 3*tick)
		w.stop(&b)
	}
	w.advance(tick, fire)
	w.advance(3*tick, fire)
	if !slices.Equal(fired, []int32{1, 1}) || w.count != 1 {
		t.Errorf("fired %v, %d left", fired, w.count)
	}
}

func BenchmarkWheel(b *testing.B) {
	w, one := newWheel(), timer{}
	b.ReportAllocs()
	for b.Loop() {
		w.set(&one, time.Second)
		w.stop(&one)
	}
}
