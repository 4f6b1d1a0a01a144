package proxy

import "sync"

// registry is the set of a listener's live connections, for Reset, drain and
// limits. One plain mutex: it is taken twice in the life of a connection, which
// costs the kernel over 100 µs to set up, and never for a packet.
type registry struct {
	mu    sync.Mutex
	conns map[*conn]struct{}
	empty chan struct{} // nil until drained is called; closed when conns is empty
}

// add registers c, unless limit (0: none) connections live already.
func (r *registry) add(c *conn, limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if limit > 0 && len(r.conns) >= limit {
		return false
	}
	if r.conns == nil {
		r.conns = make(map[*conn]struct{})
	}
	r.conns[c] = struct{}{}
	return true
}

func (r *registry) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
	if r.empty != nil && len(r.conns) == 0 {
		close(r.empty)
		r.empty = nil
	}
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// drained returns a channel that is closed when no connection is left. It is
// called once, when nothing is added any more.
func (r *registry) drained() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	empty := make(chan struct{})
	if len(r.conns) == 0 {
		close(empty)
	} else {
		r.empty = empty
	}
	return empty
}

// reset resets all connections that live at the time of the call and returns
// how many. The lock is not held meanwhile.
func (r *registry) reset() int {
	r.mu.Lock()
	conns := make([]*conn, 0, len(r.conns))
	for c := range r.conns {
		conns = append(conns, c)
	}
	r.mu.Unlock()

	n := 0
	for _, c := range conns {
		if c.reset() {
			n++
		}
	}
	return n
}
