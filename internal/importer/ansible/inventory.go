package ansible

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// inventory is the hosts and groups of all files.
type inventory struct {
	groups map[string]*group
	names  []string // of groups, in the order of the files
	order  []*group // parents before children
	hosts  map[string]*host
	count  int // hosts, ranges written out
}

type group struct {
	name     string
	at       plan.Source
	declared bool // and not only mentioned
	hosts    []string
	children []child
}

type child struct {
	name string
	at   plan.Source
}

// host is one of the inventory, with the few of its variables that matter.
type host struct {
	name string
	at   plan.Source
	vars map[string]plan.Value[string]
}

// The bounds of an inventory.
const (
	maxHosts  = 4096 // with ranges written out
	maxGroups = 1024
)

// groupName is Ansible's rule.
var groupName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

func (inv *inventory) group(name string, at plan.Source, declared bool) *group {
	g := inv.groups[name]
	if g == nil {
		g = &group{name: name, at: at, declared: name == "all" || name == "ungrouped"}
		inv.groups[name] = g
		inv.names = append(inv.names, name)
	}
	if declared && !g.declared {
		g.at, g.declared = at, true
	}
	return g
}

// readInventory reads the INI form.
func (r *reader) readInventory(lines []line) {
	name, form := "ungrouped", ""
	var others keys
	for _, l := range lines {
		text := strings.TrimSpace(l.text)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case isSection(text):
			name, form = r.section(l.at, text)
		case form == "children":
			r.child(name, l.at, text)
		case form == "vars":
			r.groupVar(name, l.at, text)
		case form == "":
			r.hostLine(name, l.at, text, &others)
		}
	}
	r.tellLogins(others)
}

// isSection tells [GROUP] from [fd00::1]:22 and such.
func isSection(text string) bool {
	_, isHost := hostName(strings.Fields(text)[0])
	return text[0] == '[' && !isHost
}

// section is the name of a group, and what follows the colon behind it.
func (r *reader) section(at plan.Source, text string) (name, form string) {
	inside, rest, closed := strings.Cut(text[1:], "]")
	name, form, _ = strings.Cut(inside, ":")
	rest = strings.TrimSpace(rest)
	if trimmed := strings.TrimSpace(name); trimmed != name || form != strings.TrimSpace(form) {
		r.note(plan.Fault, at, "a group's line", "between the brackets are no blanks: Ansible refuses the file; it was read without them")
		name, form = trimmed, strings.TrimSpace(form)
	}
	if strings.HasPrefix(rest, ";") {
		r.semicolon(at)
		rest = ""
	}
	switch {
	case !closed || rest != "" && rest[0] != '#' || !groupName.MatchString(name):
		r.note(plan.Fault, at, "a group's line", "it is to be [NAME], [NAME:children] or [NAME:vars]; what follows is left out until the next one")
		return "", "broken"
	case form != "" && form != "hosts" && form != "children" && form != "vars":
		r.note(plan.Fault, at, "["+name+":...]", "behind the colon stands children or vars; what follows is left out until the next group")
		return "", "broken"
	case form == "hosts":
		form = ""
	}
	if r.tooMany(name, at) {
		return "", "broken"
	}
	r.inventory.group(name, at, form != "vars")
	return name, form
}

// semicolon is the sign of a comment, but not behind something else.
func (r *reader) semicolon(at plan.Source) {
	r.note(plan.Fault, at, "a comment behind ;", "Ansible takes ; for a comment at the beginning of a line only, and refuses this one; write #. It was taken as meant")
}

func (r *reader) child(parent string, at plan.Source, text string) {
	words, _ := split(text)
	if len(words) > 1 && words[1][0] == ';' {
		r.semicolon(at)
		words = words[:1]
	}
	if len(words) != 1 || !groupName.MatchString(words[0]) {
		r.note(plan.Fault, at, "a line of ["+parent+":children]", "it has one name of a group; it is left out")
		return
	}
	r.addChild(parent, at, words[0])
}

// tooMany notes that there is no place for one more group.
func (r *reader) tooMany(name string, at plan.Source) bool {
	if r.inventory.groups[name] != nil || len(r.inventory.names) < maxGroups {
		return false
	}
	r.note(plan.Fault, at, "groups", fmt.Sprintf("there are more than %d; this one is left out", maxGroups))
	return true
}

func (r *reader) addChild(parent string, at plan.Source, name string) {
	g := r.inventory.group(parent, at, true)
	if r.tooMany(name, at) || slices.ContainsFunc(g.children, func(c child) bool { return c.name == name }) {
		return
	}
	g.children = append(g.children, child{name, at})
	r.inventory.group(name, at, false)
}

// literal is what Python reads as a value, and what stands behind it as a comment.
var literal = regexp.MustCompile(`^(?:[0-9]+|"[^"]*"|'[^']*'|\{.*\}|\[.*\])$`)

// groupVar reads a line of [GROUP:vars]. Ansible takes all behind the = for the
// value, and a comment only where the value is a literal of Python.
func (r *reader) groupVar(group string, at plan.Source, text string) {
	key, value, is := strings.Cut(text, "=")
	key = strings.TrimSpace(key)
	if !is || !yamlnode.IsName(key) {
		r.note(plan.Fault, at, "a variable of ["+group+":vars]", "it is to be KEY=VALUE; it is left out")
		return
	}
	value = strings.TrimSpace(value)
	if short := withoutComment(value); short != value {
		if (taken[key] || key == balancerKey) && !literal.MatchString(short) {
			r.note(plan.Fault, at, "a comment behind "+key, "in [GROUP:vars] Ansible takes it for a part of the value; write it on a line of its own. It was taken as meant")
		}
		value = short
	}
	r.vars.ofGroup(group, key, plan.Of(unquoted(value), at))
}
