package election

import "time"

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
