package proxy

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func client(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// TestBucket: in no second do more than two seconds' worth get through, as after
// one without any; steadily, it is the rate; and after a pause all are there again.
func TestBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(1, 50).Draw(t, "rate")
		var b bucket
		var taken []time.Duration
		now := time.Duration(0)
		for range rapid.IntRange(1, 300).Draw(t, "tries") {
			now += time.Duration(rapid.Int64Range(0, int64(100*time.Millisecond)).Draw(t, "pause"))
			if b.take(now, rate, 0) {
				taken = append(taken, now)
			}
		}
		for i := range taken {
			if j := i + 2*rate; j < len(taken) && taken[j]-taken[i] < time.Second-time.Millisecond {
				t.Fatalf("%d in %s at %d a second", j-i+1, taken[j]-taken[i], rate)
			}
		}
		now += time.Second
		for n := range rate {
			if !b.take(now, rate, 0) {
				t.Fatalf("after a second without any, only %d of %d", n, rate)
			}
		}
	})
}

// TestLeaves: who takes little while others take all gets what was left to it.
func TestLeaves(t *testing.T) {
	var b bucket
	for n := range 6 {
		if got := b.take(0, 10, 5); got != (n < 5) {
			t.Errorf("take %d that leaves 5 of 10: %t", n, got)
		}
	}
	for n := range 6 {
		if got := b.take(0, 10, 0); got != (n < 5) {
			t.Errorf("take %d of the 5 that were left: %t", n, got)
		}
	}
	if b.take(time.Hour, 10, 10) || !b.take(time.Hour, 10, 9) {
		t.Error("10 of 10 can be left, or 9 can't")
	}
}

// TestUsage: of a steady one it is the rate; it fades, over the wrap of its clock too.
func TestUsage(t *testing.T) {
	for _, start := range []time.Duration{0, time.Hour, (1<<32 - 500) * time.Millisecond} {
		var u usage
		now := start
		for range 500 {
			now += 10 * time.Millisecond
			u.add(now)
		}
		if got := u.at(now); got < 95 || got > 105 {
			t.Errorf("100 a second from %s on: %v", start, got)
		}
		if got := u.at(now - time.Millisecond); got != u.at(now) {
			t.Errorf("from %s on, of a clock that is behind: %v, want %v", start, got, u.at(now))
		}
		if got := u.at(now + 10*time.Second); got > 0.01 {
			t.Errorf("after ten seconds without: %v", got)
		}
	}
}

// TestFlood: a source that floods has half of a burst, and others have theirs.
func TestFlood(t *testing.T) {
	l := NewLimiter(Limits{NewPerSecond: 100})
	l.clock = func() time.Duration { return 0 }
	in, others := 0, 0
	for range 1000 {
		if _, _, ok := l.enter(client(1)); ok {
			in++
		}
	}
	for n := range 40 {
		if _, why, ok := l.enter(client(2 + n)); ok {
			others++
		} else if why != overRate {
			t.Fatalf("refused for %s", why)
		}
	}
	if in != 50 || others != 40 {
		t.Errorf("%d of the flood and %d of 40 others were let in", in, others)
	}
}

// TestFairness: however many sources flood, one that comes more seldom than their
// share is always let in; they have equal shares, and together nearly all.
func TestFairness(t *testing.T) {
	const seconds = 10
	for _, tc := range []struct{ rate, floods int }{{1, 1}, {2, 1}, {10, 1}, {100, 1}, {100, 2}, {100, 10}, {500, 50}, {5000, 3}} {
		l := NewLimiter(Limits{NewPerSecond: tc.rate})
		var now time.Duration
		l.clock = func() time.Duration { return now }
		share := float64(tc.rate) / float64(tc.floods+1)
		pause := time.Duration(2 * float64(time.Second) / share) // of the one that is to be served
		next := pause
		in := make([]int, tc.floods)
		seldom, refused := 0, 0
		tick := min(time.Millisecond, time.Second/time.Duration(tc.rate))
		for ; now < seconds*time.Second; now += tick {
			for i := range in {
				if _, _, ok := l.enter(client(i)); ok {
					in[i]++
				}
			}
			if now < next {
				continue
			}
			next += pause
			if _, _, ok := l.enter(client(1000)); ok {
				seldom++
			} else {
				refused++
			}
		}
		all := seldom
		for i, n := range in {
			all += n
			if float64(n) < 0.7*share*seconds {
				t.Errorf("%+v: flood %d has %d of its %v", tc, i, n, share*seconds)
			}
		}
		t.Logf("%+v: floods %v, %d of %d of the other, %d of %d in all", tc, in, seldom, seldom+refused, all, tc.rate*seconds)
		if refused > 0 && tc.rate > tc.floods {
			t.Errorf("%+v: who comes seldom was refused %d of %d times", tc, refused, seldom+refused)
		}
		if all < tc.rate*seconds*8/10 || all > tc.rate*(seconds+1) {
			t.Errorf("%+v: %d were let in, want about %d", tc, all, tc.rate*seconds)
		}
	}
}

