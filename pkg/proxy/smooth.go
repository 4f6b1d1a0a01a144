package proxy

// maxTurns bounds the length of an order of turns.
const maxTurns = 4096

// smooth returns an order of turns in which i comes as often as weights[i] asks
// for, and as evenly spread as can be: nginx' smooth weighted round robin
// (src/http/ngx_http_upstream_round_robin.c). Weights are at least 1.
func smooth(weights []int) []uint16 {
	weights, total := reduced(weights)
	credit := make([]int, len(weights))
	order := make([]uint16, 0, total)
	for range total {
		best := 0
		for i, w := range weights {
			credit[i] += w
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		order = append(order, uint16(best))
	}
	return order
}

// reduced returns weights of the same proportions, as small as can be, and their
// sum. Where that would exceed maxTurns they are the same by a rounding only.
func reduced(weights []int) (small []int, sum int) {
	divisor, all := 0, 0
	for _, w := range weights {
		divisor = gcd(divisor, w)
		all += w
	}
	for _, w := range weights {
		if w /= divisor; all/divisor > maxTurns {
			w = max(w*maxTurns*divisor/all, 1)
		}
		small = append(small, w)
		sum += w
	}
	return small, sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
