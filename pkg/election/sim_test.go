package election

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The simulator runs machines, with a model of the driver and of the kernel's
// fence, against true time. Each node has clocks of its own rate. A daemon can
// be paused or killed before each of its steps; its kernel goes on. Messages
// are lost, repeated, reordered and delayed for up to several leases, nodes cut
// off, also in one direction, and restarted without memory but for their disk.
//
//	sim_test.go         time, the promise, the nodes
//	sim_daemon_test.go  what a daemon does, step by step
//	sim_kernel_test.go  what its kernel does
//	sim_faults_test.go  what befalls them
//	owners_test.go      the tests

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

// simConfig is what is the same for all nodes of a simulation.
type simConfig struct {
	voters    int
	witnesses int // of the voters, the last ones
	timing    Timing
	linger    time.Duration // of nodes whose kernel has no fence
	unfenced  int           // how many such nodes, the first ones
	preempt   bool
	bootstrap bool                                // by the first node
	changing  bool                                // the set of voters changes all the time
	script    func(at time.Duration, line string) // tell, in calm and with fixed delays
	instant   bool                                // steps and messages take next to no time: nothing but the rules keeps owners apart
}

type sim struct {
	simConfig
	t        *testing.T
	rand     *rand.Rand
	now      time.Duration
	seq      int
	queue    simQueue
	nodes    []*simNode
	sets     [][]Voter // the files that an operator has written, one after the other
	trace    bool
	calm     bool // no loss, no delay, no pauses, no new faults
	takeover int
	last     string // who answered last
	reloads  int
}

// simNode is a host. Its disk and its kernel outlive its daemon.
type simNode struct {
	s      *sim
	name   string
	rate   float64 // of its clocks against true time
	set    int     // which file of the operator's it has
	disk   Memory
	kernel simKernel
	daemon *simDaemon // nil: dead
	cutIn  map[string]bool

	darkUntil time.Duration // the machine is being made anew
}

func newSim(t *testing.T, seed uint64, cfg simConfig) *sim {
	s := &sim{simConfig: cfg, t: t, rand: rand.New(rand.NewPCG(seed, 1)), trace: *simSeed >= 0, calm: cfg.script != nil}
	var first []Voter
	for i := range cfg.voters {
		first = append(first, Voter{Name: fmt.Sprintf("m%d", i+1), Witness: i >= cfg.voters-cfg.witnesses})
	}
	s.sets = [][]Voter{first}
	pool := cfg.voters
	if cfg.changing {
		pool += 2
	}
	const drift = 0.001 // 1000 ppm either way; the extremes are what hurts
	for i := range pool {
		n := &simNode{
			s: s, name: fmt.Sprintf("m%d", i+1), cutIn: make(map[string]bool),
			rate:   1 + max(-drift, min(drift, drift*s.rand.NormFloat64()*2)),
			kernel: simKernel{fenced: i >= cfg.unfenced},
		}
		if cfg.script != nil {
			n.rate = 1
		}
		s.nodes = append(s.nodes, n)
	}
	for _, n := range s.nodes[:cfg.voters] {
		n.start()
	}
	return s
}

// clock is the node's own reading of the time.
func (n *simNode) clock() time.Time {
	return simEpoch.Add(time.Duration(float64(n.s.now) * n.rate))
}

// lasts is how long a time by the node's clocks truly is.
func (n *simNode) lasts(d time.Duration) time.Duration { return time.Duration(float64(d) / n.rate) }

func (n *simNode) answers() bool { return n.kernel.answers(n.s.now) }

func (s *sim) after(d time.Duration, run func()) {
	s.seq++
	heap.Push(&s.queue, simEvent{s.now + d, s.seq, run})
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

// owner returns who answers now, "" is nobody.
func (s *sim) owner() string {
	for _, n := range s.nodes {
		if n.answers() {
			return n.name
		}
	}
	return ""
}

// chance is true once in n times, and never in calm.
func (s *sim) chance(n int) bool { return !s.calm && s.rand.IntN(n) == 0 }

func (s *sim) upTo(d time.Duration) time.Duration { return time.Duration(s.rand.Int64N(int64(d))) }

func (s *sim) logf(format string, args ...any) {
	if s.script != nil {
		s.script(s.now, fmt.Sprintf(format, args...))
	}
	if s.trace {
		s.t.Logf("%12v "+format, append([]any{s.now}, args...)...)
	}
}
