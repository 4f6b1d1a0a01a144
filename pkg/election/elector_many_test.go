package election

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// many is electors of many VIPs, and what they do.
type many struct {
	electors map[string]*Elector
	mu       sync.Mutex
	sent     map[[2]string]int // datagrams, by sender and receiver
	armed    map[string][]int  // how many attempts each call armed, by node
	held     map[string]string // by VIP: whom m1 was told of
}

var nodes = []string{"m1", "m2", "m3"}

// preferred is the node that is to hold the n-th VIP.
func preferred(n int) string { return nodes[n%len(nodes)] }

func startMany(t *testing.T, vips int) *many {
	m := &many{electors: make(map[string]*Elector), sent: make(map[[2]string]int),
		armed: make(map[string][]int), held: make(map[string]string)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	for _, node := range nodes {
		e, err := NewElector(ElectorConfig{
			Node: node, Voters: votersOf(nodes), Timing: clusterTiming, VIPs: m.vips(node, vips),
			Arm:     func(attempts map[string]uint64) (time.Duration, error) { m.arm(node, len(attempts)); return 0, nil },
			Send:    func(to string, b []byte) error { m.send(node, to, b); return nil },
			Log:     slog.New(slog.DiscardHandler),
			Metrics: NewMetrics(prometheus.NewRegistry()),
		})
		if err != nil {
			t.Fatal(err)
		}
		m.electors[node] = e
		running.Go(func() {
			if err := e.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for _, e := range m.electors {
		for i := range vips {
			e.SetFitness(fmt.Sprintf("vip-%02d", i), Fit)
		}
	}
	return m
}

func (m *many) vips(node string, n int) (all []VIP) {
	for i := range n {
		v := VIP{
			Name: fmt.Sprintf("vip-%02d", i), Priorities: map[string]int{preferred(i): 100},
			Hold: func(Lease) {}, Withdraw: func(context.Context) error { return nil },
		}
		if node == "m1" {
			v.Held = func(holder string, _ uint64) { m.tell(v.Name, holder) }
		}
		all = append(all, v)
	}
	return all
}

func (m *many) arm(node string, attempts int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed[node] = append(m.armed[node], attempts)
}

func (m *many) tell(vip, holder string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[vip] = holder
}

func (m *many) send(from, to string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent[[2]string{from, to}]++
	e := m.electors[to]
	time.AfterFunc(time.Millisecond, func() { e.Receive(b) })
}

func (m *many) forget() (sent map[[2]string]int, armed map[string][]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sent, armed = m.sent, m.armed
	m.sent, m.armed = make(map[[2]string]int), make(map[string][]int)
	return sent, armed
}

// With 64 VIPs, spread as their priorities say, a node sends each other one no
// more datagrams than with one: what it asks and what it answers, in each
// interval. All its attempts are armed by one call.
func TestManyVIPsInOneDatagram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const vips, intervals = 64, 50
		m := startMany(t, vips)
		<-time.After(10*time.Second + clusterTiming.Renew/2)
		m.forget()
		<-time.After(intervals * clusterTiming.Renew)
		sent, armed := m.forget()
		for i := range vips {
			vip := fmt.Sprintf("vip-%02d", i)
			if got := m.held[vip]; got != preferred(i) {
				t.Errorf("m1 was told that %s holds %s, want %s", got, vip, preferred(i))
			}
		}
		for _, pair := range slices.Collect(maps.Keys(sent)) {
			if n := sent[pair]; n != 2*intervals {
				t.Errorf("%s sent %s %d datagrams in %d intervals, want %d", pair[0], pair[1], n, intervals, 2*intervals)
			}
		}
		if len(sent) != len(nodes)*(len(nodes)-1) {
			t.Errorf("%d pairs of nodes talk", len(sent))
		}
		for node, calls := range armed {
			if len(calls) != intervals || slices.Min(calls) != slices.Max(calls) || calls[0] < vips/len(nodes) {
				t.Errorf("%s armed by calls for %v attempts", node, calls)
			}
		}
	})
}

// BenchmarkManyVIPs is what a node with 64 VIPs does in an interval, as their
// holder and as a voter, but for sockets and the kernel.
func BenchmarkManyVIPs(b *testing.B) {
	for _, vips := range []int{1, 64} {
		b.Run(fmt.Sprint(vips), func(b *testing.B) {
			now := time.Now()
			holder, voter := sideBySide(b, vips, "m1", now), sideBySide(b, vips, "m2", now)
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(clusterTiming.Renew)
				holder.renew(b, now, voter)
			}
		})
	}
}

// machines are those of one node.
type machines []*Machine

func sideBySide(b *testing.B, vips int, node string, now time.Time) (all machines) {
	b.Helper()
	for i := range vips {
		m, err := New(Config{VIP: fmt.Sprintf("vip-%02d", i), Self: Owner{node, 1}, Voters: votersOf(nodes), Timing: clusterTiming, Epoch: now}, now)
		if err != nil {
			b.Fatal(err)
		}
		m.voter.silentUntil = now
		all = append(all, m)
		if node == "m1" {
			m.SetFitness(now, Fit)
		}
	}
	return all
}

// renew plays one interval: asked in one datagram, answered in one.
func (all machines) renew(b *testing.B, now time.Time, voter machines) {
	for _, m := range all {
		m.Tick(now)
		if attempt, ok := m.Arming(); ok {
			m.Armed(now, attempt, 0)
		}
	}
	voter.take(b, now, all.say(b))
	all.take(b, now, voter.say(b))
}

// say is what the machines send to one of their peers.
func (all machines) say(b *testing.B) [][]byte {
	var messages []Message
	for _, m := range all {
		for _, o := range m.Take() {
			if o.To == "m1" || o.To == "m2" {
				messages = append(messages, o.Message)
			}
		}
	}
	wire, err := Encode(messages)
	if err != nil {
		b.Fatal(err)
	}
	return wire
}

func (all machines) take(b *testing.B, now time.Time, wire [][]byte) {
	for _, w := range wire {
		messages, err := Decode(w)
		if err != nil {
			b.Fatal(err)
		}
		for i, m := range messages {
			all[i%len(all)].Step(now, m)
		}
	}
}
