package doctor

import (
	"context"
	"fmt"
)

// lookVoters has nothing to see: voters are in the configuration.
func lookVoters(context.Context, *Looker, *View) error { return nil }

// judgeVoters is about how many nodes may fail.
func judgeVoters(c Case) []Finding {
	if len(c.Config.VIPs) == 0 {
		return []Finding{{Level: Fine, Saw: "there is no VIP, and so no election"}}
	}
	voters, holders := len(c.Config.Cluster.Peers), 0
	for _, p := range c.Config.Cluster.Peers {
		if !p.Witness {
			holders++
		}
	}
	majority := voters/2 + 1
	f := Finding{Level: Fine, Saw: fmt.Sprintf("%d voters, %d of which may hold a VIP; %d may fail", voters, holders, voters-majority)}
	const witness = "list a third, which may be any host that only votes: {name: witness1, address: ..., witness: true}"
	switch {
	case voters == 1:
		f.Level, f.Why = Warning, "when this node is gone, nobody has the VIP"
		f.Mend = "list two more nodes in cluster.peers, one at a time, and kshalb reload"
	case voters == 2:
		f.Level, f.Why = Warning, "when one of two is gone the other has no majority, and nobody has the VIP"
		f.Mend = witness
	case holders == 1:
		f.Level, f.Why = Warning, "witnesses hold no VIP: when the only other node is gone, nobody has it"
		f.Mend = "take witness: true from a node that has a backend in reach"
	case voters%2 == 0:
		f.Level = Warning
		f.Why = fmt.Sprintf("%d of them have to agree, so that no more may fail than of %d", majority, voters-1)
		f.Mend = "add a voter (a witness will do) or remove one, and kshalb reload"
	}
	return []Finding{f}
}
