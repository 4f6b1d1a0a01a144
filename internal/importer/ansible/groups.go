package ansible

import (
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// members are the hosts of a group and of its children, each once, in order.
func (inv *inventory) members(name string) (all []*host) {
	seen := make(map[string]bool)
	for _, g := range inv.below(name) {
		for _, h := range g.hosts {
			if !seen[h] {
				seen[h] = true
				all = append(all, inv.hosts[h])
			}
		}
	}
	return all
}

// below is a group and its children, and theirs, each once.
func (inv *inventory) below(name string) (all []*group) {
	entered := make(map[string]bool)
	var enter func(name string)
	enter = func(name string) {
		g := inv.groups[name]
		if g == nil || entered[name] {
			return
		}
		entered[name] = true
		all = append(all, g)
		for _, c := range g.children {
			enter(c.name)
		}
	}
	enter(name)
	return all
}

// check notes groups that Ansible refuses, and puts all in order: first parents,
// then children.
func (inv *inventory) check(p *plan.Plan) {
	const open, done = 1, 2
	state := make(map[string]int)
	var visit func(name string)
	visit = func(name string) {
		g := inv.groups[name]
		state[name] = open
		for _, c := range g.children {
			switch {
			case !inv.groups[c.name].declared:
				inv.undeclared(p, c)
			case state[c.name] == open:
				p.Note(plan.Fault, c.at, "group "+c.name, "it is a child of itself, directly or by others, and Ansible refuses that; take one of the lines away")
			case state[c.name] == 0:
				visit(c.name)
			}
		}
		state[name] = done
		inv.order = append(inv.order, g)
	}
	for _, name := range inv.names {
		if state[name] == 0 {
			visit(name)
		}
	}
	slices.Reverse(inv.order)
}

func (inv *inventory) undeclared(p *plan.Plan, c child) {
	var names []string
	for _, name := range inv.names {
		if inv.groups[name].declared {
			names = append(names, name)
		}
	}
	why := "there is no such group in the files given, and Ansible refuses that"
	if near := yamlnode.Near(c.name, names); near != "" {
		why += "; is " + near + " meant?"
	}
	p.Note(plan.Fault, c.at, "group "+c.name, why)
}

// depths are those of the groups that have a host, directly or below: 0 of all, 1
// of one without a parent, else one more than that of the deepest parent. Of groups
// that give one variable the deepest holds.
func (inv *inventory) depths(h *host) map[string]int {
	depth := map[string]int{}
	for _, g := range inv.order {
		depth[g.name] = max(depth[g.name], 1)
		for _, c := range g.children {
			depth[c.name] = max(depth[c.name], depth[g.name]+1)
		}
	}
	has := map[string]bool{"all": true}
	for _, g := range slices.Backward(inv.order) {
		has[g.name] = has[g.name] || slices.Contains(g.hosts, h.name) ||
			slices.ContainsFunc(g.children, func(c child) bool { return has[c.name] })
	}
	for name := range depth {
		if !has[name] {
			delete(depth, name)
		}
	}
	depth["all"] = 0
	return depth
}
