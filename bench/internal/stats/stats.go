// Package stats has what the benches say of a row of measurements.
package stats

import "slices"

// Summary is what a row of measurements comes down to.
type Summary struct {
	Median, Least, Most float64
	N                   int // measurements; with none the rest is 0
}

// Summarize takes the measurements in any order.
func Summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	s := slices.Sorted(slices.Values(values))
	return Summary{Median: Middle(s), Least: s[0], Most: s[len(s)-1], N: len(s)}
}

// Middle is the median of values in order, of which there is one at least.
func Middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
