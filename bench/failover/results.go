package main

import (
	"fmt"
	"time"

	"github.com/kshalb/kshalb/bench/internal/stats"
)

// row is all trials of one event with one setting, in one of their windows.
type row struct {
	title   string
	windows []window
	failed  int // trials that are not among them
	bar     *bar
	nominal time.Duration // of the setting
}

func (r row) figures(of func(window) float64) []float64 {
	var out []float64
	for _, w := range r.windows {
		out = append(out, of(w))
	}
	return out
}

// gaps are in milliseconds.
func (r row) gaps() []float64 {
	return r.figures(func(w window) float64 { return inMillis(w.gap) })
}

// moves are in milliseconds, of the trials in which another master served.
func (r row) moves() []float64 {
	var out []float64
	for _, w := range r.windows {
		if w.moved > 0 {
			out = append(out, inMillis(w.moved))
		}
	}
	return out
}

func (r row) takeovers() stats.Summary {
	return stats.Summarize(r.figures(func(w window) float64 { return float64(w.takeovers) }))
}

// doubles counts the trials in which two owners were seen.
func (r row) doubles() int {
	n := 0
	for _, w := range r.windows {
		if w.doubles > 0 {
			n++
		}
	}
	return n
}

// holes counts the gaps that are longer than they may ever be.
func (r row) holes() int {
	n := 0
	for _, w := range r.windows {
		if w.gap > hole(r.nominal) {
			n++
		}
	}
	return n
}

// notes counts what was noted, in the order in which it was first.
func (r row) notes() []string {
	counts := make(map[string]int)
	var order, out []string
	for _, w := range r.windows {
		if w.note != "" && counts[w.note] == 0 {
			order = append(order, w.note)
		}
		counts[w.note]++
	}
	for _, note := range order {
		out = append(out, fmt.Sprintf("%s: %d of %d", note, counts[note], len(r.windows)))
	}
	return out
}

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func millis(d time.Duration) string { return fmt.Sprintf("%.0f", inMillis(d)) }
