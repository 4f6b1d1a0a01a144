package keepalived

import (
	"github.com/kshalb/kshalb/internal/importer/plan"
)

// whyNot says for each subject what is there instead of a script.
var whyNot = map[subject]rule{
	proxyLives: {plan.Needless, "it looks whether the proxy lives; kshalb is the proxy, and gives the address away when it ends or cannot serve"},
	apiServer: {plan.Changed, "it looks at the node's own API server; with kshalb a node may hold the address while its own kshalb reaches any backend" +
		" that is ready, so the address stays where it is when only the API server there fails, and the others get the requests"},
	network: {plan.Lost, "kshalb tries no third host; a node that cannot reach a majority of its peers gives the address away by itself"},
	unclear: {plan.Lost, "kshalb asks no scripts and watches no files or processes; what it looked at has no say in who holds the address." +
		" Have it run kshalb handover when it matters"},
}

// track reads track_script, track_process and track_file, and returns by how much
// they can move a priority.
func (h *host) track(b *node) (weights int) {
	for _, n := range b.kids {
		s := h.scripts[b.key+" "+n.key]
		if s == nil {
			h.unknownTrack(b, n)
			continue
		}
		s.used = true
		why := whyNot[s.about]
		h.notes.add(why.level, n.at, b.key+" "+label(n.key), why.why)
		weights = sum(weights, h.trackWeight(n, s.weight))
	}
	return weights
}

func (h *host) unknownTrack(b, n *node) {
	if gap(n.key) {
		h.notes.bad(n.at, b.key, n.key, "the name of a script")
		return
	}
	h.notes.add(plan.Fault, n.at, b.key+" "+label(n.key), "nothing of that name is in the files given, and keepalived ignores it; give the file that has it, or take the line away")
}

// trackWeight is the weight behind a name, or otherwise.
func (h *host) trackWeight(n *node, otherwise int) int {
	for i, word := range n.args {
		if word == "weight" {
			return h.weightOf(n.at, word, n.arg(i+1))
		}
	}
	return otherwise
}

// sum adds the size of a weight. Without weight a failure takes the node out, which
// moves the address for sure.
func sum(weights, w int) int {
	const sure = 1000
	if w == 0 {
		return sure
	}
	return min(weights+max(w, -w), sure)
}

// trackInterfaces reads track_interface of something whose own interface is known,
// and of whose nothing need be said.
func (h *host) trackInterfaces(b *node, own string) (weights int) {
	for _, n := range b.kids {
		switch {
		case n.key == own && own != "":
			h.notes.add(plan.Needless, n.at, b.key+" "+label(n.key), "kshalb gives the address away by itself when the interface that has it loses carrier")
		case gap(n.key):
			h.notes.bad(n.at, b.key, n.key, "the name of an interface")
		default:
			h.notes.add(plan.Lost, n.at, b.key+" "+label(n.key), "kshalb looks at the interface that has the address and at whether it reaches"+
				" its peers and backends, at no other interface")
		}
		weights = sum(weights, h.trackWeight(n, 0))
	}
	return weights
}

var syncRules = rules{}.
	with(plan.Lost, "notify notify_master notify_backup notify_fault notify_stop notify_deleted", whyScripts).
	with(plan.Lost, "smtp_alert", whyMail).
	with(plan.Lost, "track_bfd", "kshalb speaks no BFD").
	with(plan.Needless, "notify_priority_changes", "kshalb has no priorities that change").
	with(plan.Needless, "global_tracking sync_group_tracking_weight", whyVRRP)

// syncGroup reads vrrp_sync_group.
func (h *host) syncGroup(b *node) {
	for _, n := range b.kids {
		switch n.key {
		case "group":
			h.notes.add(plan.Lost, b.at, "vrrp_sync_group "+label(b.arg(0)), "its instances move together; kshalb decides about each address by itself, so they"+
				" may be on different nodes. Every node serves all of them the same, unless it routes between them")
		case "track_script", "track_process", "track_file":
			h.track(n)
		case "track_interface":
			h.trackInterfaces(n, "")
		default:
			h.notes.other(n, b.key, syncRules)
		}
	}
}
