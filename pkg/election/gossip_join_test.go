package election

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/sys/unix"
)

var silent = log.New(io.Discard, "", 0)

// faults stands between memberlist and its transport.
type faults struct {
	memberlist.NodeAwareTransport
	cut  atomic.Bool // nothing leaves
	dial func(next memberlist.NodeAwareTransport, to memberlist.Address, timeout time.Duration) (net.Conn, error)
}

func (f *faults) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	if f.cut.Load() {
		return time.Now(), nil
	}
	return f.NodeAwareTransport.WriteToAddress(b, to)
}

func (f *faults) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if f.cut.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: net.ErrClosed}
	}
	if f.dial != nil {
		return f.dial(f.NodeAwareTransport, to, timeout)
	}
	return f.NodeAwareTransport.DialAddressTimeout(to, timeout)
}

func (f *faults) tune(cfg *memberlist.Config) {
	quick(cfg)
	f.NodeAwareTransport = cfg.Transport.(memberlist.NodeAwareTransport)
	cfg.Transport = f
}

// census asks a node of a cluster whom it has in its list, the dead too: who
// joins a node is told.
type census struct {
	at    netip.AddrPort
	heard chan []string
}

func (c census) NotifyMerge(nodes []*memberlist.Node) error {
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	c.heard <- names
	return nil
}

func (c census) of(t *testing.T, node netip.AddrPort) []string {
	t.Helper()
	cfg := memberlist.DefaultLANConfig()
	cfg.Name, cfg.Label = "census", "test"
	sockets, err := listen(c.at, func(netip.Addr) bool { return true }, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Transport, cfg.Logger, cfg.Merge = sockets, silent, c
	list, err := memberlist.Create(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = list.Shutdown() }()
	if _, err := list.Join([]string{"node/" + node.String()}); err != nil {
		t.Fatal(err)
	}
	return <-c.heard
}

// Both sides of a partition forget each other; both find each other again.
func TestPartitionHealsAfterForgetting(t *testing.T) {
	t.Parallel()
	aAt, bAt := at(t, 1), at(t, 2)
	c := census{at(t, 9), make(chan []string, 1)}
	observer := Peer{Name: "observer", Address: netip.AddrPortFrom(c.at.Addr(), 1)} // lets the census in
	var aFaults, bFaults faults
	a := gossipSetup{node: "a", bind: aAt, tune: aFaults.tune, peers: []Peer{{Name: "b", Address: bAt}, observer}}.run(t)
	b := gossipSetup{node: "b", bind: bAt, tune: bFaults.tune, peers: []Peer{{Name: "a", Address: aAt}, observer}}.run(t)
	bothSee := func(s PeerState) func() bool {
		return func() bool { return a.state("b") == s && b.state("a") == s }
	}
	until(t, "both are alive", bothSee(PeerAlive))
	aFaults.cut.Store(true)
	bFaults.cut.Store(true)
	until(t, "both are dead to each other", bothSee(PeerDead))
	until(t, "a has forgotten b", func() bool { return !slices.Contains(c.of(t, aAt), "b") })
	until(t, "b has forgotten a", func() bool { return !slices.Contains(c.of(t, bAt), "a") })
	aFaults.cut.Store(false)
	bFaults.cut.Store(false)
	until(t, "both are alive again", bothSee(PeerAlive))
}

// Hosts that do not answer hold up nobody else's join, and are never asked
// twice at a time; stopping does not wait for them.
func TestDeadHostsDelayNoJoin(t *testing.T) {
	t.Parallel()
	aAt, bAt := at(t, 1), at(t, 2)
	var peers []Peer
	for _, name := range []string{"dead1", "dead2", "dead3", "dead4", "dead5"} {
		peers = append(peers, Peer{Name: name, Address: blackHole(t)})
	}
	peers = append(peers, Peer{Name: "b", Address: bAt})
	var mu sync.Mutex
	dialed := make(map[string]int)
	ended := make(map[string]error)
	f := faults{dial: func(next memberlist.NodeAwareTransport, to memberlist.Address, timeout time.Duration) (net.Conn, error) {
		mu.Lock()
		dialed[to.Addr]++
		mu.Unlock()
		conn, err := next.DialAddressTimeout(to, timeout)
		mu.Lock()
		ended[to.Addr] = err
		mu.Unlock()
		return conn, err
	}}
	gossipSetup{node: "b", bind: bAt, peers: []Peer{{Name: "a", Address: aAt}}}.open(t) // joins nobody
	start := time.Now()
	a := gossipSetup{node: "a", bind: aAt, tune: f.tune, peers: peers, change: func(g *Gossip) { g.rejoin = time.Millisecond }}.run(t)
	until(t, "b is alive", func() bool { return a.state("b") == PeerAlive })
	until(t, "all are being joined", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(dialed) == len(peers)
	})
	a.stop()
	if took := time.Since(start); took >= joinTimeout {
		t.Skipf("the machine was too slow to tell: %v", took)
	}
	for _, p := range peers[:5] {
		if n, err := dialed[p.Address.String()], ended[p.Address.String()]; n != 1 || !errors.Is(err, context.Canceled) {
			t.Errorf("%s was joined %d times, which ended with: %v; want one that was ended by stopping", p.Name, n, err)
		}
	}
}

// A lost peer is joined again and again.
func TestJoinsForEver(t *testing.T) {
	t.Parallel()
	var dials atomic.Int64
	f := faults{dial: func(memberlist.NodeAwareTransport, memberlist.Address, time.Duration) (net.Conn, error) {
		dials.Add(1)
		return nil, net.ErrClosed
	}}
	gossipSetup{node: "a", bind: at(t, 1), tune: f.tune, peers: []Peer{{Name: "b", Address: at(t, 2)}}}.run(t)
	until(t, "b was tried ten times", func() bool { return dials.Load() >= 10 })
}

func TestJoinsAreBounded(t *testing.T) {
	t.Parallel()
	var j joins
	for i := range maxJoins {
		if !j.begin(string(rune('a' + i))) {
			t.Fatalf("join %d did not begin", i)
		}
	}
	if j.begin("a") || j.begin("z") {
		t.Error("one too many")
	}
	j.end("b")
	if j.begin("a") || !j.begin("z") {
		t.Error("the place that was freed is for another peer, not for one that is being joined")
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
