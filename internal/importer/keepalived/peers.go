package keepalived

import (
	"fmt"
	"net/netip"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// everybody are values of router_id that samples have, and so everybody.
var everybody = map[string]bool{"LVS_DEVEL": true, "LVS_MASTER": true, "LVS_BACKUP": true, "LVS_Server": true, "keepalived": true, "localhost": true, "router_id": true}

// names are those of the hosts, in their order: what the files say, where it tells
// them apart; "" is none.
func (c *cluster) names() []plan.Value[string] {
	times := map[string]int{}
	for _, h := range c.hosts {
		times[h.name.V]++
	}
	names := make([]plan.Value[string], len(c.hosts))
	taken := map[string]bool{}
	for i, h := range c.hosts {
		v := c.nameOf(h, times)
		if v.Given() && taken[v.V] {
			v = plan.Value[string]{}
		}
		taken[v.V] = true
		names[i] = v
	}
	return names
}

func (c *cluster) nameOf(h *host, times map[string]int) plan.Value[string] {
	usual := everybody[h.name.V]
	switch {
	case h.name.Given() && !usual && times[h.name.V] == 1:
		return plan.Because(h.name.V, h.name.From, "router_id")
	case h.name.Given() && (usual || len(c.hosts) > 1):
		c.notes.add(plan.Changed, h.name.From, "router_id "+label(h.name.V), "it stands in samples, or in the files of several nodes, so it is no node's name; "+
			"the node is named after its host, or by the next free name")
	}
	if isName(h.id) && (len(c.in.Files) == 1 || h.id != identity(c.in.Host, nil)) {
		return plan.Because(h.id, h.at, "the host that the file is for")
	}
	return plan.Value[string]{}
}

// source is a host's own address, as its instances have it.
func (h *host) source() plan.Value[netip.Addr] {
	for _, i := range h.instances {
		if i.source.Given() {
			return i.source
		}
	}
	return plan.Value[netip.Addr]{}
}

// addresses are the hosts' own, in their order. Of two that have the same the
// second has none.
func (c *cluster) addresses() []plan.Value[netip.Addr] {
	all := make([]plan.Value[netip.Addr], len(c.hosts))
	seen := map[netip.Addr]plan.Source{}
	for i, h := range c.hosts {
		a := h.source()
		if !a.Given() {
			continue
		}
		if other, twice := seen[a.V]; twice {
			c.notes.add(plan.Fault, a.From, a.Why+" "+a.V.String(), "another node has the same, see "+other.String()+"; each needs its own")
			continue
		}
		seen[a.V] = a.From
		all[i] = a
	}
	return all
}

// peers are the hosts, and those that they name as peers.
func (c *cluster) peers() []plan.Peer {
	var peers []plan.Peer
	seen := map[netip.Addr]bool{}
	for i := range c.hosts {
		if c.named[i].Given() || c.own[i].Given() {
			peers = append(peers, plan.Peer{Name: c.named[i], Address: c.own[i]})
			seen[c.own[i].V] = true
		}
	}
	for _, h := range c.hosts {
		for k, i := range h.instances {
			for _, a := range i.peers {
				if !seen[a.V] {
					seen[a.V] = true
					peers = append(peers, plan.Peer{Address: a})
					c.another(h, k, a)
				}
			}
		}
	}
	c.count(peers)
	return peers
}

// another tells of a peer of a later instance that those before have not.
func (c *cluster) another(h *host, k int, a plan.Value[netip.Addr]) {
	if k > 0 && len(h.instances[0].peers) > 0 {
		c.notes.add(plan.Changed, a.From, "unicast_peer "+a.V.String(), "the first vrrp_instance has not this peer; with kshalb all peers may hold all VIPs, so take it away"+
			" where it must not, or make it a witness")
	}
}

// count looks at how many voters there are.
func (c *cluster) count(peers []plan.Peer) {
	const most = 7
	n := len(peers)
	switch {
	case len(c.hosts) == 0:
	case n < len(c.hosts):
		c.notes.add(plan.Changed, c.hosts[0].at, fmt.Sprintf("%d of %d nodes", len(c.hosts)-n, len(c.hosts)), "their files do not tell who they are, by neither a router_id of their own nor unicast_src_ip;"+
			" name the masters with --masters, or write cluster.peers")
	case n < 2:
		c.notes.add(plan.Changed, c.hosts[0].at, "the other nodes", "nothing here tells who they are; give the keepalived.conf of every node, or name the masters with --masters")
	case n > most:
		c.notes.add(plan.Lost, c.hosts[0].at, fmt.Sprintf("%d nodes", n), "kshalb has up to 7 voters; leave the rest out, or have them reach the address without voting")
	case n == 2:
		c.notes.add(plan.Changed, c.hosts[0].at, "two nodes", "of two voters neither can hold the address when the other is gone, or both could hold it, as they can with"+
			" keepalived; add a third host that only votes: witness: true")
	case n%2 == 0:
		c.notes.add(plan.Changed, c.hosts[0].at, fmt.Sprintf("%d nodes", n), "of an even number of voters one decides nothing; add a host that only votes: witness: true")
	}
}

// called is how notes call a host, fit to be quoted.
func (c *cluster) called(k int) string {
	h := c.hosts[k]
	switch {
	case c.named[k].Given():
		return c.named[k].V
	case h.id != "":
		return label(h.id)
	case c.own[k].Given():
		return c.own[k].V.String()
	}
	return "the node of " + label(h.at.File)
}
