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
			if b.take(now, rate) {
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
			if !b.take(now, rate) {
				t.Fatalf("after a second without any, only %d of %d", n, rate)
			}
		}
	})
}

// TestFlood: a source that floods has half of the rate, and others have theirs.
func TestFlood(t *testing.T) {
	l := NewLimiter(Limits{NewPerSecond: 100})
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
	if in < 50 || in > 60 || others != 40 {
		t.Errorf("%d of the flood and %d of 40 others were let in", in, others)
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
