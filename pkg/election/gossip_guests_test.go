package election

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// guestsNow are the guests in short form.
func (g *gossiper) guestsNow() []string {
	var list []string
	for _, p := range g.Guests() {
		list = append(list, fmt.Sprintf("%s at %s is %s: %s", p.Name, p.Address, p.State, p.Meta))
	}
	return list
}

// withGuest makes a and b, who name each other, and the setup of a node that names
// both and that neither names.
func withGuest(t *testing.T, keys string, change func(*Gossip)) (a, b *gossiper, guest gossipSetup) {
	t.Helper()
	aAt, bAt, cAt := at(t, 1), at(t, 2), at(t, 3)
	toA, toB := Peer{Name: "a", Address: aAt}, Peer{Name: "b", Address: bAt}
	var ring [][]byte
	if keys != "" {
		ring = keysOf(keys)
	}
	quickly := func(g *Gossip) {
		g.tuneLobby = quick
		if change != nil {
			change(g)
		}
	}
	a = gossipSetup{node: "a", bind: aAt, keys: ring, peers: []Peer{toB}, tune: quick, change: quickly}.run(t)
	b = gossipSetup{node: "b", bind: bAt, keys: ring, peers: []Peer{toA}, tune: quick, change: quickly}.run(t)
	alive(t, a, b)
	return a, b, gossipSetup{node: "c", bind: cAt, keys: ring, peers: []Peer{toA, toB}, tune: quick}
}

func TestGossipGuest(t *testing.T) {
	t.Parallel()
	changed := make(chan struct{}, 1000)
	a, b, setup := withGuest(t, "k", func(g *Gossip) { g.cfg.Changed = func() { changed <- struct{}{} } })
	for len(changed) > 0 {
		<-changed // a and b have met
	}
	setup.change = func(g *Gossip) {
		if err := g.SetMeta([]byte("first")); err != nil {
			t.Error(err)
		}
	}
	c := setup.run(t)
	alive(t, c)
	is := func(what string) []string { return []string{fmt.Sprintf("c at %s is %s", c.cfg.Bind, what)} }
	for _, g := range []*gossiper{a, b} {
		until(t, g.cfg.Node+" has a guest", func() bool { return slices.Equal(g.guestsNow(), is("alive: first")) })
		if got := len(g.Peers()); got != 1 {
			t.Errorf("%s has %d peers", g.cfg.Node, got)
		}
		if got := g.logs.with("it is a guest and has no vote"); len(got) != 1 {
			t.Errorf("%s logged %q", g.cfg.Node, got)
		}
	}
	<-changed
	if err := a.Send("c", nil); err == nil {
		t.Error("a message to a guest was sent")
	}
	if err := c.SetMeta([]byte("second")); err != nil {
		t.Error(err)
	}
	until(t, "the second is known", func() bool { return slices.Equal(a.guestsNow(), is("alive: second")) })
	if err := a.SetMeta([]byte("a's")); err != nil {
		t.Error(err)
	}
	until(t, "the guest hears what a says of itself", func() bool { return c.meta("a") == "a's" })

	c.stop()
	until(t, "the guest is dead", func() bool { return slices.Equal(a.guestsNow(), is("dead: second")) })
	setup.run(t)
	until(t, "the guest is back", func() bool { return slices.Equal(a.guestsNow(), is("alive: first")) })
}

// A guest that is named now is a peer as others are, and one that is named no more is
// heard no more.
func TestGossipGuestIsNamed(t *testing.T) {
	t.Parallel()
	a, b, setup := withGuest(t, "k", nil)
	c := setup.run(t)
	alive(t, c)
	until(t, "a has a guest", func() bool { return len(a.Guests()) == 1 })
	toB, toC := a.Peers()[0], Peer{Name: "c", Address: c.cfg.Bind}
	for range 2 {
		if err := a.SetPeers([]Peer{toB, toC}); err != nil {
			t.Fatal(err)
		}
		if got := a.guestsNow(); len(got) > 0 {
			t.Errorf("a has guests: %q", got)
		}
		alive(t, a, c)
		c.send(t, "a", "named")
		a.expect(t, "named")
		a.send(t, "c", "welcome")
		c.expect(t, "welcome")
		until(t, "the lobby has lost it", func() bool {
			a.guests.mu.Lock()
			defer a.guests.mu.Unlock()
			return len(a.guests.seen) == 0
		})

		if err := a.SetPeers([]Peer{toB}); err != nil {
			t.Fatal(err)
		}
		before := a.Ignored()[reasonStranger]
		c.send(t, "a", "not named")
		until(t, "its message is counted", func() bool { return a.Ignored()[reasonStranger] > before })
		b.send(t, "a", "after that")
		a.expect(t, "after that")
	}
}

