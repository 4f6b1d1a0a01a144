package proxy

import "slices"

// maxTurns bounds the length of an order of turns: 128 backends of any weight.
const maxTurns = 1 << 15

// smooth returns an order of turns in which i comes as often as weights[i] asks
// for, and as evenly spread as can be: after any number of turns each has had what
// it is owed, but for less than one. For that its k-th turn has to come at
// k*total/w at the earliest and before (k+1)*total/w, and the one with the nearest
// deadline goes first (Baruah, Cohen, Plaxton and Varvel, "Proportionate Progress",
// 1996, and Tijdeman, "The Chairman Assignment Problem", 1980). Weights are at
// least 1.
func smooth(weights []int) []uint16 {
	weights, total := reduced(weights)
	had := make([]int, len(weights))
	comes := make([]int32, total)         // who may have a turn from then on, the first of them: 1 is weights[0]
	next := make([]int32, len(weights)+1) // of comes
	for i := range weights {
		next[i+1], comes[0] = comes[0], int32(i+1)
	}
	order := make([]uint16, total)
	due := make(deadlines, 0, len(weights))
	for turn := range order {
		for i := comes[turn]; i > 0; i = next[i] {
			w := weights[i-1]
			due.push(uint64(((had[i-1]+1)*total+w-1)/w)<<16 | uint64(i-1))
		}
		i := uint16(due.pop())
		order[turn] = i
		had[i]++
		if at := max(had[i]*total/weights[i], turn+1); at < total {
			next[i+1], comes[at] = comes[at], int32(i)+1
		}
	}
	return order
}

// deadlines is a heap: each is before those at twice its place.
type deadlines []uint64

func (d *deadlines) push(x uint64) {
	*d = append(*d, x)
	h := *d
	for i := len(h) - 1; i > 0 && h[(i-1)/2] > h[i]; i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

func (d *deadlines) pop() uint64 {
	h := *d
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < last; c++ {
			if h[c] < h[least] {
				least = c
			}
		}
		if least == i {
			*d = h
			return first
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// reduced returns weights of the same proportions, as small as can be, and their
// sum. Where that would exceed maxTurns they are the same by a rounding only, and
// none is rounded to nothing.
func reduced(weights []int) (small []int, sum int) {
	divisor, all := 0, 0
	for _, w := range weights {
		divisor = gcd(divisor, w)
		all += w
	}
	small = slices.Clone(weights)
	for i, w := range weights {
		small[i] = w / divisor
		if all/divisor > maxTurns {
			small[i] = max((w*maxTurns+all/2)/all, 1)
		}
		sum += small[i]
	}
	return small, sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
