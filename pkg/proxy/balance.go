package proxy

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
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
	case t.balance == LeastConn && len(tried) == 0 && now >= t.warm:
		return t.idlest(p)
	case t.balance == LeastConn, t.balance == Random2 && len(tried) > 0:
		return t.least(p, now, tried)
	case t.balance == Random2:
		return t.better(p, now)
	}
	return t.next(p, now, tried)
}

// next is whose turn it is. Who was tried passes, and so does at times one that is
// still slow: the next turn is taken then, and so the one behind in the order gets
// no more than the others do.
func (t *tier) next(p *Pool, now time.Duration, tried []*member) *member {
	n := uint64(len(t.order))
	for range n {
		e := &t.entries[t.order[(p.turn.Add(1)-1)%n]]
		if !slices.Contains(tried, e.member) && !t.passes(e, now) {
			return e.member
		}
	}
	for i := range t.entries { // others took the turns that were left
		if m := t.entries[i].member; !slices.Contains(tried, m) {
			return m
		}
	}
	return nil
}

// ties is how many turns are taken to find one of several that are equally good.
const ties = 8

// least is the one with the fewest connections for its share. Equal ones take
// turns, by weight, as far as they are found soon. One that is still slow passes
// at times besides: where all are idle a small share of nothing is no limit.
func (t *tier) least(p *Pool, now time.Duration, tried []*member) *member {
	var best, spare *member
	var load, share int64
	alone := true
	for i := range t.entries {
		e := &t.entries[i]
		l, s := e.load.Load(), t.share(e, now)
		switch {
		case best != nil && l*share >= load*s:
			alone = alone && l*share > load*s
		case slices.Contains(tried, e.member):
		case t.passes(e, now):
			spare = e.member
		default:
			best, load, share, alone = e.member, l, s, true
		}
	}
	if best == nil || alone && spare == nil {
		return cmp.Or(best, spare)
	}
	for range ties {
		e := &t.entries[t.order[(p.turn.Add(1)-1)%uint64(len(t.order))]]
		if e.load.Load()*share == load*t.share(e, now) && !slices.Contains(tried, e.member) && !t.passes(e, now) {
			return e.member
		}
	}
	return best
}

// idlest is least where nobody was tried and nobody is slow, which is as good as
// always, and some times as fast. Equal ones take turns: with even weights the first
// one behind the last pick is taken, else the first one from whose turn it is.
func (t *tier) idlest(p *Pool) *member {
	first := int(p.turn.Load() % uint64(len(t.slots)))
	if !t.even {
		first = int(t.order[(p.turn.Add(1)-1)%uint64(len(t.order))])
	}
	least := lowest(t.slots)
	i := indexOf(t.slots[first:], least) + first
	if i < first {
		i = max(indexOf(t.slots[:first], least), 0) // it may have changed since
	}
	if t.even {
		p.turn.Store(uint64(i) + 1)
	}
	return t.entries[i].member
}

// slot is what idlest reads of an entry.
type slot struct {
	load *atomic.Int64
	unit int64 // what a connection is for it: unit/weight
}

// unit is the load that one connection is with weight 1. 2^31 connections are not
// too many.
const unit = 1 << 32

// lowest returns the lowest load. Minima without a branch take half as long as a
// comparison that is often mispredicted, two at once are faster still, and without
// an index to carry along it is the fastest.
func lowest(slots []slot) int64 {
	a, b := int64(math.MaxInt64), int64(math.MaxInt64)
	for len(slots) >= 4 {
		s := (*[4]slot)(slots)
		a = min(a, s[0].load.Load()*s[0].unit)
		b = min(b, s[1].load.Load()*s[1].unit)
		a = min(a, s[2].load.Load()*s[2].unit)
		b = min(b, s[3].load.Load()*s[3].unit)
		slots = slots[4:]
	}
	for _, s := range slots {
		a = min(a, s.load.Load()*s.unit)
	}
	return min(a, b)
}

// indexOf returns the first one that has a load, -1 when there is none.
func indexOf(slots []slot, load int64) int {
	for i := range slots {
		if slots[i].load.Load()*slots[i].unit == load {
			return i
		}
	}
	return -1
}

// better draws two places of the order, and so two by weight, and takes the one
// with the fewer connections for its share.
func (t *tier) better(p *Pool, now time.Duration) *member {
	lot, n := rand.Uint64(), uint64(len(t.order))
	i := (lot >> 32) * n >> 32
	j := i + 1 + (lot&(1<<32-1))*(n-1)>>32 // another place, unless there is none
	if j >= n {
		j -= n
	}
	a, b := &t.entries[t.order[i]], &t.entries[t.order[j]]
	notA, notB := t.passes(a, now), t.passes(b, now)
	switch {
	case notA && notB:
		return t.least(p, now, nil)
	case notA, !notB && b.load.Load()*t.share(a, now) < a.load.Load()*t.share(b, now):
		return b.member
	}
	return a.member
}