// What a guest says of the election is not even looked at, whoever it says it is: a
// copy of a voter must not vote.
func TestGossipGuestHasNoVote(t *testing.T) {
	t.Parallel()
	a, b, setup := withGuest(t, "k", nil)
	c := setup.run(t)
	until(t, "a has a guest", func() bool { return len(a.Guests()) == 1 })
	self := Owner{Node: "a", Incarnation: 1}
	var said []Message
	for _, name := range []string{"b", "c", "a"} {
		from := Owner{Node: name, Incarnation: 7}
		said = append(said,
			Message{VIP: "api", From: from, Set: 1, Request: &Request{Attempt: 1, Term: 1, Keep: time.Second}},
			Message{VIP: "api", From: from, Set: 1, Response: &Response{To: self, Attempt: 1, Granted: true}},
			Message{VIP: "api", From: from, Set: 1, Release: &Release{Attempt: 1}},
		)
	}
	for _, m := range said {
		wire, err := Encode([]Message{m})
		if err != nil {
			t.Fatal(err)
		}
		before := a.Ignored()[reasonStranger]
		for range 3 { // a full queue may lose one
			c.send(t, "a", string(wire[0]))
		}
		until(t, "it is counted", func() bool { return a.Ignored()[reasonStranger] > before })
		if err := c.list.SendReliable(&memberlist.Node{Name: "a", Addr: a.cfg.Bind.Addr().AsSlice(), Port: a.cfg.Bind.Port()}, wire[0]); err != nil {
			t.Error(err) // by a stream it is no better
		}
		b.send(t, "a", string(wire[0])) // the same words of a peer
		a.expect(t, string(wire[0]))
	}
	b.send(t, "a", "the last")
	a.expect(t, "the last")
	if len(a.got) > 0 {
		t.Errorf("delivered from a guest: %q", <-a.got)
	}
	if got := a.state("b"); got != PeerAlive {
		t.Errorf("b is %s", got)
	}
}

// A node with a peer's name at another address, or at a peer's address with another
// name, is no guest, and the peer stays what it is.
func TestGossipGuestTakesNoPlace(t *testing.T) {
	t.Parallel()
	a, b, setup := withGuest(t, "k", nil)
	setup.node = "b"
	setup.peers = setup.peers[:1]
	copied := setup.run(t) // of b's disk
	until(t, "a says so", func() bool {
		return len(a.logs.with("a node takes part at another address than in cluster.peers, so it is ignored")) > 0
	})
	another := gossipSetup{node: "x", bind: at(t, 2), keys: keysOf("k"), peers: setup.peers, tune: quick}.run(t) // on b's host
	until(t, "a says so", func() bool {
		return len(a.logs.with("a node takes part that cluster.peers does not name, so it is ignored")) > 0
	})
	for _, from := range []*gossiper{copied, b} {
		from.send(t, "a", from.cfg.Bind.String())
	}
	a.expect(t, b.cfg.Bind.String())
	if got := a.guestsNow(); len(got) > 0 || len(a.got) > 0 || a.state("b") != PeerAlive || a.Peers()[0].Address != b.cfg.Bind {
		t.Errorf("guests %q, messages %d, b is %s", got, len(a.got), a.state("b"))
	}
	another.stop()
}

// Without a key everybody would be a guest; with another one nobody is.
func TestGossipGuestNeedsTheKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ ours, theirs string }{
		"plain text":  {"", ""},
		"another key": {"k", "x"},
		"no key":      {"k", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b, setup := withGuest(t, c.ours, nil)
			setup.keys = nil
			if c.theirs != "" {
				setup.keys = keysOf(c.theirs)
			}
			stranger := setup.run(t)
			until(t, "a says so", func() bool {
				stranger.send(t, "a", "let me in, I have come a long way and know everybody")
				return len(a.logs.with("packets come from a host that is not in cluster.peers")) > 0
			})
			b.send(t, "a", "after that")
			a.expect(t, "after that")
			if got := a.guestsNow(); len(got) > 0 || a.Ignored()["stranger"] == 0 || a.Ignored()["key"] > 0 {
				t.Errorf("guests %q, ignored %v", got, a.Ignored())
			}
		})
	}
}

