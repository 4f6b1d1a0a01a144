package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// judgeGossip finds peers that are not reached where votes are asked for, and
// others that have the port.
func judgeGossip(c Case) (all []Finding) {
	ways := make(map[way][]string) // with the nodes that see it so
	for _, node := range c.Nodes() {
		g := c.Views[node].Gossip
		if g == nil {
			continue
		}
		for _, p := range g.Peers {
			if w := (way{p.Peer, p.TCP, p.UDP, p.Error}); !w.well() {
				ways[w] = append(ways[w], node)
			}
		}
		all = append(all, orFine(c.judgeGossipPort(*g), node, g.String())...)
	}
	for _, w := range sortedWays(ways) {
		all = append(all, c.judgeWay(w, nodeList(ways[w])))
	}
	return all
}

// way is what it is like to reach for a peer.
type way struct{ peer, tcp, udp, err string }

func (w way) well() bool { return w.tcp == Reached && w.udp == Reached }

func sortedWays(ways map[way][]string) []way {
	var all []way
	for w := range ways {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b way) int {
		return strings.Compare(a.peer+a.tcp+a.udp+a.err, b.peer+b.tcp+b.udp+b.err)
	})
	return all
}

// judgeGossipPort is about who has the port on a node.
func (c Case) judgeGossipPort(g Gossip) (found []Finding) {
	port := c.Config.Cluster.Gossip.Port
	others := slices.DeleteFunc(slices.Clone(g.Owners), func(o Owner) bool { return o.Ours })
	switch {
	case g.Runs || len(others) == 0:
		return nil
	case others[0].Process == "":
		return []Finding{{Level: Unseen, Saw: ownerList(others) + ": whether it is kshalb cannot be told; run kshalb doctor as root on that host"}}
	}
	return []Finding{{Level: Fault, Saw: ownerList(others),
		Why: fmt.Sprintf("kshalb's gossip needs TCP and UDP port %d there, and does not start (MetalLB's speaker has 7946, too)", port),
		Mend: fmt.Sprintf("write cluster.gossip.port: %d in kshalb.yaml of every node, and restart kshalb; or stop %s",
			port+1, others[0].Process)}}
}

// runs reports whether a node's kshalb is known to take part.
func (c Case) runs(node string) bool {
	g := c.Views[node].Gossip
	return g != nil && (g.Runs || slices.ContainsFunc(g.Owners, func(o Owner) bool { return o.Ours }))
}

// judgeWay says what it means that some nodes reach for a peer in vain.
func (c Case) judgeWay(w way, from string) Finding {
	p, _ := c.peer(w.peer)
	at := netip.AddrPortFrom(p.Address, c.Config.Cluster.Gossip.Port)
	f := Finding{Level: Fault, Node: w.peer,
		Why:  "without a majority that talks nobody may hold a VIP; a peer that is not reached is missing there",
		Mend: fmt.Sprintf("let its firewall pass %d/tcp and %[1]d/udp from the peers (firewall-cmd --permanent --add-port=%[1]d/tcp --add-port=%[1]d/udp; firewall-cmd --reload); see that it is up", at.Port())}
	switch {
	case w.tcp == Reached && w.udp == Lost:
		f.Saw = fmt.Sprintf("%s takes connections, and gossip hears nothing of it: UDP does not pass (asked from %s)", at, from)
	case w.tcp == Reached && w.udp == Silent:
		return Finding{Level: Unseen, Node: w.peer,
			Saw: fmt.Sprintf("%s takes connections; a UDP packet was sent there, and whether it arrives only a kshalb that runs can tell (asked from %s)", at, from)}
	case w.tcp == Refused || w.tcp == Reached && w.udp == Refused:
		f.Saw = fmt.Sprintf("nobody listens on %s (asked from %s)", at, from)
		if w.tcp == Reached {
			f.Saw = fmt.Sprintf("nobody listens on %s for UDP packets, and somebody does for connections: no kshalb (asked from %s)", at, from)
		}
		f.Mend = fmt.Sprintf("start kshalb on %s: systemctl start kshalb, or see its static pod (crictl ps -a --name kshalb)", w.peer)
		if !slices.ContainsFunc(c.Nodes(), c.runs) {
			f.Level, f.Why = Warning, "no kshalb runs yet"
		}
	case w.tcp == Silent && w.udp == Reached:
		f.Saw = fmt.Sprintf("%s does not answer to connections, and UDP passes (asked from %s)", at, from)
		f.Why = "peers that have lost each other find together again by TCP alone"
	case w.tcp == Failed:
		f.Saw = fmt.Sprintf("%s is not reached: %s (asked from %s)", at, w.err, from)
	case w.udp == Failed:
		f.Saw = fmt.Sprintf("%s is not reached by UDP: %s (asked from %s)", at, w.err, from)
	default:
		f.Saw = fmt.Sprintf("%s does not answer (asked from %s)", at, from)
	}
	return f
}

// String is what is told of a node that reaches what it has to.
func (g Gossip) String() string {
	var reached []string
	for _, p := range g.Peers {
		if p.TCP == Reached && p.UDP == Reached {
			reached = append(reached, p.Peer)
		}
	}
	switch {
	case len(g.Peers) == 0:
		return "there are no other peers"
	case len(reached) == 0:
		return "it reaches none of its peers by both TCP and UDP"
	}
	text := "it reaches " + strings.Join(reached, ", ") + " by TCP and by gossip's UDP pings"
	if len(g.Owners) > 0 {
		text += "; " + ownerList(g.Owners)
	}
	return text
}
