package proxy

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// A Pool is a fixed set of backends and which of them are ready. Picking takes
// no lock and allocates nothing; readiness changes swap a snapshot. All methods
// may be called concurrently. Several listeners may share one Pool; they then
// take turns together.
type Pool struct {
	backends []netip.AddrPort // never changes

	mu    sync.Mutex            // orders SetReady calls
	ready atomic.Pointer[[]int] // indices into backends, ascending; the slice is never written again
	turn  atomic.Uint64
}

// NewPool makes a pool of backends, none of them ready. An address given twice
// counts once; IPv4 in IPv6 form is IPv4.
func NewPool(backends []netip.AddrPort) *Pool {
	p := &Pool{}
	for _, b := range backends {
		if b = plain(b); !slices.Contains(p.backends, b) {
			p.backends = append(p.backends, b)
		}
	}
	p.ready.Store(new([]int))
	return p
}

// SetReady says whether b may get new connections. Those it has stay as they
// are. An address that is not of the pool is ignored.
func (p *Pool) SetReady(b netip.AddrPort, ready bool) {
	i := slices.Index(p.backends, plain(b))
	if i < 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := slices.Clone(*p.ready.Load())
	at, is := slices.BinarySearch(next, i)
	switch {
	case ready == is:
		return
	case ready:
		next = slices.Insert(next, at, i)
	default:
		next = slices.Delete(next, at, at+1)
	}
	p.ready.Store(&next)
}

// Ready returns how many backends are ready now.
func (p *Pool) Ready() int { return len(*p.ready.Load()) }

// Backends returns the pool's backends, ready or not, in the order given to
// NewPool.
func (p *Pool) Backends() []netip.AddrPort { return slices.Clone(p.backends) }

func (p *Pool) isReady(i int) bool {
	_, is := slices.BinarySearch(*p.ready.Load(), i)
	return is
}

// pick returns the index of the ready backend whose turn it is and that is not
// among tried; false when there is none. A retry takes a turn like any other
// pick, and so the load of a failing backend spreads over all the others
// instead of falling on its neighbour.
func (p *Pool) pick(tried []int) (int, bool) {
	ready := *p.ready.Load()
	n := uint64(len(ready))
	if n == 0 {
		return 0, false
	}
	turn := p.turn.Add(1) - 1
	for k := range n {
		// turn+k may wrap after 2^64 picks; the order then jumps once.
		if i := ready[(turn+k)%n]; !slices.Contains(tried, i) {
			return i, true
		}
	}
	return 0, false
}

// plain takes IPv4 out of its IPv6 form, so that equal backends compare equal.
func plain(b netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(b.Addr().Unmap(), b.Port())
}
