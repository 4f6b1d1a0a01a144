package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func addrs(n int) []netip.AddrPort {
	out := make([]netip.AddrPort, n)
	for i := range out {
		out[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 6443)
	}
	return out
}

func readyPool(n int) *Pool {
	p := NewPool(addrs(n))
	for _, b := range p.Backends() {
		p.SetReady(b, true)
	}
	return p
}

func TestPoolStartsNotReady(t *testing.T) {
	p := NewPool(addrs(3))
	if _, found := p.pick(nil); found || p.Ready() != 0 {
		t.Error("a backend is ready before anybody said so")
	}
}

func TestPoolNormalizes(t *testing.T) {
	b := netip.MustParseAddrPort("192.0.2.1:6443")
	mapped := netip.MustParseAddrPort("[::ffff:192.0.2.1]:6443")
	p := NewPool([]netip.AddrPort{b, mapped, b})
	if got := p.Backends(); !slices.Equal(got, []netip.AddrPort{b}) {
		t.Fatalf("backends %v", got)
	}
	p.SetReady(mapped, true)
	p.SetReady(netip.MustParseAddrPort("192.0.2.9:1"), true)
	if p.Ready() != 1 || !p.isReady(0) {
		t.Error("the IPv6 form of a backend is another backend")
	}
}

// TestPoolShares: whatever comes and goes, picks between two changes differ by
// one at most from backend to backend, and only ready ones are picked.
func TestPoolShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := NewPool(addrs(rapid.IntRange(1, 8).Draw(t, "backends")))
		ready := make(map[int]bool)
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			i := rapid.IntRange(0, len(p.backends)-1).Draw(t, "backend")
			ready[i] = rapid.Bool().Draw(t, "ready")
			p.SetReady(p.backends[i], ready[i])

			got := make(map[int]int)
			for range rapid.IntRange(0, 30).Draw(t, "picks") {
				if k, found := p.pick(nil); found {
					got[k]++
				} else if p.Ready() != 0 {
					t.Fatalf("none picked of %d", p.Ready())
				}
			}
			least, most := 1<<30, 0
			for k := range p.backends {
				if !ready[k] && got[k] > 0 {
					t.Fatalf("backend %d is not ready and was picked", k)
				}
				if ready[k] {
					least, most = min(least, got[k]), max(most, got[k])
				}
			}
			if most > least+1 {
				t.Fatalf("unfair picks %v", got)
			}
		}
	})
}

func TestPickTriesEachOnce(t *testing.T) {
	p := readyPool(5)
	for range 7 { // from each starting point, and on
		var tried []int
		for {
			i, found := p.pick(tried)
			if !found {
				break
			}
			if slices.Contains(tried, i) {
				t.Fatalf("%d was picked again after %v", i, tried)
			}
			tried = append(tried, i)
		}
		if len(tried) != 5 {
			t.Fatalf("only %v were tried", tried)
		}
	}
}

// TestPickConcurrently: no pick is lost or doubled, and one that meets a change
// sees the pool before or after it.
func TestPickConcurrently(t *testing.T) {
	const backends, workers, each = 4, 8, 1000
	p := readyPool(backends)
	var mu sync.Mutex
	got := make([]int, backends)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			mine := make([]int, backends)
			for range each {
				i, _ := p.pick(nil)
				mine[i]++
			}
			mu.Lock()
			defer mu.Unlock()
			for i, n := range mine {
				got[i] += n
			}
		})
	}
	wg.Wait()
	for i, n := range got {
		if n != workers*each/backends {
			t.Errorf("backend %d: %d picks of %d", i, n, workers*each)
		}
	}

	wg.Go(func() {
		for k := range each {
			p.SetReady(p.backends[0], k%2 == 0)
		}
	})
	for range workers {
		wg.Go(func() {
			for range each {
				if _, found := p.pick(nil); !found {
					t.Error("nothing picked while three are ready")
				}
			}
		})
	}
	wg.Wait()
}

func TestPickAllocatesNothing(t *testing.T) {
	p := readyPool(100)
	if n := testing.AllocsPerRun(1000, func() { p.pick(nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, n := range []int{3, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := readyPool(n)
			b.ReportAllocs()
			for b.Loop() {
				p.pick(nil)
			}
		})
	}
}
