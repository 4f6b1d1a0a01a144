package keepalived

import (
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// rules say what becomes of keywords that are no value of kshalb's.
type rules map[string]rule

type rule struct {
	level plan.Level
	why   string
}

// with adds keywords, written with blanks between them, that share a rule.
func (r rules) with(level plan.Level, words, why string) rules {
	for w := range strings.FieldsSeq(words) {
		r[w] = rule{level, why}
	}
	return r
}

// Reasons that hold in more than one block.
const (
	whyScripts = "kshalb calls no script as keepalived does; hooks run a command when the holder of the address or a backend has changed, with other words (docs/hooks.md)"
	whyMail    = "kshalb sends no mail; alert on its metrics"
	whyDaemon  = "it is about keepalived's own process; kshalb has no need of it"
	whyVRRP    = "it is about VRRP packets; kshalb's peers talk by cluster.gossip instead"
	whyGARP    = "kshalb announces the address by a schedule of its own: at once, after 0.1s, five times 1.1s apart, then every vips[].refresh"
	whyRoutes  = "kshalb moves addresses only; have the network configuration of each node set these for good, if they need not move"
	whyKernel  = "it is about IPVS in the kernel; kshalb is a proxy in user space"
)

// other tells of a keyword by a table of rules.
func (n *notebook) other(s *node, where string, r rules) {
	known, ok := r[s.key]
	switch {
	case ok:
		n.add(known.level, s.at, s.key, known.why)
	case gap(s.key):
		n.bad(s.at, "a line in "+where, s.key, "what keepalived is to read")
	default:
		n.add(plan.Fault, s.at, label(s.key)+" in "+where, "keepalived 2.2 has no such keyword there and takes no notice of it; mend it or take it away")
	}
}

// braces tells of a block whose brace is missing.
func (n *notebook) braces(s *node) {
	if !s.block {
		n.add(plan.Fault, s.at, s.key, "its { is missing; what follows is not taken as part of it, so mend that first")
	}
}
