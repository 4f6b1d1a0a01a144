package main

import (
	"math"
	"testing"
)

// The intervals are those of the tables for the sign test.
func TestEstimateOf(t *testing.T) {
	for _, c := range []struct {
		n         int
		low, high float64
		sure      float64
	}{
		{1, 1, 1, 0}, {5, 1, 5, 0.9375}, {6, 1, 6, 0.96875}, {7, 1, 7, 0.984375},
		{8, 1, 8, 0.9921875}, {9, 2, 8, 0.9609375}, {20, 6, 15, 0.9586105},
	} {
		values := make([]float64, c.n)
		for i := range values {
			values[i] = float64(c.n - i)
		}
		e := estimateOf(values)
		if e.low != c.low || e.high != c.high || math.Abs(e.sure-c.sure) > 1e-6 {
			t.Errorf("%d values: %+v, want %+v", c.n, e, c)
		}
	}
}

func TestTendency(t *testing.T) {
	sure := estimate{median: 0.9, low: 0.8, high: 0.95, sure: 0.98}
	if got := sure.tendency(true); got != "better" {
		t.Errorf("less of what is to be less is %q", got)
	}
	if got := sure.tendency(false); got != "worse" {
		t.Errorf("less of what is to be more is %q", got)
	}
	for _, e := range []estimate{{low: 0.8, high: 1.1, sure: 0.98}, {low: 0.8, high: 0.9, sure: 0.5}} {
		if got := e.tendency(true); got != "" {
			t.Errorf("%+v is %q", e, got)
		}
	}
}
