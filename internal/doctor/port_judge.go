package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
)

// judgePort finds others on kshalb's ports, and clients that do not get to it.
func judgePort(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		for _, p := range c.Views[node].Ports {
			i := slices.IndexFunc(c.Config.Listeners, func(l config.Listener) bool { return l.Name == p.Listener })
			if i < 0 {
				continue // of another configuration, which is told of
			}
			l := c.Config.Listeners[i]
			found := p.judgeOwners(l)
			if len(found) == 0 && l.VIP != "" {
				found = c.judgeTrials(p, l)
			}
			all = append(all, orFine(found, node, c.portFine(p, l))...)
		}
	}
	return all
}

// judgeOwners is about sockets of others.
func (p Port) judgeOwners(l config.Listener) (found []Finding) {
	for _, o := range p.Owners {
		f := Finding{Level: Fault, Saw: o.String()}
		switch {
		case o.Ours:
			continue
		case o.Process == "":
			found = append(found, Finding{Level: Unseen, Saw: fmt.Sprintf("listener %s: %s; whether it is kshalb cannot be told from here", l.Name, o)})
			continue
		case o.At == l.Address && l.Bind != l.Address:
			f.Why = "while this node holds the VIP its clients get there, and not to kshalb; and it serves on no other node"
			f.Mend = fmt.Sprintf("have it listen on this host's own address, or stop it: ss -ltnp 'sport = :%d'", l.Address.Port())
		default:
			f.Why = fmt.Sprintf("kshalb needs %s for listener %s, and does not start", l.Bind, l.Name)
			f.Mend = fmt.Sprintf("stop it, or write listeners[].privatePort: another one (ss -ltnp 'sport = :%d')", l.Bind.Port())
			if l.Bind == l.Address {
				f.Mend = fmt.Sprintf("stop it, or write portConflict: auto, which leaves the port to it (ss -ltnp 'sport = :%d')", l.Bind.Port())
			}
			if l.VIP == "" {
				f.Mend = fmt.Sprintf("stop it, or write another port for the listener (ss -ltnp 'sport = :%d')", l.Bind.Port())
			}
		}
		found = append(found, f)
	}
	return found
}

// judgeTrials is about what clients on one node meet.
func (c Case) judgeTrials(p Port, l config.Listener) []Finding {
	switch holders := c.holdersOf(l); {
	case p.Here == nil || p.Moved || len(holders) == 0:
		return nil
	case !p.Holds && p.Here.Way != Reached:
		return []Finding{{Level: Fault, Saw: fmt.Sprintf("%s is on %s, and from here it is %s", l.Address, strings.Join(holders, " and "), p.Here),
			Why:  "clients on this host do not reach it, its kubelet among them",
			Mend: fmt.Sprintf("ip route get %s; the topics answers and firewall say what may be in the way; kshalb status on %s", l.Address.Addr(), holders[0])}}
	case !p.Holds:
		return nil
	case p.Here.Way != Reached:
		return []Finding{{Level: Fault, Saw: fmt.Sprintf("%s is here, and is %s from here", l.Address, p.Here),
			Why: "this node answers for the VIP, and its clients are not served", Mend: mendPort(l)}}
	case !p.served(*p.Here, l):
		return []Finding{{Level: Fault, Saw: fmt.Sprintf("%s is here, and clients on this host get to %s, not to kshalb", l.Address, p.taker(*p.Here)),
			Why: "they depend on what runs on this host alone", Mend: mendPort(l)}}
	}
	return p.judgeInside(l)
}

func (p Port) judgeInside(l config.Listener) []Finding {
	switch {
	case p.Inside == nil && p.Hidden != "":
		return []Finding{{Level: Unseen, Saw: "a connect as a pod's was not tried: " + p.Hidden}}
	case p.Inside == nil:
		return nil
	case p.Inside.Way != Reached:
		return []Finding{{Level: Warning, Saw: fmt.Sprintf("%s is here, and from a network namespace beside this host it is %s", l.Address, p.Inside),
			Why:  "a firewall that lets in known interfaces only does so, and then it is as it should be; else pods of this node, and other hosts, are not served either",
			Mend: "nft list ruleset; iptables-save; " + mendPort(l)}}
	case !p.served(*p.Inside, l):
		return []Finding{{Level: Fault, Saw: fmt.Sprintf("%s is here, and clients of other networks get to %s, not to kshalb", l.Address, p.taker(*p.Inside)),
			Why: "a redirect of somebody else comes before kshalb's", Mend: "nft list ruleset; iptables-save -t nat shows redirects of the port"}}
	}
	return nil
}

func mendPort(l config.Listener) string {
	return fmt.Sprintf("kshalb status (is a backend up?); nft list table inet kshalb_%s shows the redirect", l.VIP)
}

// holdersOf are the nodes that have a listener's VIP.
func (c Case) holdersOf(l config.Listener) (nodes []string) {
	for _, node := range c.Nodes() {
		if slices.ContainsFunc(c.Views[node].Ports, func(p Port) bool { return p.Listener == l.Name && p.Holds && !p.Moved }) {
			nodes = append(nodes, nodeName(node))
		}
	}
	return nodes
}

// taker is who has taken a connection.
func (p Port) taker(t Trial) string {
	if !t.By.IsValid() {
		return "somebody who is not on this host"
	}
	return "the socket at " + t.By.String()
}

// String is what came of it in a word.
func (t Trial) String() string {
	switch t.Way {
	case Silent:
		return "silent"
	case Failed:
		return "not reached (" + t.Error + ")"
	}
	return t.Way
}

// portFine is what is told where nothing is wrong.
func (c Case) portFine(p Port, l config.Listener) string {
	text := "listener " + l.Name
	switch {
	case l.VIP == "":
		text += fmt.Sprintf(": %s is free", l.Bind)
	case p.Holds && p.Here != nil && p.Here.Way == Reached:
		text += fmt.Sprintf(": %s is here, and clients get to kshalb at %s", l.Address, p.Here.By)
		if p.Inside != nil {
			text += ", from a network namespace too"
		}
	case p.Here != nil && p.Here.Way == Reached:
		text += fmt.Sprintf(": %s is reached", l.Address)
	default:
		text += fmt.Sprintf(": nobody has %s", l.Address.Addr())
	}
	if len(p.Owners) > 0 {
		text += "; " + ownerList(p.Owners)
	}
	return text
}
