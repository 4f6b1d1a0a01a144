package election

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// PeerState is how gossip sees another node. It is a hint for people: who
// holds a VIP never depends on it.
type PeerState string

// The states of a peer.
const (
	PeerUnknown PeerState = "unknown" // never seen
	PeerAlive   PeerState = "alive"
	PeerDead    PeerState = "dead"
)

// Peer is another node of the cluster.
type Peer struct {
	Name    string
	Address netip.AddrPort
	State   PeerState
}

// GossipConfig says who talks to whom.
type GossipConfig struct {
	Cluster string         // label; traffic of other clusters is ignored
	Node    string         // this node
	Bind    netip.AddrPort // TCP and UDP, on an address that the peers know
	Peers   []Peer         // the other nodes; State is not read
	Keys    [][]byte       // AES keys of 16, 24 or 32 bytes, the first encrypts; none is plain text
	Log     *slog.Logger
	Metrics *Metrics
}

// Gossip carries messages between the nodes, over memberlist: encrypted,
// labelled, best effort. It joins lost peers again for ever.
type Gossip struct {
	cfg     GossipConfig
	deliver func([]byte)
	list    *memberlist.Memberlist

	mu     sync.Mutex // guards states
	states map[string]PeerState
}

const (
	rejoinInterval = 3 * time.Second
	joinTimeout    = 2 * time.Second
	leaveTimeout   = 500 * time.Millisecond
)

// NewGossip prepares the wire; it starts nothing. deliver gets a copy of each
// message and must not block.
func NewGossip(cfg GossipConfig, deliver func([]byte)) *Gossip {
	g := &Gossip{cfg: cfg, deliver: deliver, states: make(map[string]PeerState)}
	for _, p := range cfg.Peers {
		g.states[p.Name] = PeerUnknown
	}
	cfg.Metrics.watchGossip(g)
	return g
}

// Open binds the port. After it, messages are delivered and Send works.
func (g *Gossip) Open() error {
	cfg := memberlist.DefaultLANConfig()
	cfg.Name = g.cfg.Node
	cfg.Label = g.cfg.Cluster
	cfg.BindAddr, cfg.BindPort = g.cfg.Bind.Addr().String(), int(g.cfg.Bind.Port())
	cfg.AdvertiseAddr, cfg.AdvertisePort = cfg.BindAddr, cfg.BindPort
	cfg.TCPTimeout = joinTimeout
	cfg.DeadNodeReclaimTime = time.Second
	cfg.EnableCompression = false // the messages are small
	cfg.DisableTcpPings = true
	cfg.Delegate, cfg.Events, cfg.Alive = delegate{g}, events{g}, strangers{g}
	cfg.Logger = log.New(&logBridge{log: g.cfg.Log}, "", 0)
	if len(g.cfg.Keys) > 0 {
		ring, err := memberlist.NewKeyring(g.cfg.Keys, g.cfg.Keys[0])
		if err != nil {
			return fmt.Errorf("use the gossip keys: %w", err)
		}
		cfg.Keyring = ring
	}
	list, err := memberlist.Create(cfg)
	if err != nil {
		return fmt.Errorf("open gossip on %s: %w (MetalLB uses port 7946 too: cluster.gossip.port changes ours, on every node)", g.cfg.Bind, err)
	}
	g.list = list
	return nil
}

// Run joins the peers, and those that were lost, until ctx ends. Then it says
// goodbye and closes the port, without waiting for a peer that does not answer.
func (g *Gossip) Run(ctx context.Context) error {
	go g.rejoin(ctx)
	<-ctx.Done()
	return g.close()
}

// rejoin ends with ctx, or when the join that is under way then has failed.
func (g *Gossip) rejoin(ctx context.Context) {
	ticker := time.NewTicker(rejoinInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		g.joinLost(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

func (g *Gossip) close() error {
	if err := g.list.Leave(leaveTimeout); err != nil {
		g.cfg.Log.Debug("could not say goodbye to all peers", "err", err)
	}
	if err := g.list.Shutdown(); err != nil {
		return fmt.Errorf("close gossip on %s: %w", g.cfg.Bind, err)
	}
	return nil
}

// joinLost talks to every peer that is not alive: memberlist itself forgets
// the dead, so a partition would never heal.
func (g *Gossip) joinLost(ctx context.Context) {
	for _, p := range g.Peers() {
		if p.State == PeerAlive || ctx.Err() != nil {
			continue
		}
		if _, err := g.list.Join([]string{p.Name + "/" + p.Address.String()}); err != nil {
			g.cfg.Log.Debug("cannot join a peer yet", "peer", p.Name, "address", p.Address.String(), "err", err)
		}
	}
}

// Send sends message to a peer, whether or not gossip thinks it alive. It does
// not block and does not say whether the message arrived.
func (g *Gossip) Send(node string, message []byte) error {
	for _, p := range g.cfg.Peers {
		if p.Name == node {
			return g.list.SendToAddress(memberlist.Address{Addr: p.Address.String(), Name: p.Name}, message)
		}
	}
	return fmt.Errorf("send to %s: not a peer", node)
}

// Peers returns the other nodes and how gossip sees them, in the order of the
// configuration.
func (g *Gossip) Peers() []Peer {
	g.mu.Lock()
	defer g.mu.Unlock()
	peers := make([]Peer, len(g.cfg.Peers))
	for i, p := range g.cfg.Peers {
		p.State = g.states[p.Name]
		peers[i] = p
	}
	return peers
}

func (g *Gossip) seen(node string, state PeerState) {
	g.mu.Lock()
	was, known := g.states[node]
	if known {
		g.states[node] = state
	}
	g.mu.Unlock()
	if known && was != state {
		g.cfg.Log.Info("peer is "+string(state), "peer", node)
	}
}

// admit refuses nodes that are not in the configuration, or not at their
// address.
func (g *Gossip) admit(name string, ip net.IP, port uint16) error {
	if name == g.cfg.Node {
		return nil
	}
	addr, _ := netip.AddrFromSlice(ip)
	for _, p := range g.cfg.Peers {
		if p.Name == name && p.Address == netip.AddrPortFrom(addr.Unmap(), port) {
			return nil
		}
	}
	return fmt.Errorf("%s at %s is not among cluster.peers", name, net.JoinHostPort(ip.String(), strconv.Itoa(int(port))))
}

// delegate receives messages. It carries no state and no broadcasts.
type delegate struct{ g *Gossip }

func (d delegate) NotifyMsg(b []byte)                { d.g.deliver(bytes.Clone(b)) }
func (d delegate) NodeMeta(int) []byte               { return nil }
func (d delegate) GetBroadcasts(int, int) [][]byte   { return nil }
func (d delegate) LocalState(bool) []byte            { return nil }
func (d delegate) MergeRemoteState(_ []byte, _ bool) {}

// events keeps the peers' states.
type events struct{ g *Gossip }

func (e events) NotifyJoin(n *memberlist.Node)  { e.g.seen(n.Name, PeerAlive) }
func (e events) NotifyLeave(n *memberlist.Node) { e.g.seen(n.Name, PeerDead) }
func (e events) NotifyUpdate(*memberlist.Node)  {}

// strangers keeps nodes out that the configuration does not name.
type strangers struct{ g *Gossip }

func (s strangers) NotifyAlive(n *memberlist.Node) error { return s.g.admit(n.Name, n.Addr, n.Port) }
