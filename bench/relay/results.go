package main

import (
	"math"

	"github.com/kshalb/kshalb/bench/internal/stats"
)

// figure names one figure of one candidate.
type figure struct{ candidate, workload, metric string }

// results are the figures of all rounds.
type results struct {
	rounds   int
	values   map[figure][]float64 // by round; NaN where it could not be measured
	discards []string             // why
	runs     int                  // measurements, with those that were discarded
}

func newResults(rounds int) *results {
	return &results{rounds: rounds, values: make(map[figure][]float64)}
}

// add takes the figures of one measurement.
func (r *results) add(round int, candidate, workload string, figures map[string]float64) {
	for key, value := range figures {
		f := figure{candidate, workload, key}
		if r.values[f] == nil {
			r.values[f] = make([]float64, r.rounds)
			for i := range r.values[f] {
				r.values[f][i] = math.NaN()
			}
		}
		r.values[f][round] = value
	}
}

// of returns what was measured of a figure.
func (r *results) of(f figure) []float64 {
	var out []float64
	for _, v := range r.values[f] {
		if !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	return out
}

// ratios returns a ÷ b of every round that has both.
func (r *results) ratios(a, b figure) []float64 {
	var out []float64
	va, vb := r.values[a], r.values[b]
	for i := range min(len(va), len(vb)) {
		if ratio := va[i] / vb[i]; !math.IsNaN(ratio) && !math.IsInf(ratio, 0) {
			out = append(out, ratio)
		}
	}
	return out
}

// best returns the name with the best median of a figure, "" if none has one.
func (r *results) best(names []string, workload string, m metric) string {
	best, median := "", 0.0
	for _, name := range names {
		s := stats.Summarize(r.of(figure{name, workload, m.key}))
		if s.N == 0 {
			continue
		}
		if best == "" || (s.Median < median) == m.less && s.Median != median {
			best, median = name, s.Median
		}
	}
	return best
}
