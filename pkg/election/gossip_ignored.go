package election

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

// Why packets and streams are ignored.
const (
	reasonLabel    = "label"    // of another cluster
	reasonKey      = "key"      // not encrypted with a key of ours
	reasonStranger = "stranger" // of a host or node that is no peer, and guests' messages
	reasonOverflow = "overflow" // memberlist's queue was full
)

const (
	repeatAfter = time.Minute
	maxSources  = 256 // a source address can be forged; those beyond are only counted
)

// ignored counts what is ignored and says so, once a minute for each reason and
// source: it repeats with every packet.
type ignored struct {
	gossip *Gossip

	mu    sync.Mutex
	count map[string]uint64
	said  map[complaint]time.Time
}

type complaint struct {
	reason string
	from   netip.Addr
}

func newIgnored(g *Gossip) *ignored {
	return &ignored{
		gossip: g, said: make(map[complaint]time.Time),
		count: map[string]uint64{reasonLabel: 0, reasonKey: 0, reasonStranger: 0, reasonOverflow: 0},
	}
}

// Ignored returns how many packets, streams and announcements of nodes were
// ignored since the start, by reason: "label" (another cluster's), "key" (not
// encrypted with a key that this node has), "stranger" (from a host or about a
// node that is not a peer; what a guest says of the election), "overflow" (more at once than could be handled).
// All reasons are always there.
func (g *Gossip) Ignored() map[string]uint64 {
	g.ignored.mu.Lock()
	defer g.ignored.mu.Unlock()
	return maps.Clone(g.ignored.count)
}

// note counts something from a host and warns about it; the text says what to
// do.
func (i *ignored) note(reason string, from netip.Addr, text string, attrs ...any) {
	if !i.first(reason, from, time.Now()) {
		return
	}
	attrs = append(attrs, "from", from.String())
	if peer, ok := i.gossip.peers.Load().hosts[from]; ok {
		attrs = append(attrs, "peer", peer)
	}
	i.gossip.cfg.Log.Warn(text, attrs...)
}

// add only counts.
func (i *ignored) add(reason string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count[reason]++
}

// first counts, and reports whether it was not said within the last minute.
func (i *ignored) first(reason string, from netip.Addr, now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count[reason]++
	this := complaint{reason, from}
	if at, ok := i.said[this]; ok && now.Sub(at) < repeatAfter {
		return false
	}
	if len(i.said) >= maxSources {
		maps.DeleteFunc(i.said, func(_ complaint, at time.Time) bool { return now.Sub(at) >= repeatAfter })
	}
	if len(i.said) >= maxSources {
		return false
	}
	i.said[this] = now
	return true
}
