package election

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxGuests bounds the nodes without a name in the configuration that take part.
const maxGuests = 16

// guests are the nodes that have the key and the cluster's name, but are not named by
// the configuration: masters that were added a moment ago. They say what they are and
// get to know this node; nothing that they say of the election is heard.
type guests struct {
	mu   sync.Mutex // memberlist's node lock may be held around it, never inside it
	seen map[string]guest
}

type guest struct {
	sighting
	since time.Time // of the state
}

// Guests returns the nodes that take part though the configuration does not name
// them, by name: they have one of this node's keys and its cluster's name, an address
// that is no peer's and a name that is no peer's. There are 16 at most; those that
// died are kept until others need their place. A guest has no vote and is not sent to.
// In plain text there are none: then everybody would have the key.
//
// Whoever has the key says what his name and his address are: a guest may be given
// work that is checked, never trust.
func (g *Gossip) Guests() []Peer {
	peers := g.peers.Load()
	g.guests.mu.Lock()
	defer g.guests.mu.Unlock()
	var list []Peer
	for name, s := range g.guests.seen {
		if _, named := peers.named(name); !named && !g.taken(peers, s.at.Addr()) {
			list = append(list, Peer{Name: name, Address: s.at, State: s.state, Meta: s.meta})
		}
	}
	slices.SortFunc(list, func(a, b Peer) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// taken reports whether a host is a peer's or this node's.
func (g *Gossip) taken(peers *peerSet, host netip.Addr) bool {
	_, peer := peers.hosts[host]
	return peer || host == g.cfg.Bind.Addr()
}

// admitGuest refuses who is no guest: the peers, whom guests tell of since they know
// them too, and whoever uses a name or an address of theirs. It may be called often
// and with the lobby's node lock held.
func (g *Gossip) admitGuest(name string, at netip.AddrPort) error {
	if name == g.cfg.Node {
		return nil // it comes back as a conflict, unless it is this node
	}
	peers := g.peers.Load()
	p, named := peers.named(name)
	switch {
	case named && p.Address == at:
		return fmt.Errorf("%s at %s is a peer", name, at)
	case named || g.taken(peers, at.Addr()):
		return g.admit(name, at)
	case name == "" || len(name) > maxName || !at.Addr().IsValid() || at.Addr().IsUnspecified() || at.Addr().IsMulticast() || at.Port() == 0:
		return fmt.Errorf("%.*q at %s is no node", maxName, name, at)
	case !g.guests.room(name):
		g.ignored.note(reasonStranger, at.Addr(), "more nodes take part that cluster.peers does not name than can be let in, so this one is ignored; "+
			"write those that belong to this cluster there on every node and reload", "node", name, "most", maxGuests)
		return fmt.Errorf("%s at %s is one guest too many", name, at)
	}
	return nil
}

// room reports whether a node may be a guest, and forgets one that died for it.
func (g *guests) room(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.seen[name]; known || len(g.seen) < maxGuests {
		return true
	}
	oldest := ""
	for name, s := range g.seen {
		if s.state == PeerDead && (oldest == "" || s.since.Before(g.seen[oldest].since)) {
			oldest = name
		}
	}
	delete(g.seen, oldest)
	return oldest != ""
}

// seeGuest remembers what the lobby says of a node, and wakes who wants to know.
func (g *Gossip) seeGuest(name string, now sighting) {
	peers := g.peers.Load()
	_, named := peers.named(name)
	switch {
	case name == g.cfg.Node:
		return
	case named || g.taken(peers, now.at.Addr()): // by now: the lobby loses it
		if now.state == PeerDead {
			g.guests.forget(name)
		}
		return
	case g.guests.set(name, now):
		if now.state == PeerAlive {
			g.cfg.Log.Warn("a node takes part that cluster.peers does not name: it is a guest and has no vote; "+
				"make cluster.peers the same on every node and reload", "node", name, "address", now.at.String())
		} else {
			g.cfg.Log.Info("guest is "+string(now.state), "node", name, "address", now.at.String())
		}
	}
	if g.cfg.Changed != nil {
		g.cfg.Changed()
	}
}

func (g *guests) forget(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.seen, name)
}

// set reports whether state or address are other ones than before.
func (g *guests) set(name string, now sighting) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was, known := g.seen[name]
	if !known && now.state == PeerDead {
		return false // its place was needed
	}
	next := guest{now, was.since}
	changed := !known || was.state != now.state || was.at != now.at
	if changed {
		next.since = time.Now()
	}
	g.seen[name] = next
	return changed
}

// turnAway is told of what comes from hosts that are no peers' and is let in nowhere:
// without a key of ours or another cluster's, too much at once, or about the election.
func (g *Gossip) turnAway(from netip.Addr) {
	g.ignored.note(reasonStranger, from, "packets come from a host that is not in cluster.peers, so they are ignored; "+
		"if it belongs to this cluster write it there on every node and reload, else keep it from this port (MetalLB uses 7946 too)")
}
