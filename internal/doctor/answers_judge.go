package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
)

// judgeAnswers finds who answers for a VIP and should not, and who should and does
// not.
func judgeAnswers(c Case) (all []Finding) {
	for _, vip := range c.Config.VIPs {
		all = append(all, c.inquiry(vip).judge()...)
	}
	if len(all) == 0 {
		for _, node := range c.Nodes() {
			if c.Views[node].Answers != nil {
				all = append(all, Finding{Level: Fine, Node: node, Saw: "there is no VIP"})
			}
		}
	}
	return all
}

// inquiry is what all nodes have heard about one VIP.
type inquiry struct {
	Case
	vip    config.VIP
	heard  map[string]VIPAnswers // by node
	cards  map[string]string     // the nodes, by their hardware addresses
	owners []string              // nodes that have the address
	moved  bool                  // some of it changed meanwhile
}

func (c Case) inquiry(vip config.VIP) inquiry {
	q := inquiry{Case: c, vip: vip, heard: make(map[string]VIPAnswers), cards: make(map[string]string)}
	for _, node := range c.Nodes() {
		answers := c.Views[node].Answers
		if answers == nil {
			continue
		}
		for _, mac := range answers.Cards {
			q.cards[mac] = node
		}
		i := slices.IndexFunc(answers.VIPs, func(a VIPAnswers) bool { return a.VIP == vip.Name })
		if i < 0 {
			continue
		}
		a := answers.VIPs[i]
		q.heard[node] = a
		q.moved = q.moved || a.Moved
		if a.Assigned {
			q.owners = append(q.owners, node)
		}
	}
	return q
}

func (q inquiry) judge() (all []Finding) {
	for _, node := range q.Nodes() {
		if a, ok := q.heard[node]; ok {
			all = append(all, orFine(q.judgeNode(a), node, q.fine(node, a))...)
		}
	}
	for _, mac := range sortedKeys(q.answering()) {
		all = append(all, q.judgeAnswering(mac)...)
	}
	return append(all, q.judgeOwners()...)
}

// judgeNode is about what one node is in itself.
func (q inquiry) judgeNode(a VIPAnswers) (found []Finding) {
	at := q.vip.Address
	switch {
	case a.Error != "":
		return []Finding{{Level: Unseen, Saw: "not seen: " + a.Error}}
	case a.Moved:
		return []Finding{{Level: Unseen, Saw: fmt.Sprintf("VIP %s came or went while it was asked for; run kshalb doctor again", at)}}
	case q.moved || a.Interface == "":
		return nil
	case a.Knows && a.Held && !a.Assigned:
		found = append(found, Finding{Level: Fault,
			Saw:  fmt.Sprintf("its kshalb says that it holds VIP %s, and the address is not on this host", at),
			Why:  "nobody answers for the VIP until its kshalb can put it there",
			Mend: "kshalb status says why; ip address show dev " + a.Interface})
	case a.Knows && a.Assigned && !a.Held:
		found = append(found, Finding{Level: Warning,
			Saw:  fmt.Sprintf("VIP %s is on this host, and its kshalb does not hold it", at),
			Why:  "it is to go by itself within seconds of a lease that has ended; one that somebody else has put there stays, and answers",
			Mend: fmt.Sprintf("run kshalb doctor again; if it is still there: ip address del %s dev %s", singlePrefix(at), a.Interface)})
	case !a.Assigned && len(a.Answered) == 0 && len(q.owners) > 0:
		found = append(found, Finding{Level: Fault,
			Saw:  fmt.Sprintf("nobody answered %d probes for VIP %s on %s, and %s has it", askCount, at, a.Interface, strings.Join(q.owners, " and ")),
			Why:  "clients in this part of the network do not find the VIP",
			Mend: "see that both are in one network (switch, VLAN, port isolation), and that no filter drops ARP or Neighbour Discovery: nft list ruleset; ebtables -L"})
	}
	return append(found, q.judgeNeighbour(a)...)
}

// judgeNeighbour holds a node's neighbour table against who has the VIP.
func (q inquiry) judgeNeighbour(a VIPAnswers) []Finding {
	if a.Assigned || a.Neighbour == nil || len(q.owners) != 1 || q.cards[a.Neighbour.MAC] == q.owners[0] {
		return nil
	}
	whose := q.who(a.Neighbour.MAC)
	f := Finding{Level: Warning,
		Saw: fmt.Sprintf("its neighbour table has VIP %s at %s (%s), and %s has it", q.vip.Address, whose, a.Neighbour.State, q.owners[0]),
		Why: "what this host sends to the VIP goes astray until it asks anew; it has not taken the announcement of the last takeover",
		Mend: fmt.Sprintf("ip neigh del %s dev %s; if it comes back, see whether announcements are dropped on the way (dynamic ARP inspection, drop_gratuitous_arp)",
			q.vip.Address, a.Interface)}
	if a.Neighbour.State == "permanent" {
		f.Level, f.Why = Fault, "somebody has written it down for good: this host never finds the VIP when it moves"
	}
	return []Finding{f}
}

// answering are the hardware addresses that answered, with the nodes that heard
// them.
func (q inquiry) answering() map[string][]string {
	by := make(map[string][]string)
	for _, node := range q.Nodes() {
		for _, a := range q.heard[node].Answered {
			by[a.MAC] = append(by[a.MAC], node)
		}
	}
	return by
}

