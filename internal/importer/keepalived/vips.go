package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxVIPs is what a kshalb cluster can have.
const maxVIPs = 64

// held is an address with all that say they hold it.
type held struct {
	addr netip.Addr
	by   []holding
	name plan.Value[string]
}

// holding is one host's instance with the address.
type holding struct {
	host     int // its place in cluster.hosts
	instance *instance
	floating *floating
}

// holdings are all addresses in the order of the files.
func (c *cluster) holdings() []*held {
	var all []*held
	known := map[netip.Addr]*held{}
	for k, h := range c.hosts {
		for _, i := range h.instances {
			for _, f := range i.addresses {
				a := known[f.addr]
				if a == nil {
					a = &held{addr: f.addr}
					known[f.addr] = a
					all = append(all, a)
				}
				c.hold(a, holding{k, i, f})
			}
		}
	}
	return all
}

func (c *cluster) hold(a *held, next holding) {
	for _, b := range a.by {
		if b.host == next.host {
			c.notes.add(plan.Fault, next.floating.at, a.addr.String(), "it stands in this node's file before, see "+b.floating.at.String()+"; an address has one instance, so take one away")
			return
		}
	}
	a.by = append(a.by, next)
}

// vips are the plan's.
func (c *cluster) vips() []plan.VIP {
	all := c.holdings()
	if len(all) > maxVIPs {
		c.notes.add(plan.Lost, all[maxVIPs].by[0].floating.at, fmt.Sprintf("%d addresses", len(all)), "kshalb has up to 64 VIPs; the rest was left out. Route a prefix to one of them, or run a second cluster")
		all = all[:maxVIPs]
	}
	c.name(all)
	var vips []plan.VIP
	for _, a := range all {
		f := a.by[0].floating
		vips = append(vips, plan.VIP{
			Name:       a.name,
			Address:    plan.Of(a.addr, f.at),
			Interface:  c.interfaceOf(a),
			Priorities: c.priorities(a),
			Preempt:    c.preempt(a),
			Refresh:    c.refresh(a),
		})
		if f.excluded {
			c.notes.add(plan.Needless, f.at, "virtual_ipaddress_excluded", "it kept addresses out of VRRP's packets, which are small; to kshalb they are addresses like the others")
		}
	}
	return vips
}

// name gives each address the name of its instance, and a number behind it from the
// second on.
func (c *cluster) name(all []*held) {
	taken, times := map[string]bool{}, map[string]int{}
	for _, a := range all {
		i := a.by[0].instance
		if !isName(i.name) {
			continue
		}
		times[i.name]++
		v := plan.Because(i.name, i.at, "the vrrp_instance")
		if n := times[i.name]; n > 1 {
			v.V = fmt.Sprintf("%s-%d", i.name, n)
		}
		if isName(v.V) && !taken[v.V] {
			taken[v.V] = true
			a.name = v
		}
	}
}

// interfaceOf is the interface where all that name one name the same.
func (c *cluster) interfaceOf(a *held) plan.Value[string] {
	var v plan.Value[string]
	for _, b := range a.by {
		next := b.floating.iface
		if !next.Given() {
			next = b.instance.iface
		}
		switch {
		case !v.Given():
			v = next
		case next.Given() && next.V != v.V:
			c.notes.add(plan.Changed, next.From, fmt.Sprintf("interface %s here, %s there", label(next.V), label(v.V)), "kshalb's file is the same on every node, so no interface was carried"+
				" over: each node takes the one whose connected route holds the address")
			return plan.Value[string]{}
		}
	}
	return v
}

// preempt is keepalived's default. It is off only where every node says so, for one
// that does not takes the address back.
func (c *cluster) preempt(a *held) plan.Value[bool] {
	stays := 0
	for _, b := range a.by {
		if b.instance.nopreempt.Given() {
			stays++
		}
	}
	i := a.by[0].instance
	switch stays {
	case len(a.by):
		return plan.Because(false, i.nopreempt.From, "nopreempt")
	case 0:
		c.notes.add(plan.Changed, i.at, "preempt", "without nopreempt a keepalived of higher priority takes the address back, so preempt: true was written. Each time"+
			" that breaks every connection once more: write preempt: false unless the address has to be on that node")
	default:
		c.notes.add(plan.Fault, i.at, "nopreempt on some nodes only", "a node without it takes the address back all the same, so preempt: true was written; decide for all, best with preempt: false")
	}
	return plan.Because(true, i.at, "keepalived's default")
}

// refresh is the shortest of those that are given.
func (c *cluster) refresh(a *held) plan.Value[time.Duration] {
	given := slices.DeleteFunc(slices.Clone(a.by), func(b holding) bool { return !b.instance.refresh.Given() })
	if len(given) == 0 {
		return plan.Value[time.Duration]{}
	}
	least := slices.MinFunc(given, func(x, y holding) int { return int(x.instance.refresh.V - y.instance.refresh.V) })
	return least.instance.refresh
}
