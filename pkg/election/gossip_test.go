package election

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestGossipCarriesMessages(t *testing.T) {
	t.Parallel()
	aSetup := gossipSetup{node: "a", bind: at(t, 1), keys: [][]byte{key("k")}}
	bSetup := gossipSetup{node: "b", bind: at(t, 2), keys: aSetup.keys, peers: []Peer{{Name: "a", Address: aSetup.bind}}}
	aSetup.peers = []Peer{{Name: "b", Address: bSetup.bind}}
	a := aSetup.run(t)
	if got := a.state("b"); got != PeerUnknown {
		t.Errorf("a peer that never was there is %q", got)
	}
	b := bSetup.run(t)
	alive(t, a, b)
	a.send(t, "b", "hello")
	b.expect(t, "hello")
	if err := a.Send("c", nil); err == nil {
		t.Error("a message to a stranger was sent")
	}
	b.stop()
	until(t, "b is dead", func() bool { return a.state("b") == PeerDead })
	a.send(t, "b", "into the void")
	again := bSetup.run(t)
	alive(t, a, again)
}

// Whether memberlist knows a node is no matter: messages go to the configured
// address, encrypted.
func TestSendAsksNobody(t *testing.T) {
	t.Parallel()
	aSetup := gossipSetup{node: "a", bind: at(t, 1), keys: [][]byte{key("k")}, tune: quick}
	bSetup := gossipSetup{node: "b", bind: at(t, 2), keys: aSetup.keys, peers: []Peer{{Name: "a", Address: aSetup.bind}}}
	aSetup.peers = []Peer{{Name: "b", Address: bSetup.bind}}
	a, b := aSetup.open(t), bSetup.open(t) // neither joins
	a.send(t, "b", "never met")
	b.expect(t, "never met")
	b.send(t, "a", "nor you")
	a.expect(t, "nor you")

	a.joinLost()
	alive(t, a, b)
	a.send(t, "b", "alive")
	b.expect(t, "alive")

	b.die()
	until(t, "b is dead", func() bool { return a.state("b") == PeerDead })
	b = bSetup.open(t)
	a.send(t, "b", "dead")
	b.expect(t, "dead")
	if got := a.state("b"); got != PeerDead {
		t.Errorf("b is %s: the message may have gone the usual way", got)
	}
}

func TestGossipIgnoresAnotherKey(t *testing.T) {
	t.Parallel()
	aAt, bAt := at(t, 1), at(t, 2)
	toA := []Peer{{Name: "a", Address: aAt}}
	a := gossipSetup{node: "a", bind: aAt, keys: [][]byte{key("k")}, peers: []Peer{{Name: "b", Address: bAt}}}.run(t)
	b := gossipSetup{node: "b", bind: bAt, keys: [][]byte{key("x")}, peers: toA}.run(t)
	b.send(t, "a", "forged")
	until(t, "the forged message is ignored", func() bool { return a.Ignored()["key"] > 0 })
	b.stop()
	b = gossipSetup{node: "b", bind: bAt, keys: [][]byte{key("k")}, peers: toA}.open(t)
	b.send(t, "a", "true")
	a.expect(t, "true")
}

func TestGossipPortTaken(t *testing.T) {
	t.Parallel()
	bind := at(t, 1)
	gossipSetup{node: "a", bind: bind}.open(t)
	g := NewGossip(GossipConfig{Node: "a", Bind: bind, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry())}, func([]byte) {})
	err := g.Open()
	if want := fmt.Sprintf("open gossip on %s", bind); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cluster.gossip.port") {
		t.Errorf("got %v", err)
	}
}

// A deliver that throws away what it cannot take gets everything offered: the
// wire waits for nobody.
func TestGossipWaitsForNobody(t *testing.T) {
	t.Parallel()
	aAt, bAt := at(t, 1), at(t, 2)
	inbox := make(chan []byte, 1)
	var dropped atomic.Int64
	a := gossipSetup{
		node: "a", bind: aAt, peers: []Peer{{Name: "b", Address: bAt}},
		deliver: func(m []byte) {
			select {
			case inbox <- m:
			default:
				dropped.Add(1)
			}
		},
	}.run(t)
	b := gossipSetup{node: "b", bind: bAt, peers: []Peer{{Name: "a", Address: aAt}}}.open(t)
	const sent = 200
	for range sent {
		b.send(t, "a", "m")
		a.send(t, "b", "m")
	}
	until(t, "all messages were offered", func() bool { return dropped.Load()+int64(len(inbox)) == sent })
}

func TestGossipOverIPv6(t *testing.T) {
	t.Parallel()
	free := func() netip.AddrPort {
		ln, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			t.Skipf("needs IPv6 on loopback: %v", err)
		}
		defer ln.Close()
		return ln.Addr().(*net.TCPAddr).AddrPort()
	}
	aAt, bAt := free(), free()
	a := gossipSetup{node: "a", bind: aAt, keys: keysOf("k"), peers: []Peer{{Name: "b", Address: bAt}}}.run(t)
	b := gossipSetup{node: "b", bind: bAt, keys: keysOf("k"), peers: []Peer{{Name: "a", Address: aAt}}}.run(t)
	alive(t, a, b)
	a.send(t, "b", "six")
	b.expect(t, "six")
}
