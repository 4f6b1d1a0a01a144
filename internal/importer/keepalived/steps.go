package keepalived

import (
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// steps are the way from keepalived to kshalb with the same address. A node that
// runs both has none of both: kshalb's packet filter keeps an address silent that
// it does not hold, and kshalb does not take one that is there already.
func (c *cluster) steps(p plan.Plan) []string {
	switch {
	case len(p.VIPs) > 0:
	case len(p.Listeners) > 0:
		return c.serverSteps(p)
	default:
		return nil
	}
	vip := p.VIPs[0].Address.V.String()
	all := make([]string, 0, len(p.VIPs))
	for _, v := range p.VIPs {
		all = append(all, v.Address.V.String())
	}
	steps := []string{
		"Put kshalb.yaml and the gossip key on every node, the same everywhere, and run kshalb check and kshalb doctor there. Start nothing yet: keepalived and kshalb must never run on one node at the same time.",
		"Find the node that has the address now: ip -br address show to " + vip + ". It comes last.",
		"On each of the other nodes, one after the other, stop keepalived for good (systemctl disable --now keepalived; where it is a static pod, move its manifest out of /etc/kubernetes/manifests) and then start kshalb." +
			" kshalb takes no address that somebody else answers for, so it waits.",
		"On the last node do the same. From the stop of keepalived until a kshalb has the address, some ten seconds, nobody answers for it.",
		"See that no node has kept the address: ip -br address shows " + strings.Join(all[:min(len(all), 4)], ", ") + " on one node only, as /32 or /128. A keepalived that was killed leaves it behind: ip address del " + vip + "/PREFIX dev INTERFACE.",
		"Leave vips[].force at false. With true kshalb takes the address although somebody else answers for it: only for an address that a router answers for by mistake, never in place of stopping keepalived.",
		"kshalb status shows the holder, and whether all peers see each other. Then stop the proxy that served behind keepalived, and remove its check scripts.",
	}
	steps = append(steps, c.directSteps(vip)...)
	return append(steps, "The way back: stop kshalb on every node first (kshalb cleanup removes what one that was killed has left), then start keepalived.")
}

// serverSteps are for virtual servers without an address that moves.
func (c *cluster) serverSteps(p plan.Plan) []string {
	vip := p.Listeners[0].Address.V.String()
	return append([]string{
		"Stop keepalived (systemctl disable --now keepalived), see that ipvsadm -Ln is empty, and then start kshalb: packets that IPVS takes never reach a proxy.",
	}, c.directSteps(vip)...)
}

// directSteps are for backends that have the address, too.
func (c *cluster) directSteps(vip string) []string {
	if !slices.ContainsFunc(c.all(), func(h *host) bool {
		return slices.ContainsFunc(h.servers, func(s *server) bool { return s.direct })
	}) {
		return nil
	}
	return []string{"Take the address off every backend, where lb_kind DR or TUN needed it (ip address del " + vip + "/32 dev lo, and from what sets it at boot), with arp_ignore and arp_announce if they were set for it." +
		" On a node that runs kshalb do so before kshalb starts: it does not take an address that is there already."}
}
