package election

import (
	"slices"
	"time"
)

// keep is the longest that a voter is asked for.
func (s *sim) keep() time.Duration {
	if s.unfenced > 0 {
		return s.timing.Lease + s.linger
	}
	return s.timing.Lease
}

// fault breaks something for a while, now, and plans the next.
func (s *sim) fault() {
	n := s.nodes[s.rand.IntN(len(s.nodes))]
	for _, other := range s.nodes { // the holder is the one worth hurting
		if other.answers() && s.rand.IntN(2) == 0 {
			n = other
		}
	}
	long := s.upTo(2 * s.keep())
	switch kind := s.rand.IntN(7); kind {
	case 0, 1, 2:
		s.cut(n, s.nodes, long, kind != 1, kind != 2)
	case 3:
		other := s.rand.IntN(len(s.nodes))
		s.cut(n, s.nodes[other:other+1], 2*long, true, true)
	default:
		n.trouble(long)
	}
	if s.bootstrap && s.chance(20) {
		s.remake()
	}
	if s.bootstrap && s.chance(8) { // long enough for a start without having heard of anybody
		first := s.nodes[0]
		s.cut(first, s.nodes, 2*Silence, true, true)
		first.kill(s.upTo(Silence))
	}
	if s.changing && s.chance(2) {
		s.nodes[s.rand.IntN(len(s.nodes))].reload()
	}
	s.after(s.upTo(4*s.keep()), func() {
		if !s.calm {
			s.fault()
		}
	})
}

// cut keeps messages of others to a node, or from it, or both.
func (s *sim) cut(n *simNode, others []*simNode, long time.Duration, to, from bool) {
	s.logf("%s is cut off from %d for %v, to %v, from %v", n.name, len(others), long, to, from)
	for _, other := range others {
		if to {
			n.cutIn[other.name] = true
		}
		if from {
			other.cutIn[n.name] = true
		}
	}
	s.after(long, func() {
		for _, other := range others {
			delete(n.cutIn, other.name)
			delete(other.cutIn, n.name)
		}
	})
}

// trouble is what can befall one daemon.
func (n *simNode) trouble(long time.Duration) {
	d := n.daemon
	if d == nil {
		return
	}
	switch n.s.rand.IntN(5) {
	case 0:
		d.pause(long)
	case 1:
		if n.s.rand.IntN(2) == 0 {
			long /= 20 // a restart at once
		}
		n.kill(long)
		if n.s.rand.IntN(4) == 0 { // and of the others too: an update in a hurry
			for _, other := range n.s.nodes {
				if other.daemon != nil && !other.answers() {
					other.kill(long)
				}
			}
		}
	case 2:
		d.do(func() { d.machine.Resign(d.clock(), d.machine.Successor(d.clock()), "asked to") })
	case 3:
		d.do(func() { _ = d.machine.Handover(d.clock(), "") })
	case 4:
		f := Fitness(n.s.rand.IntN(3))
		n.s.logf("%s is %s for %v", n.name, f, long)
		d.do(func() { d.machine.SetFitness(d.clock(), f) })
		d.later(long, func() { d.machine.SetFitness(d.clock(), Fit) })
	}
}

// kill ends a node's daemon for a while. What it has in the kernel stays.
func (n *simNode) kill(long time.Duration) {
	n.s.logf("%s killed for %v", n.name, long)
	n.daemon = nil
	n.s.after(long, n.revive)
}

// remake makes the cluster anew, on empty machines that start one after the
// other.
func (s *sim) remake() {
	s.logf("the cluster is made anew")
	for _, n := range s.nodes {
		n.daemon, n.disk = nil, Memory{}
		n.kernel.clean()
		dark := 4*s.keep() + s.upTo(Silence) // no message of the old one is left
		n.darkUntil = s.now + dark
		s.after(dark, n.revive)
	}
}

// reload gives a node the operator's next file, if there is one. A node that is
// no longer among the voters is stopped and wiped; one that is again is started.
func (n *simNode) reload() {
	s := n.s
	s.writeNext()
	if n.set == len(s.sets)-1 {
		return
	}
	next := s.sets[n.set+1]
	in := slices.ContainsFunc(next, func(v Voter) bool { return v.Name == n.name })
	switch d := n.daemon; {
	case !in:
		n.daemon, n.disk = nil, Memory{}
		n.set++
	case d == nil:
		n.set++
		if CheckSuccession(n.disk.Voters, next) != nil && s.established(n.set) {
			n.disk = Memory{} // as the message at the start tells him to
		}
		n.start()
	case d != nil:
		to := n.set + 1
		d.do(func() {
			if n.set+1 == to && d.machine.CheckVoters(next) == nil {
				n.set++
				s.reloads++
				s.logf("%s has the voters %v", d.name, next)
				d.machine.Reconfigure(d.clock(), next, nil, s.preempt)
			}
		})
	}
}

// established reports whether a holder has been seen under a file's voters.
func (s *sim) established(set int) bool {
	return slices.ContainsFunc(s.nodes, func(n *simNode) bool {
		return n.daemon != nil && n.set == set && n.daemon.machine.established
	})
}

// writeNext writes the operator's next file, once a holder has been seen under
// the newest one: one voter more, or one less.
func (s *sim) writeNext() {
	last := s.sets[len(s.sets)-1]
	if !s.established(len(s.sets) - 1) {
		return
	}
	n := s.nodes[s.rand.IntN(len(s.nodes))]
	i := slices.IndexFunc(last, func(v Voter) bool { return v.Name == n.name })
	switch {
	case i < 0:
		s.sets = append(s.sets, append(slices.Clone(last), Voter{Name: n.name}))
	case len(last) > len(s.sets[0]):
		s.sets = append(s.sets, slices.Delete(slices.Clone(last), i, i+1))
	}
}
