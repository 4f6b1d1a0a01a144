package proxy

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// implausible says that counts do not come from lots of these weights: pure chance
// has chi-square that high once in a billion times (6 sigma, by Wilson and Hilferty,
// "The Distribution of Chi-square", 1931).
func implausible(counts, weights []int) error {
	n, sum := 0, 0
	for i := range counts {
		n, sum = n+counts[i], sum+weights[i]
	}
	chi := 0.0
	for i, c := range counts {
		want := float64(n) * float64(weights[i]) / float64(sum)
		chi += (float64(c) - want) * (float64(c) - want) / want
	}
	k := float64(len(counts) - 1)
	if bound := k * math.Pow(1-2/(9*k)+6*math.Sqrt(2/(9*k)), 3); chi > bound {
		return fmt.Errorf("chi-square %.0f is above %.0f: %v for weights %v", chi, bound, counts, weights)
	}
	return nil
}

// tally picks n times, for clients of all kinds; keep has the connections live on.
func tally(p *Pool, n int, keep bool) []int {
	counts := make([]int, len(p.order))
	for k := range n {
		m := p.pick(uint16(k*2654435761>>7)%buckets, nil)
		counts[slices.Index(p.order, m)]++
		if keep {
			m.load.Add(1)
		}
	}
	return counts
}

func weightsOf(backends []Backend) (all []int) {
	for _, b := range backends {
		all = append(all, b.Weight)
	}
	return all
}

