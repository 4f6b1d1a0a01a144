package importer

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// peers are the masters: those told by hand, else the longest list, else the
// servers of the balancer. Names that only another list has are taken over.
func peers(j *plan.Plan, plans []plan.Plan, listeners []plan.Listener) []plan.Peer {
	var all []plan.Peer
	for i, p := range plans {
		if i == 1 && len(all) > 0 {
			break // by hand
		}
		if len(p.Peers) > len(all) {
			all = slices.Clone(p.Peers)
		}
	}
	servers := servers(j, listeners)
	if len(all) <= 1 && len(servers) > len(all) && (len(plans[0].Peers) == 0) {
		all = servers
		j.Note(plan.Changed, all[0].Address.From, "servers", "no list of masters was given: the balancer's servers are taken for them, each is to run kshalb")
	}
	for _, p := range plans {
		for _, o := range p.Peers {
			learn(j, all, o)
		}
	}
	for _, o := range servers {
		if i := indexPeer(all, o.Address.V); i >= 0 && all[i].Name.V == "" {
			all[i].Name = o.Name
		}
	}
	if len(all) > maxVoters {
		j.Note(plan.Changed, all[maxVoters].Address.From, fmt.Sprintf("%d masters", len(all)),
			fmt.Sprintf("%d run kshalb and vote, those from here on only serve as backends where they are listed as servers", maxVoters))
		all = all[:maxVoters]
	}
	if n := len(all); n > 0 && n%2 == 0 {
		j.Note(plan.Changed, all[0].Address.From, fmt.Sprintf("%d masters", n),
			"an even number bears the loss of no more than one less does; add a host that only votes: {name: witness1, address: ADDRESS, witness: true}")
	}
	return all
}

// servers are the addresses that connections go to, as masters.
func servers(j *plan.Plan, listeners []plan.Listener) (all []plan.Peer) {
	for _, l := range listeners {
		for _, b := range l.Backends {
			a, err := netip.ParseAddr(b.Host)
			if err != nil || a.IsLoopback() || hasVIP(j.VIPs, a) || isPeer(all, a) || otherFamily(j.VIPs, a) {
				continue
			}
			p := plan.Peer{Address: plan.Of(a, b.From)}
			if b.Name != "" {
				p.Name = plan.Of(b.Name, b.From)
			}
			all = append(all, p)
		}
	}
	return all
}

// otherFamily reports whether all VIPs are of the other family: a host is one
// peer, by its address of theirs.
func otherFamily(vips []plan.VIP, a netip.Addr) bool {
	return len(vips) > 0 && !slices.ContainsFunc(vips, func(v plan.VIP) bool { return v.Address.V.Is4() == a.Is4() })
}

// learn takes a peer's name from another list, and notes one that is not known.
func learn(j *plan.Plan, all []plan.Peer, o plan.Peer) {
	i := indexPeer(all, o.Address.V)
	switch {
	case !o.Address.Given(): // a name alone
	case i < 0:
		j.Note(plan.Fault, o.Address.From, fmt.Sprintf("master %s %s", o.Name.V, o.Address.V), "the list of masters that is used does not have it")
	case all[i].Name.V == "":
		all[i].Name = o.Name
	}
}

// addressless is a peer without address, after it has been looked for in other
// lists by the peer's name.
func addressless(all []plan.Peer, plans []plan.Plan) error {
	for i := range all {
		for _, p := range plans {
			for _, o := range p.Peers {
				if !all[i].Address.Given() && o.Name.V == all[i].Name.V && all[i].Name.V != "" {
					all[i].Address = o.Address
				}
			}
		}
		if !all[i].Address.Given() {
			return fmt.Errorf("%w: the address of %s (%s) is not told", errNoMasters, all[i].Name.V, all[i].Name.From)
		}
	}
	return nil
}

func indexPeer(all []plan.Peer, a netip.Addr) int {
	return slices.IndexFunc(all, func(p plan.Peer) bool { return p.Address.V == a })
}
