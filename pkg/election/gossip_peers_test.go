package election

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetPeers(t *testing.T) {
	t.Parallel()
	aAt, bAt, cAt := at(t, 1), at(t, 2), at(t, 3)
	b, c := Peer{Name: "b", Address: bAt}, Peer{Name: "c", Address: cAt}
	a := gossipSetup{node: "a", bind: aAt, peers: []Peer{b}, tune: quick}.run(t)
	bNode := gossipSetup{node: "b", bind: bAt, peers: []Peer{{Name: "a", Address: aAt}, c}, tune: quick}.run(t)
	cNode := gossipSetup{node: "c", bind: cAt, peers: []Peer{{Name: "a", Address: aAt}, b}, tune: quick}.run(t)
	alive(t, a)
	// What b says after c on the same socket comes first, so c's was dropped.
	deaf := func(what string) {
		t.Helper()
		before := a.Ignored()["stranger"]
		cNode.send(t, "a", what)
		bNode.send(t, "a", "after that")
		a.expect(t, "after that")
		if a.Ignored()["stranger"] == before {
			t.Errorf("%s: its message was not counted", what)
		}
	}
	deaf("c is no peer yet")

	if err := a.SetPeers([]Peer{b, c}); err != nil {
		t.Fatal(err)
	}
	alive(t, a, bNode, cNode)
	cNode.send(t, "a", "added")
	a.expect(t, "added")
	a.send(t, "c", "welcome")
	cNode.expect(t, "welcome")

	if err := a.SetPeers([]Peer{b}); err != nil {
		t.Fatal(err)
	}
	deaf("c is no peer any more")
	if err := a.Send("c", nil); err == nil {
		t.Error("a message to a removed peer was sent")
	}
	if got := a.state("c"); got != "" {
		t.Errorf("c was removed and is %s", got)
	}
	if err := a.SetPeers([]Peer{c, b}); err != nil {
		t.Fatal(err)
	}
	alive(t, a, cNode)
	if got := a.Peers()[0].Name; got != "c" {
		t.Errorf("the first peer is %s: not in the order of the configuration", got)
	}
	cNode.send(t, "a", "back")
	a.expect(t, "back")
}

// A peer that is removed and added again before memberlist has given it up is
// alive at once: nobody would announce it anew.
func TestSetPeersRemembersTheLiving(t *testing.T) {
	t.Parallel()
	aAt, bAt := at(t, 1), at(t, 2)
	peers := []Peer{{Name: "b", Address: bAt}}
	a := gossipSetup{node: "a", bind: aAt, peers: peers}.run(t)
	gossipSetup{node: "b", bind: bAt, peers: []Peer{{Name: "a", Address: aAt}}}.run(t)
	alive(t, a)
	for _, set := range [][]Peer{nil, peers} {
		if err := a.SetPeers(set); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.state("b"); got != PeerAlive {
		t.Errorf("b is %s", got)
	}
}

// A node comes back with another address, after a goodbye or a kill. Those who
// were told so take it, a node that was not does not.
func TestPeerMoves(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*gossiper){
		"goodbye": func(g *gossiper) { g.stop() },
		"killed":  (*gossiper).die,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aAt, oldAt, newAt, cAt := at(t, 1), at(t, 2), at(t, 4), at(t, 3)
			toA, toC := Peer{Name: "a", Address: aAt}, Peer{Name: "c", Address: cAt}
			a := gossipSetup{node: "a", bind: aAt, peers: []Peer{{Name: "b", Address: oldAt}, toC}, tune: quick}.run(t)
			b := gossipSetup{node: "b", bind: oldAt, peers: []Peer{toA, toC}, tune: quick}.run(t)
			c := gossipSetup{node: "c", bind: cAt, peers: []Peer{{Name: "b", Address: oldAt}, toA}, tune: quick}.run(t)
			alive(t, a, b, c)
			leave(b)

			moved := gossipSetup{node: "b", bind: newAt, peers: []Peer{toA, toC}, tune: quick}.run(t)
			if err := a.SetPeers([]Peer{{Name: "b", Address: newAt}, toC}); err != nil {
				t.Fatal(err)
			}
			a.send(t, "b", "at once")
			moved.expect(t, "at once")
			until(t, "a and b see each other", func() bool { return a.state("b") == PeerAlive && moved.state("a") == PeerAlive })

			until(t, "c has lost b", func() bool { return c.state("b") == PeerDead })
			until(t, "c ignores b where it is now", func() bool {
				return len(c.logs.with("packets come from a host that is not in cluster.peers")) > 0
			})
			if got := c.state("b"); got == PeerAlive {
				t.Error("c took a node at an address that is not in its list")
			}
			if err := c.SetPeers([]Peer{{Name: "b", Address: newAt}, toA}); err != nil {
				t.Fatal(err)
			}
			alive(t, c, moved)
		})
	}
}

func TestSetPeersRefuses(t *testing.T) {
	t.Parallel()
	self, other := netip.MustParseAddrPort("192.0.2.1:7946"), netip.MustParseAddrPort("192.0.2.2:7946")
	before := []Peer{{Name: "z", Address: netip.MustParseAddrPort("192.0.2.9:7946")}}
	g := NewGossip(GossipConfig{Node: "a", Bind: self, Peers: before, Metrics: &Metrics{}}, nil)
	for want, peers := range map[string][]Peer{
		"the peer at 192.0.2.2:7946 has no name": {{Address: other}},
		"b is there twice":                       {{Name: "b", Address: other}, {Name: "b", Address: netip.MustParseAddrPort("192.0.2.3:7946")}},
		"a is there twice":                       {{Name: "a", Address: other}},
		"b has no address":                       {{Name: "b"}},
		"b and c are both at 192.0.2.2:7946":     {{Name: "b", Address: other}, {Name: "c", Address: other}},
		"a and b are both at 192.0.2.1:7946":     {{Name: "b", Address: self}},
	} {
		if err := g.SetPeers(peers); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	before[0].State = PeerUnknown
	if diff := cmp.Diff(before, g.Peers(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("a refused change left (-want +got):\n%s", diff)
	}
}
