package proxy

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Balance is how a Pool chooses among backends that are equally good.
type Balance uint8

// The ways of balancing. All of them heed weights.
const (
	// RoundRobin takes turns.
	RoundRobin Balance = iota
	// LeastConn takes the one with the fewest connections for its weight.
	LeastConn
	// Random2 takes the better of two that are drawn by lot (Mitzenmacher, "The
	// Power of Two Choices in Randomized Load Balancing", 2001): where several
	// balancers with equal views take the least loaded one, they all take the
	// same.
	Random2
	// Source always takes the same for a client's address (an IPv6 one's /64), as
	// far as it can, on all nodes: see rendezvous.
	Source
)

// pick returns an entry's member that was not tried, nil when there is none.
func (t *tier) pick(p *Pool, from uint16, tried []*member) *member {
	var now time.Duration
	if t.warm > 0 {
		now = p.clock()
	}
	switch {
	case t.balance == Source && len(tried) == 0:
		return t.entries[t.table[from]].member
	case t.balance == Source:
		return t.highest(from, tried)
	case t.balance == LeastConn, t.balance == Random2 && len(tried) > 0:
		return t.least(p.turn.Add(1)-1, now, tried)
	case t.balance == Random2:
		return t.better(now)
	}
	return t.next(p.turn.Add(1)-1, now, tried)
}

// next is whose turn it is. One that is still slow gives some of its turns away.
func (t *tier) next(turn uint64, now time.Duration, tried []*member) (m *member) {
	n := uint64(len(t.order))
	for k := range n {
		// turn+k may wrap after 2^64 picks; the order then jumps once.
		e := &t.entries[t.order[(turn+k)%n]]
		if slices.Contains(tried, e.member) {
			continue
		}
		if now >= t.warm || t.share(e, now) > rand.Int64N(e.weight*whole) {
			return e.member
		}
		if m == nil {
			m = e.member // unless all the others give theirs away too
		}
	}
	return m
}

// least is the one with the fewest connections for its share. Equal ones take
// turns.
func (t *tier) least(turn uint64, now time.Duration, tried []*member) (m *member) {
	if t.even && len(tried) == 0 && now >= t.warm {
		return t.idlest(int(turn % uint64(len(t.entries))))
	}
	var load, share int64
	n := len(t.entries)
	first := int(turn % uint64(n))
	for k := range n {
		i := first + k
		if i >= n {
			i -= n
		}
		e := &t.entries[i]
		l, s := e.load.Load(), t.share(e, now)
		if (m == nil || l*share < load*s) && !slices.Contains(tried, e.member) {
			m, load, share = e.member, l, s
		}
	}
	return m
}

// idlest is least where all have the same share, for which it is ten times as fast.
func (t *tier) idlest(first int) *member {
	best := first
	load := t.loads[first].Load()
	for i, l := range t.loads[first+1:] {
		if n := l.Load(); n < load {
			best, load = first+1+i, n
		}
	}
	for i, l := range t.loads[:first] {
		if n := l.Load(); n < load {
			best, load = i, n
		}
	}
	return t.entries[best].member
}

// better draws two, by weight, and takes the one with the fewer connections for
// its share.
func (t *tier) better(now time.Duration) *member {
	lot := rand.Uint64()
	n := uint64(len(t.order))
	a := &t.entries[t.order[(lot>>32)*n>>32]]
	b := &t.entries[t.order[(lot&(1<<32-1))*n>>32]]
	if b.load.Load()*t.share(a, now) < a.load.Load()*t.share(b, now) {
		return b.member
	}
	return a.member
}

// whole is the share of weight 1 that is not slow.
const whole = 1 << 10

// share is an entry's weight as of now.
func (t *tier) share(e *entry, now time.Duration) int64 {
	age := now - e.upSince
	if now >= t.warm || age >= t.slow {
		return e.weight * whole
	}
	return max(e.weight*whole*int64(age)/int64(t.slow), 1)
}
