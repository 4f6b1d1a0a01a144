package proxy

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// PoolConfig is how a Pool deals out connections.
type PoolConfig struct {
	Balance Balance
	// PreferLocal deals out to backends of this host alone while one of them is up.
	PreferLocal bool
	// SlowStart is how long the share of a backend that came up grows from next
	// to nothing to its weight; 0 is not at all. Source does not know it.
	SlowStart time.Duration
	// Panic uses backends that are draining when nothing else is left: they
	// accept connections at least.
	Panic bool
}

// A Pool is a set of backends and what is known of them. Picking takes no lock and
// allocates nothing; changes swap a snapshot. All methods may be called
// concurrently. Several listeners may share one Pool; they then take turns
// together.
type Pool struct {
	clock func() time.Duration

	mu      sync.Mutex
	cfg     PoolConfig
	order   []*member                  // those that the pool has
	members map[netip.AddrPort]*member // and those that are gone and still have connections
	view    atomic.Pointer[view]       // what picks look at; swapped whole
	turn    atomic.Uint64
}

// NewPool makes a pool of backends, of which nothing is known yet. An address given
// twice counts once.
func NewPool(cfg PoolConfig, backends []Backend) *Pool {
	start := time.Now()
	p := &Pool{
		cfg: cfg, members: make(map[netip.AddrPort]*member),
		clock: func() time.Duration { return time.Since(start) },
	}
	p.Set(backends)
	return p
}

// Set replaces the backends. Of those that stay all that was known is kept; those
// that go keep the connections that they have, and ResetBackend still finds them.
func (p *Pool) Set(backends []Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	was := p.order
	p.order = nil
	for _, b := range backends {
		b.Address = plain(b.Address)
		m := p.members[b.Address]
		switch {
		case m == nil:
			m = &member{address: b.Address}
			p.members[b.Address] = m
		case slices.Contains(p.order, m):
			continue
		case m.gone.Load():
			m.state = Unknown
			m.gone.Store(false)
		}
		m.backend = b
		p.order = append(p.order, m)
	}
	for _, m := range was {
		m.gone.Store(!slices.Contains(p.order, m))
	}
	p.swap()
}

// SetConfig deals out connections in another way from now on.
func (p *Pool) SetConfig(cfg PoolConfig) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cfg = cfg
	p.swap()
}

// sweep forgets those that are gone and have no connections any more. An address
// that comes back later is a new member, with counters of its own.
func (p *Pool) sweep() {
	for at, m := range p.members {
		if m.gone.Load() && m.load.Load() == 0 {
			delete(p.members, at)
		}
	}
}

// SetState says what is known of b. The connections that it has stay as they are.
// An address that is not of the pool is ignored.
func (p *Pool) SetState(b netip.AddrPort, s State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.members[plain(b)]
	if m == nil || m.gone.Load() || m.state == s {
		return
	}
	if s >= Suspect && m.state < Suspect {
		m.upSince = p.clock()
	}
	m.state = s
	p.swap()
}

// Ready returns how many backends are up now, those under suspicion among them.
func (p *Pool) Ready() int { return p.view.Load().ready }

// OnlyReady returns the one backend that is up, a suspect perhaps, and gets new
// connections; the zero value when there are more of them, or none.
func (p *Pool) OnlyReady() (only netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.order {
		switch {
		case m.state < Suspect || m.backend.Weight <= 0:
		case only.IsValid():
			return netip.AddrPort{}
		default:
			only = m.address
		}
	}
	return only
}

// Usable returns how many backends a client could get now, some of them perhaps
// for want of better ones.
func (p *Pool) Usable() int { return p.view.Load().usable }

// Backends returns the pool's backends in the order of Set.
func (p *Pool) Backends() []Backend {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Backend
	for _, m := range p.order {
		all = append(all, m.backend)
	}
	return all
}

// states returns the members in the order of Set, and their states.
func (p *Pool) states() (all []*member, are []State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.order {
		are = append(are, m.state)
	}
	return slices.Clone(p.order), are
}

// member returns that of an address, nil when there is none. It may be gone.
func (p *Pool) member(b netip.AddrPort) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.members[plain(b)]
}

// pick returns the backend whose turn it is and that is not among tried; nil when
// there is none. from is the client's, of bucketOf; only Source looks at it. A
// retry takes a turn like any other pick, and so the load of a failing backend
// spreads over all the others instead of falling on its neighbour.
func (p *Pool) pick(from uint16, tried []*member) *member {
	v := p.view.Load()
	for i := range v.tiers {
		if m := v.tiers[i].pick(p, from, tried); m != nil {
			return m
		}
	}
	return nil
}

// another reports whether there is one more to pick.
func (p *Pool) another(than *member, tried []*member) bool {
	return slices.ContainsFunc(p.view.Load().tiers, func(t tier) bool {
		return slices.ContainsFunc(t.entries, func(e entry) bool { return e.member != than && !slices.Contains(tried, e.member) })
	})
}

// swap shows a new snapshot; p.mu is held.
func (p *Pool) swap() { p.view.Store(newView(p.cfg, p.order)) }
