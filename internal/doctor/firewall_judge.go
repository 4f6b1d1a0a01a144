package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// judgeFirewall says which rules hold back what kshalb needs.
func judgeFirewall(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		if f := c.Views[node].Firewall; f != nil {
			all = append(all, orFine(f.judge(), node, f.String())...)
		}
	}
	return all
}

// String is what was seen where nothing is held back.
func (f Firewall) String() string {
	return fmt.Sprintf("%d chains of nf_tables that are not kshalb's let in what it needs", f.Chains)
}

func (f Firewall) judge() (found []Finding) {
	var chains []string // each is told of once for each kind
	for _, b := range f.Blocks {
		key := fmt.Sprintf("%s %s %v %v", b.Table, b.Chain, b.Invalid, b.Sure)
		if slices.Contains(chains, key) {
			continue
		}
		chains = append(chains, key)
		var same []Block
		for _, o := range f.Blocks {
			if o.Table == b.Table && o.Chain == b.Chain && o.Invalid == b.Invalid && o.Sure == b.Sure {
				same = append(same, o)
			}
		}
		found = append(found, f.tell(b, same))
	}
	if len(f.Legacy) > 0 {
		found = append(found, Finding{
			Level: Unseen, Saw: fmt.Sprintf("rules of iptables-legacy may be there (table %s), and are not read here", strings.Join(f.Legacy, ", ")),
			Why: "they could hold back what kshalb needs", Mend: "iptables-legacy-save; ip6tables-legacy-save",
		})
	}
	return found
}

// tell is about all that one chain holds back in one way.
func (f Firewall) tell(b Block, same []Block) Finding {
	var what []string
	for _, s := range same {
		what = append(what, fmt.Sprintf("%s port %d (%s)", s.Proto, s.Port, s.What))
	}
	chain := fmt.Sprintf("chain %s of table %s", b.Chain, b.Table)
	show := fmt.Sprintf("nft list chain %s %s", b.Table, b.Chain)
	switch {
	case b.Invalid:
		return Finding{
			Level: Warning, Saw: fmt.Sprintf("%s drops what conntrack calls invalid, also to %s", chain, strings.Join(what, ", ")),
			Why:  "when the address moves to this host, it knows nothing of the connections: their next packets are invalid, and have to be answered by a reset. Dropped, they leave clients waiting",
			Mend: "before that rule: " + f.allow(b, same) + "; " + show,
		}
	case b.Sure:
		return Finding{
			Level: Fault, Saw: fmt.Sprintf("%s drops or rejects %s", chain, strings.Join(what, ", ")),
			Why:  "nobody gets through to it from outside of this host",
			Mend: f.allow(b, same) + "; " + show,
		}
	}
	return Finding{
		Level: Unseen, Saw: fmt.Sprintf("%s may hold back %s: not all of its rules can be followed", chain, strings.Join(what, ", ")),
		Why:  "whether gossip and backends are reached was tried (gossip, backends); clients were not",
		Mend: show,
	}
}

// allow is the command that lets ports in, of whoever writes the rules.
func (f Firewall) allow(b Block, same []Block) string {
	var words []string
	for _, s := range same {
		var word string
		switch {
		case slices.Contains(f.Managers, "firewalld"):
			word = fmt.Sprintf("firewall-cmd --permanent --add-port=%d/%s", s.Port, s.Proto)
		case slices.Contains(f.Managers, "ufw"):
			word = fmt.Sprintf("ufw allow %d/%s", s.Port, s.Proto)
		case strings.HasSuffix(b.Table, " filter") && b.Chain == "INPUT":
			word = fmt.Sprintf("iptables -I INPUT -p %s --dport %d -j ACCEPT", s.Proto, s.Port)
		default:
			word = fmt.Sprintf("nft insert rule %s %s %s dport %d accept", b.Table, b.Chain, s.Proto, s.Port)
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if slices.Contains(f.Managers, "firewalld") {
		words = append(words, "firewall-cmd --reload")
	}
	return strings.Join(words, "; ")
}
