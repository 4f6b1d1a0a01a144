package election

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// freePort returns a loopback address whose port is free for TCP and UDP.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		tcp.Close()
		if err == nil {
			udp.Close()
			return tcp.Addr().(*net.TCPAddr).AddrPort()
		}
	}
	t.Fatal("no port is free for both TCP and UDP")
	return netip.AddrPort{}
}

type gossiper struct {
	*Gossip
	got chan string
}

func openGossip(t *testing.T, node string, at map[string]netip.AddrPort, key byte) (*gossiper, context.CancelFunc) {
	t.Helper()
	var peers []Peer
	for name, addr := range at {
		if name != node {
			peers = append(peers, Peer{Name: name, Address: addr})
		}
	}
	g := &gossiper{got: make(chan string, 16)}
	g.Gossip = NewGossip(GossipConfig{
		Cluster: "test", Node: node, Bind: at[node], Peers: peers,
		Keys: [][]byte{[]byte(strings.Repeat(string(rune(key)), 32))},
		Log:  slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry()),
	}, func(b []byte) { g.got <- string(b) })
	if err := g.Open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop := func() { cancel(); run.Wait() }
	t.Cleanup(stop)
	return g, stop
}

// until waits for cond, which real sockets will make true.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); !cond(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("timeout waiting until %s", what)
		}
	}
}

func (g *gossiper) state(peer string) PeerState {
	for _, p := range g.Peers() {
		if p.Name == peer {
			return p.State
		}
	}
	return ""
}

func TestGossipCarriesMessages(t *testing.T) {
	t.Parallel()
	at := map[string]netip.AddrPort{"a": freePort(t), "b": freePort(t)}
	a, _ := openGossip(t, "a", at, 'k')
	if got := a.state("b"); got != PeerUnknown {
		t.Errorf("a peer that never was there is %q", got)
	}
	b, stopB := openGossip(t, "b", at, 'k')
	until(t, "both are alive", func() bool { return a.state("b") == PeerAlive && b.state("a") == PeerAlive })
	if err := a.Send("b", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := <-b.got; got != "hello" {
		t.Errorf("got %q", got)
	}
	if err := a.Send("c", nil); err == nil {
		t.Error("a message to a stranger was sent")
	}
	stopB()
	until(t, "b is dead", func() bool { return a.state("b") == PeerDead })
	if err := a.Send("b", []byte("into the void")); err != nil {
		t.Errorf("sending to a dead peer: %v", err)
	}
	again, _ := openGossip(t, "b", at, 'k')
	until(t, "b is back", func() bool { return a.state("b") == PeerAlive && again.state("a") == PeerAlive })
}

func TestGossipIgnoresAnotherKey(t *testing.T) {
	t.Parallel()
	at := map[string]netip.AddrPort{"a": freePort(t), "b": freePort(t)}
	a, _ := openGossip(t, "a", at, 'k')
	b, _ := openGossip(t, "b", at, 'x')
	if err := b.Send("a", []byte("forged")); err != nil {
		t.Fatal(err)
	}
	// A message with the right key comes after it on the same socket.
	self, _ := openGossip(t, "c", map[string]netip.AddrPort{"a": at["a"], "c": freePort(t)}, 'k')
	if err := self.Send("a", []byte("true")); err != nil {
		t.Fatal(err)
	}
	if got := <-a.got; got != "true" {
		t.Errorf("got %q", got)
	}
	if a.state("b") == PeerAlive || a.state("c") != "" {
		t.Errorf("strangers were let in: %+v", a.Peers())
	}
}

func TestGossipPortTaken(t *testing.T) {
	t.Parallel()
	at := map[string]netip.AddrPort{"a": freePort(t)}
	openGossip(t, "a", at, 'k')
	g := NewGossip(GossipConfig{Node: "a", Bind: at["a"], Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry())}, func([]byte) {})
	err := g.Open()
	if want := fmt.Sprintf("open gossip on %s", at["a"]); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cluster.gossip.port") {
		t.Errorf("got %v", err)
	}
}

// Stopping does not wait for peers that do not answer.
func TestGossipStopsWhileJoining(t *testing.T) {
	t.Parallel()
	at := map[string]netip.AddrPort{"a": freePort(t)}
	for _, name := range []string{"b", "c", "d", "e"} {
		at[name] = blackHole(t)
	}
	_, stop := openGossip(t, "a", at, 'k')
	start := time.Now()
	stop()
	if took := time.Since(start); took >= joinTimeout {
		t.Errorf("stopping took %v, as long as a join", took)
	}
}

// blackHole returns an address that completes no handshake: a listener whose
// queue is full.
func blackHole(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(sa.(*unix.SockaddrInet4).Port))
	fill, err := net.Dial("tcp", addr.String()) // backlog 0 takes one
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fill.Close() })
	return addr
}
