package main

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Every value falls into a bucket whose middle is within 1/64 of it, and larger
// values never into an earlier one.
func TestBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64Range(0, math.MaxInt64).Draw(t, "value")
		b := bucket(v)
		if b >= buckets {
			t.Fatalf("%d is in bucket %d of %d", v, b, buckets)
		}
		if off := math.Abs(middle(b) - float64(v)); off > float64(v)/64 {
			t.Fatalf("%d is in the bucket of %.0f", v, middle(b))
		}
		if v > 0 && bucket(v-1) > b {
			t.Fatalf("%d is in bucket %d, %d in %d", v-1, bucket(v-1), v, b)
		}
	})
}

func TestQuantile(t *testing.T) {
	var h histogram
	if q := h.quantile(0.5); q != 0 {
		t.Errorf("the median of nothing is %v", q)
	}
	for ns := range int64(1000) {
		h.add(ns * 1000)
	}
	h.add(-1)
	for q, want := range map[float64]float64{0.5: 499e3, 0.99: 989e3, 1: 999e3} {
		if got := h.quantile(q); math.Abs(got-want) > want/50 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	h := new(histogram)
	if n := testing.AllocsPerRun(100, func() { h.add(12345) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
