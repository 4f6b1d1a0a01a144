package election

import (
	"fmt"
	"slices"
	"time"
)

const (
	// unfitDamping is for how long a holder must have been without a ready
	// backend, and another node with one, before the VIP moves. A node that
	// merely hears of trouble elsewhere does nothing; it loses hope at once only
	// of itself.
	unfitDamping = time.Second
	// preemptAfter is for how long a node of higher priority must have been fit
	// before a holder gives way to it.
	preemptAfter = 10 * time.Second
)

// heard is what another node said of itself.
type heard struct {
	fitness Fitness
	since   time.Time // without a change, and without a lease in which it was not heard
	at      time.Time // when it was heard last
}

// hear notes what a message says of its sender.
func (m *Machine) hear(now time.Time, msg Message) {
	p := m.peers[msg.From.Node]
	lost := now.Sub(p.at) >= m.cfg.Timing.Lease
	if lost || p.fitness != msg.Fitness {
		p.since = now
	}
	if lost && m.phase == Holding {
		m.returned = true
	}
	p.fitness, p.at = msg.Fitness, now
	m.peers[msg.From.Node] = p
}

// recent reports whether a node was heard within a lease.
func (m *Machine) recent(now time.Time, node string) bool {
	return now.Sub(m.peers[node].at) < m.cfg.Timing.Lease
}

// Returned reports, once, that this node holds the VIP and hears a voter again
// that it had not heard for a lease: a partition has healed, and who was on the
// other side of it may believe that the VIP is somewhere else.
func (m *Machine) Returned() bool {
	r := m.returned
	m.returned = false
	return r
}

// candidate reports whether this node may ever hold the VIP.
func (m *Machine) candidate() bool {
	return slices.Contains(m.set.candidates(m.cfg.Priorities), m.cfg.Self.Node)
}

// rank is this node's place among the candidates; 0 asks first.
func (m *Machine) rank() int {
	return max(slices.Index(m.set.candidates(m.cfg.Priorities), m.cfg.Self.Node), 0)
}

// delay is how long this node waits once the VIP is free, so that the
// candidates ask one after the other, the best first.
func (m *Machine) delay() time.Duration {
	d := time.Duration(m.rank()) * staggerStep
	if m.fitness != Fit {
		d += unfitPenalty
	}
	return d
}

// Successor returns the other node that is best able to hold, of those heard
// within a lease: the fittest, then the one of the highest priority. "" is none.
func (m *Machine) Successor(now time.Time) string {
	best, fitness := "", Unable
	for _, name := range m.set.candidates(m.cfg.Priorities) {
		if p := m.peers[name]; name != m.cfg.Self.Node && p.fitness > fitness && m.recent(now, name) {
			best, fitness = name, p.fitness
		}
	}
	return best
}

// yield gives way when this node should not hold: at once when it cannot carry
// the address, and after a while when another one would be better.
func (m *Machine) yield(now time.Time) {
	if m.phase != Holding && m.phase != Campaigning {
		return
	}
	if m.fitness == Unable || !m.candidate() {
		m.Resign(now, m.Successor(now), "this node cannot carry the VIP")
		return
	}
	if m.phase == Campaigning {
		return
	}
	better := m.Successor(now)
	switch p := m.peers[better]; {
	case better == "" || p.fitness != Fit:
	case m.fitness != Fit && now.Sub(m.fitnessSince) >= unfitDamping && now.Sub(p.since) >= unfitDamping:
		m.resign(better, "no ready backend here, and "+better+" has one")
	case m.cfg.Preempt && m.cfg.Priorities[better] > m.cfg.Priorities[m.cfg.Self.Node] && now.Sub(p.since) >= preemptAfter:
		m.resign(better, better+" is preferred")
	}
}

// SetFitness says how well this node could hold. A holder that can no longer
// carry the address resigns at once; one that merely lost its backends gives
// way when another node has had some for a while.
func (m *Machine) SetFitness(now time.Time, f Fitness) {
	was := m.fitness
	m.fitness = f
	if was != f {
		m.fitnessSince = now
	}
	m.yield(now)
	if m.phase != Standby {
		return
	}
	if was == Unable && f != Unable {
		// No candidacy while its own vote is silent: others may hold.
		m.notBefore = later(m.notBefore, later(now, m.voter.silentUntil).Add(m.delay()))
		m.why = "nobody has won yet"
	}
	if f == Unable {
		m.why = "this node cannot carry the VIP"
	}
}

// Handover gives the VIP to a named node, or, with "", to the one best able to
// hold. The error says why it cannot be: then nothing has changed.
func (m *Machine) Handover(now time.Time, successor string) error {
	if m.phase != Holding {
		holder, _ := m.Holder(now)
		if holder == "" {
			return fmt.Errorf("hand %s over: this node does not hold it, and does not know who does", m.cfg.VIP)
		}
		return fmt.Errorf("hand %s over: %s holds it; ask there", m.cfg.VIP, holder)
	}
	if successor == "" {
		successor = m.Successor(now)
	}
	if err := m.ableSuccessor(now, successor); err != nil {
		return fmt.Errorf("hand %s over: %w", m.cfg.VIP, err)
	}
	m.resign(successor, "handed over to "+successor+" by request")
	return nil
}

func (m *Machine) ableSuccessor(now time.Time, node string) error {
	candidates := m.set.candidates(m.cfg.Priorities)
	switch {
	case node == "":
		return fmt.Errorf("no other node could take it now; kshalb status shows the peers")
	case node == m.cfg.Self.Node:
		return fmt.Errorf("%s holds it already", node)
	case !slices.Contains(candidates, node):
		return fmt.Errorf("%s is not among those that may hold it, %q", node, candidates)
	case !m.recent(now, node):
		return fmt.Errorf("%s has not been heard for %v; is it running and reachable?", node, m.cfg.Timing.Lease)
	case m.peers[node].fitness == Unable:
		return fmt.Errorf("%s says that it cannot carry the address; kshalb status there says why", node)
	}
	return nil
}
