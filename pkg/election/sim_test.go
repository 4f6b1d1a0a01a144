package election

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The simulator runs machines against true time. Each node has a clock of its
// own rate and a model of the address: it answers from the moment its manager
// was told to hold until it withdrew, or, if the daemon is dead or paused,
// until the kernel's lifetime removed the address. Messages are lost,
// duplicated, reordered and delayed for up to several leases; nodes are
// paused, restarted without memory and cut off, also in one direction.

var simEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

type simEvent struct {
	at  time.Duration // true time
	seq int
	run func()
}

type simQueue []simEvent

func (q simQueue) Len() int { return len(q) }
func (q simQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q simQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *simQueue) Push(e any)   { *q = append(*q, e.(simEvent)) }
func (q *simQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

type sim struct {
	t        *testing.T
	rand     *rand.Rand
	now      time.Duration
	seq      int
	queue    simQueue
	nodes    []*simNode
	timing   Timing
	trace    bool
	calm     bool // no loss, no delay, no new faults
	takeover int
	last     string // who answered last
}

type simNode struct {
	s           *sim
	name        string
	rate        float64 // of its clock against true time
	machine     *Machine
	runs        uint64
	epoch       int // counts restarts: events of an earlier run are void
	paused      bool
	backlog     []func()
	cutIn       map[string]bool
	holds       bool // the manager has the address
	withdrawing bool
	expires     time.Duration // true time at which the kernel removes it
	wake        int
}

func (n *simNode) clock() time.Time {
	return simEpoch.Add(time.Duration(float64(n.s.now) * n.rate))
}

func (s *sim) after(d time.Duration, run func()) {
	s.seq++
	heap.Push(&s.queue, simEvent{s.now + d, s.seq, run})
}

// do runs one step of a daemon now, or when it is no longer paused.
func (n *simNode) do(run func()) {
	if n.paused {
		n.backlog = append(n.backlog, run)
		return
	}
	epoch := n.epoch
	if epoch != n.epoch {
		return
	}
	run()
	n.settle()
}

// settle does what the driver does after each input: the address first, then
// messages, then the next tick.
func (n *simNode) settle() {
	now := n.clock()
	if lease, ok := n.machine.Lease(now); ok {
		if !n.holds {
			n.s.logf("%s holds term %d until %v", n.name, lease.Term, lease.Deadline.Sub(simEpoch))
		}
		n.holds = true
		// The worst that the kernel may do: the last renewal came just before
		// the deadline, and the address lingers as long as it can after that.
		n.expires = time.Duration(float64(lease.Deadline.Add(n.s.timing.Linger).Sub(simEpoch)) / n.rate)
		n.s.check()
	}
	if n.machine.Phase() == Resigning && !n.withdrawing {
		n.s.logf("%s resigns: %s", n.name, n.machine.Why(now))
		n.withdraw()
	}
	for _, o := range n.machine.Take() {
		n.s.send(n, o)
	}
	n.sleep()
}

// withdraw takes the address away, which takes the kernel a moment in which the
// node still answers.
func (n *simNode) withdraw() {
	n.withdrawing = true
	epoch := n.epoch
	n.s.after(time.Duration(n.s.rand.Int64N(int64(20*time.Millisecond))), func() {
		n.do(func() {
			if epoch == n.epoch {
				n.holds, n.withdrawing = false, false
				n.machine.Withdrawn(n.clock())
			}
		})
	})
}

// sleep plans the next tick by the node's own clock, and the manager's own
// timer on the deadline.
func (n *simNode) sleep() {
	next := n.machine.Next()
	if next.IsZero() {
		return
	}
	n.wake++
	wake, epoch := n.wake, n.epoch
	d := time.Duration(float64(next.Sub(n.clock()))/n.rate) + 1
	n.s.after(max(d, 0), func() {
		if epoch == n.epoch && wake == n.wake {
			n.do(func() { n.machine.Tick(n.clock()) })
		}
	})
}

func (s *sim) send(from *simNode, o Outbound) {
	for _, to := range s.nodes {
		if to.name != o.To || to.cutIn[from.name] {
			continue
		}
		copies := 1
		if !s.calm && s.rand.IntN(20) == 0 {
			copies = s.rand.IntN(3)
		}
		for range copies {
			// Every message passes the codec, so that what is tested is what is sent.
			b, err := Encode(o.Message)
			if err != nil {
				s.t.Fatal(err)
			}
			s.after(s.delay(), func() {
				msg, err := Decode(b)
				if err != nil {
					s.t.Fatal(err)
				}
				epoch := to.epoch
				to.do(func() {
					if epoch == to.epoch {
						to.machine.Step(to.clock(), msg)
					}
				})
			})
		}
	}
}

func (s *sim) delay() time.Duration {
	d := time.Duration(s.rand.ExpFloat64() * float64(time.Millisecond))
	if !s.calm && s.rand.IntN(50) == 0 {
		d += time.Duration(s.rand.Int64N(int64(3 * s.timing.keep())))
	}
	return d
}

// check asserts the promise: at this instant at most one node answers.
func (s *sim) check() {
	owner := ""
	for _, n := range s.nodes {
		if !n.answers() {
			continue
		}
		if owner != "" {
			s.t.Fatalf("at %v two nodes answer: %s and %s", s.now, owner, n.name)
		}
		owner = n.name
	}
	if owner != "" && owner != s.last {
		s.last = owner
		s.takeover++
	}
}

func (n *simNode) answers() bool { return n.holds && n.s.now < n.expires }

func (s *sim) logf(format string, args ...any) {
	if s.trace {
		s.t.Logf("%12v "+format, append([]any{s.now}, args...)...)
	}
}

// start gives a node a new machine that remembers nothing. The address that
// its predecessor left is removed, as kshalb does when it starts.
func (n *simNode) start() {
	n.runs++
	n.epoch++
	n.holds, n.withdrawing, n.paused, n.backlog = false, false, false, nil
	rank := 0
	voters := make([]string, len(n.s.nodes))
	for i, other := range n.s.nodes {
		voters[i] = other.name
		if other == n {
			rank = i
		}
	}
	m, err := New(Config{
		VIP: "api", Self: Owner{n.name, n.s.rand.Uint64()}, Voters: voters,
		Timing: n.s.timing, Rank: rank, Rand: n.s.rand,
	}, n.clock())
	if err != nil {
		n.s.t.Fatal(err)
	}
	n.machine = m
	n.do(func() { m.SetFitness(n.clock(), Fit) })
}

func (n *simNode) resume() {
	n.paused = false
	backlog := n.backlog
	n.backlog = nil
	for _, run := range backlog {
		n.do(run)
	}
	n.do(func() { n.machine.Tick(n.clock()) })
}

func (s *sim) run(until time.Duration) {
	for len(s.queue) > 0 && s.queue[0].at <= until {
		e := heap.Pop(&s.queue).(simEvent)
		s.now = e.at
		e.run()
		s.check()
	}
	s.now = until
}

func newSim(t *testing.T, seed uint64, voters int, timing Timing) *sim {
	s := &sim{t: t, rand: rand.New(rand.NewPCG(seed, 1)), timing: timing, trace: *simSeed != 0}
	const drift = 0.001 // 1000 ppm either way; the extremes are what hurts
	for i := range voters {
		s.nodes = append(s.nodes, &simNode{
			s: s, name: fmt.Sprintf("master%d", i+1), cutIn: make(map[string]bool),
			rate: 1 + max(-drift, min(drift, drift*s.rand.NormFloat64()*2)),
		})
	}
	for _, n := range s.nodes {
		n.start()
	}
	return s
}
