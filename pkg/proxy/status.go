package proxy

import "net/netip"

// Status is what a Listener says of itself at one moment.
type Status struct {
	Active   int64             // clients, connecting ones too
	Refused  map[string]uint64 // clients so far, by reason; those of other listeners of the same name too
	Backends []BackendStatus
}

// BackendStatus is a Listener's view of one backend of its pool.
type BackendStatus struct {
	Backend netip.AddrPort
	State   State
	Active  int64 // connections relayed now

	// Connections were relayed since the start; BytesIn came from clients and BytesOut
	// from the backend, and were passed on. Those of other listeners of the same name
	// are among them.
	Connections, BytesIn, BytesOut uint64
}

// Received returns how many bytes have come from a backend and were passed on, on
// all connections so far, those of other listeners of the same name too.
func (l *Listener) Received(b netip.AddrPort) uint64 {
	m := l.pool.member(b)
	if m == nil {
		return 0
	}
	return l.statsOf(m).received()
}

// Status returns the listener's state now; backends are in the pool's order.
func (l *Listener) Status() Status {
	s := Status{Active: l.live.Load(), Refused: make(map[string]uint64)}
	for why, n := range l.refused {
		if n := valueOf(n); n > 0 {
			s.Refused[reason(why).String()] = n
		}
	}
	l.each(func(m *member, state State, b *backendStats) {
		s.Backends = append(s.Backends, BackendStatus{
			Backend: m.address, State: state, Active: b.active.Load(), Connections: valueOf(b.attempts[ok]),
			BytesIn: valueOf(b.in), BytesOut: valueOf(b.out),
		})
	})
	return s
}

// each calls do for the pool's backends, in its order.
func (l *Listener) each(do func(*member, State, *backendStats)) {
	members, states := l.pool.states()
	for i, m := range members {
		do(m, states[i], l.statsOf(m))
	}
}

// statsOf returns what is counted of a backend. Counters of one that the pool has
// no more go when a new one comes.
func (l *Listener) statsOf(m *member) *backendStats {
	if s, is := l.stats.Load(m); is {
		return s.(*backendStats)
	}
	l.stats.Range(func(old, s any) bool {
		if m := old.(*member); m.gone.Load() && m.load.Load() == 0 {
			l.stats.Delete(old)
			l.metrics.forget(l.name(), s.(*backendStats).address)
		}
		return true
	})
	s, _ := l.stats.LoadOrStore(m, l.metrics.backend(l.name(), m.address))
	return s.(*backendStats)
}

// accuse tells what a connection found out about a backend.
func (l *Listener) accuse(m *member, e Evidence) {
	if report := l.now.Load().Report; report != nil {
		report(m.address, e)
	}
}
