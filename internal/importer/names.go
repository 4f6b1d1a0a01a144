package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// namePeers gives each peer a name that the configuration takes, and has
// priorities and the first master use it.
func namePeers(j *plan.Plan) {
	taken := make(map[string]bool)
	called := make(map[string]string) // by the name or address in the source
	for i := range j.Peers {
		p := &j.Peers[i]
		was := p.Name.V
		name := unique(taken, nameOf(was, fmt.Sprintf("master%d", i+1)))
		switch {
		case was == "":
			p.Name = plan.Because(name, p.Address.From, "no name is told")
		case was != name:
			p.Name = plan.Because(name, p.Name.From, "there "+was)
		}
		called[was], called[p.Address.V.String()] = name, name
	}
	for i := range j.VIPs {
		j.VIPs[i].Priorities = priorities(j, j.VIPs[i].Priorities, called)
	}
	if j.Bootstrap.Given() && called[j.Bootstrap.V] == "" {
		j.Note(plan.Lost, j.Bootstrap.From, "first master "+j.Bootstrap.V, "it is no master of the list")
		j.Bootstrap = plan.Value[string]{}
	} else if j.Bootstrap.Given() {
		j.Bootstrap.V = called[j.Bootstrap.V]
	}
}

// priorities are those of peers, each once, by the names that they are called.
func priorities(j *plan.Plan, all []plan.Priority, called map[string]string) (kept []plan.Priority) {
	for _, p := range all {
		what := fmt.Sprintf("priority %d of %s", p.Priority.V, p.Peer)
		name := called[p.Peer]
		i := slices.IndexFunc(kept, func(k plan.Priority) bool { return k.Peer == name })
		switch {
		case name == "":
			j.Note(plan.Lost, p.Priority.From, what, "it is no master of the list")
		case i >= 0:
			pick(j, &kept[i].Priority, p.Priority, "priority")
		default:
			kept = append(kept, plan.Priority{Peer: name, Priority: p.Priority})
		}
	}
	return kept
}

func nameVIPs(j *plan.Plan) {
	taken := make(map[string]bool)
	for i := range j.VIPs {
		v := &j.VIPs[i]
		v.Name = plan.Because(unique(taken, nameOf(v.Name.V, "apiserver")), or(v.Name.From, v.Address.From), v.Name.Why)
	}
}

// maxName is the length of a name in a configuration.
const maxName = 63

// nameOf is text as a name of the configuration; instead, if nothing is left.
func nameOf(text, instead string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, text)
	text = strings.Trim(text[:min(len(text), maxName-3)], "._-")
	if text == "" {
		return instead
	}
	return text
}

// unique is name, with a number if it is taken.
func unique(taken map[string]bool, name string) string {
	free := name
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	taken[free] = true
	return free
}
