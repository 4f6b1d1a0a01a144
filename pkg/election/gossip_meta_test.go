package election

import (
	"strings"
	"testing"
)

func (g *gossiper) meta(peer string) string {
	for _, p := range g.Peers() {
		if p.Name == peer {
			return p.Meta
		}
	}
	return ""
}

// What a node says of itself before it is open, and what it says later, reaches
// its peers, and stays known when it has gone.
func TestMetadata(t *testing.T) {
	t.Parallel()
	aSetup := gossipSetup{node: "a", bind: at(t, 1)}
	bSetup := gossipSetup{node: "b", bind: at(t, 2), peers: []Peer{{Name: "a", Address: aSetup.bind}}}
	aSetup.peers = []Peer{{Name: "b", Address: bSetup.bind}}
	changed := make(chan struct{}, 100)
	aSetup.change = func(g *Gossip) { g.cfg.Changed = func() { changed <- struct{}{} } }
	bSetup.change = func(g *Gossip) {
		if err := g.SetMeta([]byte("first")); err != nil {
			t.Error(err)
		}
	}
	a, b := aSetup.run(t), bSetup.run(t)
	alive(t, a, b)
	<-changed
	if got := a.meta("b"); got != "first" || b.meta("a") != "" {
		t.Errorf("b says %q, a says %q", got, b.meta("a"))
	}
	if err := b.SetMeta([]byte("second")); err != nil {
		t.Error(err)
	}
	until(t, "the second is known", func() bool { return a.meta("b") == "second" })
	<-changed
	if err := b.SetMeta([]byte(strings.Repeat("x", MaxMeta+1))); err == nil {
		t.Error("too much was taken")
	}
	b.stop()
	until(t, "b is dead", func() bool { return a.state("b") == PeerDead })
	if got := a.meta("b"); got != "second" {
		t.Errorf("of a dead b is known %q", got)
	}
}
