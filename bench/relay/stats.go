package main

import (
	"math"
	"slices"

	"github.com/kshalb/kshalb/bench/internal/stats"
)

// estimate is a median with its interval.
type estimate struct {
	median, low, high float64
	sure              float64 // the probability that low–high holds the true median
	n                 int
}

// estimateOf takes the interval from the order statistics, which assumes
// nothing about how the values are spread: the k-th least and the k-th most
// hold the median between them with probability 1 − 2·P(Binomial(n, ½) < k).
// It is the narrowest with at least 95 %; with fewer than six values there is
// none, and the whole range stands, with what it is worth.
func estimateOf(values []float64) estimate {
	n := len(values)
	if n == 0 {
		return estimate{}
	}
	s := slices.Sorted(slices.Values(values))
	k := 1
	for 2*(k+1) <= n && coverage(n, k+1) >= 0.95 {
		k++
	}
	return estimate{median: stats.Middle(s), low: s[k-1], high: s[n-k], sure: max(coverage(n, k), 0), n: n}
}

// coverage is the probability that the k-th least and the k-th most of n values
// hold the median between them.
func coverage(n, k int) float64 {
	tail, term := 0.0, math.Pow(0.5, float64(n)) // C(n,0)/2ⁿ
	for i := range k {
		tail += term
		term *= float64(n-i) / float64(i+1)
	}
	return 1 - 2*tail
}