// judgeAnswering is about one hardware address that answered.
func (q inquiry) judgeAnswering(mac string) []Finding {
	node, known := q.cards[mac]
	if known && (q.moved || slices.Contains(q.owners, node)) {
		return nil
	}
	saw := fmt.Sprintf("%s answers for VIP %s, heard by %s", q.who(mac), q.vip.Address, nodeList(q.answering()[mac]))
	if len(q.owners) > 0 {
		saw += "; " + strings.Join(q.owners, " and ") + " has it"
	}
	switch {
	case known:
		return []Finding{{Level: Fault, Node: node, Saw: saw,
			Why:  "that node has not got the address: another program there answers (proxy ARP, a container's network), and takes the VIP's clients",
			Mend: "ip neigh show proxy; sysctl -a | grep proxy_arp"}}
	case len(q.owners) == 0 && len(q.Lost) > 0:
		return []Finding{{Level: Unseen, Saw: saw + "; it may be " + strings.Join(sortedKeys(q.Lost), " or ") + ", which gave no view"}}
	}
	return []Finding{{Level: Fault, Saw: saw,
		Why:  "it belongs to none of the nodes: clients that hear it first go there, and kshalb does not take an address that somebody else has",
		Mend: "find the machine (its hardware address in the switch's table: show mac address-table), take the address from it, or choose another VIP"}}
}

// judgeOwners is about several that answer, or have the address.
func (q inquiry) judgeOwners() (found []Finding) {
	if q.moved {
		return nil
	}
	answering := make(map[string][]string) // by node
	for _, mac := range sortedKeys(q.answering()) {
		if node, known := q.cards[mac]; known && slices.Contains(q.owners, node) {
			answering[node] = append(answering[node], mac)
		}
	}
	nodes := sortedKeys(answering)
	switch {
	case len(nodes) > 1:
		found = append(found, Finding{Level: Fault, Saw: fmt.Sprintf("%s all answer for VIP %s", strings.Join(nodes, " and "), q.vip.Address),
			Why:  "clients are torn between them: the address must be on one node",
			Mend: fmt.Sprintf("ip address show to %s on each shows who has put it there (kshalb's is marked proto 0x6b); remove the others'", q.vip.Address)})
	case len(q.owners) > 1:
		found = append(found, Finding{Level: Warning, Saw: fmt.Sprintf("%s have VIP %s, and not all of them answer", strings.Join(q.owners, " and "), q.vip.Address),
			Why:  "a node that has lost its lease keeps the address for some seconds, silent behind its fence; longer is wrong",
			Mend: "run kshalb doctor again"})
	}
	for _, node := range nodes {
		if macs := answering[node]; len(macs) > 1 {
			found = append(found, Finding{Level: Warning, Node: node, Saw: fmt.Sprintf("it answers for VIP %s from %s", q.vip.Address, strings.Join(macs, " and ")),
				Why:  "it has several cards in one network, and clients take the one that they hear last: some go by a card where kshalb does not announce, and lose the VIP when that fails",
				Mend: "sysctl -w net.ipv4.conf.all.arp_ignore=1"})
		}
	}
	return found
}

// who tells whose a hardware address is, as far as is known.
func (q inquiry) who(mac string) string {
	if node, known := q.cards[mac]; known {
		return fmt.Sprintf("%s (%s)", mac, nodeName(node))
	}
	if kind := kindOf(mac); kind != "" {
		return fmt.Sprintf("%s (%s)", mac, kind)
	}
	for _, node := range q.Nodes() {
		for _, a := range q.heard[node].Answered {
			if a.MAC == mac && len(a.Also) > 0 {
				return fmt.Sprintf("%s (also %s)", mac, addressList(a.Also))
			}
		}
	}
	return mac
}

// kindOf is what kind of sender a hardware address tells, or "" (RFC 9568, section
// 7.3: 00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for IPv6).
func kindOf(mac string) string {
	hw, err := net.ParseMAC(mac)
	if err == nil && len(hw) == macLength && slices.Equal(hw[:4], []byte{0, 0, 0x5e, 0}) && (hw[4] == 1 || hw[4] == 2) {
		return fmt.Sprintf("a VRRP router with VRID %d, a keepalived perhaps", hw[5])
	}
	return ""
}

// fine is what is told of a node where nothing is wrong.
func (q inquiry) fine(node string, a VIPAnswers) string {
	at := q.vip.Address.String()
	if a.Interface == "" {
		return "this host is not in the network of VIP " + at
	}
	others := "nobody answers"
	if len(a.Answered) > 0 {
		others = q.who(a.Answered[0].MAC) + " answers"
	}
	switch {
	case a.Assigned:
		return fmt.Sprintf("VIP %s is here, on %s: %s else", at, a.Interface, others)
	case slices.Contains(q.owners, node) || len(q.owners) == 0:
		return fmt.Sprintf("VIP %s on %s: nobody has it, %s", at, a.Interface, others)
	}
	return fmt.Sprintf("VIP %s on %s: %s", at, a.Interface, others)
}

// nodeName is how a node is told of; "" is a host that is no peer.
func nodeName(node string) string {
	if node == "" {
		return "this host"
	}
	return node
}

func nodeList(nodes []string) string {
	var names []string
	for _, n := range nodes {
		names = append(names, nodeName(n))
	}
	return strings.Join(names, ", ")
}

// singlePrefix is an address as ip address takes it.
func singlePrefix(a netip.Addr) string { return netip.PrefixFrom(a, a.BitLen()).String() }
