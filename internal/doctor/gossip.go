package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/config"
)

// Gossip is how a node reaches its peers on the port by which they vote.
type Gossip struct {
	Runs   bool         `json:"runs,omitempty"`   // the kshalb that looks takes part
	Owners []Owner      `json:"owners,omitempty"` // who has the port here, if anybody
	Peers  []GossipPeer `json:"peers,omitempty"`  // the others
}

// GossipPeer is one of them.
type GossipPeer struct {
	Peer string `json:"peer"`
	TCP  string `json:"tcp"` // Reached, or what came of it
	// UDP is Reached when gossip hears the peer, directly or by way of another one;
	// Lost when it does not; Refused when nobody listens there; Silent when a packet was
	// sent, and no kshalb runs here that would hear an answer.
	UDP   string `json:"udp"`
	Error string `json:"error,omitempty"` // of TCP or UDP, where that is Failed
}

// What came of trying to reach somebody.
const (
	Reached = "reached"
	Refused = "refused" // the host is there, and nobody listens
	Silent  = "silent"  // no answer in time
	Lost    = "lost"
	Failed  = "failed" // another error
)

// reachTimeout bounds one connect: long enough for two lost packets (SYNs are
// sent after 0, 1 and 3 s).
const reachTimeout = 3500 * time.Millisecond

// udpWait is for an ICMP message in answer to a packet.
const udpWait = 800 * time.Millisecond

func lookGossip(ctx context.Context, l *Looker, v *View) error {
	g := Gossip{Runs: l.Alive != nil, Peers: []GossipPeer{}}
	own := l.ownPeer()
	if own.Address.IsValid() {
		var err error
		if g.Owners, err = l.gossipOwners(netip.AddrPortFrom(own.Address, l.Config.Cluster.Gossip.Port)); err != nil {
			return err
		}
	}
	for _, p := range l.Config.Cluster.Peers {
		if p.Name != l.Node {
			g.Peers = append(g.Peers, GossipPeer{Peer: p.Name})
		}
	}
	var trying sync.WaitGroup
	for i := range g.Peers {
		trying.Go(func() { l.tryPeer(ctx, &g.Peers[i]) })
	}
	trying.Wait()
	v.Gossip = &g
	return nil
}

// ownPeer is this node; the zero value is none of the peers.
func (l *Looker) ownPeer() config.Peer {
	for _, p := range l.Config.Cluster.Peers {
		if p.Name == l.Node {
			return p
		}
	}
	return config.Peer{}
}

// gossipOwners are those who keep others from the port of gossip, or have it.
func (l *Looker) gossipOwners(at netip.AddrPort) ([]Owner, error) {
	streams, err := hostSockets(unix.IPPROTO_TCP, listening, at.Port())
	if err != nil {
		return nil, err
	}
	packets, err := hostSockets(unix.IPPROTO_UDP, closed, at.Port())
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(append(streams, packets...), func(s hostSocket) bool { return !s.inTheWay(at) })
	owners := l.told(all)
	slices.SortFunc(owners, func(a, b Owner) int { return a.At.Compare(b.At) })
	return slices.Compact(owners), nil // both sockets of one process
}

// tryPeer reaches for a peer by both protocols.
func (l *Looker) tryPeer(ctx context.Context, g *GossipPeer) {
	i := slices.IndexFunc(l.Config.Cluster.Peers, func(p config.Peer) bool { return p.Name == g.Peer })
	to := netip.AddrPortFrom(l.Config.Cluster.Peers[i].Address, l.Config.Cluster.Gossip.Port)
	conn, err := dial(ctx, "tcp", l.ownPeer().Address, to)
	if g.TCP = outcome(err); err == nil {
		conn.Close()
	}
	if g.TCP == Failed {
		g.Error = err.Error()
	}
	if l.Alive != nil {
		g.UDP = Lost
		if l.Alive()[g.Peer] == "alive" {
			g.UDP = Reached
		}
		return
	}
	err = sendPacket(ctx, l.ownPeer().Address, to)
	if g.UDP = outcome(err); g.UDP == Failed {
		g.Error = err.Error()
	}
}

// dial connects from an address of this host, as kshalb does; an invalid one is
// any.
func dial(ctx context.Context, network string, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Timeout: reachTimeout}
	if local := netip.AddrPortFrom(from, 0); from.IsValid() && from.Is4() == to.Addr().Is4() {
		d.LocalAddr = net.TCPAddrFromAddrPort(local)
		if network == "udp" {
			d.LocalAddr = net.UDPAddrFromAddrPort(local)
		}
	}
	return d.DialContext(ctx, network, to.String())
}

// sendPacket sends an empty datagram, which kshalb passes over, and waits a moment for
// word that it did not arrive.
func sendPacket(ctx context.Context, from netip.Addr, to netip.AddrPort) error {
	conn, err := dial(ctx, "udp", from, to)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(udpWait)); err != nil {
		return err
	}
	if _, err := conn.Write(nil); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// outcome is what an error of reaching for somebody means.
func outcome(err error) string {
	var slow net.Error
	switch {
	case err == nil:
		return Reached
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return Silent
	}
	return Failed
}
