package election

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// GossipConfig says who talks to whom.
type GossipConfig struct {
	Cluster string         // label; traffic of other clusters is ignored
	Node    string         // this node
	Bind    netip.AddrPort // TCP and UDP, on an address that the peers know
	Peers   []Peer         // the other nodes; State and Meta are not read
	Keys    [][]byte       // AES keys of 16, 24 or 32 bytes, the first encrypts, all decrypt; none is plain text
	Log     *slog.Logger   // must not block: memberlist logs while it holds the lock that sending needs
	Metrics *Metrics

	// Changed is called when the State or Meta of a peer or guest may be another
	// one. It must not block. nil: nobody wants to know.
	Changed func()
}

// Gossip carries messages between the nodes, over memberlist: encrypted,
// labelled, best effort. It joins lost peers again for ever. Nodes that are no
// peers may be guests: see [Gossip.Guests]. Its methods may be called from any
// goroutine.
type Gossip struct {
	cfg     GossipConfig
	deliver func([]byte)
	tune    func(*memberlist.Config) // for tests; may be nil
	ignored *ignored
	list    *memberlist.Memberlist // nil before Open

	door      *door // where those go that are not among the peers
	lobby     lobby
	guests    guests
	tuneLobby func(*memberlist.Config) // for tests; may be nil

	// sending is held by each Send, and whole by SetKeys, which for a moment
	// has the wrong key in front.
	sending sync.RWMutex
	keyring *memberlist.Keyring // nil is plain text

	peers atomic.Pointer[peerSet] // replaced whole
	mu    sync.Mutex              // guards seen; memberlist's node lock may be held around it, never inside it
	seen  map[string]sighting
	joins joins

	meta    atomic.Pointer[[]byte] // this node's; nil is none
	metaSet chan struct{}          // one slot: meta has been set

	leave  time.Duration
	rejoin time.Duration
}

const (
	rejoinInterval = 3 * time.Second
	joinTimeout    = 2 * time.Second
	leaveTimeout   = 500 * time.Millisecond
)

// NewGossip prepares the wire; it starts nothing. deliver gets a copy of each
// message and must not block.
func NewGossip(cfg GossipConfig, deliver func([]byte)) *Gossip {
	g := &Gossip{
		cfg: cfg, deliver: deliver, seen: make(map[string]sighting), metaSet: make(chan struct{}, 1),
		leave: leaveTimeout, rejoin: rejoinInterval, guests: guests{seen: make(map[string]guest)},
	}
	g.ignored = newIgnored(g)
	g.door = &door{turnAway: g.turnAway}
	if len(cfg.Keys) > 0 {
		g.door = newDoor(g.turnAway)
	}
	g.peers.Store(newPeerSet(cfg.Peers))
	cfg.Metrics.watchGossip(g)
	return g
}

// Open binds the port. After it, messages are delivered and Send works.
func (g *Gossip) Open() error {
	cfg, err := g.settings()
	if err != nil {
		return err
	}
	t, err := listen(g.cfg.Bind, g.hears, g.door)
	if err != nil {
		return fmt.Errorf("open gossip on %s: %w (MetalLB uses port 7946 too: cluster.gossip.port changes ours, on every node)", g.cfg.Bind, err)
	}
	second := *cfg
	cfg.Transport = t
	if g.tune != nil {
		g.tune(cfg)
	}
	list, err := memberlist.Create(cfg)
	if err != nil {
		_ = t.Shutdown() // it always succeeds
		return fmt.Errorf("open gossip on %s: %w", g.cfg.Bind, err)
	}
	g.list = list
	if err := g.openLobby(t, second); err != nil {
		_ = list.Shutdown() // it always succeeds
		return fmt.Errorf("open gossip on %s: %w", g.cfg.Bind, err)
	}
	return nil
}

// settings are memberlist's defaults for a LAN, but for what follows.
//
// How a message comes in, in v0.7.0: the transport's goroutine reads it; packetListen
// takes the label off, decrypts, and answers pings on the spot (microseconds);
// a message of ours then waits for packetHandler in a queue of HandoffQueueDepth
// entries that is last in, first out, behind what is newly alive. packetHandler
// runs our NotifyMsg between the handlers of suspect, alive and dead, which take
// the node lock. Whoever holds that lock only computes: probes, gossip rounds
// and joins have goroutines of their own and do their waiting without it. So a
// message is held up by what happens under the node lock, and that includes our
// callbacks and every line that memberlist logs there: none of them may block
// (deliver and Log by contract). Send takes the lock for reading too.
//
// A queue of 1024 is more than the socket holds, so it does not overflow before
// the socket does; it throws away the newest, so a shorter one would be worse.
// The probe and gossip intervals cost a ping and five wake-ups a second and
// delay nothing: they stay.
func (g *Gossip) settings() (*memberlist.Config, error) {
	cfg := memberlist.DefaultLANConfig()
	cfg.Name = g.cfg.Node
	cfg.Label = g.cfg.Cluster
	cfg.BindAddr, cfg.BindPort = g.cfg.Bind.Addr().String(), int(g.cfg.Bind.Port())
	cfg.AdvertiseAddr, cfg.AdvertisePort = cfg.BindAddr, cfg.BindPort
	cfg.TCPTimeout = joinTimeout
	// Who may take a dead node's name is for the configuration to say, which
	// admit has asked by then: there is nothing to wait for.
	cfg.DeadNodeReclaimTime = time.Millisecond
	cfg.EnableCompression = false // the messages are small
	cfg.DisableTcpPings = true
	cfg.Delegate, cfg.Events, cfg.Alive, cfg.Conflict = delegate{g}, events{g}, strangers{g}, conflicts{g}
	cfg.Logger = log.New(&logBridge{gossip: g}, "", 0)
	if len(g.cfg.Keys) > 0 {
		ring, err := memberlist.NewKeyring(g.cfg.Keys, g.cfg.Keys[0])
		if err != nil {
			return nil, fmt.Errorf("use the gossip keys: %w", err)
		}
		g.keyring, cfg.Keyring = ring, ring
	}
	return cfg, nil
}

