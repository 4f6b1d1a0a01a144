package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

const bothHold = " so both take themselves for the only one, and hold the address at the same time"

// pair is the same instance on two hosts.
type pair struct {
	notes *notebook
	a, b  *instance
	names [2]string
}

// compare points out where nodes contradict each other, and themselves.
func (c *cluster) compare() {
	type two struct{ a, b *instance }
	done := map[two]bool{}
	for _, h := range c.holdings() {
		for _, b := range h.by[1:] {
			a := h.by[0]
			if k := (two{a.instance, b.instance}); !done[k] {
				done[k] = true
				p := pair{c.notes, a.instance, b.instance, [2]string{c.called(a.host), c.called(b.host)}}
				p.compare()
			}
		}
		c.ranking(h)
		if len(h.by) < len(c.hosts) {
			c.notes.add(plan.Changed, h.by[0].floating.at, h.addr.String(), "it does not stand in the files of all nodes; with kshalb every peer that is no witness may hold every VIP")
		}
	}
	for _, h := range c.hosts {
		h.routers()
	}
}

// at is where a key of the second stands, or its instance.
func at[T any](v plan.Value[T], i *instance) plan.Source {
	if v.Given() {
		return v.From
	}
	return i.at
}

func (p pair) fault(at plan.Source, key, first, second, why string) {
	p.notes.add(plan.Fault, at, fmt.Sprintf("%s: %s on %s, %s on %s", key, first, p.names[0], second, p.names[1]), why)
}

func (p pair) compare() {
	a, b := p.a, p.b
	if a.vrid.V != b.vrid.V {
		p.fault(at(b.vrid, b), "virtual_router_id", fmt.Sprint(a.vrid.V), fmt.Sprint(b.vrid.V), "nodes with different numbers do not hear each other,"+bothHold+"; kshalb needs no such number")
	}
	if a.version != b.version {
		p.fault(b.at, "version", fmt.Sprint(a.version), fmt.Sprint(b.version), "they do not understand each other,"+bothHold+"; kshalb needs no such number")
	}
	if x, y := a.interval(), b.interval(); x != y && a.version == 2 && b.version == 2 {
		p.fault(at(b.advert, b), "advert_int", x.String(), y.String(), "with VRRP version 2 they ignore each other,"+bothHold+"; with kshalb election: is the same on all nodes, as the file is")
	}
	if x, y := a.advertised(), b.advertised(); !slices.Equal(x, y) {
		p.fault(b.at, "virtual_ipaddress", fmt.Sprintf("%d addresses", len(x)), fmt.Sprintf("%d addresses, not the same", len(y)),
			"keepalived ignores adverts with other addresses,"+bothHold+"; all addresses were carried over, so take those away that are too many")
	}
	p.unicast()
}

func (i *instance) interval() time.Duration {
	if i.advert.Given() {
		return i.advert.V
	}
	return time.Second
}

// advertised are the addresses in VRRP's packets, in order.
func (i *instance) advertised() []netip.Addr {
	var all []netip.Addr
	for _, f := range i.addresses {
		if !f.excluded {
			all = append(all, f.addr)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

func way(unicast bool) string {
	if unicast {
		return "unicast"
	}
	return "multicast"
}

// unicast looks whether both send to each other.
func (p pair) unicast() {
	x, y := len(p.a.peers) > 0, len(p.b.peers) > 0
	if x != y {
		p.fault(p.b.at, "unicast_peer", way(x), way(y), "they do not hear each other,"+bothHold+"; kshalb's peers list stands in one file for all")
		return
	}
	p.reaches(p.a, p.b, p.names[0])
	p.reaches(p.b, p.a, p.names[1])
}

// reaches looks for one node's address among the peers of the other.
func (p pair) reaches(one, other *instance, name string) {
	if !one.source.Given() || one.source.V == other.source.V || len(other.peers) == 0 {
		return
	}
	if !slices.ContainsFunc(other.peers, func(v plan.Value[netip.Addr]) bool { return v.V == one.source.V }) {
		p.notes.add(plan.Fault, other.peers[0].From, "unicast_peer without "+one.source.V.String(), "that is "+name+", which then hears nothing from here and takes the address"+
			" whenever it can; as a peer of kshalb it was carried over")
	}
}

// ranking looks at the priorities of an address.
func (c *cluster) ranking(h *held) {
	by := slices.Clone(h.by)
	slices.SortStableFunc(by, func(a, b holding) int { return b.instance.rank() - a.instance.rank() })
	for k := 1; k < len(by); k++ {
		a, b := by[k-1], by[k]
		if a.instance.rank() == b.instance.rank() {
			c.equal(a.instance, b.instance, c.called(a.host), c.called(b.host))
		}
	}
	if len(by) < 2 {
		return
	}
	top := by[0].instance
	if ahead := top.rank() - by[1].instance.rank(); ahead > 0 && top.weights > 0 && top.weights <= ahead {
		c.notes.add(plan.Fault, top.rankAt(), fmt.Sprintf("scripts that move priority %d by %d in all", top.rank(), top.weights), fmt.Sprintf("the next node has %d, so the address"+
			" stays where it is though they fail; kshalb needs no numbers for that: a node that cannot serve does not hold the address", by[1].instance.rank()))
	}
}

// equal tells what happens with two equal priorities. The figures are this
// project's own measurements of keepalived 2.2.7.
func (c *cluster) equal(a, b *instance, first, second string) {
	what := fmt.Sprintf("priority %d on %s and %s", a.rank(), first, second)
	const why = "equal ones take over at the same time: in 32 of 55 takeovers both had the address, and in 10 of those the wrong announcement came last," +
		" so that clients met nobody for 5s. kshalb has one holder with equal priorities, too"
	if a.master && b.master {
		c.notes.add(plan.Fault, b.rankAt(), what+", both state MASTER", "both begin with the address; and "+why)
		return
	}
	c.notes.add(plan.Changed, b.rankAt(), what, why)
}

// routers looks for numbers that stand twice in one file, on the same interface.
func (h *host) routers() {
	type key struct {
		vrid  int
		iface string
		six   bool
	}
	seen := map[key]*instance{}
	for _, i := range h.instances {
		if !i.vrid.Given() || len(i.addresses) == 0 || len(i.peers) > 0 {
			continue
		}
		k := key{i.vrid.V, i.iface.V, i.addresses[0].addr.Is6()}
		if other := seen[k]; other != nil {
			h.notes.add(plan.Fault, i.vrid.From, fmt.Sprintf("virtual_router_id %d", k.vrid), "another instance on the same interface has it, see "+other.vrid.From.String()+
				", and keepalived takes one of them only; both were carried over")
			continue
		}
		seen[k] = i
	}
}
