package ansible

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// inventory is the hosts and groups of all files.
type inventory struct {
	groups map[string]*group
	hosts  map[string]*host
	count  int // hosts, ranges written out
}

type group struct {
	at       plan.Source
	hosts    []string // in the order of the file
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

// addressKeys are the variables with addresses, the one that counts first: it is
// what Kubernetes is told; ansible_host is where Ansible logs in.
var addressKeys = []string{"ip", "ansible_host", "ansible_ssh_host"}

// maxHosts bounds what ranges may be written out to.
const maxHosts = 4096

func (r *reader) readInventory(lines []line) {
	name, form := "ungrouped", ""
	logins := make(map[string]bool)
	var first plan.Source
	for _, l := range lines {
		text := strings.TrimSpace(withoutComment(l.text))
		switch {
		case text == "":
		case text[0] == '[':
			name, form = r.section(l.at, text)
		case form == "children":
			r.child(name, l.at, text)
		case form == "vars":
			r.groupVar(l.at, text)
		case form == "":
			for _, key := range r.hostLine(name, l.at, text) {
				if first.Line == 0 {
					first = l.at
				}
				logins[key] = true
			}
		}
	}
	if len(logins) > 0 {
		r.note(plan.Needless, first, "variables of hosts: "+strings.Join(sorted(logins), ", "), "how the installer logs in and what it installs; kshalb logs in nowhere, and none of it was read")
	}
}

// section is the name of a group, and what follows the colon behind it.
func (r *reader) section(at plan.Source, text string) (name, form string) {
	inside, rest, closed := strings.Cut(text[1:], "]")
	name, form, _ = strings.Cut(strings.TrimSpace(inside), ":")
	switch {
	case !closed || strings.TrimSpace(rest) != "" || !yamlnode.IsName(name):
		r.note(plan.Fault, at, "a group's line", "it is to be [NAME], [NAME:children] or [NAME:vars]; what follows is left out until the next one")
		return "", "broken"
	case form != "" && form != "children" && form != "vars":
		r.note(plan.Fault, at, "["+name+":...]", "behind the colon stands children or vars; what follows is left out until the next group")
		return "", "broken"
	}
	if form != "vars" {
		r.group(name, at)
	}
	return name, form
}

func (r *reader) group(name string, at plan.Source) *group {
	g := r.inventory.groups[name]
	if g == nil {
		g = &group{at: at}
		r.inventory.groups[name] = g
	}
	return g
}

func (r *reader) child(parent string, at plan.Source, text string) {
	fields := strings.Fields(text)
	if len(fields) > 1 || !yamlnode.IsName(fields[0]) {
		r.note(plan.Fault, at, "a line of ["+parent+":children]", "it has one name of a group; it is left out")
		return
	}
	g := r.group(parent, at)
	g.children = append(g.children, child{fields[0], at})
}

// hostLine reads a host, or a range of them, and gives the keys that it did not
// take.
func (r *reader) hostLine(in string, at plan.Source, text string) (logins []string) {
	words, whole := split(text)
	if !whole {
		r.note(plan.Fault, at, "a host's line", "a quote is not closed; the line is left out")
		return nil
	}
	names, err := expand(words[0])
	if err != nil {
		r.note(plan.Fault, at, "a host's name", err.Error()+"; the line is left out")
		return nil
	}
	vars := make(map[string]plan.Value[string])
	for _, w := range words[1:] {
		key, value, is := strings.Cut(w, "=")
		switch {
		case !is || !yamlnode.IsName(key):
			r.note(plan.Fault, at, "a host's line", "a word in it is not KEY=VALUE: no blanks around the =, and quotes around values with blanks")
		case taken(key):
			vars[key] = plan.Of(value, at)
		default:
			logins = append(logins, key)
		}
	}
	g := r.group(in, at)
	for _, name := range names {
		if r.inventory.count++; r.inventory.count > maxHosts {
			r.note(plan.Fault, at, "ranges", fmt.Sprintf("they stand for more than %d hosts; the rest is left out", maxHosts))
			return logins
		}
		h := r.inventory.hosts[name]
		if h == nil {
			h = &host{name: name, at: at, vars: make(map[string]plan.Value[string])}
			r.inventory.hosts[name] = h
		}
		maps.Copy(h.vars, vars)
		g.hosts = append(g.hosts, name)
	}
	return logins
}

// taken reports whether a host's variable is looked at.
func taken(key string) bool {
	return key == "access_ip" || addressKeys[0] == key || addressKeys[1] == key || addressKeys[2] == key
}

// groupVar reads a line of [GROUP:vars], which may have what files of variables
// have.
func (r *reader) groupVar(at plan.Source, text string) {
	key, value, is := strings.Cut(text, "=")
	key = strings.TrimSpace(key)
	if !is || !yamlnode.IsName(key) {
		r.note(plan.Fault, at, "a variable of a group", "it is to be KEY=VALUE; it is left out")
		return
	}
	if !r.vars.set(key, plan.Of(unquoted(strings.TrimSpace(value)), at)) {
		r.note(plan.Needless, at, "variable "+key, "it is the installer's; its value was not read")
	}
}

// members are the hosts of a group and of its children, each once, in order.
func (r *reader) members(name string) (all []*host) {
	seen, entered := make(map[string]bool), make(map[string]bool)
	var enter func(name string)
	enter = func(name string) {
		g := r.inventory.groups[name]
		if g == nil || entered[name] {
			return
		}
		entered[name] = true
		for _, h := range g.hosts {
			if !seen[h] {
				seen[h] = true
				all = append(all, r.inventory.hosts[h])
			}
		}
		for _, c := range g.children {
			if r.inventory.groups[c.name] == nil {
				r.note(plan.Fault, c.at, "group "+c.name, "there is no such group in the files given")
			}
			enter(c.name)
		}
	}
	enter(name)
	return all
}

// address is where the other masters reach a host.
func (h *host) address() (plan.Value[netip.Addr], bool) {
	for _, key := range addressKeys {
		if v, told := h.vars[key]; told {
			if a, ok := yamlnode.Addr(v.V); ok && yamlnode.Floats(a) {
				return plan.Because(a, v.From, key), true
			}
		}
	}
	a, ok := yamlnode.Addr(h.name)
	return plan.Of(a, h.at), ok && yamlnode.Floats(a)
}
