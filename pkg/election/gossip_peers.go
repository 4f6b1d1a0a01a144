package election

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// PeerState is how gossip sees another node. It is a hint for people: who
// holds a VIP never depends on it.
type PeerState string

// The states of a peer.
const (
	PeerUnknown PeerState = "unknown" // not seen at its configured address yet
	PeerAlive   PeerState = "alive"
	PeerDead    PeerState = "dead"
)

// Peer is another node of the cluster.
type Peer struct {
	Name    string
	Address netip.AddrPort
	State   PeerState
	Meta    string // what the peer last said of itself: see [Gossip.SetMeta]
}

// peerSet is the configured peers. It is never changed, only replaced.
type peerSet struct {
	list  []Peer // in the order of the configuration
	hosts map[netip.Addr]string
}

func newPeerSet(peers []Peer) *peerSet {
	s := &peerSet{list: slices.Clone(peers), hosts: make(map[netip.Addr]string)}
	for _, p := range peers {
		s.hosts[p.Address.Addr()] = p.Name
	}
	return s
}

func (s *peerSet) named(node string) (Peer, bool) {
	for _, p := range s.list {
		if p.Name == node {
			return p, true
		}
	}
	return Peer{}, false
}

// sighting is what gossip last said about a node that was admitted once.
type sighting struct {
	at    netip.AddrPort
	state PeerState
	meta  string
}

// SetPeers replaces the other nodes, at once and while messages flow: State is
// not read. What comes from the host of a removed peer is dropped from now on;
// memberlist itself gives it up when its pings stay unanswered. A peer with a
// new address is sent to there at once, and is alive there as soon as memberlist
// has given up the old one (at once if it said goodbye, else some seconds).
// Nothing changes when an error is returned.
func (g *Gossip) SetPeers(peers []Peer) error {
	if err := g.checkPeers(peers); err != nil {
		return fmt.Errorf("change the gossip peers: %w", err)
	}
	set := newPeerSet(peers)
	g.peers.Store(set)
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, s := range g.seen {
		if _, listed := set.named(name); !listed && s.state == PeerDead {
			delete(g.seen, name) // those that live go when they die
		}
	}
	return nil
}

func (g *Gossip) checkPeers(peers []Peer) error {
	var errs []error
	names := map[string]bool{g.cfg.Node: true}
	addresses := map[netip.AddrPort]string{g.cfg.Bind: g.cfg.Node}
	for _, p := range peers {
		switch other, taken := addresses[p.Address]; {
		case p.Name == "":
			errs = append(errs, fmt.Errorf("the peer at %s has no name", p.Address))
		case names[p.Name]:
			errs = append(errs, fmt.Errorf("%s is there twice", p.Name))
		case !p.Address.IsValid() || p.Address.Port() == 0:
			errs = append(errs, fmt.Errorf("%s has no address", p.Name))
		case taken:
			errs = append(errs, fmt.Errorf("%s and %s are both at %s", other, p.Name, p.Address))
		}
		names[p.Name] = true
		addresses[p.Address] = p.Name
	}
	return errors.Join(errs...)
}

// Peers returns the other nodes and how gossip sees them, in the order of the
// configuration.
func (g *Gossip) Peers() []Peer {
	peers := slices.Clone(g.peers.Load().list)
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, p := range peers {
		peers[i].State = PeerUnknown
		if s, ok := g.seen[p.Name]; ok && s.at == p.Address {
			peers[i].State, peers[i].Meta = s.state, s.meta
		}
	}
	return peers
}

// see remembers what gossip says about a node. A node that is no peer any more
// is remembered too while it lives: it may be one again, and then memberlist,
// which still knows it, would not announce it anew.
func (g *Gossip) see(node string, now sighting) {
	if node == g.cfg.Node {
		return
	}
	_, listed := g.peers.Load().named(node)
	g.mu.Lock()
	was := g.seen[node]
	g.seen[node] = now
	if !listed && now.state == PeerDead {
		delete(g.seen, node)
	}
	g.mu.Unlock()
	if listed && (was.at != now.at || was.state != now.state) {
		g.cfg.Log.Info("peer is "+string(now.state), "peer", node, "address", now.at.String())
	}
}

// hears reports whether a host is a peer's. All else goes to the door and must not
// delay the messages of the peers.
func (g *Gossip) hears(from netip.Addr) bool {
	_, ok := g.peers.Load().hosts[from]
	return ok
}

// admit refuses nodes that are not in the configuration, or not at their
// address. It may be called often and with memberlist's node lock held.
func (g *Gossip) admit(name string, at netip.AddrPort) error {
	if name == g.cfg.Node {
		return nil
	}
	p, ok := g.peers.Load().named(name)
	switch {
	case !ok:
		g.ignored.note(reasonStranger, at.Addr(), "a node takes part that cluster.peers does not name, so it is ignored; "+
			"make cluster.peers the same on every node and reload", "node", name)
		return fmt.Errorf("%s at %s is not among cluster.peers", name, at)
	case p.Address != at:
		g.ignored.note(reasonStranger, at.Addr(), "a node takes part at another address than in cluster.peers, so it is ignored; "+
			"make cluster.peers the same on every node and reload", "node", name, "configured", p.Address.String())
		return fmt.Errorf("%s at %s is at %s in cluster.peers", name, at, p.Address)
	}
	return nil
}

// conflict is told of a node that is said to be at other while memberlist
// thinks it alive at known. Only configured addresses come so far (admit), and
// anything that names this node itself.
func (g *Gossip) conflict(node string, known, other netip.AddrPort) {
	if node != g.cfg.Node {
		g.cfg.Log.Debug("peer has moved, waiting until gossip gives up its old address", "peer", node, "from", known.String(), "to", other.String())
		return
	}
	g.ignored.note(reasonStranger, other.Addr(), "this node's name is in use at another address too; "+
		"if its own address did not just change, give one of the two another name", "node", node)
}
