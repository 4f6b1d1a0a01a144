package proxy

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func addrs(n int) []netip.AddrPort {
	out := make([]netip.AddrPort, n)
	for i := range out {
		out[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 6443)
	}
	return out
}

func readyPool(n int) *Pool { return upPool(PoolConfig{}, Even(addrs(n)...)) }

// upPool returns a pool of backends that are all up, and came up at 0 s.
func upPool(cfg PoolConfig, backends []Backend) *Pool {
	p := NewPool(cfg, backends)
	clock := p.clock
	p.clock = func() time.Duration { return 0 }
	for _, b := range backends {
		p.SetState(b.Address, Up)
	}
	p.clock = clock
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

// TestPoolSetKeeps: those that stay keep what is known of them and their
// connections; one that comes back while it has some is the same one and has to be
// found good anew; one that has none left is forgotten.
func TestPoolSetKeeps(t *testing.T) {
	at := addrs(3)
	p := readyPool(3)
	stays, leaves := p.member(at[0]), p.member(at[1])
	stays.load.Store(5)
	leaves.load.Store(1)

	p.Set([]Backend{{Address: at[2], Weight: 1}, {Address: at[0], Weight: 7}})
	if p.member(at[0]) != stays || p.Ready() != 2 || stays.load.Load() != 5 || stays.backend.Weight != 7 {
		t.Error("what stays is not what it was")
	}
	if p.member(at[1]) != leaves || !leaves.gone.Load() {
		t.Error("one that has connections left can't be found")
	}
	p.SetState(at[1], Up)
	if p.Ready() != 2 || slices.Contains(tallied(p, 100), leaves) {
		t.Error("one that has gone can be picked")
	}

	p.Set(Even(at...))
	if p.member(at[1]) != leaves || leaves.gone.Load() || p.Ready() != 2 {
		t.Error("one that comes back is another one, or good at once")
	}
	p.SetState(at[1], Up)
	if p.Ready() != 3 {
		t.Error("one that came back is never up")
	}

	leaves.load.Store(0)
	p.Set(Even(at[0], at[2]))
	p.Set(Even(at[0], at[2]))
	if p.member(at[1]) != nil {
		t.Error("one that has nothing left is kept")
	}
	p.Set(nil)
	if p.pick(0, nil) != nil || p.Ready() != 0 || p.Usable() != 0 || len(p.Backends()) != 0 {
		t.Error("an empty pool has backends")
	}
}

// tallied returns who was picked.
func tallied(p *Pool, n int) (all []*member) {
	for i, c := range tally(p, n, false) {
		if c > 0 {
			all = append(all, p.order[i])
		}
	}
	return all
}

// TestPoolChangesAmidPicks: whatever changes, who is picked is of the pool, and
// somebody always is while one is always up.
func TestPoolChangesAmidPicks(t *testing.T) {
	for balance, name := range balances {
		t.Run(name, func(t *testing.T) {
			at := addrs(6)
			p := upPool(PoolConfig{Balance: balance, SlowStart: time.Millisecond}, uneven(6))
			stop := make(chan struct{})
			var changes, picks sync.WaitGroup
			for range 3 {
				picks.Go(func() {
					for i := uint16(0); ; i = (i + 1) % buckets {
						select {
						case <-stop:
							return
						default:
						}
						m := p.pick(i, nil)
						if m == nil || !slices.Contains(at, m.address) {
							t.Errorf("picked %v", m)
							return
						}
						m.load.Add(1)
						if next := p.pick(i, []*member{m}); next == m {
							t.Errorf("%s was tried", m.address)
						}
						m.load.Add(-1)
					}
				})
			}
			changes.Go(func() {
				for i := range 60 {
					p.Set(uneven(1 + i%6))
				}
			})
			changes.Go(func() {
				for i := range 60 {
					p.SetState(at[1+i%5], State(i%int(Up+1)))
				}
			})
			changes.Wait()
			close(stop)
			picks.Wait()
		})
	}
}
