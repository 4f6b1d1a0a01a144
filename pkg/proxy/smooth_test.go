package proxy

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSmooth: each comes as often as its weight asks for, has had after any number
// of turns what it is owed but for less than one, and so waits for less than two of
// its periods.
func TestSmooth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 256), 1, 40).Draw(t, "weights")
		small, total := reduced(weights)
		order := smooth(weights)
		had, last := make([]int, len(weights)), make([]int, len(weights))
		for i := range last {
			last[i] = -1
		}
		for turn, i := range append(order, order...) { // it begins anew
			had[i]++
			for i, w := range small {
				if owed := w * (turn + 1); had[i]*total <= owed-total || had[i]*total >= owed+total {
					t.Fatalf("%d of weight %d had %d of %d turns", i, w, had[i], turn+1)
				}
			}
			if gap := turn - last[i]; last[i] >= 0 && gap*small[i] >= 2*total {
				t.Fatalf("%d of weight %d of %d waits for %d turns", i, small[i], total, gap)
			}
			last[i] = turn
		}
		for i, w := range small {
			if len(order) != total || had[i] != 2*w || w*weights[0] != small[0]*weights[i] {
				t.Fatalf("%d of weight %d has %d of %d turns", i, weights[i], had[i]/2, len(order))
			}
		}
	})
}

// TestSmoothOfMany: more turns than there is room for are rounded, and nobody has
// none.
func TestSmoothOfMany(t *testing.T) {
	weights := make([]int, 1000)
	for i := range weights {
		weights[i] = 1 + i%256
	}
	sum := 0
	for _, w := range weights {
		sum += w
	}
	had := make([]int, len(weights))
	order := smooth(weights)
	for _, i := range order {
		had[i]++
	}
	for i, w := range weights {
		if want := float64(w) * float64(len(order)) / float64(sum); had[i] < 1 || float64(had[i]) > want+1 || float64(had[i]) < want*0.98-0.52 {
			t.Errorf("weight %d: %d turns, not %.1f", w, had[i], want)
		}
	}
}
