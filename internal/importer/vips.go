package importer

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// joinVIPs are those of all plans, once for each address. Those told by hand are
// in place of others, which are moved there.
func joinVIPs(j *plan.Plan, plans []plan.Plan) (moved map[netip.Addr]netip.Addr) {
	moved = make(map[netip.Addr]netip.Addr)
	for n, p := range plans {
		for _, v := range p.VIPs {
			i := slices.IndexFunc(j.VIPs, func(o plan.VIP) bool { return o.Address.V == v.Address.V })
			if byHand := plans[0].VIPs; n > 0 && i < 0 && len(byHand) > 0 {
				moved[v.Address.V] = byHand[0].Address.V
				j.Note(plan.Changed, v.Address.From, "address "+v.Address.V.String(),
					fmt.Sprintf("%s says %s, which holds", byHand[0].Address.From, byHand[0].Address.V))
				continue
			}
			if i < 0 {
				j.VIPs = append(j.VIPs, v)
				continue
			}
			have := &j.VIPs[i]
			pick(j, &have.Interface, v.Interface, "interface")
			pick(j, &have.Preempt, v.Preempt, "preempt")
			pick(j, &have.Refresh, v.Refresh, "refresh")
			if len(have.Priorities) == 0 {
				have.Priorities = v.Priorities
			}
		}
	}
	return moved
}

// adoptVIP makes a VIP of the address of a listener: a balancer that listens on
// an address of no master has it from somebody whose file was not given.
func adoptVIP(j *plan.Plan, listeners []plan.Listener) {
	for _, l := range listeners {
		a := l.Address.V
		if !l.Address.Given() || a.IsUnspecified() || a.IsLoopback() || isPeer(j.Peers, a) || hasVIP(j.VIPs, a) {
			continue
		}
		j.VIPs = append(j.VIPs, plan.VIP{Address: plan.Because(a, l.Address.From, "the address that clients connect to")})
		j.Note(plan.Changed, l.Address.From, a.String(), "it is taken for the floating address; is it one that no host has for itself?")
	}
}

// dropOwn leaves out VIPs that are a master's own address, unless they were told by
// hand, where whoever told them is told.
func dropOwn(j *plan.Plan, byHand []plan.VIP) {
	j.VIPs = slices.DeleteFunc(j.VIPs, func(v plan.VIP) bool {
		own := isPeer(j.Peers, v.Address.V) && !hasVIP(byHand, v.Address.V)
		if own {
			j.Note(plan.Fault, v.Address.From, "floating address "+v.Address.V.String(), "it is a master's own address, which goes down with it; choose a free one of the same network")
		}
		return own
	})
}

func isPeer(peers []plan.Peer, a netip.Addr) bool {
	return slices.ContainsFunc(peers, func(p plan.Peer) bool { return p.Address.V == a })
}

func hasVIP(vips []plan.VIP, a netip.Addr) bool {
	return slices.ContainsFunc(vips, func(v plan.VIP) bool { return v.Address.V == a })
}

// nearest is the first VIP of an address' family, or the first.
func nearest(vips []plan.VIP, a netip.Addr) plan.VIP {
	i := slices.IndexFunc(vips, func(v plan.VIP) bool { return v.Address.V.Is4() == a.Is4() })
	return vips[max(i, 0)]
}
