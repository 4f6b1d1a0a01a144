package election

import (
	"slices"
	"time"
)

// Status is one VIP as this node sees it.
type Status struct {
	VIP         string
	Phase       Phase
	Silent      bool      // this node does not vote yet
	Holder      string    // "" is nobody that this node knows of
	Term        uint64    //
	Deadline    time.Time // of this node's lease; zero without one
	Why         string    // why this node does not hold it
	Transitions uint64    // changes of holder seen since the start
}

// differsFor is how long a node that was heard with other voters is shown so.
const differsFor = 10 * time.Second

// Differing returns the nodes that were heard lately with other voters than
// this node's. Their messages do not count here, nor ours there.
func (e *Elector) Differing() []string {
	var nodes []string
	_ = e.call(func(now time.Time) { // an election that has ended hears nobody
		for node, at := range e.differs {
			if now.Sub(at) < differsFor {
				nodes = append(nodes, node)
			}
		}
	})
	slices.Sort(nodes)
	return nodes
}

// Status returns what this node knows of each VIP; nil when Run has ended. It
// waits for Run to begin.
func (e *Elector) Status() []Status {
	var all []Status
	_ = e.call(func(now time.Time) { // nil is the answer then
		for _, v := range e.vips {
			s := Status{VIP: v.Name, Phase: v.machine.Phase(), Silent: v.machine.Silent(now), Why: v.machine.Why(now), Transitions: v.transitions}
			s.Holder, s.Term = v.machine.Holder(now)
			if l, ok := v.machine.Lease(now); ok {
				s.Deadline = l.Deadline
			}
			all = append(all, s)
		}
	})
	return all
}
