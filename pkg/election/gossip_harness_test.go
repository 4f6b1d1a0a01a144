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

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"
)

// at returns an address on loopback whose port is free for TCP and UDP. Nodes
// with different hosts are told apart by their address, as real ones are.
func at(t *testing.T, host int) netip.AddrPort {
	t.Helper()
	ip := fmt.Sprintf("127.0.0.%d", host)
	for range 20 {
		tcp, err := net.Listen("tcp", ip+":0")
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

func key(letter string) []byte { return []byte(strings.Repeat(letter, 32)) }

// quick makes memberlist lose and forget nodes within tenths of a second.
func quick(cfg *memberlist.Config) {
	cfg.ProbeInterval, cfg.ProbeTimeout = 60*time.Millisecond, 40*time.Millisecond
	cfg.SuspicionMult, cfg.SuspicionMaxTimeoutMult, cfg.AwarenessMaxMultiplier = 2, 1, 1
	cfg.GossipInterval = 20 * time.Millisecond
	cfg.GossipToTheDeadTime = 10 * time.Millisecond
}

// gossiper is a Gossip under test, with what it got and logged.
type gossiper struct {
	*Gossip
	got  chan string
	logs *logs
	stop func() // ends Run, with a goodbye

	sockets memberlist.Transport
}

type gossipSetup struct {
	node    string
	bind    netip.AddrPort
	peers   []Peer
	keys    [][]byte
	cluster string
	tune    func(*memberlist.Config)
	change  func(*Gossip)
	deliver func([]byte)
}

// open opens a Gossip that nobody runs: it sends and delivers, and joins nobody.
func (s gossipSetup) open(t *testing.T) *gossiper {
	t.Helper()
	g := &gossiper{got: make(chan string, 1024), logs: newLogs()}
	if s.deliver == nil {
		s.deliver = func(b []byte) { g.got <- string(b) }
	}
	if s.cluster == "" {
		s.cluster = "test"
	}
	g.Gossip = NewGossip(GossipConfig{
		Cluster: s.cluster, Node: s.node, Bind: s.bind, Peers: s.peers, Keys: s.keys,
		Log: slog.New(g.logs), Metrics: NewMetrics(prometheus.NewRegistry()),
	}, s.deliver)
	g.tune = func(cfg *memberlist.Config) {
		g.sockets = cfg.Transport
		if s.tune != nil {
			s.tune(cfg)
		}
	}
	g.rejoin = 50 * time.Millisecond
	if s.change != nil {
		s.change(g.Gossip)
	}
	if err := g.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = g.lobby.close(), g.list.Shutdown() })
	return g
}

// run opens a Gossip and runs it until the test ends.
func (s gossipSetup) run(t *testing.T) *gossiper {
	t.Helper()
	g := s.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	g.stop = func() { cancel(); running.Wait() }
	t.Cleanup(g.stop)
	return g
}

// die closes the port without a goodbye, as a killed process does.
func (g *gossiper) die() { _ = g.sockets.Shutdown() }

func (g *gossiper) state(peer string) PeerState {
	for _, p := range g.Peers() {
		if p.Name == peer {
			return p.State
		}
	}
	return ""
}

// send sends and fails the test if that is refused.
func (g *gossiper) send(t *testing.T, to, message string) {
	t.Helper()
	if err := g.Send(to, []byte(message)); err != nil {
		t.Fatal(err)
	}
}

// expect waits for the next message.
func (g *gossiper) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-g.got:
		if got != want {
			t.Errorf("%s got %q, want %q", g.cfg.Node, got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: timeout waiting for %q", g.cfg.Node, want)
	}
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

// alive waits until each of the nodes sees all of its peers.
func alive(t *testing.T, nodes ...*gossiper) {
	t.Helper()
	for _, g := range nodes {
		until(t, g.cfg.Node+" sees its peers", func() bool {
			for _, p := range g.Peers() {
				if p.State != PeerAlive {
					return false
				}
			}
			return true
		})
	}
}

// logs collects records as lines of text, but for those for debugging.
type logs struct {
	mu    *sync.Mutex
	lines *[]string
}

func newLogs() *logs { return &logs{new(sync.Mutex), new([]string)} }

func (l *logs) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l *logs) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *logs) WithGroup(string) slog.Handler                    { return l }

func (l *logs) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %s", a); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	*l.lines = append(*l.lines, b.String())
	return nil
}

// with returns the lines that contain text.
func (l *logs) with(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range *l.lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}
