package proxy

import (
	"net/netip"
	"sync"
)

// sources counts the connections of each source. There is an entry for each that
// has one, and so not more than there are connections.
type sources struct{ shards [64]shard }

type shard struct {
	mu    sync.Mutex
	all   map[netip.Addr]*source
	spare []*source // for the next ones, so that who comes and goes costs nothing
}

// source is one that has connections.
type source struct {
	addr netip.Addr
	n    int
}

// maxSpare bounds the spare entries of a shard.
const maxSpare = 64

// enter counts one more of a source, nil: it has as many as it may.
func (all *sources) enter(from netip.Addr, most int) *source {
	from = sourceOf(from)
	h := all.shardOf(from)
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.all[from]
	if s == nil {
		s = h.add(from)
	}
	if s.n >= most {
		return nil
	}
	s.n++
	return s
}

func (h *shard) add(from netip.Addr) (s *source) {
	if n := len(h.spare); n > 0 {
		s, h.spare = h.spare[n-1], h.spare[:n-1]
	} else {
		s = new(source)
	}
	if h.all == nil {
		h.all = make(map[netip.Addr]*source)
	}
	s.addr = from
	h.all[from] = s
	return s
}

// leave counts one less.
func (all *sources) leave(s *source) {
	h := all.shardOf(s.addr)
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.n--; s.n > 0 {
		return
	}
	delete(h.all, s.addr)
	if len(h.spare) < maxSpare {
		h.spare = append(h.spare, s)
	}
}

func (all *sources) shardOf(from netip.Addr) *shard {
	return &all.shards[bucketOf(from)%uint16(len(all.shards))]
}

// sourceOf is who an address stands for: of IPv6 the first 64 bits, as a host may
// have many addresses with the same ones (RFC 8981).
func sourceOf(client netip.Addr) netip.Addr {
	client = client.Unmap()
	if client.Is4() {
		return client
	}
	b := client.As16()
	clear(b[8:])
	return netip.AddrFrom16(b)
}
