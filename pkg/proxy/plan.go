package proxy

import (
	"math"
	"slices"
)

// plan is which backends have too many connections. All are even when each has its
// share of them, but for one connection or 5 %, whichever is more.
type plan struct {
	loads  []int
	shares []int64
	aims   []float64 // what each should have
	most   []int     // what each may have
	under  int       // how many those lack that have too few
	busy   []bool    // has no more that can be ended
}

func newPlan(loads, shares []int64) *plan {
	p := &plan{shares: shares, busy: make([]bool, len(loads))}
	all, sum := int64(0), int64(0)
	for i := range loads {
		all, sum = all+loads[i], sum+shares[i]
	}
	for i := range loads {
		aim := float64(all) * float64(shares[i]) / float64(sum)
		slack := max(1, aim/20)
		p.loads = append(p.loads, int(loads[i]))
		p.aims = append(p.aims, aim)
		p.most = append(p.most, int(math.Floor(aim+slack)))
		p.under += max(0, int(math.Ceil(aim-slack))-int(loads[i]))
	}
	return p
}

// tooMany returns how many connections have to move so that all are even.
func (p *plan) tooMany() int {
	over := 0
	for i := range p.loads {
		over += max(0, p.loads[i]-p.most[i])
	}
	return max(over, p.under)
}

// deal returns how many of n each should end, the most loaded for its share first.
func (p *plan) deal(n int) []int {
	q := plan{loads: slices.Clone(p.loads), shares: p.shares, aims: p.aims, most: p.most, under: p.under, busy: p.busy}
	ends := make([]int, len(p.loads))
	for range n {
		i := q.worst()
		if i < 0 {
			break
		}
		ends[i]++
		q.ended(i, 1)
	}
	return ends
}

// worst is whose connection is to end next; -1 is nobody's. One that has no more than
// it may have ends some only as long as others lack some, none below what it should
// have, and none that would come back as the least loaded one has no less: else what
// can't be moved would have connections of others go round in circles.
func (p *plan) worst() int {
	at, worst, least := -1, 0.0, math.Inf(1)
	for i, n := range p.loads {
		least = min(least, float64(n)/float64(p.shares[i]))
	}
	for i, n := range p.loads {
		left := float64(n-1) / float64(p.shares[i])
		may := n > p.most[i] || p.under > 0 && float64(n) > p.aims[i] && left > least
		if load := float64(n) / float64(p.shares[i]); may && !p.busy[i] && load > worst {
			at, worst = i, load
		}
	}
	return at
}

// ended says that n of one were ended, which go to those that lack some.
func (p *plan) ended(i, n int) {
	p.loads[i] -= n
	p.under = max(0, p.under-n)
}
