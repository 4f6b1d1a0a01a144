package election

import (
	"fmt"
	"slices"
	"time"
)

// Memory is what a node must still know after a restart.
type Memory struct {
	// Voters are the names of the last set under which a holder was seen, or of
	// the first one of all, sorted. A start with a set that [CheckSuccession]
	// refuses could make two owners.
	Voters []string
	// Bootstrapped says that a majority has stood behind an owner once.
	Bootstrapped bool
}

// Equal reports whether a and b say the same.
func (a Memory) Equal(b Memory) bool {
	return a.Bootstrapped == b.Bootstrapped && slices.Equal(a.Voters, b.Voters)
}

// bootstrap is the state of the one-way switch from a node that holds alone to
// a majority.
type bootstrap struct {
	seen bool // a majority has been seen: to be remembered
	over bool // it has been remembered here, or others have said so
	told bool // others may hear of it
}

// alone reports whether this node's own vote is a majority.
func (m *Machine) alone() bool { return m.cfg.Bootstrap == m.cfg.Self.Node && !m.bootstrap.over }

// ToRemember returns what has to be written down now. Hand it to
// [Machine.Remembered] when that has been done.
func (m *Machine) ToRemember() Memory {
	mem := Memory{Bootstrapped: m.bootstrap.seen}
	if m.established {
		mem.Voters = names(m.set.voters)
	}
	return mem
}

// Remembered says that mem is on disk. From then on the bootstrap node counts
// nothing but majorities.
func (m *Machine) Remembered(_ time.Time, mem Memory) {
	if !mem.Bootstrapped || m.bootstrap.over {
		return
	}
	m.bootstrap.over = true
	// The lease of now may rest on this node's own vote alone: until it has been
	// renewed by a majority, nobody else may believe that it can be had.
	m.bootstrap.told = m.phase != Holding
}

// hearBootstrapped takes in that another node says that a majority has been seen.
func (m *Machine) hearBootstrapped() {
	if m.bootstrap.told {
		return
	}
	alone := m.alone()
	m.bootstrap = bootstrap{seen: true, over: true, told: true}
	if alone && m.phase == Holding {
		// This node has forgotten what others know.
		m.resign("", "the cluster has had a majority before: holding alone is over")
	}
}

// establish notes that a holder has been seen under the present set of voters.
// It is the proof that a majority of them is on that set, and that every lease
// under an older one is over: each of that majority has one grant, for this
// holder.
func (m *Machine) establish() { m.established = true }

// hearOther takes in what a message of a node with other voters proves: that a
// holder has been seen under its set, or under this node's, which it left.
func (m *Machine) hearOther(msg Message) {
	if msg.Request != nil && msg.Request.Proven {
		m.elsewhere = msg.Set
	}
	if msg.Was == m.set.id {
		m.establish()
	}
}

// CheckVoters returns an error unless the set of voters may become this one: it
// differs by one member at most, and a holder has been seen under the present
// one since this node has it; or a holder has been heard under the new one, so
// that this node is merely late.
func (m *Machine) CheckVoters(voters []Voter) error {
	next := newElectorate(voters)
	if next.id == m.set.id {
		return nil
	}
	if !next.has(m.cfg.Self.Node) {
		return fmt.Errorf("the new voters do not include this node, %s: stop kshalb here instead", m.cfg.Self.Node)
	}
	if next.id == m.elsewhere {
		return nil
	}
	old := names(m.set.voters)
	if err := CheckSuccession(old, voters); err != nil {
		return err
	}
	if !m.established {
		return fmt.Errorf("no holder of %s has been seen yet under the present voters, %q: change all nodes to these, and wait for a holder", m.cfg.VIP, old)
	}
	return nil
}

// Reconfigure replaces the voters, which [Machine.CheckVoters] must have
// allowed, and who is preferred. Grants that were given stay; a lease that is
// held goes on until its deadline, and is renewed by the new voters.
func (m *Machine) Reconfigure(now time.Time, voters []Voter, priorities map[string]int, preempt bool) {
	m.cfg.Priorities, m.cfg.Preempt = priorities, preempt
	if next := newElectorate(voters); next.id != m.set.id {
		m.was = 0
		if m.established {
			m.was = m.set.id
		}
		m.set, m.established = next, false
		m.bid.forgetAttempts()
		if m.phase == Holding {
			m.nextAsk = now
		}
	} else {
		m.set = next // the order may differ
	}
	m.yield(now)
}
