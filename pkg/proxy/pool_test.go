package proxy

import (
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
	p := NewPool(PoolConfig{}, Even(addrs(n)...))
	for _, b := range p.Backends() {
		p.SetState(b.Address, Up)
	}
	return p
}

func upIf(up bool) State {
	if up {
		return Up
	}
	return Down
}

func TestPoolStartsNotReady(t *testing.T) {
	p := NewPool(PoolConfig{}, Even(addrs(3)...))
	if p.pick(0, nil) != nil || p.Ready() != 0 {
		t.Error("a backend is ready before anybody said so")
	}
}

func TestPoolNormalizes(t *testing.T) {
	b := netip.MustParseAddrPort("192.0.2.1:6443")
	mapped := netip.MustParseAddrPort("[::ffff:192.0.2.1]:6443")
	p := NewPool(PoolConfig{}, Even(b, mapped, b))
	if got := p.Backends(); !slices.Equal(got, Even(b)) {
		t.Fatalf("backends %v", got)
	}
	p.SetState(mapped, Up)
	p.SetState(netip.MustParseAddrPort("192.0.2.9:1"), Up)
	if p.Ready() != 1 || p.pick(0, nil).address != b {
		t.Error("the IPv6 form of a backend is another backend")
	}
}

// TestPoolShares: whatever comes and goes, picks between two changes differ by
// one at most from backend to backend, and only ready ones are picked.
func TestPoolShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := NewPool(PoolConfig{}, Even(addrs(rapid.IntRange(1, 8).Draw(t, "backends"))...))
		ready := make(map[*member]bool)
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			m := rapid.SampledFrom(p.order).Draw(t, "backend")
			ready[m] = rapid.Bool().Draw(t, "ready")
			p.SetState(m.address, upIf(ready[m]))

			got := make(map[*member]int)
			for range rapid.IntRange(0, 30).Draw(t, "picks") {
				if m := p.pick(0, nil); m != nil {
					got[m]++
				} else if p.Ready() != 0 {
					t.Fatalf("none picked of %d", p.Ready())
				}
			}
			least, most := 1<<30, 0
			for _, m := range p.order {
				if !ready[m] && got[m] > 0 {
					t.Fatalf("%s is down and was picked", m.address)
				}
				if ready[m] {
					least, most = min(least, got[m]), max(most, got[m])
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
		var tried []*member
		for {
			m := p.pick(0, tried)
			if m == nil {
				break
			}
			if slices.Contains(tried, m) {
				t.Fatalf("%s was picked again after %v", m.address, tried)
			}
			tried = append(tried, m)
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
	got := make(map[*member]int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			mine := make(map[*member]int)
			for range each {
				mine[p.pick(0, nil)]++
			}
			mu.Lock()
			defer mu.Unlock()
			for m, n := range mine {
				got[m] += n
			}
		})
	}
	wg.Wait()
	for m, n := range got {
		if n != workers*each/backends {
			t.Errorf("%s: %d picks of %d", m.address, n, workers*each)
		}
	}

	wg.Go(func() {
		for k := range each {
			p.SetState(p.order[0].address, upIf(k%2 == 0))
		}
	})
	for range workers {
		wg.Go(func() {
			for range each {
				if p.pick(0, nil) == nil {
					t.Error("nothing picked while three are ready")
				}
			}
		})
	}
	wg.Wait()
}

func TestPickAllocatesNothing(t *testing.T) {
	p := readyPool(100)
	if n := testing.AllocsPerRun(1000, func() { p.pick(0, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
