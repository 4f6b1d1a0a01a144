package doctor

import (
	"context"
	"fmt"
)

func lookConfiguration(_ context.Context, l *Looker, v *View) error {
	v.Digest = l.Config.Digest()
	return nil
}

// judgeConfiguration holds the nodes' configurations against each other: it is
// the same file on every node.
func judgeConfiguration(c Case) (all []Finding) {
	own := c.Config.Digest()
	for _, node := range c.Nodes() {
		f := Finding{Level: Fine, Node: node, Saw: "configuration " + own}
		if d := c.Views[node].Digest; d != own {
			f.Level = Warning
			f.Saw = fmt.Sprintf("its kshalb runs with configuration %s, the file here is %s", d, own)
			f.Why = "nodes with different peers, VIPs or timing may not agree on who holds an address"
			f.Mend = "make the files equal (kshalb check shows a file's digest), then kshalb reload on each node"
		}
		all = append(all, f)
	}
	return all
}
