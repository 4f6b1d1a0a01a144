package proxy

import (
	"fmt"
	"testing"
	"time"
)

var balances = map[Balance]string{RoundRobin: "roundrobin", LeastConn: "leastconn", Random2: "random2", Source: "source"}

// uneven gives backends the weights 1 to 7.
func uneven(n int) []Backend {
	all := Even(addrs(n)...)
	for i := range all {
		all[i].Weight = 1 + i%7
	}
	return all
}

func BenchmarkPick(b *testing.B) {
	for balance, name := range balances {
		for _, n := range []int{3, 100} {
			for kind, backends := range map[string][]Backend{"even": Even(addrs(n)...), "uneven": uneven(n)} {
				b.Run(fmt.Sprintf("%s/%s/%d", name, kind, n), func(b *testing.B) {
					p := upPool(PoolConfig{Balance: balance}, backends)
					// Each has connections, which come and end all the time.
					var have [1024]*member
					i, bucket := 0, uint16(0)
					b.ReportAllocs()
					for b.Loop() {
						i, bucket = (i+389)%len(have), (bucket+1)%buckets
						if have[i] != nil {
							have[i].load.Add(-1)
						}
						have[i] = p.pick(bucket, nil)
						have[i].load.Add(1)
					}
				})
			}
		}
	}
}

// BenchmarkPickAfterSlowStart: what a slow start that is over still costs.
func BenchmarkPickAfterSlowStart(b *testing.B) {
	p := upPool(PoolConfig{SlowStart: time.Nanosecond}, Even(addrs(100)...))
	for b.Loop() {
		p.pick(17, nil)
	}
}

// BenchmarkView makes the snapshot that each change of a state asks for.
func BenchmarkView(b *testing.B) {
	for balance, name := range balances {
		for kind, backends := range map[string][]Backend{"even": Even(addrs(100)...), "uneven": uneven(100)} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				p := upPool(PoolConfig{Balance: balance}, backends)
				for b.Loop() {
					newView(p.cfg, p.order)
				}
			})
		}
	}
}
