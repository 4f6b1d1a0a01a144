package main

import "math/bits"

// Each power of two has 64 buckets, so a latency is known to 1.6 %.
const (
	subBits = 6
	buckets = (64 - subBits + 1) << subBits
)

// histogram counts latencies. The zero value is empty; it never allocates.
type histogram struct {
	counts [buckets]uint32
	total  uint64
}

// bucket of a value in nanoseconds.
func bucket(ns uint64) int {
	shift := bits.Len64(ns) - subBits - 1
	if shift <= 0 {
		return int(ns)
	}
	return shift<<subBits + int(ns>>shift)
}

// middle is the value in the middle of a bucket, in nanoseconds.
func middle(b int) float64 {
	if b < 2<<subBits {
		return float64(b)
	}
	shift := b>>subBits - 1
	low := uint64(b-shift<<subBits) << shift
	return float64(low) + float64(uint64(1)<<shift)/2
}

// add counts a latency in nanoseconds; one below zero counts as zero.
func (h *histogram) add(ns int64) {
	h.counts[bucket(uint64(max(ns, 0)))]++
	h.total++
}

// quantile returns the latency in nanoseconds that a share q of all stayed
// within, 0 < q ≤ 1. An empty histogram has zeros.
func (h *histogram) quantile(q float64) float64 {
	rank, seen := uint64(q*float64(h.total)), uint64(0)
	for b, n := range h.counts {
		if seen += uint64(n); n > 0 && seen >= rank {
			return middle(b)
		}
	}
	return 0
}