// TestShares: connections go to backends by weight, whether they stay or end at
// once, and but for lots and hashes to within one.
func TestShares(t *testing.T) {
	for balance, name := range balances {
		for _, n := range []int{3, 100} {
			for _, backends := range [][]Backend{Even(addrs(n)...), uneven(n)} {
				for _, keep := range []bool{false, true} {
					weights := weightsOf(backends)
					t.Run(fmt.Sprint(name, n, backends[1].Weight, keep), func(t *testing.T) {
						const each = 40
						sum := 0
						for _, w := range weights {
							sum += w
						}
						p := upPool(PoolConfig{Balance: balance}, backends)
						counts := tally(p, each*sum, keep)
						if balance == Source { // it deals out buckets
							counts = make([]int, n)
							for _, i := range p.view.Load().tiers[0].table {
								counts[i]++
							}
						}
						if err := implausible(counts, weights); err != nil {
							t.Error(err)
						}
						for i, c := range counts {
							if exact := balance == RoundRobin || balance == LeastConn; exact && abs(c-each*weights[i]) > 1 {
								t.Errorf("backend %d has %d, not %d", i, c, each*weights[i])
							}
							if balance == Random2 && keep && abs(c-each*weights[i]) > 16*weights[i] {
								t.Errorf("backend %d has %d, not nearly %d", i, c, each*weights[i])
							}
						}
					})
				}
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

// TestLeastConnIsExact: whoever is picked has the lowest load for its weight, and
// those that have it take turns.
func TestLeastConnIsExact(t *testing.T) {
	for _, backends := range [][]Backend{Even(addrs(13)...), uneven(13)} {
		p := upPool(PoolConfig{Balance: LeastConn}, backends)
		var have []*member
		for k := range 5000 {
			if k%3 == 0 && len(have) > 0 {
				i := k * 7919 % len(have)
				have[i].load.Add(-1)
				have = slices.Delete(have, i, i+1)
			}
			var tried []*member
			if k%5 == 0 {
				tried = p.order[k%7 : k%7+2]
			}
			got := p.pick(0, tried)
			for _, m := range p.order {
				if !slices.Contains(tried, m) && m.load.Load()*int64(got.backend.Weight) < got.load.Load()*int64(m.backend.Weight) {
					t.Fatalf("%s with %d was picked, %s has %d", got.address, got.load.Load(), m.address, m.load.Load())
				}
			}
			got.load.Add(1)
			have = append(have, got)
		}
	}
}

// TestEqualTakeTurns: a backend with a long connection does not have its neighbour
// get the short ones that it does not get.
func TestEqualTakeTurns(t *testing.T) {
	p := upPool(PoolConfig{Balance: LeastConn}, Even(addrs(4)...))
	p.order[1].load.Store(1)
	if got := tally(p, 300, false); !slices.Equal(got, []int{100, 0, 100, 100}) {
		t.Errorf("%v", got)
	}
}

// TestTurnsGivenAway: nor does one that was tried already, or is slow, in turns.
func TestTurnsGivenAway(t *testing.T) {
	p := readyPool(4)
	counts := make([]int, 4)
	for range 300 {
		counts[slices.Index(p.order, p.pick(0, p.order[1:2]))]++
	}
	if !slices.Equal(counts, []int{100, 0, 100, 100}) {
		t.Errorf("%v", counts)
	}
}

// returning is a pool at 100 s of which the first backend came up at 99 s, or a
// share of the slow start of 10 s ago.
func returning(balance Balance, n int, share float64) *Pool {
	backends := Even(addrs(n)...)
	p := upPool(PoolConfig{Balance: balance, SlowStart: 10 * time.Second}, backends)
	now := 100 * time.Second
	p.clock = func() time.Duration { return now }
	p.SetState(backends[0].Address, Down)
	p.SetState(backends[0].Address, Up)
	now += time.Duration(share * float64(10*time.Second))
	return p
}

// TestSlowStart: the share of a backend that came up grows linearly: of short
// connections, of which it has none at any time, and of those that stay.
func TestSlowStart(t *testing.T) {
	const picks = 20000
	for _, balance := range []Balance{RoundRobin, LeastConn, Random2} {
		for _, n := range []int{2, 3, 10} {
			for _, grown := range []float64{0, 0.1, 0.5, 0.9, 1, 3} {
				t.Run(fmt.Sprint(balances[balance], n, grown), func(t *testing.T) {
					p := returning(balance, n, grown)
					counts := tally(p, picks, false)
					g := min(max(grown, 1./whole), 1)
					share := g / (g + float64(n-1))
					if balance == Random2 {
						share = g / float64(n) // of its lots, some go to others
					}
					within(t, "short ones", counts[0], picks, share)
					if err := implausible(counts[1:], weightsOf(Even(addrs(n-1)...))); n > 2 && err != nil {
						t.Error("the others:", err)
					}
				})
			}
		}
	}
}

// within expects so many of n, give or take six sigma.
func within(t *testing.T, what string, got, n int, share float64) {
	t.Helper()
	want := share * float64(n)
	if give := 6 * math.Sqrt(want+1); math.Abs(float64(got)-want) > give {
		t.Errorf("%s: %d of %d, not %.0f give or take %.0f", what, got, n, want, give)
	}
}

// TestSlowStartBesideLoad: one that comes back with no connections gets neither all
// new ones nor none, but so many that it has its share of what the others have.
func TestSlowStartBesideLoad(t *testing.T) {
	for _, balance := range []Balance{LeastConn, Random2} {
		for _, grown := range []float64{0, 0.1, 0.5} {
			t.Run(fmt.Sprint(balances[balance], grown), func(t *testing.T) {
				p := returning(balance, 10, grown)
				for _, m := range p.order[1:] {
					m.load.Store(1000)
				}
				for range 3000 {
					p.pick(0, nil).load.Add(1)
				}
				got, others := float64(p.order[0].load.Load()), float64(p.order[1].load.Load())
				if got > grown*others*1.05+5 || got < grown*others*0.1 {
					t.Errorf("%.0f connections beside %.0f", got, others)
				}
			})
		}
	}
}

// TestSlowStartOfAll: those that came up together share as ever.
func TestSlowStartOfAll(t *testing.T) {
	backends := Even(addrs(5)...)
	p := upPool(PoolConfig{SlowStart: 10 * time.Second}, backends)
	p.clock = func() time.Duration { return 0 }
	if got := tally(p, 500, false); !slices.Equal(got, []int{100, 100, 100, 100, 100}) {
		t.Errorf("%v", got)
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	for balance, name := range balances {
		for _, backends := range [][]Backend{Even(addrs(100)...), uneven(100)} {
			for _, slow := range []time.Duration{0, time.Hour} {
				p := upPool(PoolConfig{Balance: balance, SlowStart: slow}, backends)
				p.SetState(backends[0].Address, Down)
				p.SetState(backends[0].Address, Up)
				tried := p.order[3:5]
				if n := testing.AllocsPerRun(1000, func() { p.pick(9, nil); p.pick(9, tried) }); n != 0 {
					t.Errorf("%s: %v allocations", name, n)
				}
			}
		}
	}
}
