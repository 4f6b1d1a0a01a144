package keepalived

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// all are the hosts, those without instances last.
func (c *cluster) all() []*host { return slices.Concat(c.hosts, c.rest) }

// listeners are those of all hosts. Where several have the same, the first counts.
func (c *cluster) listeners() []plan.Listener {
	var all []plan.Listener
	known := map[netip.AddrPort]int{}
	for _, h := range c.all() {
		for _, s := range h.servers {
			for _, l := range s.listeners {
				at := netip.AddrPortFrom(l.Address.V, uint16(l.Port.V))
				k, twice := known[at]
				if !twice {
					known[at] = len(all)
					all = append(all, l)
					continue
				}
				if !alike(all[k], l) {
					c.notes.add(plan.Fault, l.Address.From, "virtual_server "+at.String(), "it says something else than "+all[k].Address.From.String()+
						", which was taken; kshalb's file is the same on every node, so decide for one")
				}
			}
		}
	}
	return all
}

// alike tells listeners that differ in nothing but where they stand.
func alike(a, b plan.Listener) bool {
	if len(a.Backends) != len(b.Backends) || !same(a.Check, b.Check) || a.Balance.V != b.Balance.V || a.OnDown.V != b.OnDown.V || a.Timeouts.Idle.V != b.Timeouts.Idle.V {
		return false
	}
	for i := range a.Backends {
		x, y := a.Backends[i], b.Backends[i]
		if !reflect.DeepEqual([]any{x.Host, x.Port, x.Weight.V, x.Backup.V}, []any{y.Host, y.Port, y.Weight.V, y.Backup.V}) {
			return false
		}
	}
	return true
}

// missing tells of what the files leave open.
func (c *cluster) missing(p plan.Plan) {
	if len(p.VIPs) > 0 && len(p.Listeners) == 0 {
		c.notes.add(plan.Changed, c.hosts[0].at, "the ports", "nothing here says which ports the address serves, and from where; give the haproxy.cfg or nginx's ports besides,"+
			" or name the masters, for a listener on 6443")
	}
	if len(p.VIPs) == 0 {
		return
	}
	for _, l := range p.Listeners {
		if !slices.ContainsFunc(p.VIPs, func(v plan.VIP) bool { return v.Address.V == l.Address.V }) {
			c.notes.add(plan.Fault, l.Address.From, "virtual_server "+l.Address.V.String(), "no vrrp_instance in the files given has this address, so nobody takes it; correct it, or give the file that has it")
		}
	}
}
