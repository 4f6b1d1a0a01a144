package keepalived

import (
	"fmt"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// defaultPriority is keepalived's.
const defaultPriority = 100

// rank is an instance's priority, also where it is keepalived's default.
func (i *instance) rank() int {
	if i.priority.Given() {
		return i.priority.V
	}
	return defaultPriority
}

func (i *instance) rankAt() plan.Source {
	if i.priority.Given() {
		return i.priority.From
	}
	return i.at
}

// priorities are those of the nodes that can be named. Of one node alone a number
// says nothing, unless it is to be the first.
func (c *cluster) priorities(a *held) []plan.Priority {
	if len(c.hosts) == 1 && !a.by[0].instance.master {
		i := a.by[0].instance
		c.notes.add(plan.Changed, i.rankAt(), fmt.Sprintf("priority %d", i.rank()), "the others' priorities are not known, and theirs would be 0 here, so it was left out;"+
			" give the keepalived.conf of every node to have them all")
		return nil
	}
	var all []plan.Priority
	for _, b := range a.by {
		if p, ok := c.priority(b); ok {
			all = append(all, p)
		}
	}
	if len(c.hosts) == 1 && len(all) == 1 {
		c.notes.add(plan.Changed, all[0].Priority.From, fmt.Sprintf("priority %d", all[0].Priority.V), "with state MASTER this node is to be the first; the others' priorities are not known,"+
			" and are 0 here. Give the keepalived.conf of every node to have them all")
	}
	return all
}

func (c *cluster) priority(b holding) (plan.Priority, bool) {
	i := b.instance
	v := plan.Because(i.rank(), i.rankAt(), "")
	if !i.priority.Given() {
		v.Why = "keepalived's default"
	}
	if v.V == 255 {
		c.notes.add(plan.Changed, i.rankAt(), "priority 255", "to keepalived the node owns the address for good and takes it at once; to kshalb it is a high priority, no more")
	}
	name, source := c.named[b.host], c.own[b.host]
	switch {
	case name.Given():
		return plan.Priority{Peer: name.V, Priority: v}, true
	case source.Given():
		return plan.Priority{Peer: source.V.String(), Priority: v}, true
	}
	c.notes.add(plan.Changed, i.rankAt(), fmt.Sprintf("priority %d", v.V), "the file does not tell which node it is of, so it was left out: neither a router_id of"+
		" its own nor unicast_src_ip stands there. Write vips[].priorities by the peers' names")
	return plan.Priority{}, false
}
