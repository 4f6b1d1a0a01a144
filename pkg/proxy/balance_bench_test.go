package proxy

import (
	"fmt"
	"testing"
)

func BenchmarkPick(b *testing.B) {
	for _, balance := range []Balance{RoundRobin, LeastConn, Random2, Source} {
		for _, n := range []int{3, 100} {
			b.Run(fmt.Sprintf("%d/%d", balance, n), func(b *testing.B) {
				p := NewPool(PoolConfig{Balance: balance}, Even(addrs(n)...))
				for i, m := range p.order {
					m.load.Store(int64(10 + i*7919%100))
					p.SetState(m.address, Up)
				}
				b.ReportAllocs()
				for b.Loop() {
					p.pick(17, nil)
				}
			})
		}
	}
}