// The lobby has the keys that the peers have, the new ones too.
func TestGossipGuestHasTheNewKey(t *testing.T) {
	t.Parallel()
	a, _, setup := withGuest(t, "k", nil)
	if err := a.SetKeys(keysOf("xk")); err != nil {
		t.Fatal(err)
	}
	setup.keys = keysOf("x")
	setup.run(t)
	until(t, "a has a guest", func() bool { return len(a.Guests()) == 1 })
}

func TestGuestsAreBounded(t *testing.T) {
	t.Parallel()
	self := netip.MustParseAddrPort("192.0.2.1:7946")
	g := NewGossip(GossipConfig{
		Node: "a", Bind: self, Keys: keysOf("k"), Log: slog.New(slog.DiscardHandler), Metrics: &Metrics{},
		Peers: []Peer{{Name: "b", Address: netip.MustParseAddrPort("192.0.2.2:7946")}},
	}, nil)
	comes := func(name, address string) bool {
		to := netip.MustParseAddrPort(address)
		if err := g.admitGuest(name, to); err != nil {
			return false
		}
		g.seeGuest(name, sighting{to, PeerAlive, ""})
		return true
	}
	for _, bad := range []struct{ name, address string }{
		{"b", "192.0.2.2:7946"}, {"b", "192.0.2.3:7946"}, {"x", "192.0.2.2:7946"}, {"x", "192.0.2.2:7947"},
		{"x", "192.0.2.1:7946"}, {"", "192.0.2.3:7946"}, {"x", "0.0.0.0:7946"}, {"x", "224.0.0.1:7946"}, {"x", "192.0.2.3:0"},
	} {
		if comes(bad.name, bad.address) {
			t.Errorf("%s at %s was let in", bad.name, bad.address)
		}
	}
	where := func(i int) string { return fmt.Sprintf("198.51.100.%d:7946", i) }
	for i := range maxGuests {
		if !comes(fmt.Sprintf("guest%d", i), where(i)) {
			t.Fatalf("guest %d was not let in", i)
		}
	}
	if comes("more", where(99)) {
		t.Error("one too many was let in")
	}
	if !comes("guest3", where(3)) {
		t.Error("who is in was not let in again")
	}
	for _, i := range []int{5, 4} {
		g.seeGuest(fmt.Sprintf("guest%d", i), sighting{netip.MustParseAddrPort(where(i)), PeerDead, ""})
	}
	if got := len(g.Guests()); got != maxGuests {
		t.Errorf("%d guests: the dead are kept while there is room", got)
	}
	if !comes("more", where(99)) || !comes("still more", where(98)) || comes("too many", where(97)) {
		t.Error("not exactly the places of the dead were free")
	}
	g.seeGuest("guest4", sighting{netip.MustParseAddrPort(where(4)), PeerDead, ""}) // again, too late
	if got := len(g.Guests()); got != maxGuests {
		t.Errorf("%d guests", got)
	}
}

// What strangers send is bounded, and nobody waits for it.
func TestDoor(t *testing.T) {
	t.Parallel()
	away := 0
	d := newDoor(func(netip.Addr) { away++ })
	from := netip.MustParseAddrPort("192.0.2.9:7946")
	for range doorQueue + 1 {
		d.packet([]byte("x"), from)
	}
	if away != 1 || len(d.packets) != doorQueue {
		t.Errorf("%d were turned away, %d wait", away, len(d.packets))
	}
	now := time.Now()
	d.second, d.count = now, 0
	for i := range doorPackets + 1 {
		if got := d.affords(now.Add(time.Millisecond)); got != (i < doorPackets) {
			t.Fatalf("packet %d in a second: %v", i, got)
		}
	}
	if !d.affords(now.Add(time.Second)) {
		t.Error("the next second counts for itself")
	}

	away = 0
	var theirs []net.Conn
	for range doorStreams + 1 {
		end, other := net.Pipe()
		theirs = append(theirs, end)
		d.stream(other, from.Addr())
	}
	if _, err := theirs[doorStreams].Read(make([]byte, 1)); away != 1 || !errors.Is(err, io.EOF) {
		t.Errorf("%d were turned away, the last one is still open: %v", away, err)
	}
	first := <-d.streams
	go func() { _, _ = theirs[0].Write(make([]byte, doorStream+1)) }()
	if n, err := io.Copy(io.Discard, first); n != doorStream || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
	first.Close()
	first.Close()
	end, other := net.Pipe()
	defer end.Close()
	d.stream(other, from.Addr())
	if away != 1 || len(d.streams) != doorStreams {
		t.Errorf("the place that was freed is not there: %d turned away, %d wait", away, len(d.streams))
	}
	for _, c := range theirs {
		c.Close()
	}
}