// Run joins the peers, and those that were lost, until ctx ends. Then it says
// goodbye and closes the port, without waiting for a peer that does not answer.
func (g *Gossip) Run(ctx context.Context) error {
	var tasks sync.WaitGroup
	tasks.Go(func() { g.keepJoining(ctx) })
	tasks.Go(func() { g.sayMeta(ctx) })
	<-ctx.Done()
	err := g.close() // ends the joins that are under way
	tasks.Wait()
	g.joins.wait()
	return err
}

func (g *Gossip) close() error {
	said := make(chan error, 1)
	go func() { said <- g.lobby.leave(g.leave) }()
	if err := errors.Join(g.list.Leave(g.leave), <-said); err != nil {
		g.cfg.Log.Debug("could not say goodbye to all peers", "err", err)
	}
	if err := errors.Join(g.lobby.close(), g.list.Shutdown()); err != nil {
		return fmt.Errorf("close gossip on %s: %w", g.cfg.Bind, err)
	}
	return nil
}

// Send sends message to a peer at its configured address, whether gossip
// thinks it alive, dead, or has never met it. It does not block and does not
// say whether the message arrived.
func (g *Gossip) Send(node string, message []byte) error {
	p, ok := g.peers.Load().named(node)
	if !ok {
		return fmt.Errorf("send to %s: not a peer", node)
	}
	g.sending.RLock()
	defer g.sending.RUnlock()
	return g.list.SendToAddress(memberlist.Address{Addr: p.Address.String(), Name: p.Name}, message)
}

// delegate receives messages. It carries metadata, no state and no broadcasts.
type delegate struct{ g *Gossip }

func (d delegate) NotifyMsg(b []byte)                { d.g.deliver(bytes.Clone(b)) }
func (d delegate) GetBroadcasts(int, int) [][]byte   { return nil }
func (d delegate) LocalState(bool) []byte            { return nil }
func (d delegate) MergeRemoteState(_ []byte, _ bool) {}

// events keeps the peers' states.
type events struct{ g *Gossip }

func (e events) NotifyJoin(n *memberlist.Node) {
	e.g.heardOf(n, PeerAlive)
}

func (e events) NotifyLeave(n *memberlist.Node) {
	e.g.heardOf(n, PeerDead)
}

func (e events) NotifyUpdate(n *memberlist.Node) {
	e.g.heardOf(n, PeerAlive)
}

// strangers keeps nodes out that the configuration does not name: guests are in
// the lobby.
type strangers struct{ g *Gossip }

func (s strangers) NotifyAlive(n *memberlist.Node) error {
	return s.g.admit(n.Name, addrPort(n.Addr, n.Port))
}

// conflicts hears of a name that is alive at another address.
type conflicts struct{ g *Gossip }

func (c conflicts) NotifyConflict(existing, other *memberlist.Node) {
	c.g.conflict(existing.Name, addrPort(existing.Addr, existing.Port), addrPort(other.Addr, other.Port))
}

func addrPort(ip net.IP, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), port)
}

// SendWhole sends a message of any size to a peer, over TCP, and waits until it is
// sent: two seconds for a peer that does not answer. Messages of the election go
// without, as a lost one is better than one that waits.
func (g *Gossip) SendWhole(node string, message []byte) error {
	p, ok := g.peers.Load().named(node)
	if !ok {
		return fmt.Errorf("send to %s: not a peer", node)
	}
	// Without g.sending: SetKeys, and whoever sends meanwhile, would wait for the
	// slowest peer. A message that meets a change of keys is lost.
	to := &memberlist.Node{Name: p.Name, Addr: p.Address.Addr().AsSlice(), Port: p.Address.Port()}
	if err := g.list.SendReliable(to, message); err != nil {
		return fmt.Errorf("send to %s at %s: %w", node, p.Address, err)
	}
	return nil
}