// TestRefusedTakeNothing: who has all that it may have does not use up the rate.
func TestRefusedTakeNothing(t *testing.T) {
	l := NewLimiter(Limits{PerSource: 3, NewPerSecond: 10})
	l.clock = func() time.Duration { return 0 }
	for n := range 1000 {
		if _, why, ok := l.enter(client(1)); ok != (n < 3) || !ok && why != overSource {
			t.Fatalf("client %d: %t, %s", n, ok, why)
		}
	}
	for n := range 8 {
		if _, why, ok := l.enter(client(2 + n)); ok != (n < 7) || !ok && why != overRate {
			t.Errorf("other %d: %t, %s", n, ok, why)
		}
	}
	if n := l.live.Load(); n != 10 {
		t.Errorf("%d are in, want 10", n)
	}
}

// TestPerSource: each source has its own count, an IPv6 one by its /64, and what is
// kept of them is gone with them.
func TestPerSource(t *testing.T) {
	l := NewLimiter(Limits{PerSource: 2, Connections: 5})
	enter := func(addr string, want string) *source {
		t.Helper()
		s, why, ok := l.enter(netip.MustParseAddr(addr))
		got := "in"
		if !ok {
			got = why.String()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
		return s
	}
	all := []*source{
		enter("10.0.0.1", "in"), enter("::ffff:10.0.0.1", "in"), enter("2001:db8::1", "in"), enter("2001:db8::2", "in"),
	}
	enter("10.0.0.1", "per_source")
	enter("2001:db8::3", "per_source")
	all = append(all, enter("2001:db8:0:1::1", "in"))
	enter("10.0.0.2", "limit")
	l.leave(all[0])
	all[0] = enter("10.0.0.1", "in")
	for _, s := range all {
		l.leave(s)
	}
	for i := range l.sources.shards {
		if n := len(l.sources.shards[i].all); n > 0 {
			t.Errorf("%d sources are still known", n)
		}
	}
	if n := l.live.Load(); n != 0 {
		t.Errorf("%d are still in", n)
	}
}

// TestLimiterConcurrently: no more than may are ever in, whoever comes and goes.
func TestLimiterConcurrently(t *testing.T) {
	l := NewLimiter(Limits{PerSource: 3, Connections: 20})
	var mu sync.Mutex
	in := map[int]int{}
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for n := range 1000 {
				id := (worker + n) % 8
				s, _, ok := l.enter(client(id))
				if !ok {
					continue
				}
				mu.Lock()
				if in[id]++; in[id] > 3 {
					t.Errorf("%d of source %d", in[id], id)
				}
				mu.Unlock()
				mu.Lock()
				in[id]--
				mu.Unlock()
				l.leave(s)
			}
		})
	}
	wg.Wait()
	if n := l.live.Load(); n != 0 {
		t.Errorf("%d are still in", n)
	}
}

// TestEnterAllocatesNothing, once a source was there.
func TestEnterAllocatesNothing(t *testing.T) {
	l := NewLimiter(Limits{PerSource: 3, Connections: 20, NewPerSecond: 1_000_000})
	if n := testing.AllocsPerRun(1000, func() {
		if s, _, ok := l.enter(client(1)); ok {
			l.leave(s)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEnter(b *testing.B) {
	for _, limits := range []Limits{{}, {Connections: 20000}, {Connections: 20000, PerSource: 100}, {NewPerSecond: 1_000_000_000}} {
		b.Run(fmt.Sprint(limits), func(b *testing.B) {
			l := NewLimiter(limits)
			b.ReportAllocs()
			for b.Loop() {
				if s, _, ok := l.enter(client(1)); ok {
					l.leave(s)
				}
			}
		})
	}
}
