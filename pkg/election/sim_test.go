package election

import (
	"container/heap"
	"flag"
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

var (
	simSeconds = flag.Int("sim.seconds", 200, "simulated seconds for each seed")
	simSeeds   = flag.Int("sim.seeds", 12, "how many seeds to run")
	simSeed    = flag.Uint64("sim.seed", 0, "run this one seed only, and print its events")
)

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

// fault breaks something for a while, now.
func (s *sim) fault() {
	n := s.nodes[s.rand.IntN(len(s.nodes))]
	for _, other := range s.nodes { // the holder is the one worth hurting
		if other.answers() && s.rand.IntN(2) == 0 {
			n = other
		}
	}
	d := time.Duration(s.rand.Int64N(int64(2 * s.timing.keep())))
	switch s.rand.IntN(7) {
	case 0:
		s.logf("%s paused for %v", n.name, d)
		n.paused = true
		epoch := n.epoch
		s.after(d, func() {
			if epoch == n.epoch {
				n.resume()
			}
		})
	case 1:
		s.logf("%s killed for %v", n.name, d)
		n.paused = true
		n.epoch++
		s.after(d, n.start)
	case 2:
		s.logf("%s cut off for %v", n.name, d)
		for _, other := range s.nodes {
			n.cutIn[other.name], other.cutIn[n.name] = true, true
		}
	case 3:
		s.logf("%s hears nobody for %v", n.name, d)
		for _, other := range s.nodes {
			n.cutIn[other.name] = true
		}
	case 4:
		s.logf("nobody hears %s for %v", n.name, d)
		for _, other := range s.nodes {
			other.cutIn[n.name] = true
		}
	case 5:
		n.do(func() { n.machine.Resign(n.clock(), n.machine.Successor(n.clock()), "asked to") })
	case 6:
		f := Fitness(s.rand.IntN(3))
		s.logf("%s is %s for %v", n.name, f, d)
		n.do(func() { n.machine.SetFitness(n.clock(), f) })
		s.after(d, func() { n.do(func() { n.machine.SetFitness(n.clock(), Fit) }) })
	}
	s.after(d, func() {
		for _, other := range s.nodes {
			delete(n.cutIn, other.name)
			delete(other.cutIn, n.name)
		}
	})
	s.after(time.Duration(s.rand.Int64N(int64(4*s.timing.keep()))), func() {
		if !s.calm {
			s.fault()
		}
	})
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

func TestNeverTwoOwners(t *testing.T) {
	t.Parallel()
	timings := []Timing{
		{Lease: 500 * time.Millisecond, Renew: 100 * time.Millisecond, Linger: 2300 * time.Millisecond},
		{Lease: 500 * time.Millisecond, Renew: 100 * time.Millisecond},
		{Lease: 300 * time.Millisecond, Renew: 60 * time.Millisecond},
		{Lease: 2 * time.Second, Renew: 500 * time.Millisecond, Linger: 3300 * time.Millisecond},
	}
	seeds := make([]uint64, *simSeeds)
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	if *simSeed != 0 {
		seeds = []uint64{*simSeed}
	}
	for _, seed := range seeds {
		timing, voters := timings[seed%4], []int{3, 3, 5, 1, 2}[seed%5]
		t.Run(fmt.Sprintf("seed=%d/voters=%d/lease=%v", seed, voters, timing.Lease), func(t *testing.T) {
			t.Parallel()
			s := newSim(t, seed, voters, timing)
			s.after(Silence, s.fault)
			s.run(time.Duration(*simSeconds) * time.Second)
			s.calmDown()
			// A fault comes every two grants or so, and not every one moves the VIP.
			if want := int(time.Duration(*simSeconds) * time.Second / (40 * timing.keep())); s.takeover < want && voters > 1 {
				t.Errorf("%d takeovers, want %d: the faults did not bite", s.takeover, want)
			}
		})
	}
}

// calmDown ends all faults and asserts the second promise: an owner soon.
func (s *sim) calmDown() {
	s.calm = true
	s.run(s.now + 8*maxKeep) // every fault and late message is over
	bound := voterTime(s.timing.keep()) + unfitPenalty + time.Second
	s.run(s.now + bound)
	owner := s.last
	for _, n := range s.nodes {
		if n.answers() {
			owner = n.name
		}
	}
	before := s.takeover
	s.run(s.now + 30*time.Second)
	for _, n := range s.nodes {
		if n.answers() && n.name == owner && s.takeover == before {
			return
		}
	}
	s.t.Errorf("in calm, %s does not keep the VIP: %d changes in 30 s", owner, s.takeover-before)
}

// TestTakeoverBound kills the holder in calm: the next one answers soon after
// the voters' time, a split vote included.
func TestTakeoverBound(t *testing.T) {
	t.Parallel()
	timing := Timing{Lease: 500 * time.Millisecond, Renew: 100 * time.Millisecond, Linger: 2300 * time.Millisecond}
	for seed := range uint64(200) {
		s := newSim(t, seed, 3, timing)
		s.calm = true
		s.run(Silence + time.Second)
		killed := s.now
		for _, n := range s.nodes {
			if n.answers() {
				n.paused = true
				n.epoch++
			}
		}
		for before := s.takeover; s.takeover == before; s.run(s.now + time.Millisecond) {
			if s.now-killed > voterTime(timing.keep())+300*time.Millisecond {
				t.Fatalf("seed %d: nobody took over within %v", seed, s.now-killed)
			}
		}
		t.Logf("seed %d: %v", seed, s.now-killed)
	}
}
