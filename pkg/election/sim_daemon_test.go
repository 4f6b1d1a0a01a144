package election

import (
	"errors"
	"time"
)

// simDaemon is one run of kshalb on a node.
type simDaemon struct {
	*simNode

	machine     *Machine
	manager     simManager
	paused      bool
	backlog     []func()
	arming      uint64
	deadline    time.Time
	withdrawing bool
	wake        int
	writing     bool
}

// start gives a node a daemon that remembers nothing but its disk, and removes
// what its predecessor left.
func (n *simNode) start() {
	voters := n.s.sets[n.set]
	if len(n.disk.Voters) == 0 {
		n.disk.Voters = names(voters)
	}
	if err := CheckSuccession(n.disk.Voters, voters); err != nil {
		n.s.logf("%s does not start: %v", n.name, err)
		return
	}
	priorities := make(map[string]int)
	if n.s.preempt {
		priorities = map[string]int{"m1": 3, "m2": 2, "m3": 1}
	}
	bootstrap := ""
	if n.s.bootstrap {
		bootstrap = n.s.nodes[0].name
	}
	m, err := New(Config{
		VIP: "api", Self: Owner{n.name, n.s.rand.Uint64()}, Voters: voters, Priorities: priorities,
		Preempt: n.s.preempt, Bootstrap: bootstrap, Remembered: n.disk, Timing: n.s.timing, Epoch: n.clock(), Rand: n.s.rand,
	}, n.clock())
	if err != nil {
		n.s.t.Fatal(err)
	}
	n.kernel.clean()
	n.daemon = &simDaemon{simNode: n, machine: m}
	n.daemon.manager.d = n.daemon
	n.daemon.do(func() { m.SetFitness(n.clock(), Fit) })
}

// do runs one step of the daemon now, or when it is no longer paused. It may be
// paused, or killed, right before it.
func (d *simDaemon) do(run func()) {
	if d.s.chance(5000) {
		d.pause(d.s.upTo(3 * d.s.keep()))
	} else if d.s.chance(20000) {
		d.kill(d.s.upTo(2 * d.s.keep()))
	}
	switch {
	case d.daemon != d:
	case d.paused:
		d.backlog = append(d.backlog, run)
	default:
		run()
		d.settle()
	}
}

// revive starts the daemon of a dead node.
func (n *simNode) revive() {
	if n.daemon == nil && n.s.now >= n.darkUntil {
		n.start()
	}
}

// later runs a step after a while, if the daemon still lives then.
func (d *simDaemon) later(after time.Duration, run func()) {
	d.s.after(max(after, 0), func() {
		if d.daemon == d {
			d.do(run)
		}
	})
}

func (d *simDaemon) pause(long time.Duration) {
	if d.paused {
		return
	}
	d.s.logf("%s paused for %v", d.name, long)
	d.paused = true
	d.s.after(long, func() {
		if d.daemon == d {
			d.resume()
		}
	})
}

func (d *simDaemon) resume() {
	d.paused = false
	backlog := d.backlog
	d.backlog = nil
	for _, run := range backlog {
		d.do(run)
	}
}

// settle does what the driver does after each input.
func (d *simDaemon) settle() {
	now := d.clock()
	if attempt, ok := d.machine.Arming(); ok && attempt != d.arming {
		d.arming = attempt
		d.later(d.s.moment(), func() { d.arm(attempt) })
	}
	if lease, ok := d.machine.Lease(now); ok && !lease.Deadline.Equal(d.deadline) {
		if d.deadline.IsZero() || d.s.trace {
			d.s.logf("%s holds term %d by attempt %d", d.name, lease.Term, lease.Attempt)
		}
		d.deadline = lease.Deadline
		d.manager.hold(lease)
	}
	if d.machine.Phase() == Resigning && !d.withdrawing {
		d.s.logf("%s resigns: %s", d.name, d.machine.Why(now))
		d.withdrawing = true
		d.manager.withdraw(func() {
			d.s.logf("%s has withdrawn", d.name)
			d.withdrawing, d.deadline = false, time.Time{}
			d.machine.Withdrawn(d.clock())
		})
	}
	d.remember()
	for _, o := range d.machine.Take() {
		d.s.send(d.simNode, o)
	}
	d.sleep()
}

// arm has the kernel begin to count, and some time later the machine.
func (d *simDaemon) arm(attempt uint64) {
	if d.s.chance(2000) {
		d.later(d.s.moment(), func() { d.machine.Unarmed(d.clock(), attempt, errors.New("the kernel is busy")) })
		return
	}
	linger := d.s.linger
	if d.kernel.fenced {
		linger = 0
		d.kernel.armed[attempt] = d.s.now + d.lasts(d.s.timing.Lease)
	}
	d.later(d.s.moment(), func() { d.machine.Armed(d.clock(), attempt, linger) })
}

func (d *simDaemon) remember() {
	mem := d.machine.ToRemember()
	if mem.Voters == nil {
		mem.Voters = d.disk.Voters
	}
	mem.Bootstrapped = mem.Bootstrapped || d.disk.Bootstrapped
	if d.writing || mem.Equal(d.disk) {
		return
	}
	d.writing = true
	d.later(d.s.moment(), func() {
		d.disk = mem
		d.later(d.s.moment(), func() {
			d.writing = false
			d.machine.Remembered(d.clock(), mem)
		})
	})
}

// sleep plans the next tick by the node's own clock.
func (d *simDaemon) sleep() {
	next := d.machine.Next()
	if next.IsZero() {
		return
	}
	d.wake++
	wake := d.wake
	d.s.after(max(d.lasts(next.Sub(d.clock()))+1, 0), func() {
		if d.daemon == d && wake == d.wake { // else a later plan holds
			d.do(func() { d.machine.Tick(d.clock()) })
		}
	})
}

// send gives a message to the wire, in the form in which it is sent.
func (s *sim) send(from *simNode, o Outbound) {
	for _, to := range s.nodes {
		if to.name != o.To || to.cutIn[from.name] {
			continue
		}
		copies := 1
		if s.chance(20) {
			copies = s.rand.IntN(3)
		}
		wire, err := Encode([]Message{o.Message})
		if err != nil {
			s.t.Fatal(err)
		}
		if said := saying(o.To, o.Message); said != "" {
			s.logf("%s", said)
		}
		for range copies {
			s.after(s.delay(), func() { to.receive(wire[0]) })
		}
	}
}

func (n *simNode) receive(b []byte) {
	msgs, err := Decode(b)
	if err != nil {
		n.s.t.Fatal(err)
	}
	if d := n.daemon; d != nil {
		d.do(func() { d.machine.Step(d.clock(), msgs[0]) })
	}
}

func (s *sim) delay() time.Duration {
	if s.script != nil {
		return time.Millisecond
	}
	d := time.Duration(s.rand.ExpFloat64() * float64(time.Millisecond))
	if s.instant {
		d /= 50
	}
	if s.chance(50) {
		d += s.upTo(3 * s.keep())
	}
	return d
}
